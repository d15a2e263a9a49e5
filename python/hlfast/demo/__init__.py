"""`hlfast demo`: real traders' recorded fills, copied on the simulated exchange, and an independent verdict."""
