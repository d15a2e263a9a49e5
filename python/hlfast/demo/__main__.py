"""`python -m hlfast.demo`."""

import typer

from hlfast.demo.command import demo

if __name__ == "__main__":
    typer.run(demo)
