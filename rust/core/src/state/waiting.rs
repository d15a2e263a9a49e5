//! Parts of E that wait to be bought: how much of each is bought already.
use super::{Bought, Entry, State};
use crate::commands::CoinId;
use crate::copy::sizing::{UNIT, scale_down};

impl State {
    /// An edge's part of a position moved, in 10^-8: what went further out on the side of parts that wait was bought of them. An
    /// order buys what it stands for, and nothing of what came later: of a part that is gone, or that a reduction has made smaller,
    /// the rest is nobody's. What another edge gave up (`crossed`) is anybody's.
    pub fn note_bought(&mut self, follower: u32, follow: u32, coin: CoinId, [before, after]: [i64; 2], crossed: bool) {
        let lot = self.follower(follower).and_then(|state| state.coins.get(&coin));
        let side = |entry: &&Entry| entry.is_part_of(follow) && (entry.amount > 0) == (after > 0);
        let mine = lot.map_or(&[][..], |lot| &lot.entries).iter().filter(side);
        let most: i128 =
            mine.filter(|entry| crossed || entry.post.is_some()).map(|entry| entry.amount.saturating_abs()).sum();
        let held = if (before > 0) == (after > 0) { before.unsigned_abs() } else { 0 };
        let bought = i128::from(after.unsigned_abs().saturating_sub(held)).saturating_mul(UNIT);
        if most > 0 && bought > 0 {
            let known = self.bought.entry((follow, coin)).or_default();
            *known = known.saturating_add(bought).min(most);
        }
    }

    /// A leader's reduction takes the same share of what is bought and of what is not.
    pub fn scale_waiting(&mut self, follower: u32, follow: u32, coin: CoinId, after: i64, before: i64) {
        let Some(lot) = self.lot_mut(follower, coin) else { return };
        for entry in lot.entries.iter_mut().filter(|entry| entry.follow == follow) {
            entry.amount = scale_down(entry.amount, after, before);
        }
        if let Some(bought) = self.bought.get_mut(&(follow, coin)) {
            *bought = scale_down(*bought, after, before);
        }
    }

    /// Each part that waits, with what is not bought of it, in 10^-20, never negative: of an edge's parts the oldest is bought first.
    #[must_use]
    pub fn waiting(&self, follower: u32, coin: CoinId) -> Vec<(Entry, i128)> {
        let lot = self.follower(follower).and_then(|state| state.coins.get(&coin));
        let entries = lot.map_or(&[][..], |lot| &lot.entries);
        let sums = entries.iter().filter_map(|entry| self.bought.get_key_value(&(entry.follow, coin)));
        let mut left: Bought = sums.map(|(edge, sum)| (*edge, *sum)).collect();
        entries.iter().map(|entry| (*entry, take(&mut left, entry, coin))).collect()
    }

    /// Ends the parts that `keep` refuses; what was bought of them is forgotten with them.
    pub fn retain_entries(&mut self, follower: u32, coin: CoinId, keep: impl Fn(&Entry) -> bool) {
        let lot = self.followers.get_mut(follower as usize).and_then(|state| state.coins.get_mut(&coin));
        let Some(lot) = lot else { return };
        let gone: Vec<Entry> = lot.entries.extract_if(.., |entry| !keep(entry)).collect();
        for entry in gone {
            take(&mut self.bought, &entry, coin);
            if !lot.entries.iter().any(|other| other.is_part_of(entry.follow)) {
                self.bought.remove(&(entry.follow, coin));
            }
        }
    }
}

/// What is not bought of a part; the rest of it is taken from what is known as bought.
fn take(bought: &mut Bought, entry: &Entry, coin: CoinId) -> i128 {
    let whole = entry.amount.saturating_abs();
    let Some(left) = bought.get_mut(&(entry.follow, coin)) else { return whole };
    let got = whole.min(*left);
    *left = left.saturating_sub(got);
    whole.saturating_sub(got)
}
