//! The follower's orders that wait at the venue: passive ones and stops. One that the middle reaches is executed whole: nobody
//! stands before it in the model's queue.
use crate::account::{Life, Order};
use crate::market::Market;

/// What became of an order that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Open,
    Filled,
    Cancelled,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    pub order: Order,
    pub fate: Fate,
    /// Executed, unsigned.
    pub filled: i64,
}

/// All that ever waited, in the order of their coming.
#[derive(Debug, Default)]
pub struct Resting {
    orders: Vec<Waiting>,
    /// Nothing before this place is open.
    first: usize,
}

impl Resting {
    pub fn place(&mut self, order: Order) {
        self.orders.push(Waiting { order, fate: Fate::Open, filled: 0 });
    }

    pub fn find(&self, cloid: &[u8; 16]) -> Option<&Waiting> {
        self.orders.iter().rfind(|waiting| waiting.order.cloid == *cloid)
    }

    /// True: it was open.
    pub fn cancel(&mut self, cloid: &[u8; 16]) -> bool {
        let found = self.orders.iter_mut().rfind(|one| one.order.cloid == *cloid && one.fate == Fate::Open);
        found.map(|waiting| waiting.fate = Fate::Cancelled).is_some()
    }

    pub fn is_empty(&self) -> bool {
        !self.orders.iter().skip(self.first).any(|waiting| waiting.fate == Fate::Open)
    }

    /// Orders that the price came to between two times, with the price each is executed at.
    pub fn reached(&self, market: &Market<'_>, from_ms: u64, to_ms: u64) -> Vec<(Order, i64)> {
        let open = self.orders.iter().skip(self.first).filter(|waiting| waiting.fate == Fate::Open);
        open.filter_map(|waiting| {
            let order = waiting.order;
            let [low, high] = market.extremes(order.coin, from_ms, to_ms);
            let buys = order.size > 0;
            match order.life {
                Life::Resting if (buys && low <= order.limit) || (!buys && high >= order.limit) => {
                    Some((order, order.limit))
                }
                // Far against the position: a stop that sells wakes below, one that buys above.
                Life::Stop { trigger } if (buys && high >= trigger) || (!buys && low <= trigger) => {
                    Some((order, trigger))
                }
                _ => None,
            }
        })
        .collect()
    }

    /// Notes an execution; of nothing means that a stop found nothing to close.
    pub fn close(&mut self, cloid: &[u8; 16], filled: i64) {
        if let Some(waiting) = self.orders.iter_mut().rfind(|waiting| waiting.order.cloid == *cloid) {
            waiting.filled = filled;
            waiting.fate = if filled > 0 { Fate::Filled } else { Fate::Cancelled };
        }
        while self.orders.get(self.first).is_some_and(|waiting| waiting.fate != Fate::Open) {
            self.first += 1;
        }
    }
}
