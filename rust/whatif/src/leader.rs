//! The leader as the venue knows him, moved by the fills that the engine has seen.
use hlfast_core::num::{Round, div_round};

use crate::account::{CASH, Paid};
use crate::market::Market;
use crate::model::Model;
use crate::record::{Coin, Fill, Record};

pub struct Leader {
    cash: i128,
    pub positions: Vec<i64>,
    /// Per coin, his last block of fills.
    pub paid: Vec<Paid>,
}

impl Leader {
    pub fn new(record: &Record, model: &Model) -> Leader {
        let positions = record.first_positions();
        let first = |coin: usize| record.paths.get(coin).and_then(|path| path.first()).map_or(0, |point| point.1);
        let held = positions.iter().enumerate();
        let held: i128 = held.map(|(coin, size)| i128::from(*size) * i128::from(first(coin))).sum();
        let paid = (0..positions.len()).map(|coin| Paid { price: first(coin), middle: first(coin) }).collect();
        Leader { cash: i128::from(model.leader_equity) * CASH - held, positions, paid }
    }

    /// Takes in the fills of one block.
    pub fn take(&mut self, fills: &[Fill], coins: &[Coin]) {
        for (at, fill) in fills.iter().enumerate() {
            self.cash -= i128::from(fill.size) * i128::from(fill.price);
            if let Some(position) = self.positions.get_mut(fill.coin) {
                *position = fill.start.saturating_add(fill.size);
            }
            let is_last =
                fills.get(at.saturating_add(1)..).is_none_or(|later| later.iter().all(|one| one.coin != fill.coin));
            if is_last && let Some(slot) = self.paid.get_mut(fill.coin) {
                let half = coins.get(fill.coin).map_or(0, |coin| coin.half_spread);
                let same = || fills.iter().filter(|other| other.coin == fill.coin);
                *slot = Paid {
                    price: average(same(), |fill| fill.price),
                    middle: average(same(), |fill| fill.middle(half)),
                };
            }
        }
    }

    pub fn equity(&self, market: &Market<'_>, now_ms: u64) -> i128 {
        let held = self.positions.iter().enumerate().filter(|(_, size)| **size != 0);
        held.fold(self.cash, |sum, (coin, size)| sum + i128::from(*size) * i128::from(market.middle(coin, now_ms)))
    }
}

fn average<'a>(fills: impl Iterator<Item = &'a Fill>, price: impl Fn(&Fill) -> i64) -> i64 {
    let (size, paid) = fills.fold((0i128, 0i128), |(size, paid), fill| {
        let taken = i128::from(fill.size.unsigned_abs());
        (size + taken, paid + taken * i128::from(price(fill)))
    });
    div_round(paid, size, Round::Nearest).and_then(|price| i64::try_from(price).ok()).unwrap_or(0)
}
