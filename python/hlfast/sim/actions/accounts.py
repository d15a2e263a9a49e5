"""L1 actions of an account that trade nothing: sub-accounts, vaults, settings, requests, lending."""

from __future__ import annotations

from typing import Literal

from hlfast.sim.actions.parts import U64, Action, Address, Decimal, Part


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


class CreateVaultAction(Action, tag="createVault"):
    """Open a vault with its leader's first deposit, in 1e-6 USDC."""

    name: str
    description: str
    initial_usd: U64
    nonce: U64


class VaultModifyAction(Action, tag="vaultModify"):
    """Change a vault's terms; nil leaves one as it is."""

    vault_address: Address
    allow_deposits: bool | None
    always_close_on_withdraw: bool | None

    def __post_init__(self) -> None:
        self.vault_address = self.vault_address.lower()


class VaultDistributeAction(Action, tag="vaultDistribute"):
    """Pay money of a vault out to its depositors, in 1e-6 USDC."""

    vault_address: Address
    usd: U64

    def __post_init__(self) -> None:
        self.vault_address = self.vault_address.lower()


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


class GossipPriorityBidAction(Action, tag="gossipPriorityBid"):
    """Bid for a slot of faster gossip, paid in HYPE up to `max_gas` (1e-8)."""

    slot_id: U64
    ip: str
    max_gas: U64


class AgentSendAssetAction(Action, tag="agentSendAsset"):
    """Move a token between dexs and sub-accounts of one user."""

    destination: Address
    source_dex: str
    destination_dex: str
    token: str
    amount: str
    from_sub_account: str
    nonce: U64

    def __post_init__(self) -> None:
        self.destination = self.destination.lower()


class BorrowLendAction(Action, tag="borrowLend"):
    """Supply, withdraw, borrow or repay a token; a nil amount is everything."""

    operation: Literal["supply", "withdraw", "repay", "borrow"]
    token: U64
    amount: Decimal | None


class SpotDusting(Part):
    """Whether small balances stay out of the daily sweep."""

    opt_out: bool


class SpotUserAction(Action, tag="spotUser"):
    """Set the spot settings of an account."""

    toggle_spot_dusting: SpotDusting


class ClaimRewardsAction(Action, tag="claimRewards"):
    """Collect referral rewards."""
