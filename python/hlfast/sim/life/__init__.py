"""Life for the venue: prices that move, strangers that trade, leaders whose recorded fills happen again.

A *source* (`walk`, `capture`, `candles`, `fills`) yields cues in time order; a `Play` times them; the `Stage` makes
each happen on the venue. Randomness is seeded and integer, time is the loop's: in virtual time a play is the same
twice.
"""
