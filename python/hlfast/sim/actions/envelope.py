"""The body of `/exchange` and its strict reading."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from hlfast.sim.actions import unsupported
from hlfast.sim.actions.multi_sig import MultiSigAction, PlainAction
from hlfast.sim.actions.parts import U64, BareAddress, Signature

AnyAction = (
    PlainAction
    | MultiSigAction
    | unsupported.SpotDeployAction
    | unsupported.PerpDeployAction
    | unsupported.CSignerAction
    | unsupported.CValidatorAction
    | unsupported.UserOutcomeAction
    | unsupported.Hip3LiquidatorTransferAction
    | unsupported.SendToEvmWithDataAction
    | unsupported.LinkStakingUserAction
    | unsupported.StakingLinkDisableTradingUserAction
)


class Envelope(msgspec.Struct, gc=False, rename="camel"):
    """The body of `/exchange`. Absent and null options are the same."""

    action: AnyAction
    nonce: U64
    signature: Signature
    vault_address: BareAddress | None = None
    expires_after: U64 | None = None

    def __post_init__(self) -> None:
        if self.vault_address is not None:
            self.vault_address = "0x" + self.vault_address.lower().removeprefix("0x")


_decoder = msgspec.json.Decoder(Envelope)


class ParseError(ValueError):
    """The body doesn't fit the typed request; the venue answers HTTP 422 with text."""


def parse_envelope(body: bytes | str) -> Envelope:
    """Read the body of `/exchange`.

    Raises:
        ParseError: it doesn't fit the typed action.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ParseError(str(error)) from None


def convert_envelope(payload: Any) -> Envelope:
    """Read an already decoded body, as it comes inside a WebSocket post.

    Raises:
        ParseError: it doesn't fit the typed action.
    """
    try:
        return msgspec.convert(payload, Envelope)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ParseError(str(error)) from None


def tag_of(action: AnyAction) -> str:
    """Return the wire name of an action."""
    return _tag(type(action))


@cache  # as many as there are kinds of actions; msgspec makes a new configuration for each look at one
def _tag(kind: type[AnyAction]) -> str:
    return str(kind.__struct_config__.tag)
