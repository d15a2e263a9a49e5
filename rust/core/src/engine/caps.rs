//! What bounds size: an edge's caps bound E, an account's caps bound the target (Σ E).
use super::Engine;
use super::gates::Refusal;
use crate::commands::{CoinId, Outcome, Reason};
use crate::config_check::CheckedFollow;
use crate::copy::plan::least_size;
use crate::copy::sizing::{UNIT, cap_units, scale_down, to_position, worth};
use crate::num::{Round, Usd, mul_div};
use crate::planted::{Bug, planted};
use crate::state::{Change, Held, Lot};

impl Engine {
    /// Cuts an increase to what the edge's caps leave room for. What is cut is not taken later.
    pub(super) fn clip(
        &self,
        follow: u32,
        edge: &CheckedFollow,
        change: &Change,
        entitled: i128,
        wanted: i128,
    ) -> Result<i128, Refusal> {
        let units = |cap| cap_units(cap, change.price);
        let size = wanted.unsigned_abs();
        let mut most = size;
        let bound = |most: u128, room: i128| most.min(u128::try_from(room).unwrap_or(0));
        if let Some(cap) = edge.max_order {
            most = bound(most, units(cap));
        }
        if let Some(cap) = edge.max_position {
            most = bound(most, room(units(cap), entitled, wanted));
        }
        if let Some(cap) = edge.max_gross {
            let left = cap.checked_sub(self.parts_without(follow, edge.follower, change.coin)).unwrap_or(Usd::ZERO);
            most = bound(most, room(units(left).max(0), entitled, wanted));
        }
        if most == 0 {
            return Err((Outcome::Skipped, Reason::Cap));
        }
        let most = i128::try_from(most).map_err(|_| (Outcome::Skipped, Reason::OutOfRange))?;
        Ok(if wanted < 0 { -most } else { most })
    }

    /// `round_up`: an increase that leaves less to be bought than the venue's least order (its minimum in whole lots) is raised to
    /// that, within the edge's caps.
    pub(super) fn raise(
        &self,
        follow: u32,
        edge: &CheckedFollow,
        change: &Change,
        entitled: i128,
        added: i128,
    ) -> i128 {
        let Some(most) = edge.round_up_max else { return added };
        let raised = || {
            let coin = self.state.market.coin(change.coin)?;
            let lot = self.state.follower(edge.follower)?.coins.get(&change.coin);
            let own = lot.map_or(0, |lot| lot.own);
            // What is on its way may be all of it.
            if lot.is_some_and(|lot| lot.in_flight.is_some() || !lot.doubted.is_empty()) {
                return None;
            }
            let others = self.net(edge.follower, change.coin) - self.state.held(follow, change.coin).entitled;
            let net = others.checked_add(entitled)?.checked_add(added)?;
            let missing = net.checked_sub(i128::from(own).checked_mul(UNIT)?)?;
            let outward = (net > 0) == (added > 0) && (missing > 0) == (added > 0) && missing != 0;
            // The lowest price that the order may be valued at: the far end of a sale's band, or the last price.
            let low = mul_div(change.price, 10_000 - i64::from(edge.entry_band_bps), 10_000, Round::Floor)?;
            let least = least_size(&coin.asset?, low.min(coin.last_price));
            let lacking = i128::from(least).checked_mul(UNIT)?.checked_sub(missing.checked_abs()?)?;
            if !outward || lacking <= 0 || worth(to_position(lacking)?, change.price) > most {
                return None;
            }
            let raised = if added > 0 { added.checked_add(lacking)? } else { added.checked_sub(lacking)? };
            self.clip(follow, edge, change, entitled, raised).ok().filter(|clipped| *clipped == raised)
        };
        raised().unwrap_or(added)
    }

    /// An edge's exit may uncover an opposing edge: where |net| rises above the account's cap, that side is cut pro rata.
    pub(super) fn cut_opposition(&mut self, follower: u32, change: &Change, net_before: i128) {
        let Some(cap) = self.config.followers.get(follower as usize).and_then(|account| account.max_position) else {
            return;
        };
        let (cap, net) = (cap_units(cap, change.price), self.net(follower, change.coin));
        if net.unsigned_abs() <= cap.unsigned_abs() || net.unsigned_abs() <= net_before.unsigned_abs() {
            return;
        }
        let target = cap.max(i128::try_from(net_before.unsigned_abs()).unwrap_or(0));
        self.cut_net(follower, change.coin, target);
    }

    /// Cuts the edges on the side of the net pro rata, until the net is `bound` away from zero at most.
    pub(super) fn cut_net(&mut self, follower: u32, coin: CoinId, bound: i128) {
        let net = self.net(follower, coin);
        let excess = net.saturating_abs().saturating_sub(bound);
        if excess <= 0 {
            return;
        }
        let follows = self.follows_of_follower.get(follower as usize).into_iter().flatten();
        let same = |held: &Held| held.entitled != 0 && (held.entitled > 0) == (net > 0);
        let parts: Vec<(u32, Held)> =
            follows.map(|follow| (*follow, self.state.held(*follow, coin))).filter(|(_, held)| same(held)).collect();
        let total = parts.iter().fold(0i128, |sum, (_, held)| sum.saturating_add(held.entitled.saturating_abs()));
        let kept = total.saturating_sub(excess);
        // Shares as 62-bit numbers; what their rounding leaves is the last one's, so that the bound is met exactly.
        let shift = (128 - total.leading_zeros()).saturating_sub(62);
        let [before, after] = [total, kept].map(|sum| i64::try_from(sum >> shift).unwrap_or(0));
        let mut left = kept;
        for (at, (follow, mut held)) in parts.iter().copied().enumerate() {
            let whole = held.entitled.saturating_abs();
            let is_last = at.saturating_add(1) == parts.len();
            let share = if is_last { left } else { scale_down(whole, after, before.saturating_add(1)) }.min(whole);
            left = left.saturating_sub(share);
            held.entitled = if held.entitled < 0 { share.saturating_neg() } else { share };
            self.state.set_held(follow, coin, held);
        }
    }

    /// The account's caps bound the target, not E. They are judged at the leader's price when a leader's event, or the end of an
    /// edge's part, moves the net outward; on its way inward the target never grows, whatever prices did meanwhile (rule 1: a
    /// price alone sends nothing).
    pub(super) fn set_ceiling(&mut self, follower: u32, coin: CoinId, price: i64, net_before: i128, now_ms: u64) {
        let Some(account) = self.config.followers.get(follower as usize) else { return };
        if account.max_position.is_none() && account.max_gross.is_none() && account.max_gross_leverage.is_none() {
            return;
        }
        let net = self.net(follower, coin);
        let same_side = net_before != 0 && (net > 0) == (net_before > 0);
        let outward = net.unsigned_abs() > net_before.unsigned_abs() || !same_side;
        let caps = if outward { self.caps(follower, coin, price, now_ms) } else { 0 };
        let is_native = self.execution(follower).is_native();
        let Some(lot) = self.state.lot_entry(follower, coin) else { return };
        let before = clamp(net_before, lot.ceiling).saturating_abs();
        // Minutes may lie between what a TWAP was allowed and what it has bought: what follows it is judged at the price of now.
        let own = i128::from(lot.own).saturating_mul(UNIT).saturating_abs();
        let kept = if is_native { before.min(own) } else { before };
        lot.ceiling = Some(match (outward, same_side) {
            (true, true) => caps.max(kept),
            (true, false) => caps,
            (false, _) => before,
        });
    }

    /// The most that an account's caps let it hold of a coin, either way.
    fn caps(&self, follower: u32, coin: CoinId, price: i64, now_ms: u64) -> i128 {
        let Some(account) = self.config.followers.get(follower as usize) else { return 0 };
        let position = account.max_position.map_or(i128::MAX, |cap| cap_units(cap, price));
        // Without a known worth nothing is added.
        let leveraged = |leverage| self.leverage_cap(follower, leverage, now_ms).unwrap_or(Usd::ZERO);
        let caps = account.max_gross.into_iter().chain(account.max_gross_leverage.map(leveraged));
        let gross = caps.min().map_or(i128::MAX, |cap| {
            let left = cap.checked_sub(self.gross_without(follower, coin)).unwrap_or(Usd::ZERO);
            cap_units(left, price).max(0)
        });
        position.min(gross)
    }

    /// The account's leverage is capped, and what it is worth is not known.
    pub(super) fn is_worth_unknown(&self, follower: u32, now_ms: u64) -> bool {
        let leverage = self.config.followers.get(follower as usize).and_then(|account| account.max_gross_leverage);
        leverage.is_some_and(|leverage| self.leverage_cap(follower, leverage, now_ms).is_none())
    }

    /// What a follower should hold of a coin: Σ E within the account's caps.
    pub(super) fn target(&self, follower: u32, coin: u32) -> i128 {
        let lot = self.state.follower(follower).and_then(|state| state.coins.get(&coin));
        self.lot_target(follower, coin, lot)
    }

    fn lot_target(&self, follower: u32, coin: u32, lot: Option<&Lot>) -> i128 {
        let ceiling = lot.and_then(|lot| lot.ceiling).filter(|_| !planted(Bug::CapForgotten));
        clamp(self.net(follower, coin), ceiling)
    }

    /// Σ E of a follower's edges on a coin.
    pub(super) fn net(&self, follower: u32, coin: u32) -> i128 {
        let follows = self.follows_of_follower.get(follower as usize).into_iter().flatten();
        follows.fold(0i128, |sum, follow| sum.saturating_add(self.state.held(*follow, coin).entitled))
    }

    /// What an edge's parts of other coins are worth at worst: the larger of what they are and what they should be, which has
    /// what is on its way and what is unknown in it.
    fn parts_without(&self, follow: u32, follower: u32, coin: u32) -> Usd {
        let lots = self.state.follower(follower).map(|state| &state.coins);
        let parts = self.state.held.get(follow as usize).into_iter().flatten().filter(|(other, _)| **other != coin);
        // 10^-20 coins times 10^-8 dollars; divided once.
        let sum = parts.fold(0u128, |sum, (other, held)| {
            let leader_price = lots.and_then(|lots| lots.get(other)).map_or(0, |lot| lot.leader_price);
            let price = self.state.market.coin(*other).map_or(0, |coin| coin.last_price).max(leader_price);
            let is = u128::from(held.position.unsigned_abs()).saturating_mul(UNIT.unsigned_abs());
            let worst = is.max(held.entitled.unsigned_abs());
            sum.saturating_add(worst.saturating_mul(price.unsigned_abs().into()))
        });
        let dollars = sum.div_ceil(UNIT.unsigned_abs().saturating_mul(10_000_000_000));
        i64::try_from(dollars).map_or(Usd::MAX, Usd::from_raw)
    }

    /// What the follower's other coins are worth at worst: the larger of what it holds, with orders in flight, and what it should.
    fn gross_without(&self, follower: u32, coin: u32) -> Usd {
        let Some(state) = self.state.follower(follower) else { return Usd::MAX };
        let others = state.coins.iter().filter(|(other, _)| **other != coin);
        // 10^-8 coins times 10^-8 dollars; divided once.
        let sum = others.fold(0u128, |sum, (other, lot)| {
            let price = self.state.market.coin(*other).map_or(0, |coin| coin.last_price).max(lot.leader_price);
            let account = lot.own.saturating_add(lot.manual);
            let [sold, bought] = self.flying(lot, *other).map(|size| account.saturating_add(size));
            let held = [account, sold, bought].map(i64::unsigned_abs).into_iter().fold(0, u64::max);
            let target = self.lot_target(follower, *other, Some(lot)).unsigned_abs();
            // Most of the time it is what is held: no division then.
            let worst = if planted(Bug::GrossOfConfirmed) {
                account.unsigned_abs()
            } else if target <= u128::from(held).saturating_mul(UNIT.unsigned_abs()) {
                held
            } else {
                u64::try_from(target / UNIT.unsigned_abs()).unwrap_or(u64::MAX)
            };
            sum.saturating_add(u128::from(worst).saturating_mul(price.unsigned_abs().into()))
        });
        i64::try_from(sum.div_ceil(10_000_000_000)).map_or(Usd::MAX, Usd::from_raw)
    }
}

/// Room for `wanted` until |current| reaches `cap`; going back toward zero and through it counts as room.
fn room(cap: i128, current: i128, wanted: i128) -> i128 {
    let along = if wanted < 0 { -current } else { current };
    cap.saturating_sub(along).max(0).max(if along < 0 { -along } else { 0 })
}

fn clamp(net: i128, ceiling: Option<i128>) -> i128 {
    ceiling.map_or(net, |most| net.clamp(most.saturating_neg(), most))
}
