"""Throwaway accounts of the benches: made from their number, so that every run and every peer uses the same ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import coincurve
from eth_hash.auto import keccak

LEADER = "0x" + "1e" * 20


@dataclass(frozen=True, slots=True)
class Follower:
    """An account that copies, and the agent that signs for it."""

    account: str
    agent: str
    agent_key: str  # 64 hexadecimal digits; worthless by design


def address_of(key: bytes) -> str:
    """The lower-case address of a private key."""
    point = coincurve.PrivateKey(key).public_key.format(compressed=False)
    return "0x" + keccak(point[1:])[-20:].hex()


def followers(count: int) -> list[Follower]:
    """The first `count` followers."""
    made = []
    for number in range(count):
        key = hashlib.sha256(b"bench follower %d" % number).digest()
        account = "0x" + hashlib.sha256(b"bench account %d" % number).hexdigest()[:40]
        made.append(Follower(account=account, agent=address_of(key), agent_key=key.hex()))
    return made


def write_credentials(directory: Path, accounts: list[Follower]) -> None:
    """One file an agent as `Keys.credentials_directory` wants it: named by address, mode 0400."""
    directory.mkdir(mode=0o700)
    for account in accounts:
        path = directory / account.agent
        path.write_text(account.agent_key + "\n", encoding="ascii")
        path.chmod(0o400)


def write_keys(path: Path, accounts: list[Follower]) -> None:
    """All agent keys, one a line, for the peers."""
    path.write_text("".join(f"0x{account.agent_key}\n" for account in accounts), encoding="ascii")


def write_agents(path: Path, accounts: list[Follower]) -> None:
    """Pairs of agent and account, for the sink's answers to `userRole`."""
    path.write_text("".join(f"{account.agent} {account.account}\n" for account in accounts), encoding="ascii")
