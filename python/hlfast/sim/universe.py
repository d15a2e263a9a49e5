"""The assets of the simulated venue: ids, names, decimals, margin tables, as facts packaged in `data/universe.json`."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import msgspec

from hlfast.sim.numbers import SCALE, parse

PERP_PRICE_DECIMALS = 6
SPOT_PRICE_DECIMALS = 8
MAX_SIGNIFICANT = 5
SPOT_BASE = 10_000
DEX_BASE = 100_000
DEX_STRIDE = 10_000
USDC = 0
DEFAULT_LEVERAGE = 20
# Lower bound of notional and the leverage that is allowed from there on.
Tier = tuple[int, int]


class Leverage(msgspec.Struct, frozen=True):
    """Margin mode and leverage of one asset."""

    is_cross: bool
    value: int


@dataclass(slots=True, eq=False)
class Asset:
    """One tradable thing. `mid` is where its book starts; sizes and prices are counts of 1e-8."""

    asset_id: int
    coin: str
    size_decimals: int
    price_decimals: int
    is_spot: bool
    dex: str
    max_leverage: int
    mid: int
    entry: dict[str, Any]
    base_token: int = 0
    quote_token: int = USDC
    is_delisted: bool = False
    isolated_only: bool = False
    cap_usd: int | None = None  # of open interest; None: not capped
    step_usd: int | None = None  # most that open interest may grow in a minute; None: any
    tiers: tuple[Tier, ...] = ()  # margin tables below 50 aren't listed: one tier of the asset's own leverage
    lot: int = field(init=False)
    finest_tick: int = field(init=False)
    default_leverage: Leverage = field(init=False)
    is_growing: bool = field(init=False)  # the deployer's growth mode cuts fees to a tenth

    def __post_init__(self) -> None:
        self.tiers = self.tiers or ((0, self.max_leverage),)
        self.lot = 10 ** (8 - self.size_decimals)
        self.finest_tick = 10 ** (8 - self.price_decimals)
        self.default_leverage = Leverage(not self.isolated_only, min(DEFAULT_LEVERAGE, self.max_leverage))
        self.is_growing = self.entry.get("growthMode") == "enabled"

    def tick(self, price: int) -> int:
        """Return the price step at this price: five significant digits, `price_decimals` decimals, never above 1."""
        if price <= 0:
            return self.finest_tick
        # 10^(digits - 5) in units of 1e-8: 97123.5 has 13 digits here, so its step is 10^8 = 1.
        step: int = 10 ** max(len(str(price)) - MAX_SIGNIFICANT, 0)
        return max(self.finest_tick, min(step, SCALE))

    def price_is_legal(self, price: int) -> bool:
        """Tell whether the price is an integer, or has at most five significant digits and few enough decimals."""
        return price % SCALE == 0 or price % self.tick(price) == 0


class Universe:
    """All assets by id and by coin, and the verbatim answers to `meta`, `perpDexs` and `spotMeta`."""

    def __init__(self) -> None:
        raw = msgspec.json.decode(resources.files("hlfast.sim").joinpath("data/universe.json").read_bytes())
        self.by_id: dict[int, Asset] = {}
        self.by_coin: dict[str, Asset] = {}
        self.by_dex: dict[str, list[Asset]] = {}
        self.tokens: dict[int, dict[str, Any]] = {row["index"]: row for row in raw["tokens"]}
        self._margin_tables: dict[int, tuple[Tier, ...]] = {
            key: tuple((parse(tier["lowerBound"]), tier["maxLeverage"]) for tier in table["marginTiers"])
            for key, table in raw["marginTables"]
        }
        self.dexs: list[dict[str, Any]] = raw["dexs"]
        self.dex_names = [""] + [dex["name"] for dex in self.dexs]
        self.meta: dict[str, dict[str, Any]] = {}
        self._add_perps("", 0, raw["perps"], raw["marginTables"], USDC)
        for index, dex in enumerate(self.dexs, start=1):
            leverages = sorted({row["maxLeverage"] for row in dex["universe"]})
            tables = [
                [lev, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": lev}]}]
                for lev in leverages
            ]
            self._add_perps(dex["name"], DEX_BASE + index * DEX_STRIDE, dex["universe"], tables, dex["collateralToken"])
        self._add_spot(raw["spot"], raw["tokens"])
        self.perp_dexs = [None] + [self._dex_row(dex) for dex in self.dexs]

    def _add_perps(self, dex: str, first: int, rows: list[dict[str, Any]], tables: Any, collateral: int) -> None:
        entries = []
        for offset, row in enumerate(rows):
            entry = {key: value for key, value in row.items() if key != "mid"}
            entries.append(entry)
            asset = Asset(
                first + offset,
                row["name"],
                row["szDecimals"],
                PERP_PRICE_DECIMALS - row["szDecimals"],
                False,
                dex,
                row["maxLeverage"],
                parse(row["mid"]),
                entry,
                quote_token=collateral,
                is_delisted=row.get("isDelisted", False),
                isolated_only=row.get("onlyIsolated", False) or "marginMode" in row,
                tiers=self._margin_tables.get(row.get("marginTableId", 0), ()),
            )
            self._index(asset)
        self.meta[dex] = {"universe": entries, "marginTables": tables, "collateralToken": collateral}

    def _add_spot(self, rows: list[dict[str, Any]], tokens: list[dict[str, Any]]) -> None:
        entries = []
        for row in rows:
            entry = {key: value for key, value in row.items() if key != "mid"}
            entries.append(entry)
            base, quote = row["tokens"]
            decimals = self.tokens[base]["szDecimals"]
            self._index(
                Asset(
                    SPOT_BASE + row["index"],
                    row["name"],
                    decimals,
                    SPOT_PRICE_DECIMALS - decimals,
                    True,
                    "spot",
                    1,
                    parse(row["mid"]),
                    entry,
                    base_token=base,
                    quote_token=quote,
                )
            )
        self.spot_meta = {"universe": entries, "tokens": tokens}

    def _index(self, asset: Asset) -> None:
        self.by_id[asset.asset_id] = asset
        self.by_coin[asset.coin] = asset
        self.by_dex.setdefault(asset.dex, []).append(asset)

    @staticmethod
    def _dex_row(dex: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": dex["name"],
            "fullName": dex["fullName"],
            "deployer": dex["deployer"],
            "oracleUpdater": None,
            "feeRecipient": None,
            "assetToStreamingOiCap": [[row["name"], "50000000.0"] for row in dex["universe"]],
            "subDeployers": [],
            "deployerFeeScale": "0.0",
            "lastDeployerFeeScaleChangeTime": "1970-01-01T00:00:00",
            "assetToFundingMultiplier": [[row["name"], "1.0"] for row in dex["universe"]],
            "assetToFundingInterestRate": [[row["name"], "0.0"] for row in dex["universe"]],
        }
