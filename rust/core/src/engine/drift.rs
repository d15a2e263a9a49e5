//! An account that differs from what the engine believes: whose doing that was, and what becomes of E.
use super::reads::{HISTORY_WEIGHT, MAX_ASKS};
use super::{Engine, alert_follower};
use crate::commands::{CoinId, Commands, Level};
use crate::feed::account::parse_backfill;
use crate::feed::frame::Forced;
use crate::num::Pos;
use crate::risk::budget::Purpose;
use crate::risk::pause::{Pause, Paused};
use crate::state::Asked;

impl Engine {
    /// True: the read differs from what the engine believes and must be looked at again.
    pub(super) fn compare_follower(
        &mut self,
        follower: u32,
        coin: CoinId,
        actual: i64,
        read_ms: u64,
        first: bool,
        out: &mut Commands,
    ) -> bool {
        let known = self.state.follower(follower).and_then(|state| state.coins.get(&coin));
        if known.is_none() && actual == 0 {
            return false;
        }
        let Some(lot) = self.state.lot_entry(follower, coin) else { return false };
        let flying = lot.in_flight.is_some() || !lot.doubted.is_empty();
        if flying || read_ms <= lot.settled_ms {
            lot.suspect = None;
            return false;
        }
        if self.take_adrift(follower, coin, actual, read_ms) {
            return false;
        }
        let Some(lot) = self.state.lot_mut(follower, coin) else { return false };
        if lot.own.saturating_add(lot.manual) == actual {
            lot.suspect = None;
            return false;
        }
        if !first && lot.suspect != Some(actual) {
            lot.suspect = Some(actual);
            self.doubt_stop(follower, coin, read_ms);
            return true;
        }
        if self.take_fee(follower, coin, actual) {
            return false;
        }
        let Some(lot) = self.state.lot_mut(follower, coin) else { return false };
        let (before, since_ms) = ((lot.own, lot.manual), lot.settled_ms);
        // Less than the engine holds, on the same side: somebody reduced or closed it. Anything else is not ours.
        let shrunk = lot.own != 0
            && (actual == 0 || (actual > 0) == (lot.own > 0))
            && actual.unsigned_abs() < lot.own.unsigned_abs();
        // What a stop closed was the engine's, whatever else there is: its fate comes first.
        let plain = shrunk && lot.manual == 0;
        lot.suspect = Some(actual);
        if !plain && self.is_stop_unproven(follower, coin) {
            return true;
        }
        let Some(lot) = self.state.lot_mut(follower, coin) else { return false };
        lot.suspect = None;
        lot.manual = if shrunk { 0 } else { actual.saturating_sub(lot.own) };
        let text = format!(
            "{}: the account holds {}, the engine made {} of it and {} was known as manual.",
            self.coin_name(coin),
            Pos::from_raw(actual),
            Pos::from_raw(before.0),
            Pos::from_raw(before.1)
        );
        let level = if first { Level::Info } else { Level::Warning };
        alert_follower(out, level, "position_drift", follower, text);
        if shrunk {
            self.shrink_entitled(follower, coin, before.0, actual);
            let mark = self.state.market.coin(coin).map_or(0, |coin| coin.last_price);
            self.move_own(follower, coin, actual, mark);
            self.settle_ceiling(follower, coin);
            self.account_stop(follower, coin, before.0, read_ms);
            // It may have traded again since the venue reduced it, but not for longer than it takes to notice.
            let noticed_ms = self.config.engine.reconcile_ms.saturating_mul(2);
            self.ask_own_fills(follower, coin, since_ms.min(read_ms.saturating_sub(noticed_ms)), out);
        } else {
            self.touch_stop(follower, coin, before.0, read_ms);
        }
        false
    }

    /// Who reduced it: the owner, or the venue?
    fn ask_own_fills(&mut self, follower: u32, coin: CoinId, since_ms: u64, out: &mut Commands) {
        let asks = |asked: &Asked| matches!(asked, Asked::OwnFills { follower: other, .. } if *other == follower);
        if self.is_spot(coin) || self.state.asks.values().any(asks) {
            return;
        }
        if self.state.asks.len() >= MAX_ASKS || !self.budget.has(HISTORY_WEIGHT, 0, Purpose::Safety) {
            own_fills_unread(follower, out);
            return;
        }
        let Some(address) = self.address(false, follower) else { return };
        let body = format!("{{\"type\":\"userFills\",\"user\":\"{address}\"}}");
        self.ask(Asked::OwnFills { follower, since_ms }, HISTORY_WEIGHT, body, out);
    }

    /// Rule of operating: an account that the venue liquidated opens nothing until an operator has looked at it. What it
    /// deleveraged is not opened again, as whatever somebody else closed.
    pub(super) fn on_own_fills(
        &mut self,
        follower: u32,
        since_ms: u64,
        body: &[u8],
        now_ms: u64,
        out: &mut Commands,
    ) -> bool {
        let Some(account) = self.address(false, follower) else { return true };
        let mut rows = Vec::new();
        if parse_backfill(body, &mut rows).is_err() {
            return false;
        }
        let forced = |how| rows.iter().any(|row| row.time_ms > since_ms && row.forced(&account.0) == Some(how));
        if forced(Forced::Deleveraged) {
            let text = "The venue deleveraged this account: what it closed is not opened again.";
            alert_follower(out, Level::Critical, "follower_deleveraged", follower, text.into());
        }
        let Some(state) = self.state.follower_mut(follower).filter(|_| forced(Forced::Liquidated)) else { return true };
        let why = "the venue liquidated this account".to_owned();
        state.pause.get_or_insert(Paused { kind: Pause::CloseOnly, since_ms: now_ms, why });
        out.changed = true;
        self.enforce_holds(follower, now_ms, out);
        self.count_holds();
        let text = "The venue liquidated this account: no more entries, exits go on, until you resume it.";
        alert_follower(out, Level::Critical, "follower_liquidated", follower, text.into());
        true
    }

    /// What somebody else closed is not opened again: E shrinks in the same proportion.
    pub(super) fn shrink_entitled(&mut self, follower: u32, coin: CoinId, before: i64, after: i64) {
        let follows = self.follows_of_follower.get(follower as usize).cloned().unwrap_or_default();
        for follow in follows {
            let mut held = self.state.held(follow, coin);
            held.entitled = crate::copy::sizing::scale_down(held.entitled, after, before);
            self.state.set_held(follow, coin, held);
        }
    }
}

/// It stays unknown who reduced a position. True: nothing else is to be done.
pub(super) fn own_fills_unread(follower: u32, out: &mut Commands) -> bool {
    let text =
        "What reduced a position could not be read: if the venue liquidated the account, pause it (hlfast pause).";
    alert_follower(out, Level::Warning, "own_fills_unread", follower, text.into());
    true
}
