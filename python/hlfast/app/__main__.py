"""`python -m hlfast.app`: the engine, settings as JSON on standard input. `hlfast run` starts it."""

import sys
from importlib import import_module
from threading import Thread

if __name__ == "__main__":
    # aiohttp loads the system's certificates when it is imported: 0.1 s in OpenSSL, without the interpreter's lock.
    # No daemon: a start that is refused meanwhile waits for it, or the process would end in OpenSSL, with a crash.
    Thread(target=import_module, args=("hlfast.app.road",)).start()
    sys.exit(import_module("hlfast.app.serve").main())
