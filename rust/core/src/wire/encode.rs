//! One walk over an action writes both its msgpack, which is hashed, and its JSON, which is sent: they cannot disagree.
use super::action::{Action, Builder, Cancel, CancelByCloid, Grouping, Modify, Order, OrderRef, Tif, Twap};
use super::{Address, Cloid, Msgpack};
use crate::num::{self, Px, Sz};

/// Appends the action's msgpack and its JSON, fields in the venue's order.
pub fn encode_action(action: &Action<'_>, msgpack: &mut Vec<u8>, json: &mut Vec<u8>) {
    let mut twin = Twin { msgpack, json };
    match *action {
        Action::Order { orders, grouping, builder } => place(&mut twin, orders, grouping, builder),
        Action::Cancel { cancels, fast } => cancel(&mut twin, cancels, fast),
        Action::CancelByCloid { cancels, fast } => cancel_by_cloid(&mut twin, cancels, fast),
        Action::Modify { modify, always_place } => {
            twin.open("modify", if always_place { 4 } else { 3 });
            modify_fields(&mut twin, &modify, ",\"oid\":");
            twin.true_flag(always_place, "a");
        }
        Action::BatchModify { modifies, always_place } => batch_modify(&mut twin, modifies, always_place),
        Action::ScheduleCancel { time_ms } => {
            twin.open("scheduleCancel", if time_ms.is_some() { 2 } else { 1 });
            if let Some(time_ms) = time_ms {
                twin.key("time", ",\"time\":").uint(time_ms);
            }
        }
        Action::UpdateLeverage { asset, is_cross, leverage } => {
            twin.open("updateLeverage", 4);
            twin.key("asset", ",\"asset\":").uint(asset.into());
            twin.key("isCross", ",\"isCross\":").bool(is_cross);
            twin.key("leverage", ",\"leverage\":").uint(leverage.into());
        }
        Action::UpdateIsolatedMargin { asset, amount } => {
            twin.open("updateIsolatedMargin", 4);
            twin.key("asset", ",\"asset\":").uint(asset.into());
            // The venue documents the side but ignores it; the official SDK always sends true.
            twin.key("isBuy", ",\"isBuy\":").bool(true);
            twin.key("ntli", ",\"ntli\":").int(amount.raw());
        }
        Action::TwapOrder(twap) => twap_order(&mut twin, &twap),
        Action::TwapCancel { asset, twap_id } => {
            twin.open("twapCancel", 3);
            twin.key("a", ",\"a\":").uint(asset.into());
            twin.key("t", ",\"t\":").uint(twap_id);
        }
        Action::VaultTransfer { vault, is_deposit, amount } => {
            twin.open("vaultTransfer", 4);
            twin.key("vaultAddress", ",\"vaultAddress\":").address(&vault);
            twin.key("isDeposit", ",\"isDeposit\":").bool(is_deposit);
            twin.key("usd", ",\"usd\":").int(amount.raw());
        }
        Action::Noop => twin.open("noop", 1),
    }
    twin.json.push(b'}');
}

fn place(twin: &mut Twin<'_>, orders: &[Order], grouping: Grouping, builder: Option<Builder>) {
    twin.open("order", if builder.is_some() { 4 } else { 3 });
    twin.key("orders", ",\"orders\":").list(orders, order);
    twin.key("grouping", ",\"grouping\":");
    match grouping {
        Grouping::Na => twin.str("na"),
        Grouping::NormalTpsl => twin.str("normalTpsl"),
        Grouping::PositionTpsl => twin.str("positionTpsl"),
        Grouping::Priority(rate) => twin.object(1, |twin| twin.key("p", "\"p\":").uint(rate)),
    }
    if let Some(builder) = builder {
        twin.key("builder", ",\"builder\":").object(2, |twin| {
            twin.key("b", "\"b\":").address(&builder.address);
            twin.key("f", ",\"f\":").uint(builder.fee.into());
        });
    }
}

fn order(twin: &mut Twin<'_>, order: &Order) {
    twin.object(if order.cloid.is_some() { 7 } else { 6 }, |twin| {
        twin.key("a", "\"a\":").uint(order.asset.into());
        twin.key("b", ",\"b\":").bool(order.is_buy);
        twin.key("p", ",\"p\":").price(order.price);
        twin.key("s", ",\"s\":").size(order.size);
        twin.key("r", ",\"r\":").bool(order.reduce_only);
        twin.key("t", ",\"t\":");
        match order.tif {
            Tif::Alo => twin.limit("Alo"),
            Tif::Ioc => twin.limit("Ioc"),
            Tif::Gtc => twin.limit("Gtc"),
            Tif::FrontendMarket => twin.limit("FrontendMarket"),
            Tif::Trigger { is_market, price, take_profit } => twin.object(1, |twin| {
                twin.key("trigger", "\"trigger\":").object(3, |twin| {
                    twin.key("isMarket", "\"isMarket\":").bool(is_market);
                    twin.key("triggerPx", ",\"triggerPx\":").price(price);
                    twin.key("tpsl", ",\"tpsl\":").str(if take_profit { "tp" } else { "sl" });
                });
            }),
        }
        if let Some(cloid) = &order.cloid {
            twin.key("c", ",\"c\":").cloid(cloid);
        }
    });
}

fn cancel(twin: &mut Twin<'_>, cancels: &[Cancel], fast: bool) {
    twin.open("cancel", if fast { 3 } else { 2 });
    twin.key("cancels", ",\"cancels\":").list(cancels, |twin, cancel| {
        twin.object(2, |twin| {
            twin.key("a", "\"a\":").uint(cancel.asset.into());
            twin.key("o", ",\"o\":").uint(cancel.oid);
        });
    });
    twin.true_flag(fast, "f");
}

fn cancel_by_cloid(twin: &mut Twin<'_>, cancels: &[CancelByCloid], fast: bool) {
    twin.open("cancelByCloid", if fast { 3 } else { 2 });
    twin.key("cancels", ",\"cancels\":").list(cancels, |twin, cancel| {
        twin.object(2, |twin| {
            twin.key("asset", "\"asset\":").uint(cancel.asset.into());
            twin.key("cloid", ",\"cloid\":").cloid(&cancel.cloid);
        });
    });
    twin.true_flag(fast, "f");
}

fn batch_modify(twin: &mut Twin<'_>, modifies: &[Modify], always_place: bool) {
    twin.open("batchModify", if always_place { 3 } else { 2 });
    twin.key("modifies", ",\"modifies\":").list(modifies, |twin, modify| {
        twin.object(2, |twin| modify_fields(twin, modify, "\"oid\":"));
    });
    twin.true_flag(always_place, "a");
}

fn modify_fields(twin: &mut Twin<'_>, modify: &Modify, oid_key: &'static str) {
    twin.key("oid", oid_key);
    match &modify.oid {
        OrderRef::Oid(oid) => twin.uint(*oid),
        OrderRef::Cloid(cloid) => twin.cloid(cloid),
    }
    twin.key("order", ",\"order\":");
    order(twin, &modify.order);
}

fn twap_order(twin: &mut Twin<'_>, twap: &Twap) {
    twin.open("twapOrder", 2);
    twin.key("twap", ",\"twap\":").object(6, |twin| {
        twin.key("a", "\"a\":").uint(twap.asset.into());
        twin.key("b", ",\"b\":").bool(twap.is_buy);
        twin.key("s", ",\"s\":").size(twap.size);
        twin.key("r", ",\"r\":").bool(twap.reduce_only);
        twin.key("m", ",\"m\":").uint(twap.minutes.into());
        twin.key("t", ",\"t\":").bool(twap.randomize);
    });
}

/// Both spellings of one value, written together.
struct Twin<'a> {
    msgpack: &'a mut Vec<u8>,
    json: &'a mut Vec<u8>,
}

impl Twin<'_> {
    fn pack(&mut self) -> Msgpack<'_> {
        Msgpack(self.msgpack)
    }

    /// Opens the action: every action's first field is its type.
    fn open(&mut self, kind: &'static str, fields: u32) {
        self.pack().map(fields);
        self.json.push(b'{');
        self.key("type", "\"type\":").str(kind);
    }

    /// The key in msgpack, and the same key with JSON's comma, quotes and colon.
    #[inline]
    fn key(&mut self, name: &'static str, json: &'static str) -> &mut Self {
        self.pack().str(name.as_bytes());
        self.json.extend_from_slice(json.as_bytes());
        self
    }

    #[inline]
    fn object(&mut self, fields: u32, body: impl FnOnce(&mut Self)) {
        self.pack().map(fields);
        self.json.push(b'{');
        body(self);
        self.json.push(b'}');
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        // An action of 4 billion items cannot exist in memory; saturating keeps the cast total.
        self.pack().array(u32::try_from(items.len()).unwrap_or(u32::MAX));
        self.json.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.json.push(b',');
            }
            each(self, item);
        }
        self.json.push(b']');
    }

    /// Always a constant: inlined, its header is one too.
    #[inline(always)]
    fn str(&mut self, text: &'static str) {
        self.pack().str(text.as_bytes());
        self.json.push(b'"');
        self.json.extend_from_slice(text.as_bytes());
        self.json.push(b'"');
    }

    #[inline]
    fn limit(&mut self, tif: &'static str) {
        self.object(1, |twin| {
            twin.key("limit", "\"limit\":").object(1, |twin| twin.key("tif", "\"tif\":").str(tif));
        });
    }

    #[inline]
    fn uint(&mut self, n: u64) {
        self.pack().uint(n);
        num::write_u64(self.json, n);
    }

    fn int(&mut self, n: i64) {
        self.pack().int(n);
        if n < 0 {
            self.json.push(b'-');
        }
        num::write_u64(self.json, n.unsigned_abs());
    }

    #[inline]
    fn bool(&mut self, value: bool) {
        self.pack().bool(value);
        self.json.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// `false` would change the hash, so these flags exist only as `true`.
    fn true_flag(&mut self, value: bool, name: &'static str) {
        if value {
            self.pack().str(name.as_bytes());
            self.json.extend_from_slice(b",\"");
            self.json.extend_from_slice(name.as_bytes());
            self.json.extend_from_slice(b"\":");
            self.bool(true);
        }
    }

    fn price(&mut self, price: Px) {
        self.ascii(|out| price.write_wire(out));
    }

    fn size(&mut self, size: Sz) {
        self.ascii(|out| size.write_wire(out));
    }

    fn address(&mut self, address: &Address) {
        self.ascii(|out| address.write_hex(out));
    }

    fn cloid(&mut self, cloid: &Cloid) {
        self.ascii(|out| cloid.write_hex(out));
    }

    /// Writes plain ASCII once into the JSON and copies it from there into the msgpack.
    #[inline]
    fn ascii(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.json.push(b'"');
        let start = self.json.len();
        write(self.json);
        Msgpack(self.msgpack).str(self.json.get(start..).unwrap_or_default());
        self.json.push(b'"');
    }
}
