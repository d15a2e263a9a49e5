//! Leader fills on an open-loop schedule, and which order answers which of them.
//!
//! The leader opens a long and closes it, over and over; each pair has a size of its own, so that (size, side) names the
//! event an order belongs to even when a copier merges or drops some. Latency counts from the *intended* time of the event.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::scrape;
use crate::venue::{COIN, Order, PRICE};

/// Lots of 0.0001: the smallest leader size is 1, and a run may hold this many open/close pairs before sizes repeat.
const LOTS: u64 = 10_000;
pub const MAX_PAIRS: u64 = 8_000;

#[derive(Deserialize, Clone, Copy)]
pub struct Plan {
    pub events: usize,
    pub warmup: usize,
    pub interval_us: u64,
    /// Orders that make an event complete.
    pub followers: usize,
    /// Metrics to be read meanwhile.
    #[serde(default)]
    pub scrape: Option<scrape::Plan>,
}

#[derive(Clone, Copy)]
pub struct Event {
    pub intended: Instant,
    pub sent_late: Duration,
    pub first: Option<Instant>,
    pub last: Option<Instant>,
    pub orders: usize,
}

/// One fill of the leader in the venue's own shape; `number` makes time, tid, oid and hash its own.
pub fn fill_frame(leader: &str, number: u64, time_ms: u64) -> String {
    let size = size_text(number / 2);
    let (side, start, dir) = if opens(number) { ("B", "0.0", "Open Long") } else { ("A", size.as_str(), "Close Long") };
    let (oid, tid) = (400_000_000_000 + number, 600_000_000_000_000 + number);
    format!(
        concat!(
            r#"{{"channel":"userFills","data":{{"user":"{}","fills":[{{"coin":"{}","px":"{}","sz":"{}","side":"{}","time":{},"#,
            r#""startPosition":"{}","dir":"{}","closedPnl":"0.0","hash":"0x{:064x}","oid":{},"crossed":true,"fee":"0.57609","#,
            r#""tid":{},"feeToken":"USDC","twapId":null}}]}}}}"#
        ),
        leader, COIN, PRICE, size, side, time_ms, start, dir, number, oid, tid
    )
}

pub fn opens(number: u64) -> bool {
    number.is_multiple_of(2)
}

/// Size of the `pair`-th open/close pair without trailing zeros.
pub fn size_text(pair: u64) -> String {
    let lots = LOTS + pair % MAX_PAIRS;
    let text = format!("{}.{:04}", lots / LOTS, lots % LOTS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn lots(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let padded: u64 = format!("{part:0<4}").get(..4)?.parse().ok()?;
    Some(whole.parse::<u64>().ok()?.checked_mul(LOTS)? + padded)
}

/// A schedule under way.
pub struct Run {
    pub plan: Plan,
    pub events: Vec<Event>,
    pub next: usize,
    /// Number of the first event: fills stay distinct over the runs of one sink.
    pub base: u64,
    pub unattributed: usize,
    oldest: usize,
}

impl Run {
    pub fn new(plan: Plan, base: u64, start: Instant) -> Self {
        let event = |index: usize| Event {
            intended: start + Duration::from_micros(plan.interval_us) * index as u32,
            sent_late: Duration::ZERO,
            first: None,
            last: None,
            orders: 0,
        };
        let events = (0..plan.warmup + plan.events).map(event).collect();
        Self { plan, events, next: 0, base, unattributed: 0, oldest: 0 }
    }

    /// Books one order that was wholly read at `arrived`. A bare echo carries no order: it belongs to the oldest open event.
    pub fn book(&mut self, order: Option<&Order<'_>>, arrived: Instant) {
        let index = match order {
            None => Some(self.oldest_incomplete()),
            Some(order) => self.index_of(order),
        };
        let Some(event) = index.and_then(|index| self.events[..self.next].get_mut(index)) else {
            self.unattributed += 1;
            return;
        };
        event.first = Some(event.first.map_or(arrived, |first| first.min(arrived)));
        event.last = Some(event.last.map_or(arrived, |last| last.max(arrived)));
        event.orders += 1;
    }

    fn index_of(&self, order: &Order<'_>) -> Option<usize> {
        let pair =
            lots(order.size)?.checked_sub(LOTS)?.checked_add(MAX_PAIRS)?.checked_sub(self.base / 2 % MAX_PAIRS)?
                % MAX_PAIRS;
        usize::try_from(2 * pair + u64::from(!order.is_buy)).ok()
    }

    fn oldest_incomplete(&mut self) -> usize {
        while self.events.get(self.oldest).is_some_and(|event| event.orders >= self.plan.followers) {
            self.oldest += 1;
        }
        self.oldest
    }

    /// Events sent and not yet answered by every follower.
    pub fn is_open(&mut self) -> bool {
        self.oldest_incomplete() < self.next
    }

    /// One JSON line: latencies of each measured event in nanoseconds, and what went wrong.
    pub fn report(&self, scrapes_ns: &[u64]) -> String {
        let (mut first, mut last, mut late, mut incomplete) = (Vec::new(), Vec::new(), Vec::new(), 0_usize);
        for event in &self.events[self.plan.warmup..] {
            late.push(event.sent_late.as_nanos() as u64);
            match (event.first, event.last) {
                (Some(begin), Some(end)) if event.orders >= self.plan.followers => {
                    first.push((begin - event.intended).as_nanos() as u64);
                    last.push((end - event.intended).as_nanos() as u64);
                }
                _ => incomplete += 1,
            }
        }
        let surplus: usize = self.events.iter().map(|event| event.orders.saturating_sub(self.plan.followers)).sum();
        serde_json::json!({"first_ns": first, "last_ns": last, "sent_late_ns": late, "incomplete": incomplete,
            "surplus": surplus, "unattributed": self.unattributed, "scrapes_ns": scrapes_ns})
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(base: u64) -> Run {
        let plan = Plan { events: 4, warmup: 2, interval_us: 1_000, followers: 2, scrape: None };
        let mut run = Run::new(plan, base, Instant::now());
        run.next = run.events.len();
        run
    }

    #[test]
    fn an_order_finds_its_event_by_size_and_side_also_where_sizes_wrap() {
        for base in [0, 10, 2 * MAX_PAIRS - 2] {
            let run = run(base);
            for index in 0..6_u64 {
                let size = size_text((base + index) / 2);
                let order = Order { is_buy: index % 2 == 0, size: &size, cloid: None };
                assert_eq!(run.index_of(&order), Some(index as usize), "base {base}");
            }
        }
    }

    #[test]
    fn an_event_counts_only_when_every_follower_ordered() {
        let mut run = run(0);
        let (begin, size) = (run.events[2].intended, size_text(1));
        let order = Order { is_buy: true, size: &size, cloid: None };
        run.book(Some(&order), begin + Duration::from_micros(5));
        assert!(run.report(&[]).contains(r#""incomplete":4"#));
        run.book(Some(&order), begin + Duration::from_micros(9));
        let report = run.report(&[]);
        assert!(report.contains(r#""first_ns":[5000]"#) && report.contains(r#""last_ns":[9000]"#), "{report}");
        run.book(Some(&order), begin);
        assert!(run.report(&[]).contains(r#""surplus":1"#));
    }

    #[test]
    fn an_order_of_no_event_is_counted_apart() {
        let mut run = run(0);
        run.book(Some(&Order { is_buy: true, size: "7", cloid: None }), Instant::now());
        run.book(Some(&Order { is_buy: true, size: "junk", cloid: None }), Instant::now());
        assert!(run.report(&[]).contains(r#""unattributed":2"#));
    }

    #[test]
    fn fills_chain_from_flat_to_flat() {
        let open: serde_json::Value = serde_json::from_str(&fill_frame("0xab", 2, 7)).unwrap();
        let close: serde_json::Value = serde_json::from_str(&fill_frame("0xab", 3, 8)).unwrap();
        let (open, close) = (&open["data"]["fills"][0], &close["data"]["fills"][0]);
        assert_eq!((open["side"].as_str(), close["side"].as_str()), (Some("B"), Some("A")));
        assert_eq!(open["startPosition"], "0.0");
        assert_eq!(open["sz"], close["startPosition"]);
        assert_ne!(open["tid"], close["tid"]);
    }
}
