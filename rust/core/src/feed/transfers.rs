//! Money that came to an account or left it, from `userNonFundingLedgerUpdates`.
use serde_json::Value;

use super::account::{AnswerError, text};
use crate::num::{Px, Round, Sz, Usd, notional};
use crate::wire::Address;

/// One transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// When.
    pub time_ms: u64,
    /// What it added to the account's worth, in 10^-6 dollars.
    pub added: i64,
    /// Its kind is one that this release knows; if not, `added` is 0.
    pub is_known: bool,
}

/// Parses the answer. `spot`: what is on spot counts, so that what moves between it and the perps stays in the account; else
/// only the perps' dollars do. `price` knows what a token that is staked is worth.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_transfers(
    body: &[u8],
    account: &Address,
    spot: bool,
    price: impl Fn(&str) -> Option<Px>,
) -> Result<Vec<Transfer>, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let rows = value.as_array().ok_or("no list of ledger updates")?;
    let me = account.to_string();
    let mut transfers = rows
        .iter()
        .map(|row| {
            let time_ms = row.get("time").and_then(Value::as_u64).ok_or("ledger update without time")?;
            let delta = row.get("delta").ok_or("ledger update without delta")?;
            let added = added(delta, &me, spot, &price)?;
            Ok(Transfer { time_ms, added: added.unwrap_or(0), is_known: added.is_some() })
        })
        .collect::<Result<Vec<_>, AnswerError>>()?;
    transfers.sort_by_key(|transfer| transfer.time_ms);
    Ok(transfers)
}

fn dollars(delta: &Value, name: &str) -> Result<i64, AnswerError> {
    let found = text(delta.get(name)).ok_or("ledger update without amount")?;
    Usd::parse_round(found, Round::Nearest).map(Usd::raw).map_err(|_| "bad amount of a ledger update")
}

fn is(delta: &Value, name: &str, what: &str) -> bool {
    delta.get(name).and_then(Value::as_str).is_some_and(|value| value.eq_ignore_ascii_case(what))
}

/// `None`: nobody knows the kind, or what it is worth.
fn added(delta: &Value, me: &str, spot: bool, price: impl Fn(&str) -> Option<Px>) -> Result<Option<i64>, AnswerError> {
    let usd = || dollars(delta, "usdc");
    // The venue says what moved tokens are worth; dollars are worth themselves.
    let value =
        || if delta.get("usdcValue").is_some() { dollars(delta, "usdcValue") } else { dollars(delta, "amount") };
    let is = |name: &str, what: &str| is(delta, name, what);
    // Both sides of a move between own places cancel out.
    let moved = |usd: i64, out: bool, back: bool| {
        i64::from(back).saturating_mul(usd).saturating_sub(i64::from(out).saturating_mul(usd))
    };
    let kind = delta.get("type").and_then(Value::as_str).ok_or("ledger update without type")?;
    Ok(Some(match kind {
        "deposit" | "vaultLeaderCommission" => usd()?,
        "withdraw" => usd()?.saturating_neg(),
        "accountClassTransfer" if spot => 0,
        "accountClassTransfer" => match delta.get("toPerp").and_then(Value::as_bool) {
            Some(true) => usd()?,
            Some(false) => usd()?.saturating_neg(),
            None => return Err("class transfer without direction"),
        },
        "internalTransfer" | "subAccountTransfer" => moved(usd()?, is("user", me), is("destination", me)),
        "spotTransfer" if spot => moved(value()?, is("user", me), is("destination", me)),
        "send" => {
            let counts = |dex: &str| spot || !is(dex, "spot");
            let out = is("user", me) && counts("sourceDex");
            let back = is("destination", me) && counts("destinationDex");
            if out == back { 0 } else { moved(value()?, out, back) }
        }
        "vaultCreate" | "vaultDeposit" => moved(usd()?, !is("vault", me), is("vault", me)),
        "vaultDistribution" => moved(usd()?, is("vault", me), !is("vault", me)),
        "vaultWithdraw" if is("vault", me) => dollars(delta, "requestedUsd")?.saturating_neg(),
        "vaultWithdraw" => dollars(delta, "netWithdrawnUsd")?,
        "cStakingTransfer" if spot => return staked(delta, price),
        // What the market did, and what never touches what counts.
        "liquidation"
        | "spotTransfer"
        | "spotGenesis"
        | "cStakingTransfer"
        | "deployGasAuction"
        | "activateDexAbstraction" => 0,
        _ => return Ok(None),
    }))
}

/// The row tells tokens, and not what they are worth.
fn staked(delta: &Value, price: impl Fn(&str) -> Option<Px>) -> Result<Option<i64>, AnswerError> {
    let amount = text(delta.get("amount")).ok_or("ledger update without amount")?;
    let amount = Sz::parse_round(amount, Round::Nearest).map_err(|_| "bad amount of a ledger update")?;
    let leaves = delta.get("isDeposit").and_then(Value::as_bool).ok_or("staking without direction")?;
    let worth = delta.get("token").and_then(Value::as_str).and_then(price);
    let worth = worth.and_then(|price| notional(price, amount, Round::Nearest)).map(Usd::raw);
    Ok(worth.map(|worth| if leaves { worth.saturating_neg() } else { worth }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "0x2ba553d9f990a3b66b03b2dc0d030dfc1c061036";
    const OTHER: &str = "0xaaa0c2769cb990f4f37db951a9e48de2385c2733";

    fn price(token: &str) -> Option<Px> {
        (token == "HYPE").then(|| Px::parse(b"30").unwrap())
    }

    fn parsed(delta: &str, spot: bool) -> (i64, bool) {
        let body = format!(r#"[{{"time":5,"hash":"0x0","delta":{delta}}}]"#);
        let me = Address::parse(ME.as_bytes()).unwrap();
        let found = parse_transfers(body.as_bytes(), &me, spot, price).unwrap();
        assert_eq!((found.len(), found[0].time_ms), (1, 5));
        (found[0].added, found[0].is_known)
    }

    #[test]
    fn each_kind_adds_what_it_brings_to_the_perps_or_to_the_whole() {
        let between = |kind: &str, from: &str, to: &str| {
            format!(r#"{{"type":"{kind}","usdc":"7.5","user":"{from}","destination":"{to}","fee":"0.0"}}"#)
        };
        let send = |from: &str, to: &str, source: &str, target: &str| {
            format!(
                r#"{{"type":"send","user":"{from}","destination":"{to}","sourceDex":"{source}","destinationDex":"{target}",
                "token":"USDC","amount":"3.0","usdcValue":"3.0"}}"#
            )
        };
        for (delta, perps, whole) in [
            (r#"{"type":"deposit","usdc":"2703997.4500000002"}"#.to_owned(), 2_703_997_450_000, 2_703_997_450_000),
            (r#"{"type":"withdraw","usdc":"10.0","nonce":1,"fee":"1.0"}"#.to_owned(), -10_000_000, -10_000_000),
            (r#"{"type":"accountClassTransfer","usdc":"12.0","toPerp":false}"#.to_owned(), -12_000_000, 0),
            (r#"{"type":"accountClassTransfer","usdc":"12.0","toPerp":true}"#.to_owned(), 12_000_000, 0),
            (between("internalTransfer", ME, OTHER), -7_500_000, -7_500_000),
            (between("subAccountTransfer", OTHER, ME), 7_500_000, 7_500_000),
            (send(ME, ME, "spot", ""), 3_000_000, 0),
            (send(ME, ME, "", "xyz"), 0, 0),
            (send(OTHER, ME, "", "spot"), 0, 3_000_000),
            (
                format!(
                    r#"{{"type":"spotTransfer","token":"USDC","amount":"10.5","user":"{ME}","destination":"{OTHER}"}}"#
                ),
                0,
                -10_500_000,
            ),
            (
                format!(
                    r#"{{"type":"spotTransfer","token":"HYPE","amount":"2","usdcValue":"61.5","user":"{OTHER}","destination":"{ME}"}}"#
                ),
                0,
                61_500_000,
            ),
            (
                r#"{"type":"cStakingTransfer","token":"HYPE","amount":"2.0","isDeposit":true}"#.to_owned(),
                0,
                -60_000_000,
            ),
            (
                r#"{"type":"cStakingTransfer","token":"HYPE","amount":"2.0","isDeposit":false}"#.to_owned(),
                0,
                60_000_000,
            ),
            (format!(r#"{{"type":"vaultDeposit","vault":"{OTHER}","usdc":"4.0"}}"#), -4_000_000, -4_000_000),
            (format!(r#"{{"type":"vaultDeposit","vault":"{ME}","usdc":"4.0"}}"#), 4_000_000, 4_000_000),
            (
                format!(
                    r#"{{"type":"vaultWithdraw","vault":"{ME}","user":"{OTHER}","requestedUsd":"5.0","netWithdrawnUsd":"4.5"}}"#
                ),
                -5_000_000,
                -5_000_000,
            ),
            (r#"{"type":"liquidation","liquidatedNtlPos":"356.8","accountValue":"2.9"}"#.to_owned(), 0, 0),
        ] {
            assert_eq!(parsed(&delta, false), (perps, true), "{delta}");
            assert_eq!(parsed(&delta, true), (whole, true), "{delta}");
        }
        assert_eq!(parsed(r#"{"type":"borrowLend","usdc":"1.0"}"#, false), (0, false), "named, never guessed");
        let staked = r#"{"type":"cStakingTransfer","token":"MORE","amount":"2.0","isDeposit":true}"#;
        assert_eq!(parsed(staked, true), (0, false), "a token without a price");
    }

    #[test]
    fn malformed_answers_are_refused_whole() {
        let me = Address::parse(ME.as_bytes()).unwrap();
        for body in [
            "{}",
            "[{}]",
            r#"[{"time":1}]"#,
            r#"[{"time":1,"delta":{"usdc":"1"}}]"#,
            r#"[{"time":1,"delta":{"type":"deposit"}}]"#,
            r#"[{"time":1,"delta":{"type":"deposit","usdc":"NaN"}}]"#,
            r#"[{"time":1,"delta":{"type":"accountClassTransfer","usdc":"1"}}]"#,
        ] {
            assert!(parse_transfers(body.as_bytes(), &me, false, price).is_err(), "{body}");
        }
    }
}
