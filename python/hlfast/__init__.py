"""Copy any Hyperliquid trader into any number of accounts."""
