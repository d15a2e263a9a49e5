"""A test venue that speaks Hyperliquid's protocol: `/info`, `/exchange` and `/ws` on one port, real signatures checked.

It shares no code with the copy engine: numbers, parsing and signature checks are its own, so that one reading of the
venue's rules tests the other. Start it with `hlfast sim` or `python -m hlfast.sim`.
"""
