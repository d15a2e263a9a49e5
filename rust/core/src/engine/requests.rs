//! The venue's budget of requests per account: what it may still send, less what openings leave to exits.
use super::{Engine, alert_follower};
use crate::commands::{Commands, Level};
use crate::feed::account::parse_requests_left;
use crate::risk::budget::Purpose;
use crate::state::Asked;

/// Venue rule: weight of `userRateLimit`.
const WEIGHT: u32 = 20;
/// So much weight of the minute is left to orders and other reads before a count is read: with many followers the first
/// counts would take all of it.
const SPARED: u32 = 480;
/// Openings leave so many requests to reductions, fences and cancels. An account without any may send one every 10 s.
const RESERVED: i64 = 100;
/// Below this the budget is worth a look every minute, else every ten.
const LOW: i64 = 1_000;
const LOOK_LOW_MS: u64 = 60_000;
const LOOK_MS: u64 = 600_000;

impl Engine {
    /// Whether an account's budget has room for what adds risk. Unread, or with limits off, it has.
    pub(super) fn has_requests(&self, follower: u32) -> bool {
        let left = self.state.follower(follower).and_then(|state| state.requests_left);
        !self.budget.is_limited() || left.is_none_or(|left| left > RESERVED)
    }

    /// Venue rule: an action counts as many requests as it has orders, one at least.
    pub(super) fn count_requests(&mut self, follower: u32, orders: usize) {
        if let Some(left) = self.state.follower_mut(follower).and_then(|state| state.requests_left.as_mut()) {
            *left = left.saturating_sub(i64::try_from(orders.max(1)).unwrap_or(i64::MAX));
        }
    }

    /// Reads the venue's own count beside the account, from time to time: volume adds to the budget, expired actions cost more.
    pub(super) fn ask_requests(&mut self, follower: u32, now_ms: u64, out: &mut Commands) {
        let Some(state) = self.state.follower(follower) else { return };
        let pace = if state.requests_left.is_some_and(|left| left < LOW) { LOOK_LOW_MS } else { LOOK_MS };
        let due = state.requests_left.is_none() || now_ms >= state.requests_ms.saturating_add(pace);
        if !due || !self.budget.is_limited() || !self.budget.has(WEIGHT + SPARED, 0, Purpose::Ordinary) {
            return;
        }
        let Some(address) = self.address(false, follower) else { return };
        let body = format!("{{\"type\":\"userRateLimit\",\"user\":\"{address}\"}}");
        self.ask(Asked::Requests { follower }, WEIGHT, body, out);
    }

    pub(super) fn on_requests(&mut self, follower: u32, body: &[u8], now_ms: u64, out: &mut Commands) -> bool {
        let Ok(left) = parse_requests_left(body) else { return false };
        let Some(state) = self.state.follower_mut(follower) else { return true };
        state.requests_ms = now_ms;
        let had = state.requests_left.replace(left).is_none_or(|before| before > RESERVED);
        if had && left <= RESERVED {
            let text =
                format!("{left} requests are left to this account: they are kept for reductions. Volume adds to them.");
            alert_follower(out, Level::Warning, "requests_low", follower, text);
        }
        true
    }
}
