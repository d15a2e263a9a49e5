"""Questions about what orders are refused for, and in which words. Nothing here trades."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hlfast.probe.desk import READ_LAG_MS, CouldNotAskError, Desk
from hlfast.probe.question import NEW_TEXT, Learned, Question, learned
from hlfast.venue import actions

# As the core's table of texts (rust/core/src/order/text.rs).
MINIMUM: Final = "Order must have minimum value of"
NO_MATCH: Final = "Order could not immediately match"
REDUCE_ONLY: Final = "Reduce only order would increase position"
NO_BUILDER: Final = "Builder fee has not been approved"
NO_STAKE: Final = "Insufficient delegatable balance for priority"
TOO_FAR: Final = ("Order price cannot be more than", "Order price too far from oracle")
_BELOW_BOTH: Final = Decimal(4)
# At half the market's price: 7 USD by the limit, 14 by the mark.
_BETWEEN: Final = Decimal(7)
_ONE_BP: Final = 10_000  # of the filled value, in the units of a priority bid


async def _no_match(desk: Desk) -> Learned:
    order = desk.order(tif="Ioc")
    said = await desk.send(order)
    record = await desk.look_up(order.cloid, READ_LAG_MS)
    known = "unknownOid" if record is None else record.status
    agrees = said.says(NO_MATCH) and (record is None or record.status.endswith("Rejected"))
    return learned(agrees, said, f"orderStatus: {known}")


async def _reduce_only(desk: Desk) -> Learned:
    said = await desk.send(desk.order(reduce_only=True))
    return learned(said.says(REDUCE_ONLY), said)


async def _minimum(desk: Desk) -> Learned:
    said = await desk.send(desk.order(size=_size(desk, _BELOW_BOTH)))
    return learned(said.says(MINIMUM), said)


async def _minimum_price(desk: Desk) -> Learned:
    said = await desk.send(desk.order(size=_size(desk, _BETWEEN)))
    return learned(said.says(MINIMUM), said)


async def _far_price(desk: Desk) -> Learned:
    price = desk.far_price(Decimal("0.1"))
    said = await desk.send(desk.order(price=price, size=desk.size_of(Decimal(11), price)))
    return learned(said.says(*TOO_FAR), said)


async def _leverage_again(desk: Desk) -> Learned:
    asset = desk.subject.asset
    now = (await desk.info.active_asset_data(desk.subject.account, asset.coin)).leverage
    action = actions.update_leverage(asset, now.value, cross=now.type == "cross")
    first, second = [await desk.send(desk.sign(action, "a leverage")) for _ in range(2)]
    return learned(first.was_taken and second.was_taken, first, second)


async def _builder(desk: Desk) -> Learned:
    beside = {"builder": {"b": desk.subject.account, "f": 1}}
    said = await desk.send(desk.order(tif="Ioc", beside=beside))
    return learned(said.says(NO_BUILDER), said)


async def _priority(desk: Desk) -> Learned:
    said = await desk.send(desk.order(tif="Ioc", beside={"grouping": {"p": _ONE_BP}}))
    if said.says(NO_MATCH):
        raise CouldNotAskError(f"the account can pay for it: {said.verbatim}")
    return learned(said.says(NO_STAKE), said)


def _size(desk: Desk, usd: Decimal) -> Decimal:
    """Return a size of about so much at the far price, below 10 USD there in any case."""
    price = desk.far_price()
    size = desk.size_of(usd, price)
    if size * price >= 10:
        raise CouldNotAskError(f"one lot of {desk.subject.asset.coin} is worth too much; choose another with --coin")
    return size


QUESTIONS = (
    Question(
        name="no-match",
        asks="an IOC order far below the market, then orderStatus by its client order id",
        assumes=f'refused: "{NO_MATCH} …", and a refused order is unknown to orderStatus or …Rejected',
        otherwise=NEW_TEXT,
        ask=_no_match,
        actions=1,
    ),
    Question(
        name="reduce-only",
        asks="a reduce-only buy with no position",
        assumes=f'refused: "{REDUCE_ONLY} …"',
        otherwise=NEW_TEXT,
        ask=_reduce_only,
        actions=1,
    ),
    Question(
        name="minimum",
        asks="an order of 4 USD",
        assumes=f'refused: "{MINIMUM} …"',
        otherwise=NEW_TEXT,
        ask=_minimum,
        actions=1,
    ),
    Question(
        name="minimum-price",
        asks="an order of 7 USD by its limit and 14 by the market",
        assumes=f'refused, since the limit counts: "{MINIMUM} …"',
        otherwise="nothing in hlfast, whose orders are worth 10.50 USD by both",
        ask=_minimum_price,
        actions=1,
    ),
    Question(
        name="far-price",
        asks="an order at a tenth of the market's price",
        assumes=f'refused: "{TOO_FAR[0]} …"',
        otherwise=NEW_TEXT,
        ask=_far_price,
        actions=1,
    ),
    Question(
        name="leverage-again",
        asks="the leverage that the account has on the coin, set twice",
        assumes="both are taken: twice the same is once",
        otherwise='set followers[].leverage = "leave"',
        ask=_leverage_again,
        actions=2,
    ),
    Question(
        name="builder",
        asks="an IOC order far below the market that names a builder whom nobody approved",
        assumes=f'refused: "{NO_BUILDER} …"',
        otherwise="leave [builder] out until the text is in rust/core/src/order/text.rs",
        ask=_builder,
        actions=1,
    ),
    Question(
        name="priority",
        asks="an IOC order far below the market that bids to be earlier, without stake",
        assumes=f'refused: "{NO_STAKE} …"',
        otherwise="leave followers[].max_priority_bps out until the text is in rust/core/src/order/text.rs",
        ask=_priority,
        actions=1,
    ),
)
