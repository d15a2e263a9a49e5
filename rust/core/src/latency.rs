//! Latency histograms: log-linear buckets with at most 1.6 % error, one relaxed update.
//!
//! Buckets of equal width between powers of two, [`STEPS`] of them: the width is 1/32 of the value, so a bucket's middle
//! is within 1/64 of every value in it. A histogram has one writer at a time (the engine's lock sees to that), so an
//! update is a load, an add and a store, without a locked instruction; readers on other threads see a value that was
//! true a moment ago.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets between two powers of two.
const STEPS: usize = 32;
/// log2 of [`STEPS`].
const STEP_BITS: u32 = 5;
/// Values from 2^36 ns (69 s) on count as the last bucket.
const TOP_BITS: u32 = 36;
/// Number of buckets.
const BUCKETS: usize = (TOP_BITS - STEP_BITS + 1) as usize * STEPS;

/// Counts durations in nanoseconds.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
    max_ns: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum_ns: AtomicU64::new(0),
            max_ns: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts one duration.
    #[inline]
    pub fn record(&self, duration_ns: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(duration_ns)) {
            bump(bucket, 1);
        }
        bump(&self.sum_ns, duration_ns);
        if duration_ns > self.max_ns.load(Relaxed) {
            self.max_ns.store(duration_ns, Relaxed);
        }
    }

    /// Counts one duration from any of several threads, at the price of locked instructions.
    pub fn record_shared(&self, duration_ns: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(duration_ns)) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum_ns.fetch_add(duration_ns, Relaxed);
        self.max_ns.fetch_max(duration_ns, Relaxed);
    }

    /// What was counted until now. A reader racing with the writer may miss its newest value, in some parts only.
    #[must_use]
    pub fn read(&self) -> Counts {
        let buckets: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        let count = buckets.iter().sum();
        Counts { buckets, count, sum_ns: self.sum_ns.load(Relaxed), max_ns: self.max_ns.load(Relaxed) }
    }
}

/// A histogram's content at one moment.
#[derive(Debug, Clone)]
pub struct Counts {
    buckets: Vec<u64>,
    /// Durations counted.
    pub count: u64,
    /// Their sum.
    pub sum_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Counts {
    /// The duration that `per_mille` of 1,000 durations don't exceed, to 1.6 %; 0 when nothing was counted.
    #[must_use]
    pub fn quantile_ns(&self, per_mille: u64) -> u64 {
        let rank = (self.count.saturating_mul(per_mille.min(1_000))).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let middle = u64::midpoint(lower_bound(at), lower_bound(at + 1));
                return middle.min(self.max_ns);
            }
        }
        0
    }

    /// How many durations were below each of `bounds_ns`, which rise. Exact where a bound is a bucket's edge: a power of
    /// two, or one and a half.
    pub fn below<'a>(&'a self, bounds_ns: &'a [u64]) -> impl Iterator<Item = (u64, u64)> + 'a {
        let mut at = 0;
        let mut seen = 0;
        bounds_ns.iter().map(move |bound| {
            while lower_bound(at + 1) <= *bound {
                let Some(count) = self.buckets.get(at) else { break };
                seen += count;
                at += 1;
            }
            (*bound, seen)
        })
    }
}

/// Adds to a cell that has one writer at a time.
#[inline]
pub(crate) fn bump(cell: &AtomicU64, by: u64) {
    cell.store(cell.load(Relaxed).wrapping_add(by), Relaxed);
}

#[inline]
fn bucket_of(value: u64) -> usize {
    let value = value.min((1 << TOP_BITS) - 1);
    if value < STEPS as u64 {
        return usize::try_from(value).unwrap_or(0);
    }
    let power = value.ilog2();
    let step = usize::try_from(value >> (power - STEP_BITS)).unwrap_or(0);
    (power - STEP_BITS) as usize * STEPS + step
}

/// Lowest value that bucket `at` counts.
fn lower_bound(at: usize) -> u64 {
    if at < STEPS {
        return at as u64;
    }
    let power = at / STEPS - 1;
    let step = at % STEPS + STEPS;
    (step as u64) << power
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_bucket_holds_its_lower_bound_and_what_follows_it() {
        for at in 0..BUCKETS {
            assert_eq!(bucket_of(lower_bound(at)), at);
            assert_eq!(bucket_of(lower_bound(at + 1) - 1), at);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_of_known_values() {
        let histogram = Histogram::default();
        assert_eq!(histogram.read().quantile_ns(500), 0);
        for value in 1..=1_000 {
            histogram.record(value * 1_000);
        }
        let counts = histogram.read();
        assert_eq!((counts.count, counts.max_ns, counts.sum_ns), (1_000, 1_000_000, 500_500_000));
        for (per_mille, exact) in [(500, 500_000), (990, 990_000), (999, 999_000)] {
            assert!(counts.quantile_ns(per_mille).abs_diff(exact) * 100 <= exact * 3, "{per_mille}");
        }
        assert!(counts.quantile_ns(1_000) <= 1_000_000);
    }

    #[test]
    fn cumulative_counts_are_exact_at_bucket_edges() {
        let histogram = Histogram::default();
        for value in [0, 1_023, 1_024, 1_535, 1_536, 1 << 20, u64::MAX] {
            histogram.record(value);
        }
        let counts = histogram.read();
        let below: Vec<u64> = counts.below(&[1_024, 1_536, 2_048, 1 << 30]).map(|(_, count)| count).collect();
        assert_eq!(below, [2, 4, 5, 6]);
    }

    proptest! {
        #[test]
        fn a_single_value_comes_back_within_three_percent(value in 0_u64..1 << TOP_BITS) {
            let histogram = Histogram::default();
            histogram.record(value);
            prop_assert!(histogram.read().quantile_ns(500).abs_diff(value) * 100 <= value * 3);
        }
    }
}
