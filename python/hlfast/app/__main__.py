"""`python -m hlfast.app`: the engine, settings as JSON on standard input. `hlfast run` starts it."""

import sys

from hlfast.app.serve import main

if __name__ == "__main__":
    sys.exit(main())
