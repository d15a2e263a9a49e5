//! Whose the engine's position is: each change of it is shared out among the account's edges, with what it cost.
use super::Engine;
use crate::commands::CoinId;
use crate::copy::parts::{Part, attribute, cross};
use crate::copy::sizing::to_position;
use crate::state::Edge;

/// 10^-8 coins times 10^-8 dollars, in 10^-6 dollars.
const PER_DOLLAR_UNIT: i128 = 10_000_000_000;

impl Engine {
    /// Sets the engine's position on a coin. The only way: whose the difference is, and at what price, is noted with it.
    pub(super) fn move_own(&mut self, follower: u32, coin: CoinId, own: i64, price: i64) {
        let Some(lot) = self.state.lot_entry(follower, coin) else { return };
        let fill = own.saturating_sub(lot.own);
        lot.own = own;
        let price = if price > 0 { price } else { lot.leader_price };
        if fill != 0 {
            let rate = self.taker_rate(follower);
            self.share(follower, coin, (price, Some(rate)), |parts| {
                attribute(parts, fill);
                true
            });
        }
        self.cross_parts(follower, coin);
    }

    /// What one edge gives up and another takes on is theirs to settle, at the last price, without an order.
    pub(super) fn cross_parts(&mut self, follower: u32, coin: CoinId) {
        if self.follows_of_follower.get(follower as usize).is_some_and(|follows| follows.len() > 1) {
            let price = self.state.market.coin(coin).map_or(0, |coin| coin.last_price);
            self.share(follower, coin, (price, None), cross);
        }
    }

    /// `rate`: what the venue takes of the value, in 10^-8; `None` where nothing was traded there.
    fn share(
        &mut self,
        follower: u32,
        coin: CoinId,
        (price, rate): (i64, Option<i64>),
        each: impl FnOnce(&mut [Part]) -> bool,
    ) {
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        let follows = self.follows_of_follower.get(follower as usize).map_or(&[][..], Vec::as_slice);
        parts.extend(follows.iter().map(|follow| {
            let held = self.state.held(*follow, coin);
            Part { entitled: to_position(held.entitled).unwrap_or(0), held: held.position }
        }));
        if each(&mut parts) {
            for (follow, part) in follows.iter().copied().zip(&parts) {
                let mut held = self.state.held(follow, coin);
                let moved = part.held.saturating_sub(held.position);
                let before = std::mem::replace(&mut held.position, part.held);
                self.state.set_held(follow, coin, held);
                self.state.note_bought(follower, follow, coin, [before, part.held], rate.is_none());
                pay(&mut self.state.edges, follow, moved, price);
                if let Some(rate) = rate.filter(|rate| *rate != 0) {
                    self.state.losses.follow_mut(follow).charge(moved, price, rate);
                }
            }
        }
        self.parts = parts;
    }

    /// What must hold after any history, for tests of the whole: the first contradiction in the state, in words.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        (0..).zip(&self.follows_of_follower).find_map(|(follower, follows)| {
            let lots = self.state.follower(follower).into_iter().flat_map(|state| &state.coins);
            let wrong = lots.filter_map(|(coin, lot)| {
                let held = |follow: &u32| i128::from(self.state.held(*follow, *coin).position);
                let sum = follows.iter().map(held).sum::<i128>();
                let name = self.coin_name(*coin);
                (sum != i128::from(lot.own))
                    .then(|| format!("follower {follower}, {name}: the parts are {sum}, the position is {}", lot.own))
            });
            wrong.chain(follows.iter().flat_map(|follow| self.contradiction_of(follower, *follow))).next()
        })
    }

    fn contradiction_of(&self, follower: u32, follow: u32) -> Option<String> {
        let edge = self.config.follows.get(follow as usize)?;
        let leader = self.state.leaders.get(edge.leader as usize)?;
        let coins = self.state.held.get(follow as usize)?;
        coins.iter().find_map(|(coin, held)| {
            let at = || format!("follow {follow}, {}", self.coin_name(*coin));
            if held.position != 0 && !self.state.follower(follower)?.coins.contains_key(coin) {
                return Some(format!("{}: a part of {} and no position", at(), held.position));
            }
            // An event on its way, or a freeze, keeps E behind the leader.
            if !self.state.fanouts.is_empty() || held.frozen.is_some() || held.entitled == 0 {
                return None;
            }
            let position = leader.coins.get(coin).map_or(0, |entry| entry.position);
            let same = (held.entitled > 0) == ((position > 0) != edge.inverse);
            (position == 0 || !same)
                .then(|| format!("{}: entitled to {} of a leader with {position}", at(), held.entitled))
        })
    }
}

/// An edge's part moved by so much at a price.
pub(super) fn pay(edges: &mut [Edge], follow: u32, moved: i64, price: i64) {
    let paid = i128::from(moved).saturating_mul(i128::from(price)) / PER_DOLLAR_UNIT;
    if let Some(edge) = edges.get_mut(follow as usize) {
        edge.cash = edge.cash.saturating_sub(i64::try_from(paid).unwrap_or(i64::MAX));
    }
}
