//! Stops of losses (rule 31): what was earned since the day began and since its best, held against limits. A latch that has
//! tripped stays until an operator resets it.
use serde::{Deserialize, Serialize};

use crate::num::Usd;

/// Days are UTC.
const DAY_MS: u64 = 86_400_000;

/// What may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LossLimits {
    /// Since the day began.
    pub daily: Option<Usd>,
    /// Since the best.
    pub drawdown: Option<Usd>,
    /// Since the best, in basis points of what the account would be worth without it.
    pub drawdown_bps: Option<u32>,
    /// What is held is closed when one is passed; else it takes no increases.
    pub flattens: bool,
}

impl LossLimits {
    /// Nothing is limited.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.daily.is_none() && self.drawdown.is_none() && self.drawdown_bps.is_none()
    }
}

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Latch {
    /// That of a day.
    DailyLoss,
    /// That from the best on.
    Drawdown,
}

impl Latch {
    /// Every one, in order.
    pub const ALL: [Latch; 2] = [Latch::DailyLoss, Latch::Drawdown];

    /// The name used in the status and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Latch::DailyLoss => "daily_loss",
            Latch::Drawdown => "drawdown",
        }
    }
}

/// A latch that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Which.
    pub latch: Latch,
    /// Since when, venue time.
    pub since_ms: u64,
    /// What was lost then, in 10^-6 dollars.
    pub lost: i64,
}

/// What somebody has earned, as far as limits of losses need it. Amounts in 10^-6 dollars; only differences mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Earnings {
    /// Days since 1970 of the last reading, plus one; 0: there was none.
    day: u64,
    /// The last reading before the day; its first one, where nothing was read the day before.
    start: i64,
    /// The best reading.
    best: i64,
    /// The last reading.
    pub last: i64,
    /// When that was.
    pub read_ms: u64,
    /// The latch that holds.
    pub trip: Option<Trip>,
}

impl Earnings {
    /// Takes a reading in. `worth`: what stands behind it now, for limits in basis points. Answers the latch that trips now.
    pub fn judge(&mut self, earned: i64, worth: i64, limits: &LossLimits, now_ms: u64) -> Option<Trip> {
        let day = (now_ms / DAY_MS).saturating_add(1);
        if self.day == 0 {
            self.best = earned;
        }
        if self.day != day {
            self.start = if self.day.saturating_add(1) == day { self.last } else { earned };
            self.day = day;
        }
        self.best = self.best.max(earned);
        (self.last, self.read_ms) = (earned, now_ms);
        if self.trip.is_some() {
            return None;
        }
        let [daily, drawdown] = [self.lost_today(), self.lost_from_best()];
        let passes = |lost: i64, limit: Option<Usd>| limit.is_some_and(|limit| lost >= limit.raw());
        let base = i128::from(worth).saturating_add(drawdown.into());
        let share = limits.drawdown_bps.is_some_and(|bps| {
            base > 0 && i128::from(drawdown).saturating_mul(10_000) >= base.saturating_mul(bps.into())
        });
        let latch = if passes(daily, limits.daily) {
            Some((Latch::DailyLoss, daily))
        } else if passes(drawdown, limits.drawdown) || share {
            Some((Latch::Drawdown, drawdown))
        } else {
            None
        };
        self.trip = latch.map(|(latch, lost)| Trip { latch, since_ms: now_ms, lost });
        self.trip
    }

    /// Whether a reading would trip a latch: one that is worth making sure of.
    #[must_use]
    pub fn would_trip(mut self, earned: i64, worth: i64, limits: &LossLimits, now_ms: u64) -> bool {
        self.judge(earned, worth, limits, now_ms).is_some()
    }

    /// What was lost since the day began; 0: nothing.
    #[must_use]
    pub fn lost_today(&self) -> i64 {
        self.start.saturating_sub(self.last).max(0)
    }

    /// What was lost since the best; 0: nothing.
    #[must_use]
    pub fn lost_from_best(&self) -> i64 {
        self.best.saturating_sub(self.last).max(0)
    }

    /// An operator has seen it: the day and the best begin anew from here. True: a latch held.
    pub fn reset(&mut self) -> bool {
        (self.start, self.best) = (self.last, self.last);
        self.trip.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOLLAR: i64 = 1_000_000;
    const NOON: u64 = 20_000 * DAY_MS + DAY_MS / 2;

    fn limits(daily: i64, drawdown: i64, bps: u32) -> LossLimits {
        let some = |dollars: i64| (dollars > 0).then(|| Usd::from_raw(dollars * DOLLAR));
        LossLimits {
            daily: some(daily),
            drawdown: some(drawdown),
            drawdown_bps: (bps > 0).then_some(bps),
            flattens: false,
        }
    }

    #[test]
    fn a_day_begins_at_midnight_utc_with_what_was_read_last_and_trips_at_its_limit() {
        let (mut earnings, limits) = (Earnings::default(), limits(100, 0, 0));
        assert_eq!(earnings.judge(500 * DOLLAR, 0, &limits, NOON), None);
        assert_eq!(earnings.judge(401 * DOLLAR, 0, &limits, NOON + 1), None);
        let tomorrow = NOON + DAY_MS / 2;
        assert!(earnings.would_trip(400 * DOLLAR, 0, &limits, tomorrow - 1), "the last millisecond is of the old day");
        assert_eq!(earnings.judge(400 * DOLLAR, 0, &limits, tomorrow), None, "and midnight of the new one");
        assert_eq!(earnings.lost_today(), DOLLAR, "what was lost since the last reading before it is the new day's");
        assert_eq!(earnings.judge(302 * DOLLAR, 0, &limits, tomorrow + 1), None);
        let trip = earnings.judge(301 * DOLLAR, 0, &limits, tomorrow + 2).unwrap();
        assert_eq!((trip.latch, trip.lost), (Latch::DailyLoss, 100 * DOLLAR));
        assert_eq!(earnings.judge(0, 0, &limits, tomorrow + 3), None, "it trips once");
        assert!(earnings.judge(999 * DOLLAR, 0, &limits, tomorrow + DAY_MS).is_none() && earnings.trip.is_some());
        assert!(earnings.reset() && !earnings.reset());
        assert_eq!(earnings.judge(950 * DOLLAR, 0, &limits, tomorrow + DAY_MS + 1), None);
        assert!(earnings.judge(899 * DOLLAR, 0, &limits, tomorrow + DAY_MS + 2).is_some());
    }

    #[test]
    fn after_a_day_without_a_reading_the_day_begins_with_its_first() {
        let (mut earnings, limits) = (Earnings::default(), limits(100, 0, 0));
        assert_eq!(earnings.judge(500 * DOLLAR, 0, &limits, NOON), None);
        assert_eq!(earnings.judge(100 * DOLLAR, 0, &limits, NOON + 2 * DAY_MS), None);
        assert!(earnings.would_trip(0, 0, &limits, NOON + 2 * DAY_MS + 1));
    }

    #[test]
    fn a_drawdown_counts_from_the_best_over_days() {
        let (mut earnings, limits) = (Earnings::default(), limits(0, 50, 0));
        for (at, earned) in [(0, 10), (1, 80), (2, 40)] {
            assert_eq!(earnings.judge(earned * DOLLAR, 0, &limits, NOON + at * DAY_MS), None);
        }
        let trip = earnings.judge(30 * DOLLAR, 0, &limits, NOON + 3 * DAY_MS).unwrap();
        assert_eq!((trip.latch, trip.lost), (Latch::Drawdown, 50 * DOLLAR));
    }

    #[test]
    fn a_share_is_that_of_what_there_would_be_without_the_loss() {
        let (mut earnings, limits) = (Earnings::default(), limits(0, 0, 1_000));
        assert_eq!(earnings.judge(0, 1_000 * DOLLAR, &limits, NOON), None);
        assert!(!earnings.would_trip(-99 * DOLLAR, 901 * DOLLAR, &limits, NOON + 1));
        assert!(earnings.would_trip(-100 * DOLLAR, 900 * DOLLAR, &limits, NOON + 1));
        // A deposit of a thousand in between: a tenth is two hundred now.
        assert_eq!(earnings.judge(-199 * DOLLAR, 1_801 * DOLLAR, &limits, NOON + 1), None);
        assert!(earnings.judge(-200 * DOLLAR, 1_800 * DOLLAR, &limits, NOON + 2).is_some());
    }
}
