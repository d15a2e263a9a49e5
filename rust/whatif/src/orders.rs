//! What becomes of the follower's orders: at once, later, or when the margin is used up.
use crate::account::{Execution, Life, Order};
use crate::replay::{Happening, READS_MS, Replay};
use crate::venue::{self, Met};

const WOULD_TAKE: &str = "Post only order would have immediately matched, bbo was passed.";

impl Replay<'_> {
    /// Orders meet the venue; their answer is on its way.
    pub fn meet(&mut self, post: u64, orders: &[Order]) {
        let results: Vec<Met> = orders.iter().map(|order| self.meet_one(order)).collect();
        self.liquidate();
        self.sample();
        self.answer(post, &venue::order_payload(&results));
    }

    fn meet_one(&mut self, order: &Order) -> Met {
        self.outcome.orders += 1;
        let met = match order.life {
            Life::Immediate | Life::Slice => self.trade(order),
            Life::Resting if self.would_take(order) => Met::Refused(WOULD_TAKE),
            Life::Resting | Life::Stop { .. } => {
                self.resting.place(*order);
                Met::Waits(order.cloid)
            }
        };
        if let Met::Refused(text) = met {
            *self.outcome.refused.entry(text).or_default() += 1;
        }
        met
    }

    fn trade(&mut self, order: &Order) -> Met {
        let Some(asset) = self.record.coins.get(order.coin) else { return Met::Refused(crate::account::NO_MATCH) };
        let result = self.account.trade(order, asset, self.model, &self.market, self.now_ms);
        if let Some(slot) = self.unfilled.get_mut(order.coin) {
            *slot = order.reduce_only && !matches!(&result, Ok(done) if done.size == order.size);
        }
        match result {
            Ok(done) => {
                self.note(order.coin, &done, false);
                Met::Done(done)
            }
            Err(text) => Met::Refused(text),
        }
    }

    fn would_take(&self, order: &Order) -> bool {
        let [(bid, _), (ask, _)] = self.market.quote(order.coin, self.now_ms);
        if order.size > 0 { order.limit >= ask } else { order.limit <= bid }
    }

    /// Waiting orders are taken back.
    pub fn take_back(&mut self, post: u64, cloids: &[[u8; 16]]) {
        let results: Vec<bool> = cloids.iter().map(|cloid| self.resting.cancel(cloid)).collect();
        self.answer(post, &venue::cancel_payload(&results));
    }

    /// Executes waiting orders that the price came to on the way to a time.
    pub fn wake_resting(&mut self, to_ms: u64) {
        if self.resting.is_empty() {
            return;
        }
        for (order, price) in self.resting.reached(&self.market, self.now_ms, to_ms) {
            let Some(asset) = self.record.coins.get(order.coin) else { continue };
            let done = self.account.meet(&order, asset, self.model, price);
            self.resting.close(&order.cloid, done.as_ref().map_or(0, |done| done.size.saturating_abs()));
            if let Some(done) = done {
                self.note(order.coin, &done, false);
                // The engine learns of it by its own reads.
                self.astray_ms = self.astray_ms.max(to_ms.saturating_add(READS_MS));
            }
        }
    }

    pub fn answer(&mut self, post: u64, payload: &str) {
        self.later(self.model.answer_ms, Happening::Answer(venue::post_frame(post, payload)));
    }

    pub fn note(&mut self, coin: usize, done: &Execution, forced: bool) {
        if self.keeps {
            let row = (self.now_ms, coin, done.size, done.price, done.fee, done.middle, forced);
            self.outcome.executions.push(row);
        }
    }

    /// The venue closes everything when the margin is used up; the engine finds out by its next read.
    pub fn liquidate(&mut self) {
        if !self.account.is_liquidated(&self.record.coins, &self.market, self.now_ms) {
            return;
        }
        self.account.liquidations += 1;
        self.astray_ms = self.now_ms.saturating_add(READS_MS);
        let held: Vec<(usize, i64)> = self.account.held().collect();
        for (coin, size) in held {
            let Some(asset) = self.record.coins.get(coin) else { continue };
            // Far behind any price of the model's book.
            let limit = if size > 0 { 0 } else { self.market.middle(coin, self.now_ms).saturating_mul(2) };
            let leader = self.leader.paid.get(coin).copied().unwrap_or_default();
            let order = Order {
                coin,
                life: Life::Immediate,
                cloid: [0; 16],
                size: -size,
                limit,
                reduce_only: true,
                leader,
                surcharge: 0,
            };
            if let Ok(done) = self.account.trade(&order, asset, self.model, &self.market, self.now_ms) {
                self.note(coin, &done, true);
                self.seized.push((self.now_ms, coin, size, done.price));
            }
        }
    }
}
