"""`python -m hlfast`: the same as `hlfast`."""

from hlfast.cli import main

main()
