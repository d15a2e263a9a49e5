"""`python -m hlfast.sim`."""

from hlfast.sim.command import main

main()
