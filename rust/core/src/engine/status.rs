//! A cold look at the state, as JSON for people and health checks.
use serde_json::{Map, Value, json};

use super::Engine;
use crate::copy::sizing::to_position;
use crate::num::{Pos, Px, Usd};
use crate::order::attempt::Phase;
use crate::order::stop::StopStage;
use crate::state::{Follower, Gap, Leader};

/// The core's numbers for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauges {
    /// Attempts whose outcome is unknown.
    pub unresolved: u64,
    /// Posts without an answer yet.
    pub posts_in_flight: u64,
    /// REST weight left in the running minute.
    pub weight_left: u64,
    /// WebSocket messages left in the running minute.
    pub messages_left: u64,
    /// The venue saw another signer than ours.
    pub breaker: bool,
}

impl Engine {
    /// Numbers for metrics; cheap enough for every tick.
    #[must_use]
    pub fn gauges(&self, now_ms: u64) -> Gauges {
        let unanswered = self.state.attempts.values().filter(|attempt| attempt.phase == Phase::Sent).count();
        let unresolved = self.state.attempts.len().saturating_sub(unanswered);
        let (weight_left, messages_left) = self.budget.left(now_ms);
        Gauges {
            unresolved: unresolved as u64,
            posts_in_flight: unanswered.saturating_add(self.state.fences.len()) as u64,
            weight_left: weight_left.into(),
            messages_left: messages_left.into(),
            breaker: self.state.breaker,
        }
    }

    /// Appends a JSON object: readiness, recovery, leaders, followers, positions, unresolved attempts, lanes, budgets.
    pub fn write_status(&self, now_ms: u64, out: &mut Vec<u8>) {
        let unresolved = self.state.attempts.values().filter(|attempt| attempt.phase != Phase::Sent).count();
        let recovering = self.state.followers.iter().filter(|follower| follower.unresolved > 0).count();
        let read = (0..).take(self.state.followers.len()).all(|follower| self.is_read(follower));
        let seeded = self.state.leaders.iter().all(|leader| leader.seeded.iter().all(|seeded| *seeded));
        let (weight, messages) = self.budget.left(now_ms);
        let leaders: Vec<Value> = (0..)
            .zip(self.config.leaders.iter().zip(&self.state.leaders))
            .map(|(at, (c, s))| self.leader_status(at, &c.name, s))
            .collect();
        let followers: Vec<Value> = (0..)
            .zip(self.config.followers.iter().zip(&self.state.followers))
            .map(|(at, (c, s))| self.follower_status(at, &c.name, s))
            .collect();
        let status = json!({
            "started": self.state.started,
            "ready": self.state.started && read && seeded && recovering == 0,
            "recovering_followers": recovering,
            "breaker": self.state.breaker,
            "coins": self.state.market.len(),
            "in_flight": self.state.attempts.len(),
            "unresolved": unresolved,
            "waiting": self.state.waiting.len(),
            "events_pending": self.state.fanouts.len(),
            "asks_pending": self.state.asks.len(),
            "receipts": self.state.receipts,
            "lanes": self.state.lanes,
            "http_lanes": self.state.http_lanes,
            "limits": self.budget.is_limited(),
            "weight_left": weight,
            "messages_left": messages,
            "leaders": leaders,
            "followers": followers,
        });
        out.extend_from_slice(status.to_string().as_bytes());
    }

    fn leader_status(&self, at: usize, name: &str, leader: &Leader) -> Value {
        let positions: Map<String, Value> = leader
            .coins
            .iter()
            .filter(|(_, entry)| entry.position != 0)
            .map(|(coin, entry)| (self.coin_name(*coin).to_owned(), json!(Pos::from_raw(entry.position).to_string())))
            .collect();
        let coins: Vec<Value> = leader
            .coins
            .iter()
            .filter(|(_, entry)| entry.leverage != 0)
            .map(|(coin, entry)| {
                let mode = if entry.isolated { "isolated" } else { "cross" };
                json!({"coin": self.coin_name(*coin), "leverage": entry.leverage, "margin_mode": mode})
            })
            .collect();
        let orders = self.order_activity.get(at).copied().unwrap_or_default();
        json!({
            "name": name,
            "paused": leader.paused,
            "coins": coins,
            "equity_read_ms": leader.equity_ms,
            "last_transfer_ms": leader.transfer_ms,
            "last_order_ms": orders.last_ms,
            "order_updates": orders.updates,
            "seeded": leader.seeded.iter().all(|seeded| *seeded),
            "dirty": leader.gap != Gap::None,
            "cursor_ms": leader.cursor_ms,
            "equity_usd": leader.equity.map(|equity| Usd::from_raw(equity).to_string()),
            "positions": positions,
        })
    }

    fn follower_status(&self, at: u32, name: &str, follower: &Follower) -> Value {
        let positions: Map<String, Value> = follower
            .coins
            .iter()
            .map(|(coin, lot)| {
                let target = to_position(self.target(at, *coin)).unwrap_or(0);
                let mut entry = json!({
                    "own": Pos::from_raw(lot.own).to_string(),
                    "target": Pos::from_raw(target).to_string(),
                    "manual": Pos::from_raw(lot.manual).to_string(),
                    "in_flight": lot.in_flight.is_some(),
                    "unknown": lot.doubted.len(),
                });
                if let Some(stop) = follower.stops.get(coin) {
                    let resting = stop.orders.iter().filter(|order| matches!(order.stage, StopStage::Resting { .. }));
                    let prices = resting.map(|order| Px::from_raw(order.trigger).to_string()).collect();
                    entry.as_object_mut().map(|entry| entry.insert("stops".into(), prices));
                }
                (self.coin_name(*coin).to_owned(), entry)
            })
            .collect();
        json!({
            "name": name,
            "read": self.is_read(at),
            "stopped": follower.stopped.map(crate::commands::Reason::name),
            "unresolved": follower.unresolved,
            "requests_left": follower.requests_left,
            "equity_usd": follower.equity.map(|equity| Usd::from_raw(equity).to_string()),
            "positions": positions,
        })
    }
}
