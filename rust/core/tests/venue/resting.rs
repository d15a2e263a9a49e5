//! Orders as the venue reads them, and those that rest there: placed, cancelled, taken, hit.
use hlfast_core::commands::{Attempt, AttemptKind};
use hlfast_core::num::Pos;
use serde_json::{Value, json};

use super::{OwnedEvent, Reply, Sent, SentOrder, World, pos, px};

/// A stop as the venue holds it.
#[derive(Debug, Clone)]
pub struct RestingStop {
    pub account: String,
    pub order: SentOrder,
    /// `open`, `filled` or `canceled`.
    pub word: &'static str,
    /// What a book that was too thin left of it once it woke.
    pub left: Option<i64>,
}

impl RestingStop {
    pub fn status(&self, now_ms: u64) -> Value {
        let left = if self.word == "filled" { 0 } else { self.left.unwrap_or(self.order.size) };
        let waits = self.word != "filled" && self.left.is_none();
        let order = json!({"origSz": Pos::from_raw(self.order.size).to_string(), "sz": Pos::from_raw(left).to_string(),
            "isTrigger": waits});
        json!({"status": "order", "order": {"order": order, "status": self.word, "statusTimestamp": now_ms}})
    }
}

impl World {
    pub(super) fn read_orders(&self, attempt: &Attempt, action: &Value) -> Vec<SentOrder> {
        if action["type"] == "noop" || super::is_twap(action) || attempt.kind == AttemptKind::Setup {
            return Vec::new();
        }
        if attempt.kind == AttemptKind::Cancel {
            return self.read_cancels(action);
        }
        if attempt.kind == AttemptKind::Stop {
            return vec![self.read_stop(action)];
        }
        assert_eq!(action["type"], "order");
        let rows = action["orders"].as_array().unwrap();
        rows.iter()
            .map(|o| {
                let tif = o["t"]["limit"]["tif"].as_str().unwrap();
                assert!(matches!(tif, "Ioc" | "Alo"), "{tif}");
                let passive = tif == "Alo";
                SentOrder {
                    coin: self.coin_of(o["a"].as_u64().unwrap()),
                    is_buy: o["b"].as_bool().unwrap(),
                    price: px(o["p"].as_str().unwrap()),
                    size: pos(o["s"].as_str().unwrap()),
                    reduce_only: o["r"].as_bool().unwrap(),
                    cloid: o["c"].as_str().unwrap().to_owned(),
                    trigger: 0,
                    passive,
                }
            })
            .collect()
    }

    fn read_cancels(&self, action: &Value) -> Vec<SentOrder> {
        assert_eq!(action["type"], "cancelByCloid");
        assert!(action.get("f").is_none(), "a fast cancel is refused for trigger orders");
        let read = |cancel: &Value| {
            let mut sent = self.sent.iter().flat_map(|sent| &sent.orders);
            let order = sent.find(|order| order.cloid == cancel["cloid"]).expect("a cancel of nothing").clone();
            assert_eq!(self.coin_of(cancel["asset"].as_u64().unwrap()), order.coin);
            order
        };
        action["cancels"].as_array().unwrap().iter().map(read).collect()
    }

    fn read_stop(&self, action: &Value) -> SentOrder {
        assert_eq!((&action["type"], &action["grouping"]), (&json!("order"), &json!("na")));
        let [row] = action["orders"].as_array().unwrap().as_slice() else { panic!("one stop: {action}") };
        let trigger = &row["t"]["trigger"];
        assert_eq!((&row["r"], &trigger["isMarket"], &trigger["tpsl"]), (&json!(true), &json!(true), &json!("sl")));
        SentOrder {
            coin: self.coin_of(row["a"].as_u64().unwrap()),
            is_buy: row["b"].as_bool().unwrap(),
            price: px(row["p"].as_str().unwrap()),
            size: pos(row["s"].as_str().unwrap()),
            reduce_only: true,
            cloid: row["c"].as_str().unwrap().to_owned(),
            trigger: px(trigger["triggerPx"].as_str().unwrap()),
            passive: false,
        }
    }

    pub fn stop(&self, cloid: &Value) -> Option<&RestingStop> {
        self.stops.iter().find(|stop| *cloid == stop.order.cloid)
    }

    /// What rests for an account: coin, sign and size of what it would trade, waking price.
    pub fn open_stops(&self, follower: usize) -> Vec<(String, i64, i64)> {
        let account = self.account(follower as u32);
        let open = self.stops.iter().filter(|stop| stop.word == "open" && stop.account == account);
        let row = |order: &SentOrder| {
            (order.coin.clone(), if order.is_buy { order.size } else { -order.size }, order.trigger)
        };
        open.map(|stop| row(&stop.order)).collect()
    }

    pub(super) fn take_stop(&mut self, sent: &Sent, reply: &Reply) -> Value {
        let order = &sent.orders[0];
        if sent.attempt.kind == AttemptKind::Cancel && self.passive.contains_key(&order.cloid) {
            return self.take_back(sent);
        }
        let answer = |kind: &str, status: Value| json!({"status": "ok", "response": {"type": kind, "data": {"statuses": [status]}}});
        if sent.attempt.kind == AttemptKind::Cancel {
            let open = self.stops.iter_mut().find(|stop| stop.word == "open" && stop.order.cloid == order.cloid);
            let Some(stop) = open else {
                let text = "Order was never placed, already canceled, or filled. asset=1";
                return answer("cancel", json!({"error": text}));
            };
            stop.word = "canceled";
            return answer("cancel", json!("success"));
        }
        if let Reply::Text(text) = reply {
            return answer("order", json!({"error": text}));
        }
        let account = self.account(sent.attempt.follower);
        self.stops.push(RestingStop { account, order: order.clone(), word: "open", left: None });
        answer("order", json!({"resting": {"oid": 9, "cloid": order.cloid}}))
    }

    /// An order that waits in the book.
    pub(super) fn take_passive(&mut self, attempt: &Attempt, order: &SentOrder) -> Value {
        let account = self.account(attempt.follower);
        self.cloids.insert(order.cloid.clone(), (order.size, 0));
        self.passive.insert(order.cloid.clone(), (account, order.clone(), true));
        json!({"resting": {"oid": 9, "cloid": order.cloid}})
    }

    fn take_back(&mut self, sent: &Sent) -> Value {
        let mut statuses = Vec::new();
        for order in &sent.orders {
            let resting = self.passive.get_mut(&order.cloid).filter(|(.., open)| *open);
            statuses.push(match resting {
                None => json!({"error": "Order was never placed, already canceled, or filled. asset=1"}),
                Some((.., open)) => {
                    *open = false;
                    json!("success")
                }
            });
        }
        json!({"status": "ok", "response": {"type": "cancel", "data": {"statuses": statuses}}})
    }

    /// Orders that wait in the book now.
    pub fn resting(&self) -> usize {
        self.passive.values().filter(|(.., open)| *open).count()
    }

    /// Orders of the same account meet what waits on a coin. Venue rule: it is cancelled, and nothing trades.
    pub fn meet_own(&mut self, coin: &str) {
        self.gone = "selfTradeCanceled";
        let waiting = self.passive.values_mut().filter(|(_, order, _)| order.coin == coin);
        waiting.for_each(|(.., open)| *open = false);
    }

    /// Somebody trades with what waits on a coin.
    pub fn take_resting(&mut self, coin: &str, size: &str) {
        let mut left = pos(size);
        for (cloid, (account, order, open)) in &mut self.passive {
            if !*open || order.coin != coin {
                continue;
            }
            let (size, filled) = self.cloids[cloid];
            let taken = left.min(size - filled);
            left -= taken;
            self.cloids.insert(cloid.clone(), (size, filled + taken));
            *open = filled + taken < size;
            let position = self.positions.entry((account.clone(), order.coin.clone())).or_default();
            *position += if order.is_buy { taken } else { -taken };
        }
    }

    /// The best quotes, of one coin each.
    pub fn quote(&mut self, coin: &str, bid: &str, ask: &str) {
        let frame = json!({"channel": "bbo", "data": {"coin": coin, "time": self.now, "bbo": [{"px": bid, "sz": "1", "n": 1}, {"px": ask, "sz": "1", "n": 1}]}});
        self.step(OwnedEvent::Frame(3, frame.to_string().into_bytes()));
    }

    /// The mark price reaches every stop of a coin: what only reduces takes what there is, in the order of their coming.
    pub fn hit_stops(&mut self, coin: &str) {
        self.hit_stops_in(coin, i64::MAX);
    }

    /// The price reaches the stops of a coin, whose book is only so deep for each of them.
    pub fn hit_stops_in(&mut self, coin: &str, depth: i64) {
        for at in 0..self.stops.len() {
            let stop = self.stops[at].clone();
            if stop.word != "open" || stop.order.coin != coin {
                continue;
            }
            let position = self.positions.entry((stop.account, stop.order.coin)).or_default();
            let reduces = *position != 0 && (*position > 0) != stop.order.is_buy;
            let room = if reduces { stop.order.size.min(position.abs()) } else { 0 };
            let size = room.min(depth);
            *position += if stop.order.is_buy { size } else { -size };
            self.stops[at].word = if room > 0 && size == room { "filled" } else { "canceled" };
            self.stops[at].left = (0 < size && size < room).then(|| stop.order.size - size);
        }
    }
}
