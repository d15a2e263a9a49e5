"""Every public method of the official SDK, and the table of them that the documents show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sdk_table

# What the simulator may say no to, by name: deployers, validators and their signers.
REFUSABLE = ("Exchange.spot_deploy_", "Exchange.perp_deploy_", "Exchange.c_signer_", "Exchange.c_validator_")


@pytest.fixture(scope="module")
def found(start: Callable[..., Any]) -> dict[str, Any]:
    if not sdk_table.SDK_PYTHON.exists():
        pytest.fail("the official SDK's environment is missing: run `make oracle`")
    process = start()
    sdk_table.prepare(process)
    return sdk_table.tour(process.base_url)


def test_no_method_fails(found: dict[str, Any]) -> None:
    assert [row for row in found["rows"] if row["result"] not in ("ok", "not supported")] == []


def test_every_public_method_ran(found: dict[str, Any]) -> None:
    assert set(found["methods"]) - set(found["entered"]) == set()
    assert {row["method"] for row in found["rows"]} == set(found["methods"])
    assert len(found["methods"]) == 100


def test_only_deployers_and_validators_are_refused(found: dict[str, Any]) -> None:
    refused = [row["method"] for row in found["rows"] if row["result"] == "not supported"]
    assert refused
    assert [method for method in refused if not method.startswith(REFUSABLE)] == []


def test_the_document_is_this_table(found: dict[str, Any]) -> None:
    assert sdk_table.DOCUMENT.read_text() == sdk_table.render(found)
