//! Prices and books at any time of a record.
use hlfast_core::num::{Round, div_round};

use crate::model::{DEPTH_BAND, RATE};
use crate::record::{Book, Coin, Record};

const DAY_MS: u64 = 86_400_000;
/// Of the depth within ten basis points, what the best price shows.
const SHOWN: i64 = 10;

/// The market of every coin of a record.
#[derive(Debug, Clone, Copy)]
pub struct Market<'a> {
    record: &'a Record,
    book_age_ms: u64,
}

/// What an order found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Unsigned, in 10^-8.
    pub size: i64,
    /// Average price.
    pub price: i64,
    /// Of the whole: what the spread alone would have cost, as a price.
    pub touch: i64,
    /// The middle at that moment.
    pub middle: i64,
}

impl<'a> Market<'a> {
    pub fn new(record: &'a Record, book_age_ms: u64) -> Market<'a> {
        Market { record, book_age_ms }
    }

    /// The middle price. Between two known ones it goes in a straight line.
    pub fn middle(&self, coin: usize, now_ms: u64) -> i64 {
        if let Some(Book { bids, asks, .. }) = self.book(coin, now_ms)
            && let (Some(bid), Some(ask)) = (bids.first(), asks.first())
        {
            return bid.0.midpoint(ask.0);
        }
        let path = self.path(coin);
        let next = path.partition_point(|point| point.0 <= now_ms);
        match (next.checked_sub(1).and_then(|at| path.get(at)), path.get(next)) {
            (Some((from_ms, from)), Some((to_ms, to))) => {
                let (gone, whole) = (i128::from(now_ms - from_ms), i128::from(to_ms - from_ms));
                let step = div_round(i128::from(*to - *from) * gone, whole, Round::Nearest).unwrap_or(0);
                from.saturating_add(i64::try_from(step).unwrap_or(0))
            }
            (Some(only), None) | (None, Some(only)) => only.1,
            (None, None) => 0,
        }
    }

    fn path(&self, coin: usize) -> &'a [(u64, i64)] {
        self.record.paths.get(coin).map_or(&[], Vec::as_slice)
    }

    /// Best bid and ask as (price, size). The model shows what lies within one basis point.
    pub fn quote(&self, coin: usize, now_ms: u64) -> [(i64, i64); 2] {
        if let Some(Book { bids, asks, .. }) = self.book(coin, now_ms)
            && let (Some(bid), Some(ask)) = (bids.first(), asks.first())
        {
            return [*bid, *ask];
        }
        let middle = self.middle(coin, now_ms);
        let (half, depth) = self.record.coins.get(coin).map_or((0, 0), |coin| (coin.half_spread, coin.depth));
        let shown = i128::from(depth / SHOWN) * 10_000_000_000 / i128::from(middle.max(1));
        let shown = i64::try_from(shown).unwrap_or(i64::MAX);
        [(scaled(middle, RATE - half), shown), (scaled(middle, RATE + half), shown)]
    }

    /// The lowest and the highest middle from one time to a later one.
    pub fn extremes(&self, coin: usize, from_ms: u64, to_ms: u64) -> [i64; 2] {
        let ends = [self.middle(coin, from_ms), self.middle(coin, to_ms)];
        let points = self.path(coin);
        let begin = points.partition_point(|point| point.0 <= from_ms);
        let between = points.get(begin..).unwrap_or_default().iter().take_while(|point| point.0 <= to_ms);
        between.fold([ends[0].min(ends[1]), ends[0].max(ends[1])], |[low, high], (_, price)| {
            [low.min(*price), high.max(*price)]
        })
    }

    /// Closing prices of whole days before a time, oldest first, as (start, price): recorded ones, then those of the path.
    pub fn days(&self, coin: usize, now_ms: u64) -> Vec<(u64, i64)> {
        let Some(asset) = self.record.coins.get(coin) else { return Vec::new() };
        let mut days: Vec<(u64, i64)> = asset.days.iter().copied().take_while(|day| day.0 + DAY_MS <= now_ms).collect();
        let since = days.last().map_or(0, |day| day.0 + DAY_MS);
        let points = self.path(coin);
        let points = points.get(points.partition_point(|point| point.0 < since)..).unwrap_or_default();
        for (time_ms, price) in points.iter().take_while(|point| point.0 < now_ms) {
            let start = time_ms - time_ms % DAY_MS;
            match days.last_mut() {
                Some(last) if last.0 == start => last.1 = *price,
                _ => days.push((start, *price)),
            }
        }
        days
    }

    /// Takes from the book up to a limit; nothing where the touch is beyond it.
    pub fn take(&self, coin: usize, signed: i64, limit: i64, now_ms: u64) -> Option<Match> {
        let middle = self.middle(coin, now_ms);
        let asset = self.record.coins.get(coin)?;
        let wanted = i64::try_from(signed.unsigned_abs()).ok()?;
        let found = match self.book(coin, now_ms) {
            Some(Book { bids, asks, .. }) => walk(if signed > 0 { asks } else { bids }, signed > 0, wanted, limit),
            None => modelled(asset, middle, signed > 0, wanted, limit),
        };
        let (size, price, touch) = found?;
        let size = size - size % lot(asset);
        (size > 0).then_some(Match { size, price, touch, middle })
    }

    /// The funding rate of the hour that ends at a time, if it was recorded.
    pub fn funding(&self, coin: usize, hour_ms: u64) -> Option<i64> {
        // The venue stamps the payment some milliseconds after the hour.
        let hours = &self.record.coins.get(coin)?.funding;
        let at = hours.partition_point(|hour| hour.0.saturating_add(60_000) <= hour_ms);
        hours.get(at).filter(|hour| hour.0 < hour_ms.saturating_add(60_000)).map(|hour| hour.1)
    }

    fn book(&self, coin: usize, now_ms: u64) -> Option<&'a Book> {
        let books = &self.record.coins.get(coin)?.books;
        let book = books.get(books.partition_point(|book| book.time_ms <= now_ms).checked_sub(1)?)?;
        (now_ms - book.time_ms <= self.book_age_ms).then_some(book)
    }
}

/// The smallest step of a size.
pub const fn lot(asset: &Coin) -> i64 {
    10i64.pow(8u32.saturating_sub(asset.size_decimals))
}

fn scaled(price: i64, factor: i64) -> i64 {
    hlfast_core::num::mul_div(price, factor, RATE, Round::Nearest).unwrap_or(price)
}

/// The model of a book: the touch is half a spread from the middle, and behind it every basis point holds a tenth of the depth.
fn modelled(asset: &Coin, middle: i64, is_buy: bool, wanted: i64, limit: i64) -> Option<(i64, i64, i64)> {
    let side = if is_buy { 1 } else { -1 };
    let touch = scaled(middle, RATE + side * asset.half_spread);
    let room = (limit - touch).checked_mul(side).filter(|room| *room >= 0)?;
    // room ÷ price in units of RATE, over the band that the depth is counted in: dollars (10^-6) up to the limit.
    let reached = i128::from(room) * i128::from(RATE) / i128::from(middle.max(1));
    let dollars = reached.saturating_mul(i128::from(asset.depth)) / i128::from(DEPTH_BAND);
    let most = dollars.saturating_mul(10_000_000_000) / i128::from(touch.max(1));
    let size = wanted.min(i64::try_from(most).unwrap_or(i64::MAX));
    let value = i128::from(size) * i128::from(touch) / 10_000_000_000;
    let walked = i128::from(middle) * value * i128::from(DEPTH_BAND) / i128::from(RATE);
    let impact = walked / i128::from(asset.depth) / 2;
    let price = touch.checked_add(i64::try_from(impact).ok()?.checked_mul(side)?)?;
    Some((size, price, touch))
}

fn walk(levels: &[(i64, i64)], is_buy: bool, wanted: i64, limit: i64) -> Option<(i64, i64, i64)> {
    let touch = levels.first()?.0;
    let (mut size, mut paid) = (0i64, 0i128);
    for (price, there) in levels {
        if size == wanted || (is_buy && *price > limit) || (!is_buy && *price < limit) {
            break;
        }
        let taken = (*there).min(wanted - size);
        size = size.checked_add(taken)?;
        paid += i128::from(taken) * i128::from(*price);
    }
    let price = div_round(paid, i128::from(size), Round::Nearest)?;
    Some((size, i64::try_from(price).ok()?, touch))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i64 = 100_000_000;

    fn coin() -> Coin {
        Coin {
            name: "SOL".into(),
            size_decimals: 2,
            max_leverage: 20,
            half_spread: 10_000,
            depth: 10_000_000_000,
            prices: Vec::new(),
            funding: Vec::new(),
            books: Vec::new(),
            days: Vec::new(),
            activity: None,
        }
    }

    #[test]
    fn the_modelled_book_costs_half_a_spread_and_half_of_what_it_walks() {
        // 100 dollars a coin; touch at 1 bp; 10,000 dollars within 10 bps: 5,000 dollars walk 5 bps, 2.5 on average.
        let (size, price, touch) = modelled(&coin(), 100 * ONE, true, 50 * ONE, 101 * ONE).unwrap();
        assert_eq!((size, touch), (50 * ONE, 10_001_000_000));
        assert_eq!(price, 10_003_500_250, "touch and 2.50025 bps of 100");
        let (_, sold, bid) = modelled(&coin(), 100 * ONE, false, 50 * ONE, 99 * ONE).unwrap();
        assert_eq!(bid, 9_999_000_000);
        assert!(bid - sold > 2_490_000 && bid - sold < 2_510_000);
    }

    #[test]
    fn a_limit_cuts_where_the_last_price_would_pass_it() {
        // From 100.01 to 100.06 lie 5 bps of 100: 5,000 dollars at 100.01.
        let (size, ..) = modelled(&coin(), 100 * ONE, true, 500 * ONE, 10_006_000_000).unwrap();
        assert_eq!(size, 4_999_500_049);
        assert_eq!(modelled(&coin(), 100 * ONE, true, ONE, 10_000_900_000), None, "the touch is beyond the limit");
    }

    #[test]
    fn a_recorded_book_is_walked_level_by_level() {
        let asks = [(100 * ONE, 2 * ONE), (101 * ONE, 2 * ONE), (103 * ONE, 9 * ONE)];
        assert_eq!(walk(&asks, true, 3 * ONE, 102 * ONE), Some((3 * ONE, 10_033_333_333, 100 * ONE)));
        assert_eq!(walk(&asks, true, 9 * ONE, 102 * ONE), Some((4 * ONE, 10_050_000_000, 100 * ONE)));
        assert_eq!(walk(&asks, true, ONE, 99 * ONE), None);
    }
}
