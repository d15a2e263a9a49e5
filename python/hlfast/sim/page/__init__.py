"""The page on `/`: the live book, trades, fills and accounts, and the switches that make the venue misbehave."""
