"""Actions of deployers, validators and other chains: this venue refuses them by name."""

from __future__ import annotations

from hlfast.sim.actions.parts import Unsupported


class SpotDeployAction(Unsupported, tag="spotDeploy"):
    """Deploy a spot token."""


class PerpDeployAction(Unsupported, tag="perpDeploy"):
    """Deploy a perp dex."""


class CSignerAction(Unsupported, tag="CSignerAction"):
    """Jail or unjail a validator's signer."""


class CValidatorAction(Unsupported, tag="CValidatorAction"):
    """Register or change a validator."""


class UserOutcomeAction(Unsupported, tag="userOutcome"):
    """Split or merge outcome tokens; no outcome market is listed here."""


class Hip3LiquidatorTransferAction(Unsupported, tag="hip3LiquidatorTransfer"):
    """Fund a deployer's own liquidator."""


class SendToEvmWithDataAction(Unsupported, tag="sendToEvmWithData"):
    """Send a token to a contract of the other chain."""


class LinkStakingUserAction(Unsupported, tag="linkStakingUser"):
    """Share a staking account's fee discount."""


class StakingLinkDisableTradingUserAction(Unsupported, tag="stakingLinkDisableTradingUser"):
    """End the link of a staking account."""
