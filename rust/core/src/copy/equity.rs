//! What an account is worth to copying, by where the venue keeps its money.
//!
//! Where a figure can't be exact, a leader's is taken high and a follower's low: the copy is then smaller, never larger.
use serde::{Deserialize, Serialize};

/// Where an account's balances live (`userAbstraction`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountMode {
    /// Each dex has dollars of its own.
    Standard,
    /// One balance for all dexs, in the spot state.
    Unified,
    /// As unified, with other tokens as collateral.
    Portfolio,
    /// Never chosen: it may be any of these.
    Unnamed,
}

/// What of an account's money its losses are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counted {
    /// Account values of all dexs.
    Dexs,
    /// Those, and what is on spot.
    DexsAndSpot,
    /// One balance for all: what is on spot, and unrealised profits that are not in it.
    Pool,
}

/// An account on one dex.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DexMoney {
    /// Account value in 10^-6 dollars.
    pub value: i64,
    /// Unrealised profit in it.
    pub unrealised: i64,
    /// When it was read; 0: never.
    pub read_ms: u64,
}

/// An account's spot state.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotMoney {
    /// Dollars, in 10^-6.
    pub dollars: i64,
    /// What else counts as collateral, in 10^-6 dollars; `None`: it can't be told.
    pub collateral: Option<i64>,
    /// All tokens but dollars, in 10^-6 dollars: what is known of them, and whether that is all.
    pub tokens: (i64, bool),
    /// When it was read; 0: never.
    pub read_ms: u64,
}

/// All that was read of an account's money.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purse {
    /// Where balances live; `None`: not known, or to be read again.
    pub mode: Option<AccountMode>,
    /// When that was read.
    pub mode_ms: u64,
    /// By place in the list of dexs.
    pub dexs: Vec<DexMoney>,
    /// Dollars and tokens outside the dexs.
    pub spot: SpotMoney,
}

impl Purse {
    /// Nothing read yet, of so many dexs.
    #[must_use]
    pub fn new(dexs: usize) -> Purse {
        Purse { dexs: vec![DexMoney::default(); dexs], ..Purse::default() }
    }

    /// Takes in a dex's account state.
    pub fn note_dex(&mut self, dex: u32, money: DexMoney) {
        let Some(place) = self.dexs.get_mut(dex as usize) else { return };
        let before = std::mem::replace(place, money);
        // A unified account's values are not its worth: their fall says nothing.
        if matches!(self.mode, Some(AccountMode::Standard | AccountMode::Unnamed)) {
            self.doubt(before.read_ms, before.value, money.value);
        }
    }

    /// Takes in the spot state.
    pub fn note_spot(&mut self, money: SpotMoney) {
        let before = std::mem::replace(&mut self.spot, money);
        self.doubt(before.read_ms, before.dollars, money.dollars);
    }

    /// Money that is gone from where it was has perhaps only moved because the mode changed: sizing against the rest would
    /// make a leader's ratio huge. So a fall by more than half is believed once the mode was read again.
    fn doubt(&mut self, read_ms: u64, before: i64, after: i64) {
        if read_ms > 0 && before > 0 && after < before / 2 {
            self.mode = None;
        }
    }

    /// The spot state counts, or may.
    #[must_use]
    pub const fn needs_spot(&self) -> bool {
        matches!(self.mode, Some(AccountMode::Unified | AccountMode::Portfolio | AccountMode::Unnamed))
    }

    /// When the main dex was read.
    #[must_use]
    pub fn read_ms(&self) -> u64 {
        self.dexs.first().map_or(0, |money| money.read_ms)
    }

    /// A leader's worth: all that it may lose. `None`: a part was not read since `oldest_ms`, or can't be told.
    #[must_use]
    pub fn of_leader(&self, oldest_ms: u64) -> Option<i64> {
        let dexs = self.sum(oldest_ms, |money| money.value)?;
        match self.mode? {
            AccountMode::Standard => Some(dexs),
            AccountMode::Unified => self.pooled(oldest_ms, i64::max),
            AccountMode::Portfolio => self.pooled(oldest_ms, i64::max)?.checked_add(self.spot.collateral?),
            AccountMode::Unnamed => dexs.checked_add(self.spot_dollars(oldest_ms)?),
        }
    }

    /// A follower's worth behind positions of one dex. `None`: as for a leader.
    #[must_use]
    pub fn of_follower(&self, dex: u32, oldest_ms: u64) -> Option<i64> {
        let own = self.dexs.get(dex as usize).filter(|money| is_fresh(money.read_ms, oldest_ms)).map(|m| m.value);
        let shared = || self.pooled(oldest_ms, i64::min);
        match self.mode? {
            AccountMode::Standard => own,
            AccountMode::Unified | AccountMode::Portfolio => shared(),
            AccountMode::Unnamed => {
                // Balances live where more of them are.
                let in_dexs = self.sum(oldest_ms, |money| money.value.saturating_sub(money.unrealised))?;
                if in_dexs >= self.spot_dollars(oldest_ms)? { own } else { shared() }
            }
        }
    }

    /// A leader's worth on spot. `None`: not read since `oldest_ms`, or a token's price is missing.
    #[must_use]
    pub fn of_spot_leader(&self, oldest_ms: u64) -> Option<i64> {
        let (tokens, whole) = self.spot.tokens;
        self.spot_dollars(oldest_ms).filter(|_| whole)?.checked_add(tokens)
    }

    /// A follower's worth on spot: what has a price.
    #[must_use]
    pub fn of_spot_follower(&self, oldest_ms: u64) -> Option<i64> {
        self.spot_dollars(oldest_ms)?.checked_add(self.spot.tokens.0)
    }

    /// All that an account's losses show in: what of it counts, its worth, and when the oldest part of that was read. Tokens
    /// count beside the dollars that bought them wherever these do, so that a purchase is no loss. `spot`: the account trades
    /// it. `None`: as for a leader.
    #[must_use]
    pub fn in_all(&self, oldest_ms: u64, spot: bool) -> Option<(Counted, i64, u64)> {
        let counted = match self.mode? {
            AccountMode::Standard if !spot => Counted::Dexs,
            AccountMode::Standard | AccountMode::Unnamed => Counted::DexsAndSpot,
            AccountMode::Unified | AccountMode::Portfolio => Counted::Pool,
        };
        let dexs = || self.sum(oldest_ms, |money| money.value);
        let worth = match counted {
            Counted::Dexs => dexs()?,
            Counted::DexsAndSpot => dexs()?.checked_add(self.of_spot_follower(oldest_ms)?)?,
            Counted::Pool => self.pooled(oldest_ms, |others, _| others)?.checked_add(self.spot.tokens.0)?,
        };
        let spot_ms = (counted != Counted::Dexs).then_some(self.spot.read_ms);
        let since_ms = self.dexs.iter().map(|money| money.read_ms).chain(spot_ms).min()?;
        Some((counted, worth, since_ms))
    }

    /// The main dex's account value: what to show where no edge asks for more.
    #[must_use]
    pub fn unsorted(&self) -> Option<i64> {
        self.dexs.first().filter(|money| money.read_ms > 0).map(|money| money.value)
    }

    fn spot_dollars(&self, oldest_ms: u64) -> Option<i64> {
        is_fresh(self.spot.read_ms, oldest_ms).then_some(self.spot.dollars)
    }

    /// Dollars that all dexs share. Their total holds what is unrealised on the main dex: in the recorded account of 2026-07
    /// total less `supplied` is the dex's account value to the last digit. Of other dexs that was not seen, so `bound` with
    /// zero takes theirs high or low.
    fn pooled(&self, oldest_ms: u64, bound: fn(i64, i64) -> i64) -> Option<i64> {
        let all = self.sum(oldest_ms, |money| money.unrealised)?;
        let main = self.dexs.first().map_or(0, |money| money.unrealised);
        self.spot_dollars(oldest_ms)?.checked_add(bound(all.checked_sub(main)?, 0))
    }

    fn sum(&self, oldest_ms: u64, of: impl Fn(&DexMoney) -> i64) -> Option<i64> {
        self.dexs.iter().try_fold(0i64, |sum, money| {
            if is_fresh(money.read_ms, oldest_ms) { sum.checked_add(of(money)) } else { None }
        })
    }
}

const fn is_fresh(read_ms: u64, oldest_ms: u64) -> bool {
    read_ms > 0 && read_ms >= oldest_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn dex(value: i64, unrealised: i64) -> DexMoney {
        DexMoney { value, unrealised, read_ms: 10 }
    }

    fn purse(mode: AccountMode) -> Purse {
        let spot = SpotMoney { dollars: 700, collateral: Some(9_000), tokens: (50, true), read_ms: 10 };
        Purse { mode: Some(mode), mode_ms: 10, dexs: vec![dex(1_000, 30), dex(200, -5)], spot }
    }

    #[test]
    fn a_standard_leader_is_worth_all_dexs_and_a_standard_follower_the_dex_of_the_coin() {
        let purse = purse(AccountMode::Standard);
        assert_eq!(purse.of_leader(10), Some(1_200));
        assert_eq!((purse.of_follower(0, 10), purse.of_follower(1, 10)), (Some(1_000), Some(200)));
    }

    #[test]
    fn a_unified_account_is_its_spot_dollars_which_hold_the_main_dexs_profit() {
        let mut purse = purse(AccountMode::Unified);
        assert_eq!((purse.of_leader(10), purse.of_follower(1, 10)), (Some(700), Some(695)), "another dex's loss of 5");
        purse.dexs[1].unrealised = 40;
        assert_eq!((purse.of_leader(10), purse.of_follower(1, 10)), (Some(740), Some(700)), "a profit of 40");
    }

    #[test]
    fn the_recorded_portfolio_account_is_worth_its_dollars_once() {
        // 894.08996004 dollars, of which 746.67710305 are lent out; the dex's account value of 147.412857 is the rest.
        let spot = SpotMoney { dollars: 894_089_960, collateral: Some(0), tokens: (0, true), read_ms: 10 };
        let purse = Purse { mode: Some(AccountMode::Portfolio), mode_ms: 10, dexs: vec![dex(147_412_857, 40)], spot };
        assert_eq!((purse.of_leader(10), purse.of_follower(0, 10)), (Some(894_089_960), Some(894_089_960)));
    }

    #[test]
    fn all_of_an_account_counts_tokens_where_the_dollars_count_that_bought_them() {
        let mut standard = purse(AccountMode::Standard);
        standard.spot.read_ms = 9;
        assert_eq!(standard.in_all(10, false), Some((Counted::Dexs, 1_200, 10)));
        assert_eq!(standard.in_all(10, true), None, "its spot was read too long ago");
        assert_eq!(standard.in_all(9, true), Some((Counted::DexsAndSpot, 1_950, 9)));
        for mode in [AccountMode::Unified, AccountMode::Portfolio] {
            let mut purse = purse(mode);
            assert_eq!(purse.in_all(10, true), Some((Counted::Pool, 745, 10)), "another dex's loss of 5");
            (purse.spot.dollars, purse.spot.tokens.0) = (600, 150);
            assert_eq!(purse.in_all(10, false), Some((Counted::Pool, 745, 10)), "100 dollars became tokens");
        }
        assert_eq!(purse(AccountMode::Unnamed).in_all(10, false), Some((Counted::DexsAndSpot, 1_950, 10)));
    }

    #[test]
    fn a_portfolio_leader_counts_its_collateral_and_a_portfolio_follower_does_not() {
        let mut purse = purse(AccountMode::Portfolio);
        assert_eq!((purse.of_leader(10), purse.of_follower(0, 10)), (Some(9_700), Some(695)));
        purse.spot.collateral = None;
        assert_eq!(purse.of_leader(10), None, "collateral without a price is no leader without collateral");
    }

    #[test]
    fn an_unnamed_mode_is_taken_high_for_a_leader_and_where_the_dollars_are_for_a_follower() {
        let mut purse = purse(AccountMode::Unnamed);
        assert_eq!((purse.of_leader(10), purse.of_follower(0, 10)), (Some(1_900), Some(1_000)));
        purse.spot.dollars = 1_176;
        assert_eq!(purse.of_follower(0, 10), Some(1_171), "more than the 1,175 in the dexs");
    }

    #[test]
    fn spot_is_dollars_and_tokens_and_a_leader_with_a_token_of_no_price_can_not_be_told() {
        let mut purse = purse(AccountMode::Standard);
        assert_eq!((purse.of_spot_leader(10), purse.of_spot_follower(10)), (Some(750), Some(750)));
        purse.spot.tokens.1 = false;
        assert_eq!((purse.of_spot_leader(10), purse.of_spot_follower(10)), (None, Some(750)));
        assert_eq!(purse.of_spot_follower(11), None);
    }

    #[test]
    fn what_was_not_read_lately_is_not_counted() {
        let mut purse = purse(AccountMode::Standard);
        purse.dexs[1].read_ms = 9;
        assert_eq!(
            (purse.of_leader(10), purse.of_follower(0, 10), purse.of_follower(1, 10)),
            (None, Some(1_000), None)
        );
        purse.mode = None;
        assert_eq!(purse.of_follower(0, 10), None, "where its money is was not read");
        assert_eq!(Purse::new(1).of_leader(0), None);
    }

    #[test]
    fn money_that_vanished_is_believed_once_the_mode_was_read_again() {
        let mut standard = purse(AccountMode::Standard);
        standard.note_dex(0, dex(500, 0));
        assert_eq!(standard.mode, Some(AccountMode::Standard), "half is a withdrawal or a bad day");
        standard.note_dex(0, dex(249, 0));
        assert_eq!(standard.mode, None);
        let mut unified = purse(AccountMode::Unified);
        unified.note_dex(0, dex(1, 1));
        assert!(unified.mode.is_some());
        unified.note_spot(SpotMoney { dollars: 3, ..unified.spot });
        assert_eq!(unified.mode, None);
    }
}
