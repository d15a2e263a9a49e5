"""Off the hot path: reads the journal and tells others. Nothing here can hold up an order."""
