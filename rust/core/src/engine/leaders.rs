//! What leaders do besides trading: they are liquidated, move money, and place orders.
use super::{Engine, alert_leader};
use crate::commands::{CoinId, Commands, Level};
use crate::config_check::OnLiquidation;
use crate::event::{FrameClass, SourceId};
use crate::feed::frame::Forced;
use crate::state::{Change, Fanout};

/// A leader's orders, for people to see that it is alive. No decision uses them, so they are not journalled.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct OrderActivity {
    pub updates: u64,
    pub last_ms: u64,
}

impl Engine {
    /// From `userEvents`: it may come before the fills that tell the same, and it carries no time.
    pub(super) fn on_liquidation(&mut self, user: [u8; 20], now_ms: u64, out: &mut Commands) -> FrameClass {
        let Some(leader) = self.leader_by_address.get(&user).copied() else { return FrameClass::Other };
        self.pause_leader(leader, Forced::Liquidated, now_ms, |_| true, now_ms, out);
        self.first_chunk(now_ms, out);
        FrameClass::Taken
    }

    /// Rule 30: what was copied from a liquidated leader is closed at once, and nothing more is opened after it until an
    /// operator resumes it; but where an edge says otherwise it stands still, or goes on. A deleveraged leader could pay: only its
    /// part on the coins that the venue closed goes. `rest`: coins that no change of their own closes already.
    pub(super) fn pause_leader(
        &mut self,
        leader: u32,
        how: Forced,
        at_ms: u64,
        rest: impl Fn(CoinId) -> bool,
        now_ms: u64,
        out: &mut Commands,
    ) {
        let Some(state) = self.state.leader_mut(leader) else { return };
        // The same again: another row of it, another connection, or history after a restart.
        if at_ms <= state.liquidated_ms {
            return;
        }
        state.liquidated_ms = at_ms;
        out.changed = true;
        let was_paused = std::mem::replace(&mut state.paused, true);
        let positions: Vec<(CoinId, i64)> = state.coins.iter().map(|(coin, entry)| (*coin, entry.position)).collect();
        let closing = self.follows_reacting(leader, OnLiquidation::Close);
        let mut changes = Vec::new();
        for (coin, position) in positions.into_iter().filter(|(coin, _)| rest(*coin)) {
            if closing.iter().any(|follow| self.state.held(*follow, coin).entitled != 0) {
                let mut change = self.silent_change(coin, position, position, now_ms);
                change.forced = true;
                changes.push(change);
            }
        }
        if was_paused && changes.is_empty() {
            return;
        }
        if !changes.is_empty() {
            self.state.fanouts.push_back(Fanout { leader, changes, next: 0 });
        }
        for follow in self.follows_reacting(leader, OnLiquidation::Hold) {
            if let Some(follower) = self.config.follows.get(follow as usize).map(|edge| edge.follower) {
                self.enforce_holds(follower, now_ms, out);
            }
        }
        self.count_holds();
        let code = match how {
            Forced::Liquidated => "leader_liquidated",
            Forced::Deleveraged => "leader_deleveraged",
        };
        let text = self.told_of_force(leader, how);
        alert_leader(out, Level::Critical, code, leader, text);
    }

    /// The venue took the leader's position away, and this edge's part goes at once and whole.
    pub(super) fn closes(&self, follow: u32, change: &Change) -> bool {
        let edge = self.config.follows.get(follow as usize);
        change.forced && edge.is_some_and(|edge| edge.on_liquidation == OnLiquidation::Close)
    }

    fn follows_reacting(&self, leader: u32, how: OnLiquidation) -> Vec<u32> {
        let follows = self.follows_of_leader.get(leader as usize).into_iter().flatten().copied();
        let reacts = |at: &u32| self.config.follows.get(*at as usize).is_some_and(|edge| edge.on_liquidation == how);
        follows.filter(reacts).collect()
    }

    fn told_of_force(&self, leader: u32, how: Forced) -> String {
        let [close, hold, follow] = [OnLiquidation::Close, OnLiquidation::Hold, OnLiquidation::Follow]
            .map(|how| self.follows_reacting(leader, how).len());
        let (mut text, what) = match how {
            Forced::Liquidated => ("The venue liquidated this leader.".to_owned(), "What was copied from it"),
            Forced::Deleveraged => ("The venue deleveraged this leader.".to_owned(), "What was copied of that coin"),
        };
        if close > 0 || (hold, follow) == (0, 0) {
            text.push_str(&format!(" {what} is closed; the leader is paused until you resume it."));
        }
        if hold > 0 {
            text.push_str(" What on_liquidation = \"hold\" keeps stands still until you resume it.");
        }
        if follow > 0 {
            text.push_str(" What on_liquidation = \"follow\" leaves to it goes on.");
        }
        text
    }

    /// Money moved: the equity read before says nothing any more, so it is read again.
    pub(super) fn on_transfers(&mut self, user: [u8; 20], time_ms: u64, now_ms: u64, out: &mut Commands) -> FrameClass {
        let Some(leader) = self.leader_by_address.get(&user).copied() else { return FrameClass::Other };
        let Some(state) = self.state.leader_mut(leader) else { return FrameClass::Other };
        if time_ms > state.transfer_ms {
            state.transfer_ms = time_ms;
            out.changed = true;
            if time_ms > state.purse.read_ms() {
                self.read_at(now_ms, true, leader);
            }
        }
        FrameClass::Taken
    }

    /// Frames of orders name no user: the confirmation of their subscription says whose the connection carries.
    pub(super) fn on_acknowledged(&mut self, source: SourceId, orders_of: Option<[u8; 20]>) -> FrameClass {
        if let Some(leader) = orders_of.and_then(|user| self.leader_by_address.get(&user).copied()) {
            self.order_owners.insert(source, leader);
        }
        FrameClass::Ack
    }

    pub(super) fn on_orders(&mut self, source: SourceId, count: u64, time_ms: u64) -> FrameClass {
        let leader = self.order_owners.get(&source).copied();
        let Some(activity) = leader.and_then(|leader| self.order_activity.get_mut(leader as usize)) else {
            return FrameClass::Other;
        };
        activity.updates = activity.updates.saturating_add(count);
        activity.last_ms = activity.last_ms.max(time_ms);
        FrameClass::Taken
    }
}
