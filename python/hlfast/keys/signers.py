"""Signers for commands that send actions of their own; the engine's keys never leave it."""

from __future__ import annotations

from hlfast._core import open_credentials, open_keystore
from hlfast.config.model import Keys
from hlfast.signing import Signer


def open_signers(keys: Keys) -> list[Signer]:
    """Have the keys of a credentials directory and of keystores read in Rust.

    Raises:
        KeyFileError: a file is missing, readable by others, misnamed or holds no key; it says which and what to do.
    """
    signers = [] if keys.credentials_directory is None else open_credentials(keys.credentials_directory)
    return signers + [open_keystore(keystore.path, keystore.passphrase_file) for keystore in keys.keystores]
