"""What new settings need of the process before the core takes them: nothing that is refused, keys, and their leases."""

from __future__ import annotations

from hlfast._core import Engine
from hlfast.config.model import Config, Keys
from hlfast.engine.limits import refuse_unsafe
from hlfast.errors import ConfigError
from hlfast.keys import load_keys
from hlfast.keys.lease import SignerLease


class Admission:
    """Looks at new settings.

    Args:
        engine: has keys read.
        keys: where the process reads keys; new settings can't change that.
        lease: of the agents signed for.
        loaded: addresses of the agents whose keys are there.
    """

    def __init__(self, engine: Engine, keys: Keys, lease: SignerLease, loaded: tuple[str, ...]) -> None:
        self._engine = engine
        self._keys = keys
        self._lease = lease
        self._loaded = set(loaded)
        # Whoever was without a key at the start is stopped, and no reason to refuse others.
        self._without = set(engine.missing_keys())

    def __call__(self, config: Config) -> None:
        """Have the keys of new agents read and take their leases.

        Raises:
            ConfigError: a setting is refused by this release, a key is missing, or another engine signs for an agent.
            KeyFileError: a key file is not what it should be.
        """
        refuse_unsafe(config)
        agents = {follower.agent.lower() for follower in config.followers}
        if agents - self._loaded - self._without:
            self._loaded |= set(load_keys(self._engine, self._keys).loaded)
        missing = sorted(agents - self._loaded - self._without)
        if missing:
            place = self._keys.credentials_directory or "the place that keys names"
            raise ConfigError(f"no key of agent {missing[0]}: put it into {place}, then ask again")
        self._lease.add(sorted(agents))
