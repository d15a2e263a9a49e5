"""`python -m hlfast.app`: the engine, settings as JSON on standard input. `hlfast run` starts it."""

import sys
from importlib import import_module
from threading import Thread

if __name__ == "__main__":
    # aiohttp loads the system's certificates when it is imported: 0.1 s in OpenSSL, without the interpreter's lock.
    Thread(target=import_module, args=("hlfast.app.road",), daemon=True).start()
    sys.exit(import_module("hlfast.app.serve").main())
