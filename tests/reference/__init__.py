"""How copying behaves, a second time: short and obvious, in Decimal, for comparison with the core."""
