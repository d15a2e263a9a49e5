//! The engine's metric cells and their Prometheus text.
//!
//! Cells are relaxed atomics made once at start; nothing on the hot path looks a name up, and labels come from closed
//! sets only, so the number of series is fixed by this file. Rendering reads the cells from any thread.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::commands::{Outcome, Reason};
use crate::latency::{Counts, Histogram, bump};
use crate::risk::latches::Latch;
use crate::risk::pause::Pause;

/// Parts of the way from a frame to its orders, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// From the shell's time stamp to the first instruction in Rust.
    Receive,
    /// Parse, dedupe, ledger, target, plan: the core's step.
    Decide,
    /// Encode the record and hand it to the kernel.
    Journal,
    /// Wait for stable storage (`durable` only).
    Sync,
    /// Sign the chunk's attempts.
    Sign,
    /// Build the chunk's bodies and frames.
    Frame,
    /// From the frame's time stamp to the first chunk's bytes, ready to write.
    Ready,
    /// From the frame's time stamp until the shell has handed the last chunk to the transport.
    Written,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 8] = [
        Stage::Receive,
        Stage::Decide,
        Stage::Journal,
        Stage::Sync,
        Stage::Sign,
        Stage::Frame,
        Stage::Ready,
        Stage::Written,
    ];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Receive => "receive",
            Stage::Decide => "decide",
            Stage::Journal => "journal",
            Stage::Sync => "sync",
            Stage::Sign => "sign",
            Stage::Frame => "frame",
            Stage::Ready => "ready",
            Stage::Written => "written",
        }
    }
}

/// One number that is read while it changes.
#[derive(Debug, Default)]
pub struct Cell(AtomicU64);

impl Cell {
    /// Adds; one writer at a time (the engine's lock sees to that).
    #[inline]
    pub fn add(&self, by: u64) {
        bump(&self.0, by);
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Cells of one name, one per value of a label.
#[derive(Debug)]
pub struct Family {
    label: &'static str,
    cells: Box<[(&'static str, Cell)]>,
}

impl Family {
    fn new(label: &'static str, values: impl IntoIterator<Item = &'static str>) -> Family {
        Family { label, cells: values.into_iter().map(|value| (value, Cell::default())).collect() }
    }

    /// Adds to the cell at `at`, the value's place in its closed set; a place outside it is ignored.
    #[inline]
    pub fn add(&self, at: usize, by: u64) {
        if let Some((_, cell)) = self.cells.get(at) {
            cell.add(by);
        }
    }

    /// Replaces the value of the cell at `at`.
    #[inline]
    pub fn set(&self, at: usize, value: u64) {
        if let Some((_, cell)) = self.cells.get(at) {
            cell.set(value);
        }
    }

    /// Every label value with its number.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.cells.iter().map(|(value, cell)| (*value, cell.get()))
    }
}

/// All cells of one engine.
#[derive(Debug)]
pub struct Metrics {
    /// Time spent per [`Stage`], of events that led to a send; [`Stage::Decide`] of all events.
    pub stages: [Histogram; Stage::ALL.len()],
    /// One fdatasync of the journal, hot or in the background.
    pub journal_sync: Histogram,
    /// How late the shell's loop ran its timers.
    pub loop_lag: Histogram,
    /// From a fill's venue time until it was decided.
    pub feed_lag: Histogram,
    /// For each of [`Metrics::FEEDS`] the monotonic time of the last byte on its most silent open connection; 0: none is open.
    pub feed_heard_ns: [Cell; 3],
    /// Attempts whose outcome is unknown.
    pub unresolved: Cell,
    /// REST weight left in the running minute.
    pub weight_left: Cell,
    /// WebSocket messages left in the running minute.
    pub messages_left: Cell,
    /// Posts without an answer yet.
    pub posts_in_flight: Cell,
    /// 1 when the venue saw another signer than ours.
    pub breaker: Cell,
    /// 1 while the kill switch is on.
    pub killed: Cell,
    /// Follow edges that take no increases, by kind of [`Pause`].
    pub held_back: Family,
    /// Latches of losses that hold, by [`Latch`].
    pub latches: Family,
    /// Attempts handed to a lane, by [`Metrics::ROADS`].
    pub attempts: Family,
    /// Signatures made, by [`Metrics::SIGNING`].
    pub signatures: Family,
    /// Receipts by outcome.
    pub receipts: Family,
    /// Receipts by reason.
    pub reasons: Family,
    /// Open positions that took another ratio, and moved by it.
    pub rebalanced: Cell,
    /// Presignatures ready now.
    pub pool_ready: Cell,
    /// Presignatures made.
    pub pool_made: Cell,
    /// Times that no presignature was ready.
    pub pool_empty: Cell,
    /// Refills that failed.
    pub pool_failed: Cell,
    /// Sent signatures that were recovered to their signer.
    pub verified: Cell,
    /// Sent signatures that found the verifier's queue full.
    pub unverified: Cell,
    /// Records made.
    pub journal_records: Cell,
    /// Bytes handed to the kernel.
    pub journal_bytes: Cell,
    /// Records not yet on stable storage.
    pub journal_unsynced: Cell,
    /// 1 while the journal lives on its emergency reserve.
    pub journal_reserve: Cell,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            stages: Default::default(),
            journal_sync: Histogram::default(),
            loop_lag: Histogram::default(),
            feed_lag: Histogram::default(),
            feed_heard_ns: Default::default(),
            unresolved: Cell::default(),
            weight_left: Cell::default(),
            messages_left: Cell::default(),
            posts_in_flight: Cell::default(),
            breaker: Cell::default(),
            killed: Cell::default(),
            held_back: Family::new("kind", Pause::ALL.map(Pause::name)),
            latches: Family::new("latch", Latch::ALL.map(Latch::name)),
            attempts: Family::new("road", Metrics::ROADS),
            signatures: Family::new("how", Metrics::SIGNING),
            receipts: Family::new("outcome", Outcome::ALL.map(Outcome::name)),
            reasons: Family::new("reason", Reason::ALL.iter().copied().map(Reason::name)),
            rebalanced: Cell::default(),
            pool_ready: Cell::default(),
            pool_made: Cell::default(),
            pool_empty: Cell::default(),
            pool_failed: Cell::default(),
            verified: Cell::default(),
            unverified: Cell::default(),
            journal_records: Cell::default(),
            journal_bytes: Cell::default(),
            journal_unsynced: Cell::default(),
            journal_reserve: Cell::default(),
        }
    }
}

impl Metrics {
    /// Kinds of connection, in the order of `SourceKind`.
    pub const FEEDS: [&'static str; 3] = ["user", "tape", "lane"];
    /// Kinds of lane.
    pub const ROADS: [&'static str; 2] = ["websocket", "http"];
    /// Ways to sign: with a presignature, or hedged because the pool was empty or is off.
    pub const SIGNING: [&'static str; 2] = ["presigned", "hedged"];

    /// Counts the time one stage took.
    #[inline]
    pub fn stage(&self, stage: Stage, duration_ns: u64) {
        if let Some(histogram) = self.stages.get(stage as usize) {
            histogram.record(duration_ns);
        }
    }

    /// `{"<stage>": {"count", "p50", "p99", "p999", "max"}}` in microseconds, of stages that were passed; to 1.6 %.
    #[must_use]
    pub fn latency_json(&self) -> String {
        let mut out = String::from("{");
        for (stage, histogram) in Stage::ALL.iter().zip(&self.stages) {
            let counts = histogram.read();
            if counts.count == 0 {
                continue;
            }
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&format!("\"{}\":{{\"count\":{}", stage.name(), counts.count));
            let quantiles =
                [("p50", 500), ("p99", 990), ("p999", 999)].map(|(name, of)| (name, counts.quantile_ns(of)));
            for (name, ns) in quantiles.into_iter().chain([("max", counts.max_ns)]) {
                out.push_str(&format!(",\"{name}\":{}.{:03}", ns / 1_000, ns % 1_000));
            }
            out.push('}');
        }
        out.push('}');
        out
    }

    /// Appends the exposition in Prometheus' text format 0.0.4. `now_ns` is the monotonic time, for ages.
    pub fn render(&self, now_ns: u64, out: &mut String) {
        let mut page = Page(out);
        page.family("hlfast_build_info", "gauge", "The build that runs.");
        page.sample("hlfast_build_info", Some(("version", env!("CARGO_PKG_VERSION"))), 1);
        page.family("hlfast_engine_stage_latency_seconds", "histogram", "Time from a frame to its orders, by stage.");
        for (stage, histogram) in Stage::ALL.iter().zip(&self.stages) {
            page.histogram("hlfast_engine_stage_latency_seconds", Some(("stage", stage.name())), &histogram.read());
        }
        page.family("hlfast_engine_loop_lag_seconds", "histogram", "How late the event loop ran its timers.");
        page.histogram("hlfast_engine_loop_lag_seconds", None, &self.loop_lag.read());
        page.family("hlfast_journal_sync_latency_seconds", "histogram", "One fdatasync of the journal.");
        page.histogram("hlfast_journal_sync_latency_seconds", None, &self.journal_sync.read());
        self.render_feeds(now_ns, &mut page);
        page.gauge("hlfast_order_unresolved_attempts", "Attempts whose outcome is unknown.", &self.unresolved);
        page.gauge("hlfast_risk_breaker_tripped", "1 when the venue saw another signer than ours.", &self.breaker);
        page.gauge("hlfast_risk_kill_switch", "1 while the kill switch is on.", &self.killed);
        page.labelled("hlfast_risk_held_back_follows", "gauge", "Follows that take no increases.", &self.held_back);
        page.labelled("hlfast_risk_latches", "gauge", "Latches of losses that hold.", &self.latches);
        page.gauge("hlfast_lane_weight_left", "REST weight left in the running minute.", &self.weight_left);
        page.gauge("hlfast_lane_messages_left", "WebSocket messages left in the running minute.", &self.messages_left);
        page.gauge("hlfast_lane_posts_in_flight", "Posts without an answer yet.", &self.posts_in_flight);
        page.labelled("hlfast_lane_attempts_total", "counter", "Attempts handed to a lane.", &self.attempts);
        page.labelled("hlfast_sign_signatures_total", "counter", "Signatures made.", &self.signatures);
        page.labelled(
            "hlfast_copy_receipts_total",
            "counter",
            "Leader fills by follow edge, by outcome.",
            &self.receipts,
        );
        page.labelled("hlfast_copy_reasons_total", "counter", "The same receipts, by reason.", &self.reasons);
        page.counter("hlfast_copy_rebalanced_total", "Open positions that took another ratio.", &self.rebalanced);
        page.gauge("hlfast_presign_ready_presignatures", "Presignatures ready now.", &self.pool_ready);
        page.counter("hlfast_presign_made_total", "Presignatures made.", &self.pool_made);
        page.counter("hlfast_presign_empty_total", "Times that no presignature was ready.", &self.pool_empty);
        page.counter("hlfast_presign_failed_total", "Refills that failed.", &self.pool_failed);
        page.counter("hlfast_verify_checked_total", "Sent signatures recovered to their signer.", &self.verified);
        page.counter("hlfast_verify_dropped_total", "Sent signatures that went unchecked.", &self.unverified);
        page.counter("hlfast_journal_records_total", "Records made.", &self.journal_records);
        page.counter("hlfast_journal_written_bytes_total", "Bytes handed to the kernel.", &self.journal_bytes);
        page.gauge("hlfast_journal_unsynced_records", "Records not yet on stable storage.", &self.journal_unsynced);
        page.gauge("hlfast_journal_reserve_active", "1 while the disk is full.", &self.journal_reserve);
    }
}

impl Metrics {
    fn render_feeds(&self, now_ns: u64, page: &mut Page<'_>) {
        page.family("hlfast_feed_lag_seconds", "histogram", "From a fill's venue time until it was decided.");
        page.histogram("hlfast_feed_lag_seconds", None, &self.feed_lag.read());
        let name = "hlfast_feed_age_seconds";
        page.family(name, "gauge", "Time since the last byte on the most silent open connection.");
        for (kind, heard) in Metrics::FEEDS.iter().zip(&self.feed_heard_ns) {
            let heard_ns = heard.get();
            if heard_ns > 0 {
                page.suffixed(name, "", Some(("kind", kind)));
                page.seconds(now_ns.saturating_sub(heard_ns));
                page.0.push('\n');
            }
        }
    }
}

/// Upper bounds in nanoseconds: each power of two from 1.024 µs to 1.07 s, and one and a half times it, where the
/// histogram's cumulative counts are exact.
const BOUNDS_NS: [u64; 41] = {
    let mut bounds = [0; 41];
    let mut at = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    while at < bounds.len() {
        let power = 1 << (10 + at / 2);
        bounds[at] = if at % 2 == 0 { power } else { power + power / 2 };
        at += 1;
    }
    bounds
};

/// Writes samples one after another.
struct Page<'a>(&'a mut String);

impl Page<'_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"] {
            self.0.push_str(part);
        }
    }

    fn counter(&mut self, name: &str, help: &str, cell: &Cell) {
        self.family(name, "counter", help);
        self.sample(name, None, cell.get());
    }

    fn gauge(&mut self, name: &str, help: &str, cell: &Cell) {
        self.family(name, "gauge", help);
        self.sample(name, None, cell.get());
    }

    fn labelled(&mut self, name: &str, kind: &str, help: &str, family: &Family) {
        self.family(name, kind, help);
        for (value, number) in family.read() {
            self.sample(name, Some((family.label, value)), number);
        }
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: u64) {
        self.0.push_str(name);
        if let Some((label, of)) = label {
            for part in ["{", label, "=\"", of, "\"}"] {
                self.0.push_str(part);
            }
        }
        self.0.push(' ');
        self.integer(value);
        self.0.push('\n');
    }

    fn histogram(&mut self, name: &str, label: Option<(&str, &str)>, counts: &Counts) {
        for (bound, below) in counts.below(&BOUNDS_NS) {
            self.start_bucket(name, label);
            self.seconds(bound);
            self.0.push_str("\"} ");
            self.integer(below);
            self.0.push('\n');
        }
        self.start_bucket(name, label);
        self.0.push_str("+Inf\"} ");
        self.integer(counts.count);
        self.0.push('\n');
        self.suffixed(name, "_sum", label);
        self.seconds(counts.sum_ns);
        self.0.push('\n');
        self.suffixed(name, "_count", label);
        self.integer(counts.count);
        self.0.push('\n');
    }

    fn start_bucket(&mut self, name: &str, label: Option<(&str, &str)>) {
        self.0.push_str(name);
        self.0.push_str("_bucket{");
        if let Some((label, of)) = label {
            for part in [label, "=\"", of, "\","] {
                self.0.push_str(part);
            }
        }
        self.0.push_str("le=\"");
    }

    fn suffixed(&mut self, name: &str, suffix: &str, label: Option<(&str, &str)>) {
        self.0.push_str(name);
        self.0.push_str(suffix);
        if let Some((label, of)) = label {
            for part in ["{", label, "=\"", of, "\"}"] {
                self.0.push_str(part);
            }
        }
        self.0.push(' ');
    }

    /// Nanoseconds as seconds with nine decimals: exact, and no float formatting.
    fn seconds(&mut self, ns: u64) {
        self.integer(ns / 1_000_000_000);
        self.0.push('.');
        let mut rest = ns % 1_000_000_000;
        let mut unit = 100_000_000;
        while unit > 0 {
            self.digit(rest / unit);
            rest %= unit;
            unit /= 10;
        }
    }

    fn integer(&mut self, value: u64) {
        if value >= 10 {
            self.integer(value / 10);
        }
        self.digit(value % 10);
    }

    fn digit(&mut self, digit: u64) {
        self.0.push(u8::try_from(digit).map_or('?', |digit| char::from(b'0' + digit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        let mut out = String::new();
        metrics.render(5_000_000_000, &mut out);
        out
    }

    #[test]
    fn samples_show_what_was_counted() {
        let metrics = Metrics::default();
        metrics.stage(Stage::Decide, 1_500);
        metrics.stage(Stage::Decide, 3_000_000_000);
        metrics.journal_bytes.add(12_345);
        metrics.feed_heard_ns[1].set(4_500_000_000);
        let page = text(&metrics);
        assert!(!page.contains("hlfast_feed_age_seconds{kind=\"user\"}"), "no such connection is open");
        for line in [
            "hlfast_engine_stage_latency_seconds_bucket{stage=\"decide\",le=\"0.000001024\"} 0",
            "hlfast_engine_stage_latency_seconds_bucket{stage=\"decide\",le=\"0.000001536\"} 1",
            "hlfast_engine_stage_latency_seconds_bucket{stage=\"decide\",le=\"1.073741824\"} 1",
            "hlfast_engine_stage_latency_seconds_bucket{stage=\"decide\",le=\"+Inf\"} 2",
            "hlfast_engine_stage_latency_seconds_sum{stage=\"decide\"} 3.000001500",
            "hlfast_engine_stage_latency_seconds_count{stage=\"decide\"} 2",
            "hlfast_journal_written_bytes_total 12345",
            "hlfast_feed_age_seconds{kind=\"tape\"} 0.500000000",
        ] {
            assert!(page.lines().any(|have| have == line), "{line}\n{page}");
        }
    }

    #[test]
    fn latencies_are_given_in_microseconds() {
        let metrics = Metrics::default();
        metrics.stage(Stage::Sign, 2_048);
        metrics.stage(Stage::Ready, 1_024_000);
        let expected = concat!(
            r#"{"sign":{"count":1,"p50":2.048,"p99":2.048,"p999":2.048,"max":2.048},"#,
            r#""ready":{"count":1,"p50":1024.000,"p99":1024.000,"p999":1024.000,"max":1024.000}}"#
        );
        assert_eq!(metrics.latency_json(), expected);
    }

    #[test]
    fn every_name_is_declared_once_and_says_its_kind() {
        let page = text(&Metrics::default());
        let mut names: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0].split(' ').next() != pair[1].split(' ').next()));
        for name in names {
            let (name, kind) = name.split_once(' ').unwrap();
            assert!(name.starts_with("hlfast_"));
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} {kind}");
        }
    }

    #[test]
    fn the_number_of_series_is_bounded() {
        let page = text(&Metrics::default());
        assert!(page.lines().filter(|line| !line.starts_with('#')).count() <= 1_500);
    }

    #[test]
    fn a_label_outside_its_set_is_ignored() {
        let family = Family::new("kind", ["a", "b"]);
        family.add(1, 5);
        family.add(2, 7);
        family.set(0, 3);
        assert_eq!(family.read().collect::<Vec<_>>(), [("a", 3), ("b", 5)]);
    }
}
