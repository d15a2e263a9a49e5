//! A cold look at the state, as JSON for people and health checks.
use serde_json::{Map, Value, json};

use super::Engine;
use crate::commands::CoinId;
use crate::config_check::RATIO_SCALE;
use crate::copy::sizing::to_position;
use crate::num::{Pos, Px, Usd};
use crate::order::attempt::Phase;
use crate::order::setup::Margin;
use crate::order::stop::StopStage;
use crate::risk::latches::{Earnings, Latch};
use crate::risk::pause::{Pause, Paused};
use crate::state::{Follower, Gap, Held, Leader};

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
    /// The kill switch is on.
    pub killed: bool,
    /// Follow edges that are held back, by kind of pause.
    pub held_back: [u64; Pause::ALL.len()],
    /// Latches of losses that hold, by kind.
    pub latches: [u64; Latch::ALL.len()],
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
            killed: self.holds.killed,
            held_back: self.holds.follows,
            latches: self.holds.latches,
        }
    }

    /// Appends a JSON object: readiness, recovery, leaders, followers, positions, unresolved attempts, lanes, budgets.
    pub fn write_status(&self, now_ms: u64, out: &mut Vec<u8>) {
        let unresolved = self
            .state
            .attempts
            .values()
            .filter(|attempt| !matches!(attempt.phase, Phase::Sent | Phase::Resting))
            .count();
        let recovering = self.state.followers.iter().filter(|follower| follower.unresolved > 0).count();
        let followers = (0..).take(self.state.followers.len());
        let read = followers.filter(|at| self.is_awake_follower(*at)).all(|follower| self.is_read(follower));
        let leaders = (0..).take(self.state.leaders.len());
        let seeded = leaders.filter(|at| self.is_awake_leader(*at)).all(|leader| self.is_whole_seeded(leader));
        let (weight, messages) = self.budget.left(now_ms);
        let leaders: Vec<Value> = (0..)
            .zip(self.config.leaders.iter().zip(&self.state.leaders))
            .map(|(at, (c, s))| self.leader_status(at, &c.name, s))
            .collect();
        let followers: Vec<Value> = (0..)
            .zip(self.config.followers.iter().zip(&self.state.followers))
            .map(|(at, (c, s))| self.follower_status(at, &c.name, s))
            .collect();
        let follows: Vec<Value> = (0..).take(self.config.follows.len()).map(|at| self.follow_status(at)).collect();
        let status = json!({
            "started": self.state.started,
            "ready": self.state.started && read && seeded && recovering == 0,
            "recovering_followers": recovering,
            "breaker": self.state.breaker,
            "revision": self.state.revision,
            "kill": pause_status(self.state.kill.as_ref()),
            "pause": pause_status(self.state.pause.as_ref()),
            "coins": self.state.market.len(),
            "in_flight": self.state.attempts.len().saturating_sub(self.running_twaps()),
            "twaps": self.running_twaps(),
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
            "follows": follows,
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
            .filter_map(|(coin, entry)| Some((coin, entry.margin?)))
            .map(|(coin, margin)| self.margin_status(*coin, margin))
            .collect();
        let orders = self.order_activity.get(at).copied().unwrap_or_default();
        json!({
            "name": name,
            "removed": self.config.leaders.get(at).is_some_and(|one| one.removed),
            "liquidated": leader.paused,
            "pause": pause_status(leader.pause.as_ref()),
            "coins": coins,
            "equity_read_ms": leader.purse.read_ms(),
            "last_transfer_ms": leader.transfer_ms,
            "last_order_ms": orders.last_ms,
            "order_updates": orders.updates,
            "seeded": leader.seeded.iter().all(|seeded| *seeded),
            "dirty": leader.gap != Gap::None,
            "fills_owed": leader.owed_ms > 0 || self.state.unheard.contains_key(&super::reads::index(at)),
            "cursor_ms": leader.cursor_ms,
            "equity_usd": shown(leader.purse.of_leader(0).or(leader.purse.unsorted())),
            "positions": positions,
        })
    }

    fn follow_status(&self, at: u32) -> Value {
        let Some(edge) = self.config.follows.get(at as usize) else { return Value::Null };
        let leader = self.config.leaders.get(edge.leader as usize).map(|one| one.name.as_str());
        let follower = self.config.followers.get(edge.follower as usize).map(|one| one.name.as_str());
        let state = self.state.edges.get(at as usize);
        let losses = self.state.losses.follows.get(&at).copied().unwrap_or_default();
        let pause = state.and_then(|edge| edge.pause.as_ref());
        let positions = |of: fn(&Held) -> i64| -> Map<String, Value> {
            let coins = self.state.held.get(at as usize).into_iter().flatten().filter(|(_, held)| of(held) != 0);
            let shown = |held| json!(Pos::from_raw(of(held)).to_string());
            coins.map(|(coin, held)| (self.coin_name(*coin).to_owned(), shown(held))).collect()
        };
        let hold = self.hold(at).map(|hold| json!({"kind": hold.kind.name(), "reason": hold.reason.name()}));
        json!({
            "leader": leader,
            "follower": follower,
            "removed": edge.removed,
            "over": state.is_some_and(|edge| edge.gone),
            "pause": pause_status(pause),
            "held_back": hold,
            "entitled": positions(|held| to_position(held.entitled).unwrap_or(0)),
            "held": positions(|held| held.position),
            "ratios": self.ratios(at),
            "cash_usd": state.map(|edge| Usd::from_raw(edge.cash).to_string()),
            "paid_usd": Usd::from_raw(losses.paid).to_string(),
            "losses": (!edge.losses.is_none() || losses.earnings.trip.is_some()).then(|| losses_status(&losses.earnings)),
        })
    }

    /// Of open positions.
    fn ratios(&self, follow: u32) -> Map<String, Value> {
        let coins = self.state.held.get(follow as usize).into_iter().flatten();
        let fixed = coins.filter_map(|(coin, held)| Some((coin, held.ratio?)));
        fixed.map(|(coin, ratio)| (self.coin_name(*coin).to_owned(), json!(ratio_text(ratio)))).collect()
    }

    fn margin_status(&self, coin: CoinId, margin: Margin) -> Value {
        let mode = if margin.isolated { "isolated" } else { "cross" };
        json!({"coin": self.coin_name(coin), "leverage": margin.leverage, "margin_mode": mode})
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
                if let Some(twap) = lot.doubted.iter().find_map(|post| self.state.twaps.get(post)) {
                    let [size, executed] =
                        [twap.size.saturating_abs(), twap.executed].map(|s| Pos::from_raw(s).to_string());
                    let twap = json!({"size": size, "executed": executed, "id": twap.id});
                    entry.as_object_mut().map(|entry| entry.insert("twap".into(), twap));
                }
                if let Some(stop) = follower.stops.get(coin) {
                    let resting = stop.orders.iter().filter(|order| matches!(order.stage, StopStage::Resting { .. }));
                    let prices = resting.map(|order| Px::from_raw(order.trigger).to_string()).collect();
                    entry.as_object_mut().map(|entry| entry.insert("stops".into(), prices));
                }
                (self.coin_name(*coin).to_owned(), entry)
            })
            .collect();
        let known = follower.setups.iter().filter_map(|(coin, setup)| Some((coin, setup.set?)));
        let coins: Vec<Value> = known.map(|(coin, margin)| self.margin_status(*coin, margin)).collect();
        let earnings = self.state.losses.accounts.get(&at).map(|account| account.earnings).unwrap_or_default();
        json!({
            "name": name,
            "coins": coins,
            "removed": self.config.followers.get(at as usize).is_some_and(|one| one.removed),
            "read": self.is_read(at),
            "stopped": follower.stopped.map(crate::commands::Reason::name),
            "pause": pause_status(follower.pause.as_ref()),
            "losses": (self.watches_losses(at) || earnings.trip.is_some()).then(|| losses_status(&earnings)),
            "losses_unread": self.is_unjudged(at),
            "unresolved": follower.unresolved,
            "requests_left": follower.requests_left,
            "equity_usd": shown(follower.purse.of_follower(0, 0).or(follower.purse.unsorted())),
            "positions": positions,
        })
    }
}

fn pause_status(pause: Option<&Paused>) -> Value {
    pause.map_or(Value::Null, |pause| json!({"kind": pause.kind.name(), "since_ms": pause.since_ms, "why": pause.why}))
}

/// All of its digits.
fn ratio_text(ratio: i64) -> String {
    let text = format!("{}.{:012}", ratio / RATIO_SCALE, ratio % RATIO_SCALE);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn shown(equity: Option<i64>) -> Option<String> {
    equity.map(|equity| Usd::from_raw(equity).to_string())
}

fn losses_status(earnings: &Earnings) -> Value {
    let usd = |raw: i64| Usd::from_raw(raw).to_string();
    let trip = earnings
        .trip
        .map(|trip| json!({"latch": trip.latch.name(), "since_ms": trip.since_ms, "lost_usd": usd(trip.lost)}));
    json!({"today_usd": usd(earnings.lost_today()), "from_best_usd": usd(earnings.lost_from_best()),
        "read_ms": earnings.read_ms, "trip": trip})
}
