"""The operator's door: a Unix socket in the journal's directory, for the engine's own user on this host alone.

One request a line, one answer a line, both JSON. What changes anything is journalled before it is answered. Requests
are served one after another between frames, so that no order waits for more than one of them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from hlfast.errors import ConfigError

MAX_REQUEST: Final = 64 << 10
# A configuration of a thousand followers is half a megabyte.
MAX_CONFIGURATION: Final = 16 << 20
_MAX_CONNECTIONS: Final = 8
_REQUEST_S: Final = 5.0
# sockaddr_un holds 107 bytes and a zero.
_MAX_PATH: Final = 107
_CREDENTIALS: Final = struct.Struct("3i")

Answer = Callable[[bytes], Awaitable[bytes]]


def refusal(what: str, fix: str) -> bytes:
    """Return the answer to a request that is not carried out."""
    return msgspec.json.encode({"ok": False, "refused": what, "fix": fix})


class ControlSocket:
    """Serves requests at a path.

    Args:
        path: where the socket is made; what a former process left there is replaced.
        answer: answers one request, without its line end. Called on the loop, never twice at once.
    """

    def __init__(self, path: Path, answer: Answer) -> None:
        self.path = path
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._one = asyncio.Lock()

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the path is no place for a socket, or another process listens there.
        """
        listener = _listen(self.path)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_CONFIGURATION)

    async def close(self) -> None:
        """End every connection and remove the socket. Safe to call twice."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await server.wait_closed()
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._serving) >= _MAX_CONNECTIONS or not _is_ours(writer):
            writer.close()
            return
        self._serving.add(task)
        try:
            while True:
                line = await reader.readuntil(b"\n")
                async with asyncio.timeout(_REQUEST_S), self._one:
                    writer.write(await self._answer(line[:-1]) + b"\n")
                await asyncio.wait_for(writer.drain(), _REQUEST_S)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the operator is gone, or does not read
        finally:
            self._serving.discard(task)
            writer.close()


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer runs as this user, or as root, who may do everything anyway."""
    peer: socket.socket = writer.get_extra_info("socket")
    _, user, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return user in {os.geteuid(), 0}


def _listen(path: Path) -> socket.socket:
    _make_room(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # Nobody else may connect, not even in the moment between bind and chmod.
        before = os.umask(0o177)
        try:
            with reachable(path) as name:
                listener.bind(name)
        finally:
            os.umask(before)
        path.chmod(0o600)
        listener.listen(_MAX_CONNECTIONS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"control.socket: {path} cannot be made: {error.strerror}; name a place on a local disk"
        ) from None
    return listener


def _make_room(path: Path) -> None:
    """Remove the socket of a process that is gone."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"control.socket: {path} is there and is no socket; name another place, or remove it")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            with reachable(path) as name:
                probe.connect(name)
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise ConfigError(f"control.socket: another process listens at {path}; give each engine its own")


class reachable:  # noqa: N801 # reads as a word where it is used
    """A name of the path that fits into a socket's address, while the block lasts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._directory = -1

    def __enter__(self) -> str:
        """Return the path, or one through an open directory where it is too long."""
        if len(os.fsencode(self._path)) <= _MAX_PATH:
            return str(self._path)
        self._directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._directory}/{self._path.name}"

    def __exit__(self, *_error: object) -> None:
        """Close what was opened."""
        if self._directory >= 0:
            os.close(self._directory)
