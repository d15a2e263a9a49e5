//! What can be asked of the venue, typed. Field order and optional fields follow the venue's own declaration.
use super::{parse_hex, write_hex};
use crate::num::{Px, Sz, Usd};
use std::fmt;

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Reads `0x` and exactly the right number of hex digits, in either case.
            #[must_use]
            pub fn parse(text: &[u8]) -> Option<Self> {
                parse_hex(text.strip_prefix(b"0x")?).map($name)
            }

            /// Appends `0x` and lower-case digits: the only spelling whose hash the venue agrees with.
            pub fn write_hex(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(b"0x");
                write_hex(out, &self.0);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

hex_id! {
    /// An account, an agent or a vault.
    Address, 20
}
hex_id! {
    /// A client order id.
    Cloid, 16
}

/// How long an order lives, or when it wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tif {
    /// Post only.
    Alo,
    /// Immediate or cancel.
    Ioc,
    /// Rests until cancelled.
    Gtc,
    /// What the venue's own front end sends for market orders.
    FrontendMarket,
    /// Sleeps until the mark price passes `price`.
    Trigger {
        /// Market order once awake; otherwise a limit order at the order's price.
        is_market: bool,
        /// The waking price.
        price: Px,
        /// Take profit; otherwise stop loss.
        take_profit: bool,
    },
}

/// One order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Asset id, as in actions.
    pub asset: u32,
    /// Buy, otherwise sell.
    pub is_buy: bool,
    /// Limit price.
    pub price: Px,
    /// Size in coins.
    pub size: Sz,
    /// May only shrink a position.
    pub reduce_only: bool,
    /// Lifetime or trigger.
    pub tif: Tif,
    /// Client order id.
    pub cloid: Option<Cloid>,
}

/// How the orders of one action belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// They don't.
    #[default]
    Na,
    /// Parent with take-profit and stop-loss children of its size.
    NormalTpsl,
    /// Take-profit and stop-loss of the position's size.
    PositionTpsl,
    /// Priority fee rate in units of 10^-8.
    Priority(u64),
}

/// A builder's share of the fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builder {
    /// Who gets it.
    pub address: Address,
    /// Tenths of a basis point.
    pub fee: u32,
}

/// An order to cancel, by venue id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancel {
    /// Asset id.
    pub asset: u32,
    /// The venue's order id.
    pub oid: u64,
}

/// An order to cancel, by client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelByCloid {
    /// Asset id.
    pub asset: u32,
    /// Client order id.
    pub cloid: Cloid,
}

/// Names an order by either id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRef {
    /// The venue's order id.
    Oid(u64),
    /// Client order id.
    Cloid(Cloid),
}

/// Replaces one order by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modify {
    /// The order that goes.
    pub oid: OrderRef,
    /// The order that comes.
    pub order: Order,
}

/// An order spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twap {
    /// Asset id.
    pub asset: u32,
    /// Buy, otherwise sell.
    pub is_buy: bool,
    /// Total size in coins.
    pub size: Sz,
    /// May only shrink a position.
    pub reduce_only: bool,
    /// Duration in minutes.
    pub minutes: u32,
    /// Vary the slices' times.
    pub randomize: bool,
}

/// One L1 action. Lists are borrowed, so that a planner's buffers are reused between followers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// Places orders.
    Order {
        /// At least one.
        orders: &'a [Order],
        /// How they belong together.
        grouping: Grouping,
        /// Builder fee, if any.
        builder: Option<Builder>,
    },
    /// Cancels by venue id.
    Cancel {
        /// At least one.
        cancels: &'a [Cancel],
        /// Fast cancel: written only when true.
        fast: bool,
    },
    /// Cancels by client id.
    CancelByCloid {
        /// At least one.
        cancels: &'a [CancelByCloid],
        /// Fast cancel: written only when true.
        fast: bool,
    },
    /// Replaces one order.
    Modify {
        /// Which, and by what.
        modify: Modify,
        /// Place the new order even if the old one is gone: written only when true.
        always_place: bool,
    },
    /// Replaces several orders.
    BatchModify {
        /// At least one.
        modifies: &'a [Modify],
        /// Place the new orders even if the old ones are gone: written only when true.
        always_place: bool,
    },
    /// Cancels everything at a time; without a time, takes that back.
    ScheduleCancel {
        /// Unix milliseconds.
        time_ms: Option<u64>,
    },
    /// Sets the leverage of a market.
    UpdateLeverage {
        /// Asset id.
        asset: u32,
        /// Cross margin, otherwise isolated.
        is_cross: bool,
        /// Times.
        leverage: u32,
    },
    /// Adds or takes isolated margin.
    UpdateIsolatedMargin {
        /// Asset id.
        asset: u32,
        /// Positive adds.
        amount: Usd,
    },
    /// Starts a TWAP.
    TwapOrder(Twap),
    /// Ends a TWAP.
    TwapCancel {
        /// Asset id.
        asset: u32,
        /// The venue's TWAP id.
        twap_id: u64,
    },
    /// Moves dollars into or out of a vault.
    VaultTransfer {
        /// The vault.
        vault: Address,
        /// Deposit, otherwise withdraw.
        is_deposit: bool,
        /// How much.
        amount: Usd,
    },
    /// Burns a nonce: the fence for an attempt whose outcome is unknown.
    Noop,
}
