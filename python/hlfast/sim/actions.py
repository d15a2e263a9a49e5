"""The typed actions of `/exchange`, field for field in the order in which the venue hashes them.

The venue parses JSON into typed structs and packs those again before it hashes, so a client that signs another order, a
non-canonical number or a mixed-case address recovers to a stranger's address. These structs do the same: msgspec packs
fields as declared, leaves unset options out, and `__post_init__` brings values to the venue's own spelling.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

# msgspec bounds stop at int64; no id or time of the venue comes near it.
U64 = Annotated[int, Meta(ge=0, le=2**63 - 1)]
U32 = Annotated[int, Meta(ge=0, lt=2**32)]
Decimal = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", max_length=40)]
Address = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$")]
Cloid = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{32}$")]


def canonical(text: str) -> str:
    """Return the venue's own spelling of a decimal: trailing zeros and dot gone, no surplus leading zeros."""
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if len(text) > 1 and text[0] == "0" and text[1] != ".":
        text = text.lstrip("0")
        if not text or text[0] == ".":
            text = "0" + text
    return text


class Part(msgspec.Struct, omit_defaults=True, gc=False, rename="camel"):
    """A map inside an action; options left at None aren't packed."""


class Limit(Part):
    """A limit order's time in force."""

    tif: str

    def __post_init__(self) -> None:
        if self.tif not in ("Alo", "Ioc", "Gtc", "FrontendMarket"):
            raise ValueError(f"unknown variant `{self.tif}`")


class Trigger(Part):
    """When a trigger order fires, and whether as a market order."""

    is_market: bool
    trigger_px: Decimal
    tpsl: str

    def __post_init__(self) -> None:
        self.trigger_px = canonical(self.trigger_px)
        if self.tpsl not in ("tp", "sl"):
            raise ValueError(f"unknown variant `{self.tpsl}`")


class OrderType(Part):
    """Exactly one of limit and trigger."""

    limit: Limit | None = None
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.trigger is None):
            raise ValueError("exactly one of `limit` and `trigger` is needed")


class OrderWire(Part):
    """One order: asset, buy, price, size, reduce-only, type, client order id."""

    a: U32
    b: bool
    p: Decimal
    s: Decimal
    r: bool
    t: OrderType
    c: Cloid | None = None

    def __post_init__(self) -> None:
        if self.p[-1] in "0." or self.p[0] == "0":
            self.p = canonical(self.p)
        if self.s[-1] in "0." or self.s[0] == "0":
            self.s = canonical(self.s)
        if self.c is not None:
            self.c = self.c.lower()


class Builder(Part):
    """Who gets a builder fee, in tenths of a basis point."""

    b: Address
    f: U64

    def __post_init__(self) -> None:
        self.b = self.b.lower()


class Priority(Part):
    """A priority fee in 1e-8 of the filled notional."""

    p: U64


class CancelWire(Part):
    """Asset and oid of one cancel."""

    a: U32
    o: U64


class CancelCloidWire(Part):
    """Asset and client order id of one cancel."""

    asset: U32
    cloid: Cloid

    def __post_init__(self) -> None:
        self.cloid = self.cloid.lower()


class ModifyWire(Part):
    """The old order and its replacement."""

    oid: U64 | str
    order: OrderWire


class TwapWire(Part):
    """Asset, buy, size, reduce-only, minutes, randomised."""

    a: U32
    b: bool
    s: Decimal
    r: bool
    m: U32
    t: bool


class Action(msgspec.Struct, tag_field="type", omit_defaults=True, rename="camel"):
    """Base of the L1 actions: signed by an account or its agent through the hash of their packed bytes."""


class OrderAction(Action, tag="order"):
    """Place a batch of orders."""

    orders: list[OrderWire]
    grouping: str | Priority
    builder: Builder | None = None

    def __post_init__(self) -> None:
        if isinstance(self.grouping, str) and self.grouping not in ("na", "normalTpsl", "positionTpsl"):
            raise ValueError(f"unknown variant `{self.grouping}`")


class CancelAction(Action, tag="cancel"):
    """Cancel by oid; `f` asks for the fast lane."""

    cancels: list[CancelWire]
    f: bool | None = None

    def __post_init__(self) -> None:
        self.f = self.f or None


class CancelByCloidAction(Action, tag="cancelByCloid"):
    """Cancel by client order id."""

    cancels: list[CancelCloidWire]
    f: bool | None = None

    def __post_init__(self) -> None:
        self.f = self.f or None


class ModifyAction(Action, tag="modify"):
    """Replace one order; `a` places it whatever became of the old one."""

    oid: U64 | str
    order: OrderWire
    a: bool | None = None

    def __post_init__(self) -> None:
        self.a = self.a or None


class BatchModifyAction(Action, tag="batchModify"):
    """Replace several orders."""

    modifies: list[ModifyWire]
    a: bool | None = None

    def __post_init__(self) -> None:
        self.a = self.a or None


class ScheduleCancelAction(Action, tag="scheduleCancel"):
    """Set or clear the dead man's switch."""

    time: U64 | None = None


class UpdateLeverageAction(Action, tag="updateLeverage"):
    """Set leverage and margin mode of one asset."""

    asset: U32
    is_cross: bool
    leverage: U32


class UpdateIsolatedMarginAction(Action, tag="updateIsolatedMargin"):
    """Move margin, in 1e-6 USDC, into or out of an isolated position."""

    asset: U32
    is_buy: bool
    ntli: int


class TwapOrderAction(Action, tag="twapOrder"):
    """Start a TWAP."""

    twap: TwapWire


class TwapCancelAction(Action, tag="twapCancel"):
    """Stop a TWAP."""

    a: U32
    t: U64


class VaultTransferAction(Action, tag="vaultTransfer"):
    """Deposit to or withdraw from a vault, in 1e-6 USDC."""

    vault_address: Address
    is_deposit: bool
    usd: U64

    def __post_init__(self) -> None:
        self.vault_address = self.vault_address.lower()


class CreateSubAccountAction(Action, tag="createSubAccount"):
    """Open a sub-account."""

    name: str


class SubAccountModifyAction(Action, tag="subAccountModify"):
    """Rename a sub-account."""

    sub_account_user: Address
    name: str

    def __post_init__(self) -> None:
        self.sub_account_user = self.sub_account_user.lower()


class SubAccountTransferAction(Action, tag="subAccountTransfer"):
    """Move perp USDC between master and sub-account, in 1e-6 USDC."""

    sub_account_user: Address
    is_deposit: bool
    usd: U64

    def __post_init__(self) -> None:
        self.sub_account_user = self.sub_account_user.lower()


class SubAccountSpotTransferAction(Action, tag="subAccountSpotTransfer"):
    """Move a spot token between master and sub-account."""

    sub_account_user: Address
    is_deposit: bool
    token: str
    amount: Decimal

    def __post_init__(self) -> None:
        self.sub_account_user = self.sub_account_user.lower()


class NoopAction(Action, tag="noop"):
    """Burn a nonce."""


class ReserveRequestWeightAction(Action, tag="reserveRequestWeight"):
    """Buy address requests."""

    weight: U64
    destination: Address | None = None


class AgentSetAbstractionAction(Action, tag="agentSetAbstraction"):
    """Set the account mode by one letter."""

    abstraction: str


class AgentEnableDexAbstractionAction(Action, tag="agentEnableDexAbstraction"):
    """Turn the old dex abstraction on."""


class SetReferrerAction(Action, tag="setReferrer"):
    """Name a referrer's code."""

    code: str


class EvmUserModifyAction(Action, tag="evmUserModify"):
    """Choose block sizes of the other chain."""

    using_big_blocks: bool


class SetDisplayNameAction(Action, tag="setDisplayName"):
    """Set a display name."""

    display_name: str


class UserSigned(msgspec.Struct, tag_field="type", rename="camel"):
    """Base of the user-signed actions: typed data, signed by the account's own key, never by an agent."""

    signature_chain_id: str
    hyperliquid_chain: str


class ApproveAgentAction(UserSigned, tag="approveAgent"):
    """Register, replace or (zero address) remove an agent."""

    agent_address: Address
    nonce: U64
    agent_name: str | None = None


class ApproveBuilderFeeAction(UserSigned, tag="approveBuilderFee"):
    """Allow a builder up to a percent string."""

    max_fee_rate: str
    builder: Address
    nonce: U64


class UserSetAbstractionAction(UserSigned, tag="userSetAbstraction"):
    """Set the account mode."""

    user: Address
    abstraction: str
    nonce: U64


class UserDexAbstractionAction(UserSigned, tag="userDexAbstraction"):
    """Set the old dex abstraction."""

    user: Address
    enabled: bool
    nonce: U64


class UsdSendAction(UserSigned, tag="usdSend"):
    """Send perp USDC."""

    destination: str
    amount: str
    time: U64


class SpotSendAction(UserSigned, tag="spotSend"):
    """Send a spot token."""

    destination: str
    token: str
    amount: str
    time: U64


class WithdrawAction(UserSigned, tag="withdraw3"):
    """Withdraw USDC from the venue."""

    destination: str
    amount: str
    time: U64


class UsdClassTransferAction(UserSigned, tag="usdClassTransfer"):
    """Move USDC between perps and spot."""

    amount: str
    to_perp: bool
    nonce: U64


class SendAssetAction(UserSigned, tag="sendAsset"):
    """Send a token between dexs and accounts."""

    destination: str
    source_dex: str
    destination_dex: str
    token: str
    amount: str
    from_sub_account: str
    nonce: U64


AnyAction = (
    OrderAction
    | CancelAction
    | CancelByCloidAction
    | ModifyAction
    | BatchModifyAction
    | ScheduleCancelAction
    | UpdateLeverageAction
    | UpdateIsolatedMarginAction
    | TwapOrderAction
    | TwapCancelAction
    | VaultTransferAction
    | CreateSubAccountAction
    | SubAccountModifyAction
    | SubAccountTransferAction
    | SubAccountSpotTransferAction
    | NoopAction
    | ReserveRequestWeightAction
    | AgentSetAbstractionAction
    | AgentEnableDexAbstractionAction
    | SetReferrerAction
    | EvmUserModifyAction
    | SetDisplayNameAction
    | ApproveAgentAction
    | ApproveBuilderFeeAction
    | UserSetAbstractionAction
    | UserDexAbstractionAction
    | UsdSendAction
    | SpotSendAction
    | WithdrawAction
    | UsdClassTransferAction
    | SendAssetAction
)


class Signature(msgspec.Struct, gc=False):
    """r and s as hex numbers; clients may drop leading zeros, so their length says nothing."""

    r: str
    s: str
    v: int


class Envelope(msgspec.Struct, rename="camel"):
    """The body of `/exchange`. Absent and null options are the same."""

    action: AnyAction
    nonce: U64
    signature: Signature
    vault_address: Address | None = None
    expires_after: U64 | None = None

    def __post_init__(self) -> None:
        if self.vault_address is not None:
            self.vault_address = self.vault_address.lower()


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
    return str(type(action).__struct_config__.tag)
