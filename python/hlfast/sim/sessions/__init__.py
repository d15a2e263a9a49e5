"""Sessions on file: all that clients sent and were told, and whether the venue would say the same again.

The venue is a function of its turns: a client's input or one of its own timers, each at one reading of the clock. A
recording holds them in order, so a replay needs neither the recorded pace nor the recorded machine.
"""
