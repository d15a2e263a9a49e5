"""The engine's process: puts every other module together, runs them, and answers for how they end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final

import msgspec
import uvloop

from hlfast._core import Engine
from hlfast.app.admission import Admission
from hlfast.config.model import Config, Keys, control_path, for_core
from hlfast.engine.clock import VenueClock
from hlfast.engine.control_socket import ControlSocket
from hlfast.engine.limits import refuse_unsafe
from hlfast.engine.runtime import Runtime
from hlfast.errors import ConfigError, HlfastError
from hlfast.keys import load_keys
from hlfast.keys.lease import SignerLease
from hlfast.telemetry.endpoint import Endpoint
from hlfast.telemetry.logs import EventLog
from hlfast.telemetry.process import render_by, render_gauges, render_process

EXIT_OK: Final = 0
EXIT_FATAL: Final = 1
EXIT_CONFIG: Final = 2
# What opening made lives as long as the process, so it is frozen out of collection. Afterwards the hot path leaves no
# cycles; aiohttp and tasks leave a few. A threshold of 50,000 makes a collection rare, and with everything old frozen
# it is short.
_GC_THRESHOLDS: Final = (50_000, 20, 50)


class _Counted(msgspec.Struct):
    leaders: list[msgspec.Raw]
    followers: list[msgspec.Raw]


def run(config: Config, *, json: bool = False, loop: str = "uvloop") -> int:
    """Run the engine in this process until a signal or a fatal error ends it.

    Returns:
        0 after a clean stop, 1 after a fatal error, 2 when the configuration or the keys are not fit to run.
    """
    try:
        refuse_unsafe(config)
        factory: Callable[[], asyncio.AbstractEventLoop] = (
            uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
        )
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(_serve(config, json=json))
    except ConfigError as error:
        _say(f"hlfast run: {error}")
        return EXIT_CONFIG
    except (HlfastError, OSError) as error:
        _say(f"hlfast run: {type(error).__name__}: {error}")
        return EXIT_FATAL


async def _serve(config: Config, *, json: bool) -> int:
    log = EventLog()
    log.start()
    lease: SignerLease | None = None
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _ask_to_stop, number.name, stopping, log)
    try:
        if config.venue.limits == "off":
            _say(
                'limits = "off": the venue\'s limits are not kept; one address would be allowed 1,200 actions a minute'
            )
        if config.journal.durability == "relaxed":
            _say('durability = "relaxed": a power loss may lose the last 10 ms of the journal; kill -9 loses nothing')
        clock = VenueClock()
        engine = Engine(for_core(config), config.journal.directory, clock.now_ms())
        lease = SignerLease(config.venue.base_url, engine.agents())
        admit = Admission(engine, config.keys, lease, _load_keys(engine, config.keys, log))
        # Begun when the process began; see __main__.
        roads = import_module("hlfast.app.road")
        async with roads.open_road(config.venue.base_url) as road:
            runtime = Runtime(config, engine, roads.VenueRoad(road), log, clock, stopping, admit=admit)
            return await _live(config, runtime, json=json)
    finally:
        if lease is not None:
            lease.release()
        log.close()


async def _live(config: Config, runtime: Runtime, *, json: bool) -> int:
    endpoint = _endpoint(runtime)
    control = ControlSocket(control_path(config), runtime.operate)
    try:
        url = await endpoint.start(config.metrics.host, config.metrics.port) if config.metrics.enabled else None
        # Before anything else: the kill switch must not wait for a venue that is away.
        await control.start()
        await runtime.open()
        _quiet_collector()
        if await runtime.until_ready():
            _tell_ready(config, runtime, url, json=json)
        await runtime.stopping.wait()
    finally:
        await control.close()
        await runtime.close()
        await endpoint.close()
    if runtime.fatal is None:
        return EXIT_OK
    _say(_last_words(runtime))
    return EXIT_FATAL


def _ask_to_stop(name: str, stopping: asyncio.Event, log: EventLog) -> None:
    log.info("stopping", reason=name)
    stopping.set()


def _endpoint(runtime: Runtime) -> Endpoint:
    core = runtime.engine.metrics()

    def metrics() -> bytes:
        agents = render_by(
            "hlfast_shell_agent_expires_seconds",
            "Until the follower's agent ends, as the venue last told.",
            "follower",
            runtime.agents.left_s(),
        )
        return core.render() + render_gauges(runtime.gauges()) + agents + render_process()

    return Endpoint(metrics, runtime.health, core.latency)


def _load_keys(engine: Engine, keys: Keys, log: EventLog) -> tuple[str, ...]:
    """Have every configured key read in Rust; addresses of those that are there.

    Raises:
        ConfigError: no key at all was loaded.
        KeyFileError: a file is not what it should be; it names the file and what to do.
    """
    found = load_keys(engine, keys)
    if found.missing and not found.loaded:
        raise ConfigError(
            f"no agent key was loaded, and {len(found.missing)} are needed ({found.missing[0]} …): "
            "set keys.credentials_directory, keys.keystores or keys.env"
        )
    for address in found.missing:
        # One follower's missing file must not keep the others from their exits.
        log.error("key missing: this agent's followers are not copied to", agent=address)
    log.info("keys loaded", count=len(found.loaded))
    return found.loaded


def _quiet_collector() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _tell_ready(config: Config, runtime: Runtime, url: str | None, *, json: bool) -> None:
    # An operator may have changed what the file says.
    in_force = msgspec.json.decode(runtime.engine.settings()[0], type=_Counted)
    leaders, followers = len(in_force.leaders), len(in_force.followers)
    if json:
        ready = {
            "ready": True,
            "pid": os.getpid(),
            "metrics_url": None if url is None else url + "/metrics",
            "latency_url": None if url is None else url + "/latency",
            "health_url": None if url is None else url + "/health",
            "control_socket": str(control_path(config)),
            "network": config.network,
            "leaders": leaders,
            "followers": followers,
        }
        line = msgspec.json.encode(ready).decode()
    else:
        line = (
            f"ready: {leaders} leaders, {followers} followers, "
            f"metrics at {url or 'no address'}, control at {control_path(config)}"
        )
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _last_words(runtime: Runtime) -> str:
    text = f"hlfast run stopped on a fatal error: {type(runtime.fatal).__name__}: {runtime.fatal}."
    with contextlib.suppress(Exception):  # a core that failed may not tell; the rest is still worth saying
        in_flight = runtime.status().in_flight
        text += f" {in_flight} actions have no known outcome; the next start settles them before anything new."
    return text + " Followers' positions stay as they are until then."


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    """Entry of the engine's own process: settings on standard input."""
    try:
        config = msgspec.json.decode(sys.stdin.buffer.read(), type=Config)
    except msgspec.DecodeError as error:
        _say(f"the engine reads the settings that `hlfast run` gives it, as JSON: {error}")
        return EXIT_CONFIG
    return run(config, json="--json" in sys.argv, loop="asyncio" if "--asyncio" in sys.argv else "uvloop")
