from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.fakes import postgres

_numbers = count()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgres.server() as prefix:
        yield prefix


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hlfast.db"
    return postgres.database(request.getfixturevalue("server"), f"t{next(_numbers)}")
