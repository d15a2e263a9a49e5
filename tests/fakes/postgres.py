"""A PostgreSQL server of one's own: Debian's binaries, a new data directory, loopback only, never as root."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = "PostgreSQL's server is missing: apt-get install postgresql"


def binaries() -> Path:
    """The newest installed server's directory."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError(INSTALL)
    return found[-1].parent


@contextmanager
def server() -> Iterator[str]:
    """Yield a URL prefix `postgresql://hlfast@127.0.0.1:port`; databases are made with `database`."""
    home = Path(tempfile.mkdtemp(prefix="hlfast-pg-"))
    user = None
    if os.geteuid() == 0:
        user = "postgres" if _exists("postgres") else "nobody"
        shutil.chown(home, user)
    tools, data = binaries(), home / "data"

    def run(*command: str) -> None:
        done = subprocess.run(command, user=user, cwd=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command[0]}: {done.stderr}{done.stdout}"

    run(str(tools / "initdb"), "-D", str(data), "-U", "hlfast", "-A", "trust", "-E", "UTF8", "--no-sync")
    port = _free_port()
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=on"
    run(str(tools / "pg_ctl"), "-D", str(data), "-o", settings, "-l", str(home / "log"), "-w", "start")
    try:
        yield f"postgresql://hlfast@127.0.0.1:{port}"
    finally:
        run(str(tools / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(home, ignore_errors=True)


def database(prefix: str, name: str) -> str:
    """Make an empty database and return its URL."""
    _run("createdb", prefix, name)
    return f"{prefix}/{name}"


def dump(url: str, path: Path) -> None:
    """Write all of a database into a file."""
    prefix, _, name = url.rpartition("/")
    _run("pg_dump", prefix, "-Fc", "-f", str(path), name)


def restore(url: str, path: Path) -> None:
    """Put what was dumped in the place of what there is."""
    prefix, _, name = url.rpartition("/")
    _run("dropdb", prefix, name)
    _run("createdb", prefix, name)
    _run("pg_restore", prefix, "-d", name, str(path))


def _run(tool: str, prefix: str, *arguments: str) -> None:
    port = prefix.rsplit(":", 1)[1]
    subprocess.run([binaries() / tool, "-h", "127.0.0.1", "-p", port, "-U", "hlfast", *arguments], check=True)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
