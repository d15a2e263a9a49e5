"""The envelope in which several signers act for one account."""

from __future__ import annotations

import msgspec

from hlfast.sim.actions import accounts, trading, user_signed
from hlfast.sim.actions.parts import Address, Signature

TradingAction = (
    trading.OrderAction
    | trading.CancelAction
    | trading.CancelByCloidAction
    | trading.ModifyAction
    | trading.BatchModifyAction
    | trading.ScheduleCancelAction
    | trading.UpdateLeverageAction
    | trading.UpdateIsolatedMarginAction
    | trading.TopUpIsolatedOnlyMarginAction
    | trading.TwapOrderAction
    | trading.TwapCancelAction
    | trading.NoopAction
)
AccountAction = (
    accounts.VaultTransferAction
    | accounts.CreateVaultAction
    | accounts.VaultModifyAction
    | accounts.VaultDistributeAction
    | accounts.CreateSubAccountAction
    | accounts.SubAccountModifyAction
    | accounts.SubAccountTransferAction
    | accounts.SubAccountSpotTransferAction
    | accounts.ReserveRequestWeightAction
    | accounts.GossipPriorityBidAction
    | accounts.AgentSetAbstractionAction
    | accounts.AgentEnableDexAbstractionAction
    | accounts.AgentSendAssetAction
    | accounts.BorrowLendAction
    | accounts.SpotUserAction
    | accounts.ClaimRewardsAction
    | accounts.SetReferrerAction
    | accounts.EvmUserModifyAction
    | accounts.SetDisplayNameAction
)
UserAction = (
    user_signed.ApproveAgentAction
    | user_signed.ApproveBuilderFeeAction
    | user_signed.UserSetAbstractionAction
    | user_signed.UserDexAbstractionAction
    | user_signed.UserPortfolioMarginAction
    | user_signed.UsdSendAction
    | user_signed.SpotSendAction
    | user_signed.WithdrawAction
    | user_signed.UsdClassTransferAction
    | user_signed.SendAssetAction
    | user_signed.CDepositAction
    | user_signed.CWithdrawAction
    | user_signed.TokenDelegateAction
    | user_signed.ConvertToMultiSigUserAction
)
PlainAction = TradingAction | AccountAction | UserAction


class MultiSigPayload(msgspec.Struct, gc=False, rename="camel"):
    """Whose account, who sends, and what to do."""

    multi_sig_user: Address
    outer_signer: Address
    action: PlainAction

    def __post_init__(self) -> None:
        self.multi_sig_user = self.multi_sig_user.lower()
        self.outer_signer = self.outer_signer.lower()


class MultiSigAction(msgspec.Struct, tag="multiSig", tag_field="type", gc=False, rename="camel"):
    """Signatures of the account's signers over the payload; the sender signs the hash of this envelope."""

    signature_chain_id: str
    signatures: list[Signature]
    payload: MultiSigPayload

    def requests(self) -> int:
        """Return how many requests of the address budget the action inside takes."""
        return self.payload.action.requests()
