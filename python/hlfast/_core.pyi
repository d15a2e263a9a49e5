"""Types of the native half. `stubtest` holds this file to the binary.

Every call of `Engine` runs on the engine's one loop thread; `Metrics` and `read_journal` may run on any thread.
Times: `recv_ns` and `*_ns` are monotonic nanoseconds, `now_ms` is the estimated venue time in Unix milliseconds.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, final

from typing_extensions import Buffer

from hlfast.signing import Signature

__all__ = [
    "FRAME_ACK",
    "FRAME_BAD",
    "FRAME_ERROR",
    "FRAME_OTHER",
    "FRAME_PONG",
    "ConfigError",
    "Engine",
    "HlfastError",
    "JournalError",
    "KeyFileError",
    "Metrics",
    "PresignPool",
    "Rehearsal",
    "Signer",
    "SigningError",
    "WhatIf",
    "__version__",
    "action_hash",
    "archive_journal",
    "create_credential",
    "float_to_wire",
    "keccak256",
    "l1_digest",
    "open_credentials",
    "open_keystore",
    "read_journal",
    "recover",
    "repair_journal",
    "verify_journal",
]

__version__: Final[str]

class HlfastError(Exception): ...
class ConfigError(HlfastError): ...
class JournalError(HlfastError): ...
class KeyFileError(HlfastError): ...
class SigningError(HlfastError): ...

_Number: TypeAlias = str | int | float | Decimal

@final
class Signer:
    """One private key, kept in Rust. Deterministic (RFC 6979) unless a pool is given. Any thread."""

    @staticmethod
    def from_key(key: str | bytes) -> Signer:
        """From 64 hex digits (0x optional) or 32 bytes; ValueError when they are no secp256k1 key."""
    @staticmethod
    def from_keystore(path: str | Path, passphrase: str) -> Signer:
        """From an Ethereum keystore V3 that others cannot read; KeyFileError otherwise."""
    @property
    def address(self) -> str:
        """Lower-case 0x address."""
    def sign_l1(
        self,
        action: object,
        nonce: int,
        vault_address: str | None = None,
        expires_after: int | None = None,
        mainnet: bool = True,
    ) -> Signature:
        """Sign any L1 action (a dict in the venue's field order). Nonce and expiry in Unix milliseconds.

        TypeError names the path of a value that an action cannot hold; floats among them.
        """
    def sign_user_signed(
        self, action: dict[str, Any], primary_type: str, types: list[dict[str, str]], mainnet: bool = True
    ) -> Signature:
        """Sign typed data. Sets `hyperliquidChain`, and `signatureChainId` 0x66eee if absent, in the action."""
    def sign_digest(self, digest: bytes) -> Signature: ...
    def order_request(
        self,
        asset: int,
        is_buy: bool,
        price: _Number,
        size: _Number,
        *,
        nonce: int,
        tif: str = "Ioc",
        reduce_only: bool = False,
        cloid: str | None = None,
        vault_address: str | None = None,
        expires_after: int | None = None,
        mainnet: bool = True,
        pool: PresignPool | None = None,
    ) -> bytes:
        """One limit order as the whole signed JSON body of /exchange. ValueError names the argument that is wrong."""

@final
class PresignPool:
    """Presignatures of several signers, `depth` each, refilled by a thread of its own. Useless in a fork."""

    def __new__(cls, signers: list[Signer], depth: int = 16) -> Self: ...
    @property
    def ready(self) -> int: ...
    def counts(self) -> dict[str, int]:
        """ready, made, taken, empty, failed."""
    def order_requests(
        self,
        orders: list[tuple[int, int, bool, _Number, _Number, int]],
        *,
        tif: str = "Ioc",
        reduce_only: bool = False,
        expires_after: int | None = None,
        mainnet: bool = True,
    ) -> list[bytes]:
        """Signed bodies, one per (signer number, asset, is_buy, price, size, nonce). Neighbours with equal action and nonce are hashed once."""

def action_hash(
    action: object, nonce: int, vault_address: str | None = None, expires_after: int | None = None
) -> bytes: ...
def l1_digest(action_hash: bytes, mainnet: bool) -> bytes: ...
def float_to_wire(value: float) -> str:
    """Wire text of a float; ValueError where eight decimals would round it. Never "-0"."""

def recover(digest: bytes, signature: Signature) -> str:
    """The address that signed; SigningError when none did."""

def keccak256(message: bytes) -> bytes: ...
def create_credential(directory: str | Path) -> str:
    """Make a new agent key file (mode 0400, named by its address) and return the address; KeyFileError otherwise."""

def open_credentials(directory: str | Path) -> list[Signer]:
    """Read every agent key file of a directory, in order of addresses; KeyFileError names the first that is no such file."""

def open_keystore(path: str | Path, passphrase_path: str | Path) -> Signer:
    """Decrypt an Ethereum keystore V3 with the passphrase of a file; KeyFileError when others may read one of them."""

# One item per write: (lane id, post id or 0, bytes). For a WebSocket lane the bytes are whole masked frames and the
# post id is 0; for an HTTP lane the bytes are one /exchange body and the post id comes back with `on_http_answer`.
_Sends: TypeAlias = list[tuple[int, int, bytes]]

@final
class Engine:
    """The core, its journal and its signers behind one lock."""

    def __new__(cls, config: bytes, journal_dir: str, now_ms: int) -> Self:
        """Open (or create) the journal, take its lock and replay it. `config` is the JSON of `hlfast.config.model.Config`."""

    # simulation: the same engine on a disk that can fail, with all chance from a seed
    @staticmethod
    def simulated(config: bytes, journal_dir: str, now_ms: int, seed: int) -> Engine:
        """Open as the constructor does; ConfigError for any venue but http://gameday.invalid on the testnet.

        No thread runs: the journal's rounds come with `on_tick`. Signatures are RFC 6979 alone.
        """
    def crash(self, power_fails: int | None = None) -> None:
        """End as a killed process does; a simulated engine only. With a seed, part of what was not synced is lost too."""
    def set_disk_full(self, full: bool) -> None:
        """Fill a simulated disk up, or make room again."""

    # keys: decrypted in Rust, never seen by Python
    def load_credentials(self, directory: str) -> list[str]: ...
    def load_keystore(self, path: str, passphrase_path: str) -> str: ...
    def load_raw_key(self, variable: str) -> str:
        """Read one key from an environment variable, in Rust (development only; the caller enforces that)."""
    def missing_keys(self) -> list[str]:
        """Agent addresses that the configuration names and no loaded key matches."""

    # the hot path. None: nothing to do. int: a frame of no concern to the core (see FRAME_*). list: bytes to write now.
    def on_frame(self, source: int, frame: Buffer, recv_ns: int, now_ms: int) -> _Sends | int | None: ...
    def next_chunk(self, now_ms: int) -> _Sends | None:
        """The next followers of the event just stepped; None when the event is done. Call after writing each chunk.

        An empty list: these followers had nothing to send, and others remain.
        """
    def on_http_answer(self, post_id: int, status: int, body: bytes, now_ms: int) -> _Sends | None:
        """Settle a post that went over HTTP. `status` 0 means no answer: the outcome is unknown."""
    def operate(self, request: bytes, now_ms: int) -> tuple[bytes, _Sends | None]:
        """Carry out an operator's request (JSON) and answer it (JSON), with what is to be written now.

        The answer has "ok"; a refused request changed nothing. A request that was carried out is on stable storage.
        """
    def on_tick(self, now_ms: int) -> _Sends | None:
        """Let time pass: retries, expiries, fences, periodic reads. The shell calls it every 20 ms."""

    # connections
    def source_up(self, source: int, kind: str, now_ms: int) -> None:
        """kind: "user" (userFills, userEvents, orderUpdates), "tape" (trades, bbo) or "lane" (posts)."""
    def source_down(self, source: int, now_ms: int) -> _Sends | None:
        """The connection is gone: feeds have a gap, posts in flight on it are unknown."""
    def http_lane_up(self, lane: int, now_ms: int) -> None: ...
    def start(self, now_ms: int) -> _Sends | None:
        """Begin recovery: fence what a former run left unresolved. Call once, when a lane is up."""

    # cold work for the shell
    def on_info(self, token: int, status: int, body: bytes, now_ms: int) -> _Sends | None:
        """The verbatim answer to a request of `take_requests`; status 0 means no answer, then the core asks again."""
    def load_meta(self, body: bytes, now_ms: int) -> None: ...
    def take_requests(self) -> list[bytes]:
        """JSON objects {"token", "request": {… body of /info …}, "weight"} or {"subscribe": {…}}, drained."""
    def take_alerts(self) -> list[bytes]: ...
    def status(self) -> bytes:
        """JSON: readiness, recovery, leaders, followers, positions, unresolved attempts, lanes, budgets. Cold."""
    def settings(self) -> tuple[bytes, int]:
        """The settings in force as JSON, without what was removed, and how often they were changed."""
    def agents(self) -> list[str]:
        """Addresses of the agents that something depends on: of followers in the settings, and of those that still hold something."""
    def watched(self) -> list[str]:
        """Addresses of the leaders whose fills are wanted: those of the settings, and those that something is still held of."""
    def reserve_weight(self, weight: int, now_ms: int) -> bool:
        """Take REST weight from the venue budget for a read; False means wait."""
    def observe_loop_lag(self, lag_ns: int) -> None: ...
    def observe_written(self, written_ns: int) -> None:
        """The shell has handed the last chunk to the transport."""
    def flush(self) -> None:
        """Write what is buffered, fdatasync, and refill nothing more. Called at shutdown."""
    def metrics(self) -> Metrics: ...

@final
class Metrics:
    """A handle that renders without taking the engine's lock; usable from any thread."""
    def render(self) -> bytes: ...
    def latency(self) -> bytes:
        """JSON {stage: {"count", "p50", "p99", "p999", "max"}}, microseconds within 1.6 %; stages never passed are left out."""

FRAME_PONG: Final[int]
FRAME_ACK: Final[int]
FRAME_ERROR: Final[int]
FRAME_OTHER: Final[int]
FRAME_BAD: Final[int]

@final
class Rehearsal:
    """The core as it would decide now; nothing is journalled, signed or sent. Every order is filled at its limit."""

    def __new__(cls, config: bytes, journal_dir: str | None, now_ms: int) -> Self:
        """Begin at the end of a journal, which may be written meanwhile and keeps its own settings; or from nothing."""
    def load_meta(self, body: bytes) -> None: ...
    def start(self) -> None: ...
    def on_info(self, token: int, status: int, body: bytes) -> None: ...
    def on_tick(self, now_ms: int) -> None: ...
    def operate(self, request: bytes) -> bytes: ...
    def take_requests(self) -> list[bytes]: ...
    def take_orders(self) -> bytes:
        """JSON rows since the last call: follower, coin, is_buy, size, limit, reduce_only, kind ("open", "reduce", "stop", "other")."""
    def status(self) -> bytes: ...
    def changed(self, config: bytes) -> str | None:
        """The first setting in which `config` differs from what the journal's file had."""
    def settings(self) -> tuple[bytes, int]: ...

def read_journal(directory: str, after: int, limit: int) -> list[bytes]:
    """JSON objects of journal records with sequence > `after`: inputs, attempts, quotes, receipts, alerts, slices of TWAPs."""

def verify_journal(directory: str) -> dict[str, Any]:
    """Check every record and decide each again: segments, records, first, last, link (hex), replayed, torn. Read-only.

    Raises JournalError at the first difference, naming file and offset.
    """

def repair_journal(directory: str, really: bool) -> dict[str, Any] | None:
    """Tell what a repair drops, or do it: file, offset, sequence, what, readable_dropped, kept_in, wait_s. None: no damage."""

def archive_journal(directory: str, to: str, read: int) -> list[str]:
    """Move segments behind two snapshots and up to record `read` to the directory `to`; return their new paths."""

@final
class WhatIf:
    """One leader's recorded fills, ready to run through the core against a modelled venue. Any thread."""

    def __new__(cls, record: bytes) -> Self:
        """From the JSON that `hlfast.research.whatif.record` makes; ValueError names the first thing that is wrong in it."""
    def run(self, config: bytes, model: bytes, keep: bool = False) -> tuple[bytes, bytes]:
        """Replay with settings of one leader, one follower and one follow.

        Returns the outcome as JSON and, with `keep`, receipts as JSON lines. The same arguments give the same bytes.
        ConfigError: a setting. ValueError: the model. HlfastError: the core did what the modelled venue does not know.
        """
