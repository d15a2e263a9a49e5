"""The uvloop shell around the core: bytes in and out, timers, reads, start and stop. It decides nothing of orders."""
