//! Answers of `/info` that tell where an account's money is. Cold, exact.
use serde_json::Value;

use super::account::{AnswerError, text};
use crate::copy::equity::AccountMode;
use crate::num::{Px, Round, Sz, Usd};

/// More tokens than any account has.
const MAX_ROWS: usize = 10_000;

/// Parses `userAbstraction`.
///
/// # Errors
/// When it is no mode that is known: sizing by an account of an unknown kind would be a guess.
pub fn parse_mode(body: &[u8]) -> Result<AccountMode, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    match value.as_str() {
        Some("disabled" | "dexAbstraction") => Ok(AccountMode::Standard),
        Some("unifiedAccount") => Ok(AccountMode::Unified),
        Some("portfolioMargin") => Ok(AccountMode::Portfolio),
        Some("default") => Ok(AccountMode::Unnamed),
        // What the venue says of an account that it has never seen.
        None if value.is_null() => Ok(AccountMode::Standard),
        _ => Err("no account mode"),
    }
}

/// Parses `spotClearinghouseState`: the dollars in it (token 0), and what its other collateral is worth where `mark` knows the
/// price of a token's perp, rounded up. The latter is `None` if a price is missing. Tokens that back no portfolio margin
/// don't count.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_spot(body: &[u8], mark: impl Fn(&str) -> Option<Px>) -> Result<(Usd, Option<Usd>), AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let rows = value.get("balances").and_then(Value::as_array).ok_or("no balances")?;
    if rows.len() > MAX_ROWS {
        return Err("more tokens than an account has");
    }
    let (mut dollars, mut collateral) = (Usd::ZERO, Some(Usd::ZERO));
    for row in rows {
        // Outcome balances have no token.
        let Some(token) = row.get("token").and_then(Value::as_u64) else { continue };
        let total = text(row.get("total")).ok_or("balance without total")?;
        if token == 0 {
            dollars = Usd::parse_round(total, Round::Floor).map_err(|_| "bad balance")?;
            continue;
        }
        let worth = match row.get("coin").and_then(Value::as_str).ok_or("balance without coin")? {
            "USDT0" | "USDT" => Usd::parse_round(total, Round::Ceil).ok(),
            "HYPE" => value_of(total, mark("HYPE")),
            "UBTC" | "BTC" => value_of(total, mark("BTC")),
            _ => continue,
        };
        collateral = collateral.and_then(|sum| sum.checked_add(worth?));
    }
    Ok((dollars, collateral))
}

fn value_of(total: &[u8], mark: Option<Px>) -> Option<Usd> {
    let size = Sz::parse_round(total, Round::Ceil).ok()?;
    if size.is_zero() { Some(Usd::ZERO) } else { crate::num::notional(mark?, size, Round::Ceil) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_of_the_protocol_is_known_and_others_are_refused() {
        for (text, mode) in [
            (r#""disabled""#, AccountMode::Standard),
            (r#""unifiedAccount""#, AccountMode::Unified),
            (r#""portfolioMargin""#, AccountMode::Portfolio),
            (r#""default""#, AccountMode::Unnamed),
            ("null", AccountMode::Standard),
        ] {
            assert_eq!(parse_mode(text.as_bytes()), Ok(mode), "{text}");
        }
        assert!(parse_mode(br#""somethingNew""#).is_err());
        assert!(parse_mode(b"7").is_err());
    }

    #[test]
    fn spot_dollars_are_token_zero_and_collateral_is_what_has_a_perp() {
        let body = br#"{"balances":[{"coin":"USDC","token":0,"total":"1520.25"},{"coin":"HYPE","token":150,"total":"12.5"},
            {"coin":"UBTC","token":197,"total":"0.0"},{"coin":"PURR","token":1,"total":"2000"},{"coin":"+10","total":"100.0"}]}"#;
        let forty = |coin: &str| (coin == "HYPE").then(|| Px::from_raw(4_000_000_000));
        let usd = |text: &str| Usd::parse(text.as_bytes()).unwrap();
        assert_eq!(parse_spot(body, forty), Ok((usd("1520.25"), Some(usd("500")))));
        assert_eq!(parse_spot(body, |_| None), Ok((usd("1520.25"), None)), "a price is missing");
        assert!(parse_spot(br#"{"balances":[{"coin":"USDC","token":0}]}"#, forty).is_err());
    }
}
