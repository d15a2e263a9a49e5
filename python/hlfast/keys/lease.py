"""One engine per signer on this host: a second one, though with a journal of its own, is refused by name.

Two engines that sign for one agent know nothing of each other's nonces, positions and caps. The journal's lock keeps
two of them off one directory; this keeps them off one key.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hlfast.errors import ConfigError, KeyFileError

# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"


class SignerLease:
    """Byte locks on one file of the user's, one byte a signer; the kernel drops them with the process.

    Locks belong to the open file, so a second engine in the same process is refused too. Other hosts and other users
    are out of reach: give each engine its own agents (the venue's advice, too).
    """

    def __init__(self, base_url: str, agents: Iterable[str], path: Path | None = None) -> None:
        """Take the lease of every agent, or none.

        Args:
            base_url: the venue; the same agent on another venue is another signer.
            agents: addresses of agents.
            path: the lock file; by default one for each user in the runtime or temporary directory.

        Raises:
            ConfigError: another engine on this host holds one of them.
            KeyFileError: the lock file is somebody else's or can't be opened.
        """
        path = path or _default_path()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KeyFileError(f"{path}: the signers' lock file can't be opened: {error.strerror}") from None
        self._base_url = base_url
        try:
            self._check_owner(path)
            self.add(agents)
        except BaseException:
            self.release()
            raise

    def add(self, agents: Iterable[str]) -> None:
        """Take the lease of further agents; of one that is held already it is no news.

        Raises:
            ConfigError: another engine on this host holds one of them.
        """
        for agent in agents:
            self._take(self._base_url, agent)

    def _check_owner(self, path: Path) -> None:
        if os.fstat(self._file).st_uid != os.getuid():
            raise KeyFileError(f"{path}: the signers' lock file belongs to another user; remove it")

    def _take(self, base_url: str, agent: str) -> None:
        name = f"{base_url.rstrip('/')} {agent.lower()}".encode()
        place = int.from_bytes(hashlib.sha256(name).digest()[:7])
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0))
        except BlockingIOError:
            raise ConfigError(
                f"another engine on this host signs for agent {agent}: stop it, or approve another agent for this one"
            ) from None

    def release(self) -> None:
        """Give all of them back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _default_path() -> Path:
    directory = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(directory) / f"hlfast-signers-{os.getuid()}.lock"
