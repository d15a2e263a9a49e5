"""The front door to agent keys: which of them to load. Reading, decrypting and checking them happens in Rust."""

from __future__ import annotations

from typing import Protocol

import msgspec

from hlfast.config.model import Keys


class KeyReader(Protocol):
    """The part of the native engine that reads keys. Python sees addresses only."""

    def load_credentials(self, directory: str, /) -> list[str]:
        """Load a directory of one file an agent."""

    def load_keystore(self, path: str, passphrase_path: str, /) -> str:
        """Load one Ethereum keystore V3."""

    def load_raw_key(self, variable: str, /) -> str:
        """Load one key from the environment."""

    def missing_keys(self) -> list[str]:
        """Return the agents that the configuration names and no loaded key matches."""


class LoadedKeys(msgspec.Struct, frozen=True):
    """Addresses of agents: those whose keys were loaded, and those still missing."""

    loaded: tuple[str, ...]
    missing: tuple[str, ...]


def load_keys(reader: KeyReader, keys: Keys) -> LoadedKeys:
    """Have every configured key read: the credentials directory, then keystores, then variables.

    Raises:
        KeyFileError: a file is missing, readable by others, misnamed or holds no key; it says which and what to do.
    """
    loaded: list[str] = []
    if keys.credentials_directory is not None:
        loaded += reader.load_credentials(keys.credentials_directory)
    loaded += [reader.load_keystore(keystore.path, keystore.passphrase_file) for keystore in keys.keystores]
    loaded += [reader.load_raw_key(variable) for variable in keys.env]
    return LoadedKeys(tuple(loaded), tuple(reader.missing_keys()))
