//! Random histories: whatever leaders do and the venue answers, receipts are complete, caps hold, replay agrees, and at rest every
//! follower holds what its edges are entitled to.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "test code"
)]

use hlfast_core::event::SourceKind;
use hlfast_core::num::Pos;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::venue::{self, OwnedEvent, Reply, World, follow, leader_address, pos};

const COINS: [&str; 3] = ["SOL", "ETH", "BTC"];

/// What happens next.
#[derive(Debug, Clone)]
pub enum Act {
    Trade {
        leader: usize,
        coin: usize,
        lots: i64,
        again: bool,
        tape_first: bool,
    },
    Answer(usize),
    Pass(u64),
    Quote(usize, i64),
    LoseLane(u32),
    Restart,
    /// Somebody trades with what waits in the book.
    Take(usize, i64),
    /// Who is worth how much, some time later.
    Worth(usize, u64, u64),
}

/// Two ways out: what one loses may go out once more over the other.
const LANES: [u32; 2] = [1, 4];

pub fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0usize..2, 0usize..3, -40i64..=40, any::<bool>(), any::<bool>())
            .prop_map(|(leader, coin, lots, again, tape_first)| Act::Trade { leader, coin, lots, again, tape_first }),
        3 => (0usize..5).prop_map(Act::Answer),
        3 => (20u64..4_000).prop_map(Act::Pass),
        3 => (0usize..3, 1i64..80).prop_map(|(coin, distance)| Act::Quote(coin, distance)),
        1 => (0usize..2).prop_map(|lane| Act::LoseLane(LANES[lane])),
        1 => Just(Act::Restart),
        1 => (0usize..3, 1i64..30).prop_map(|(coin, lots)| Act::Take(coin, lots)),
    ]
}

/// The same, and money that comes and goes.
pub fn act_or_worth() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => act(),
        1 => (0usize..4, 4_000u64..25_000, 0u64..45).prop_map(|(who, dollars, minutes)| Act::Worth(who, dollars, minutes)),
    ]
}

/// Under what a history runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    Plain,
    VenueLimits,
    /// Larger orders go out in slices: one follower's with the clock, the other's with the book.
    Portions,
    PortionsTurned,
    /// One leader's follows take their ratio anew, by time and by drift.
    Rebalanced,
}

impl Terms {
    fn executions(self) -> [Value; 2] {
        let smart = || json!({"style": "smart", "seconds": 8, "depth_percent": 60, "passive_ms": 1_500});
        let twap = || json!({"style": "twap", "seconds": 5, "slices": 3, "jitter_percent": 30});
        match self {
            Terms::Plain | Terms::VenueLimits | Terms::Rebalanced => [json!(null), json!(null)],
            Terms::Portions => [smart(), twap()],
            Terms::PortionsTurned => [twap(), smart()],
        }
    }
}

fn world(terms: Terms) -> World {
    let mut follows = [
        follow(0, 0, json!({"ratio": "0.37"})),
        follow(1, 0, json!({"ratio": "1"})),
        follow(0, 1, json!({"mode": "notional", "ratio": null, "notional_usd": "700", "scale_adds": true})),
        follow(1, 1, json!({"ratio": "0.5", "max_order_usd": "300"})),
    ];
    if terms == Terms::Rebalanced {
        follows[0] =
            follow(0, 0, json!({"mode": "equity", "ratio": null, "weight": "0.4", "rebalance_drift_percent": "10"}));
        follows[3] = follow(
            1,
            1,
            json!({"mode": "equity", "ratio": null, "weight": "0.6", "rebalance_hours": 1, "max_order_usd": "300"}),
        );
    }
    let [first, second] = terms.executions();
    let limits = if terms == Terms::VenueLimits { "venue" } else { "off" };
    let followers = [
        json!({"leverage": "mirror", "max_leverage": 6, "execution": first}),
        json!({"max_position_usd": "900", "max_gross_usd": "1500", "execution": second}),
    ];
    let mut world = World::cold(2, &followers, &follows, limits);
    world.boot(2);
    world.step(OwnedEvent::Up(LANES[1], SourceKind::Lane));
    world
}

fn trade(world: &mut World, leader: usize, coin: &str, lots: i64, again: bool, tape_first: bool) -> usize {
    if lots == 0 {
        return 0;
    }
    // All coins trade at 100, so that the venue double values positions alike.
    let size = Pos::from_raw(lots.abs() * 10_000_000).to_string();
    let row = world.leader_trades(leader, coin, if lots > 0 { "B" } else { "A" }, "100", &size);
    let frame = World::fills_frame(leader, std::slice::from_ref(&row), false);
    if tape_first {
        let mut trade = row.clone();
        let (me, other) = (leader_address(leader), venue::account_address(99));
        trade["users"] = if lots > 0 { json!([me, other]) } else { json!([other, me]) };
        let tape = json!({"channel": "trades", "data": [trade]}).to_string().into_bytes();
        world.step(OwnedEvent::Frame(3, tape));
    }
    world.step(OwnedEvent::Frame(2, frame.clone()));
    if again {
        world.step(OwnedEvent::Frame(2, frame));
    }
    1
}

/// Runs a history and checks whatever must hold of any: after each act, and at its end at rest.
pub fn run(acts: &[Act], terms: Terms) {
    let mut world = world(terms);
    let mut fills = 0;
    for act in acts {
        fills += perform(&mut world, act);
        caps_hold(&world);
        assert_eq!(world.engine.contradiction(), None);
    }
    world.reply = Reply::Fill;
    world.pass(30_000);
    world.assert_receipts(fills, 2);
    at_rest(&world);
    world.assert_replay();
    if terms == Terms::VenueLimits {
        world.assert_budget();
    }
}

/// How many fills of leaders it made.
fn perform(world: &mut World, act: &Act) -> usize {
    world.now += 7;
    match act {
        Act::Trade { leader, coin, lots, again, tape_first } => {
            return trade(world, *leader, COINS[*coin], *lots, *again, *tape_first);
        }
        Act::Answer(way) => world.answer_by(*way),
        Act::Pass(ms) => world.pass(*ms),
        Act::Quote(coin, distance) => {
            let price = |ticks: i64| Pos::from_raw(10_000_000_000 + ticks * 1_000_000).to_string();
            world.quote(COINS[*coin], &price(-distance), &price(*distance));
        }
        Act::LoseLane(lane) => {
            // What was on its way is lost with it; what the engine sends because of it is not.
            let (lost, kept) = std::mem::take(&mut world.queue).into_iter().partition(|s| s.attempt.lane == *lane);
            world.queue = kept;
            drop::<Vec<_>>(lost);
            world.step(OwnedEvent::Down(*lane));
            world.step(OwnedEvent::Up(*lane, SourceKind::Lane));
        }
        Act::Restart => {
            let [one, other] = LANES.map(|lane| (lane, SourceKind::Lane));
            world.restart_on(&[one, other, (3, SourceKind::Tape)]);
        }
        Act::Take(coin, lots) => {
            world.take_resting(COINS[*coin], &Pos::from_raw(lots * 10_000_000).to_string());
        }
        Act::Worth(who, dollars, minutes) => {
            let of = [leader_address(0), leader_address(1), venue::account_address(0), venue::account_address(1)];
            world.equity.insert(of[*who].clone(), format!("{dollars}.0"));
            world.now += minutes * 60_000;
            // Reads, a round of looks, and the orders that come of it.
            world.pass_coarsely(95_000);
        }
    }
    0
}

/// The account's caps at the traded price, counting nothing but what the venue executed.
fn caps_hold(world: &World) {
    let held: Vec<i64> = COINS.iter().map(|coin| world.position(1, coin).abs()).collect();
    for position in &held {
        assert!(*position <= pos("9"), "900 dollars at 100: {position}");
    }
    assert!(held.iter().sum::<i64>() <= pos("15"), "1,500 dollars at 100: {held:?}");
}

/// Nothing in flight, every position at its target but for a lot and the ten dollars.
fn at_rest(world: &World) {
    let mut bytes = Vec::new();
    world.engine.write_status(world.now, &mut bytes);
    let status: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        (&status["in_flight"], &status["unresolved"], &status["waiting"]),
        (&json!(0), &json!(0), &json!(0)),
        "{status}"
    );
    for (at, follower) in status["followers"].as_array().unwrap().iter().enumerate() {
        for (coin, lot) in follower["positions"].as_object().unwrap() {
            let own = pos(lot["own"].as_str().unwrap());
            assert_eq!(own, world.position(at, coin), "the engine knows what the venue holds");
            let target = pos(lot["target"].as_str().unwrap());
            assert!((own - target).abs() < pos("0.12"), "{coin}: {own} for {target}");
        }
    }
}
