"""The clients of a tour through the official SDK, its steps, and the rows that they leave."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils import signing

OTHER = "0x" + "22" * 20
BUILDER = "0x" + "b1" * 20
GTC, IOC = {"limit": {"tif": "Gtc"}}, {"limit": {"tif": "Ioc"}}
DEFAULT = {"status": "ok", "response": {"type": "default"}}
Work = Callable[["Tour"], Any]
STEPS: list[tuple[str, str, Work]] = []


def step(method: str, seen: str) -> Callable[[Work], Work]:
    """Make a function the step of a method: it calls the method, reads the effect back as `seen` says, and asserts it."""

    def register(work: Work) -> Work:
        STEPS.append((method, seen, work))
        return work

    return register


def key(number: int) -> Any:
    """Return a throwaway wallet: one byte repeated."""
    return eth_account.Account.from_key("0x" + f"{number:02x}" * 32)


def methods_of(kind: type) -> list[str]:
    """Return the public methods of a class, inherited ones too."""
    return [f"{kind.__name__}.{name}" for name, _ in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"]


class Tour:
    """One user with an `Info` and an `Exchange`; a profile hook sees which of their methods run."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.rows: list[dict[str, str]] = []
        self.entered: dict[str, None] = {}
        self.methods = methods_of(Info) + methods_of(Exchange)
        self.agent_key = ""
        self.notes: dict[str, Any] = {}
        sys.setprofile(self._enter)
        self.info = Info(base_url, perp_dexs=["", "xyz"])
        self.wallet = key(0x11)
        self.user = self.wallet.address
        self.exchange = Exchange(self.wallet, base_url, perp_dexs=["", "xyz"])

    def _enter(self, frame: FrameType, event: str, _: object) -> None:
        owner = frame.f_locals.get("self")
        if event == "call" and isinstance(owner, Info | Exchange):
            self.entered[f"{type(owner).__name__}.{frame.f_code.co_name}"] = None

    def run(self) -> None:
        """Go through all steps; one that fails says where, the others go on."""
        for method, seen, work in STEPS:
            try:
                result = "not supported" if work(self) == "not supported" else "ok"
            except Exception as error:  # noqa: BLE001 - the SDK raises bare exceptions; each is a finding, not a crash
                place = traceback.extract_tb(error.__traceback__)[-1]
                result = f"FAILED: {type(error).__name__} in {place.name}:{place.lineno}: {error}"[:300]
            self.rows.append({"method": method, "result": result, "seen": seen})
        sys.setprofile(None)

    @staticmethod
    def item(answer: Any) -> Any:
        """Return the one item of an answer."""
        assert answer["status"] == "ok", answer
        (item,) = answer["response"]["data"]["statuses"]
        return item

    def rest(self, price: float, **extra: Any) -> int:
        """Rest a buy of 0.1 ETH far from the market; its oid."""
        return int(self.item(self.exchange.order("ETH", True, 0.1, price, GTC, **extra))["resting"]["oid"])

    def status(self, oid: int) -> str:
        """Return an order's status."""
        return str(self.info.query_order_by_oid(self.user, oid)["order"]["status"])

    def position(self, coin: str, user: str | None = None) -> Any:
        """Return a position, None when flat."""
        dex = coin.partition(":")[0] if ":" in coin else ""
        rows = self.info.user_state(user or self.user, dex)["assetPositions"]
        return next((row["position"] for row in rows if row["position"]["coin"] == coin), None)

    def spot(self, coin: str, user: str | None = None) -> float:
        """Return a spot balance."""
        rows = self.info.spot_user_state(user or self.user)["balances"]
        return float(next((row["total"] for row in rows if row["coin"] == coin), "0"))

    def withdrawable(self, user: str, dex: str = "") -> float:
        """Return what may leave an account."""
        return float(self.info.user_state(user, dex)["withdrawable"])

    def agent(self) -> Exchange:
        """Return the client of the agent that was approved before."""
        return Exchange(eth_account.Account.from_key(self.agent_key), self.base_url, account_address=self.user)

    def send(self, wallet: Any, action: dict[str, Any]) -> Any:
        """Post an L1 action that the SDK has no method for, signed by the SDK."""
        nonce = signing.get_timestamp_ms()
        signature = signing.sign_l1_action(wallet, action, None, nonce, None, False)
        return self.info.post("/exchange", {"action": action, "nonce": nonce, "signature": signature})
