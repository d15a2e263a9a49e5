"""Writes tests/vectors/risk_empyrical.json: ratios of made return series as the empyrical library computes them.

    python -m venv .venv-metrics && .venv-metrics/bin/pip install empyrical-reloaded==0.7.1
    .venv-metrics/bin/python bench/research/oracle_risk.py

empyrical wants pandas and an older numpy, so it stays out of this tree's environments; the vector is what tests read.
"""

from __future__ import annotations

import json
from pathlib import Path

import empyrical
import numpy as np

PER_YEAR = 365
OUT = Path(__file__).parents[2] / "tests" / "vectors" / "risk_empyrical.json"


def series() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(20260601)
    return {
        "calm": rng.normal(0.001, 0.01, 365),
        "wild": rng.standard_t(3, 730) * 0.03,
        "losing": rng.normal(-0.004, 0.02, 90),
        "mostly_flat": np.where(rng.random(200) < 0.8, 0.0, rng.normal(0, 0.05, 200)),
        "never_down": np.abs(rng.normal(0.002, 0.001, 40)),
        "short": rng.normal(0, 0.02, 5),
        "wiped_out": np.concatenate((rng.normal(0, 0.02, 20), [-0.97], rng.normal(0, 0.02, 20))),
    }


def number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def main() -> None:
    cases = []
    for name, returns in series().items():
        cases.append(
            {
                "name": name,
                "per_year": PER_YEAR,
                "returns": returns.tolist(),
                "total_return": number(empyrical.cum_returns_final(returns)),
                "annual_return": number(empyrical.annual_return(returns, annualization=PER_YEAR)),
                "annual_volatility": number(empyrical.annual_volatility(returns, annualization=PER_YEAR)),
                "sharpe": number(empyrical.sharpe_ratio(returns, annualization=PER_YEAR)),
                "sortino": number(empyrical.sortino_ratio(returns, annualization=PER_YEAR)),
                "calmar": number(empyrical.calmar_ratio(returns, annualization=PER_YEAR)),
                "max_drawdown": number(empyrical.max_drawdown(returns)),
                "value_at_risk": number(empyrical.value_at_risk(returns)),
                "expected_shortfall": number(empyrical.conditional_value_at_risk(returns)),
            }
        )
    OUT.write_text(
        json.dumps({"library": "empyrical-reloaded 0.7.1", "cases": cases}, indent=1) + "\n", encoding="utf-8"
    )
    print(f"{OUT.name}: {len(cases)} series")


if __name__ == "__main__":
    main()
