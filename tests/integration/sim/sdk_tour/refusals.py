"""Steps that the simulator refuses by name: deployers, validators and their signers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hyperliquid.exchange import Exchange
from tour import OTHER, Tour, step

CALLS: dict[str, dict[str, Callable[[Exchange], Any]]] = {
    "spotDeploy": {
        "spot_deploy_register_token": lambda ex: ex.spot_deploy_register_token("T", 2, 8, 1, "Token"),
        "spot_deploy_user_genesis": lambda ex: ex.spot_deploy_user_genesis(1, [(OTHER, "1")], [(1, "1")]),
        "spot_deploy_enable_freeze_privilege": lambda ex: ex.spot_deploy_enable_freeze_privilege(1),
        "spot_deploy_freeze_user": lambda ex: ex.spot_deploy_freeze_user(1, OTHER, True),
        "spot_deploy_revoke_freeze_privilege": lambda ex: ex.spot_deploy_revoke_freeze_privilege(1),
        "spot_deploy_enable_quote_token": lambda ex: ex.spot_deploy_enable_quote_token(1),
        "spot_deploy_token_action_inner": lambda ex: ex.spot_deploy_token_action_inner("any", 1),
        "spot_deploy_genesis": lambda ex: ex.spot_deploy_genesis(1, "1", True),
        "spot_deploy_register_spot": lambda ex: ex.spot_deploy_register_spot(1, 0),
        "spot_deploy_register_hyperliquidity": lambda ex: ex.spot_deploy_register_hyperliquidity(1, 1.0, 1.0, 1, 1),
        "spot_deploy_set_deployer_trading_fee_share": lambda ex: ex.spot_deploy_set_deployer_trading_fee_share(1, "1%"),
    },
    "perpDeploy": {
        "perp_deploy_register_asset": lambda ex: ex.perp_deploy_register_asset("d", None, "T", 2, "1", 10, False, None),
        "perp_deploy_set_oracle": lambda ex: ex.perp_deploy_set_oracle("d", {"T": "1"}, [], {}),
    },
    "CSignerAction": {
        "c_signer_unjail_self": lambda ex: ex.c_signer_unjail_self(),
        "c_signer_jail_self": lambda ex: ex.c_signer_jail_self(),
        "c_signer_inner": lambda ex: ex.c_signer_inner("any"),
    },
    "CValidatorAction": {
        "c_validator_register": lambda ex: ex.c_validator_register("1.2.3.4", "n", "d", False, 1, OTHER, True, 1),
        "c_validator_change_profile": lambda ex: ex.c_validator_change_profile(*[None] * 3, True, *[None] * 3),
        "c_validator_unregister": lambda ex: ex.c_validator_unregister(),
    },
}


def refuse(kind: str, name: str, call: Callable[[Exchange], Any]) -> None:
    """Make the step of one method that must be refused."""
    text = f"{kind} is not supported by this simulator."

    @step(f"Exchange.{name}", f"answer: {text}")
    def refused(tour: Tour) -> str:
        answer = call(tour.exchange)
        assert answer == {"status": "err", "response": text}, answer
        return "not supported"


for one, calls in CALLS.items():
    for method, made in calls.items():
        refuse(one, method, made)
