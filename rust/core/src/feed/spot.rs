//! Spot balances and prices. Cold: parsed as trees, every number still exact.
use serde_json::Value;

use super::account::{AnswerError, text};
use crate::num::{Px, Round, Sz, Usd, mul_div};

/// More tokens than any account has.
const MAX_ROWS: usize = 10_000;

/// What an account has of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The token's number.
    pub token: u32,
    /// All of it, toward zero.
    pub total: Sz,
    /// What one of it cost on average; zero: not told.
    pub entry: Px,
}

/// Parses the balances of `spotClearinghouseState`, dollars (token 0) left out. Outcome balances have no token and are none.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_balances(body: &[u8]) -> Result<Vec<Balance>, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let rows = value.get("balances").and_then(Value::as_array).ok_or("no balances")?;
    if rows.len() > MAX_ROWS {
        return Err("more tokens than an account has");
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(token) = row.get("token").and_then(Value::as_u64).filter(|token| *token > 0) else { continue };
        let total = text(row.get("total")).ok_or("balance without total")?;
        let total = Sz::parse_round(total, Round::Floor).map_err(|_| "bad balance")?;
        let cost = text(row.get("entryNtl")).and_then(|cost| Usd::parse_round(cost, Round::Nearest).ok());
        // 10^-6 dollars over 10^-8 tokens, kept at 10^-8.
        let entry = cost.and_then(|cost| mul_div(cost.raw(), 10_000_000_000, total.raw(), Round::Nearest));
        let token = u32::try_from(token).map_err(|_| "token out of range")?;
        found.push(Balance { token, total, entry: entry.map_or(Px::ZERO, Px::from_raw) });
    }
    Ok(found)
}

/// Parses `allMids`, pair by pair. A price that is none is left out.
///
/// # Errors
/// When it is no list of prices.
pub fn parse_mids(body: &[u8], mut each: impl FnMut(&str, Px)) -> Result<(), AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    for (name, price) in value.as_object().ok_or("no mids")? {
        let price = text(Some(price)).and_then(|price| Px::parse_round(price, Round::Nearest).ok());
        if let Some(price) = price.filter(|price| !price.is_zero()) {
            each(name, price);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balances_are_tokens_with_their_average_cost_and_neither_dollars_nor_outcomes() {
        let body = br#"{"balances":[{"coin":"USDC","token":0,"total":"1520.25","entryNtl":"0.0"},
            {"coin":"HYPE","token":150,"total":"12.5","hold":"0.0","entryNtl":"500.0"},
            {"coin":"PURR","token":1,"total":"2000.123456789"},{"coin":"+10","total":"100.0"}]}"#;
        let px = |text: &str| Px::parse(text.as_bytes()).unwrap();
        let sz = |text: &str| Sz::parse(text.as_bytes()).unwrap();
        let wanted = [
            Balance { token: 150, total: sz("12.5"), entry: px("40") },
            Balance { token: 1, total: sz("2000.12345678"), entry: Px::ZERO },
        ];
        assert_eq!(parse_balances(body).unwrap(), wanted);
        assert!(parse_balances(br#"{"balances":[{"coin":"HYPE","token":150}]}"#).is_err());
        assert!(parse_balances(b"[]").is_err());
    }

    #[test]
    fn mids_are_prices_by_name() {
        let mut found = Vec::new();
        let body = br##"{"BTC":"97122.5","@107":"35.21","#10":"0.53","DEAD":"0.0","ODD":null}"##;
        parse_mids(body, |name, price| found.push((name.to_owned(), price.to_string()))).unwrap();
        found.sort();
        assert_eq!(found, [("#10", "0.53"), ("@107", "35.21"), ("BTC", "97122.5")].map(|(a, b)| (a.into(), b.into())));
        assert!(parse_mids(b"null", |_, _| {}).is_err());
    }
}
