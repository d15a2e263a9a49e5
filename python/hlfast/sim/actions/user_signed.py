"""User-signed actions: typed data under the account's own key. Their nonce or time repeats the request's nonce."""

from __future__ import annotations

from hlfast.sim.actions.parts import U64, Address, UserSigned


class ApproveAgentAction(UserSigned, tag="approveAgent", kw_only=True):
    """Register, replace or (zero address) remove an agent."""

    agent_address: Address
    agent_name: str | None = None
    nonce: U64


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


class UserPortfolioMarginAction(UserSigned, tag="userPortfolioMargin"):
    """Turn portfolio margin on or off."""

    user: Address
    enabled: bool
    nonce: U64


class CDepositAction(UserSigned, tag="cDeposit"):
    """Move HYPE (1e-8) from spot into staking."""

    wei: U64
    nonce: U64


class CWithdrawAction(UserSigned, tag="cWithdraw"):
    """Move undelegated HYPE (1e-8) from staking back to spot, after the queue."""

    wei: U64
    nonce: U64


class TokenDelegateAction(UserSigned, tag="tokenDelegate"):
    """Delegate staked HYPE (1e-8) to a validator, or take it back."""

    validator: Address
    wei: U64
    is_undelegate: bool
    nonce: U64


class ConvertToMultiSigUserAction(UserSigned, tag="convertToMultiSigUser"):
    """Hand the account to several signers: `signers` is JSON, and `null` in it hands it back."""

    signers: str
    nonce: U64
