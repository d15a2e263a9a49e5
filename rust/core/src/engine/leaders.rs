//! What leaders do besides trading: they are liquidated, move money, and place orders.
use super::{Engine, alert_leader};
use crate::commands::{CoinId, Commands, Level};
use crate::config_check::OnLiquidation;
use crate::event::{FrameClass, SourceId};
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
        self.pause_leader(leader, now_ms, &[], now_ms, out);
        self.first_chunk(now_ms, out);
        FrameClass::Taken
    }

    /// Rule 30: what was copied from a liquidated leader is closed at once, and nothing more is opened after it until an
    /// operator resumes it; but where an edge says otherwise it stands still, or goes on. `closing`: coins whose own change does that already.
    pub(super) fn pause_leader(
        &mut self,
        leader: u32,
        liquidated_ms: u64,
        closing: &[CoinId],
        now_ms: u64,
        out: &mut Commands,
    ) {
        let Some(state) = self.state.leader_mut(leader) else { return };
        // The same liquidation again: another row of it, another connection, or history after a restart.
        if liquidated_ms <= state.liquidated_ms {
            return;
        }
        state.liquidated_ms = liquidated_ms;
        out.changed = true;
        if std::mem::replace(&mut state.paused, true) {
            return;
        }
        let positions: Vec<(CoinId, i64)> = state.coins.iter().map(|(coin, entry)| (*coin, entry.position)).collect();
        let mut changes = Vec::new();
        for (coin, position) in positions.into_iter().filter(|(coin, _)| !closing.contains(coin)) {
            let closing = self.follows_reacting(leader, OnLiquidation::Close);
            if closing.into_iter().any(|follow| self.state.held(follow, coin).entitled != 0) {
                let mut change = self.silent_change(coin, position, position, now_ms);
                change.liquidated = true;
                changes.push(change);
            }
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
        let text = self.told_of_liquidation(leader);
        alert_leader(out, Level::Critical, "leader_liquidated", leader, text);
    }

    /// The venue took the leader's position away, and this edge's part goes at once and whole.
    pub(super) fn closes(&self, follow: u32, change: &Change) -> bool {
        let edge = self.config.follows.get(follow as usize);
        change.liquidated && edge.is_some_and(|edge| edge.on_liquidation == OnLiquidation::Close)
    }

    fn follows_reacting(&self, leader: u32, how: OnLiquidation) -> Vec<u32> {
        let follows = self.follows_of_leader.get(leader as usize).into_iter().flatten().copied();
        let reacts = |at: &u32| self.config.follows.get(*at as usize).is_some_and(|edge| edge.on_liquidation == how);
        follows.filter(reacts).collect()
    }

    fn told_of_liquidation(&self, leader: u32) -> String {
        let [close, hold, follow] = [OnLiquidation::Close, OnLiquidation::Hold, OnLiquidation::Follow]
            .map(|how| self.follows_reacting(leader, how).len());
        let mut text = "The venue liquidated this leader.".to_owned();
        if close > 0 || (hold, follow) == (0, 0) {
            text.push_str(" What was copied from it is closed; it is paused until you resume it.");
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
