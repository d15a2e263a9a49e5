"""Known keys through a whole session at its most talkative: no form of them may be found anywhere but in memory, once."""

from __future__ import annotations

import base64
import os
import re
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.fakes.service import ENVIRONMENT, Service, Sim, account, leader, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
FOLLOWERS = 3
LOOKS = 5
_READABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")


def forms(key: bytes) -> dict[str, bytes]:
    """The spellings in which a key leaks: bytes of either order, hex, base64, decimal."""
    return {
        "raw": key,
        "raw, little-endian": key[::-1],
        "hex": key.hex().encode(),
        "upper hex": key.hex().upper().encode(),
        "base64": base64.b64encode(key).rstrip(b"="),
        "base64, URL": base64.urlsafe_b64encode(key).rstrip(b"="),
        "decimal": str(int.from_bytes(key)).encode(),
    }


def found(text: bytes, keys: list[bytes]) -> dict[str, int]:
    """How often each form of any key occurs."""
    counts: dict[str, int] = {}
    for key in keys:
        for form, needle in forms(key).items():
            if count := text.count(needle):
                counts[form] = counts.get(form, 0) + count
    return counts


class Memory:
    """Another process's memory. Opened before its keys are loaded: afterwards only root may."""

    def __init__(self, pid: int) -> None:
        self._maps, self._pages = (os.open(f"/proc/{pid}/{name}", os.O_RDONLY) for name in ("maps", "mem"))

    def __iter__(self) -> Iterator[bytes]:
        """Every readable mapping."""
        os.lseek(self._maps, 0, os.SEEK_SET)
        with open(self._maps, "rb", closefd=False) as maps:
            lines = maps.read().decode().splitlines()
        for line in lines:
            span = _READABLE.match(line)
            if span is None or "[vvar" in line or "[vsyscall]" in line:
                continue
            start, end = (int(place, 16) for place in span.groups())
            try:
                yield os.pread(self._pages, end - start, start)
            except OSError:  # a mapping beyond its file's end
                continue

    def close(self) -> None:
        os.close(self._maps)
        os.close(self._pages)


class Session:
    """A running service, what it has been told to keep secret, and everything it says."""

    memory: Memory

    def __init__(self, directory: Path, sim: Sim) -> None:
        self.service = Service(directory, sim, followers=FOLLOWERS)
        self.files = [self.service.credentials / agent for agent in self.service.agents]
        self.keys = [bytes.fromhex(path.read_text()) for path in self.files]

    def written(self) -> bytes:
        """Every file of the directory but the keys' own: journal, settings, and what else may have been left there."""
        return b"\0".join(
            path.read_bytes()
            for path in sorted(self.service.directory.rglob("*"))
            if path.is_file() and path not in self.files
        )

    def served(self) -> bytes:
        """The answers of every address that it serves."""
        names = [name for name in self.service.facts if name.endswith("_url")]
        return "\0".join(self.service.get(name) for name in names).encode()

    def end(self, number: int) -> bytes:
        """Send a signal; what it wrote to stdout and stderr."""
        process = self.service.process
        process.child.send_signal(number)
        said = process.child.stdout.read()
        process.end(number)
        return said + process.said().encode()


@pytest.fixture
def sim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sim]:
    for name, value in (("RUST_BACKTRACE", "full"), ("PYTHONFAULTHANDLER", "1"), ("PYTHONASYNCIODEBUG", "1")):
        monkeypatch.setitem(ENVIRONMENT, name, value)
    elsewhere = tmp_path / "sim"
    elsewhere.mkdir()
    with Sim(elsewhere) as sim:
        yield sim


@pytest.fixture
def session(tmp_path: Path, sim: Sim) -> Iterator[Session]:
    directory = tmp_path / "service"
    directory.mkdir()
    session = Session(directory, sim)
    process = session.service.spawn()
    # The command line gives way to the engine in the same process; its memory is the one that counts.
    wait_for(lambda: b"hlfast.app" in Path(f"/proc/{process.child.pid}/cmdline").read_bytes())
    try:
        session.memory = Memory(process.child.pid)
        session.service.facts = process.ready()
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        wait_for(lambda: all(float(sim.position(account(n), "ETH")) == 1.0 for n in range(FOLLOWERS)))
        yield session
    finally:
        process.end()
        session.memory.close()


@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGABRT])
def test_no_form_of_a_key_leaves_the_engine(session: Session, last: int) -> None:
    assert found(b"".join(path.read_bytes() for path in session.files), session.keys) == {"hex": FOLLOWERS}
    served = session.served()
    assert b"hlfast_" in served
    assert found(served, session.keys) == {}
    said = session.end(last)
    assert (b"Fatal Python error" if last == signal.SIGABRT else b"stopping") in said
    assert found(said, session.keys) == {}
    written = session.written()
    assert len(written) > 1_000_000, "the journal is among them"
    assert found(written, session.keys) == {}
    assert not list(session.service.directory.glob("core*"))


def test_memory_holds_each_loaded_key_once_and_in_no_other_form(session: Session) -> None:
    # A thread that makes presignatures holds a key's scalar meanwhile, and a busy machine lets it work last. Its pools fill and no
    # order comes: what stays behind is in every look, what is only passing is not.
    for _ in range(LOOKS):
        counts: Counter[str] = Counter()
        for pages in session.memory:
            counts.update(found(pages, session.keys))
        if counts == {"raw": FOLLOWERS}:
            return
        time.sleep(1.0)
    pytest.fail(f"{dict(counts)} in the last of {LOOKS} looks")


def test_nobody_of_the_same_user_may_read_the_engines_memory(session: Session) -> None:
    pid = session.service.process.child.pid
    owner = Path(f"/proc/{pid}/mem").stat().st_uid
    assert owner == 0, "a process closed to debuggers belongs to root in /proc"
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path, key: path.write_text(key.hex() + "0"),
        lambda path, key: path.write_text(key.hex()[:-1] + "g"),
        lambda path, key: path.write_text(key[::-1].hex()),
        lambda path, key: path.chmod(0o644),
        lambda path, key: path.rename(path.with_name("0x" + key.hex()[:40])),
    ],
    ids=["too long", "no hex", "of another agent", "open to others", "misnamed"],
)
def test_a_refused_key_file_is_not_quoted(tmp_path: Path, sim: Sim, spoil: Callable[[Path, bytes], object]) -> None:
    session = Session(tmp_path, sim)
    path, key = session.files[0], session.keys[0]
    path.chmod(0o600)
    spoil(path, key)
    process = session.service.spawn()
    said = process.child.stdout.read()
    assert process.end(number=0) != 0
    said += process.said().encode()
    assert session.service.agents[0].encode() in said or b"credentials" in said
    known = [*session.keys, key[::-1]]
    assert found(said, known) == {}
