//! A leader with a crowd behind it, plainly or behind every gate and cap there is: what filters and caps cost is the difference.
use hlfast_core::commands::Commands;
use hlfast_core::engine::Engine;
use hlfast_core::event::Event;
use serde_json::{Value, json};

use super::{OwnedEvent, World, config_json, follow, leader_address};

pub const CROWD: usize = 1_000;
const USER_SOURCE: u32 = 2;
const LANE: u32 = 1;

/// Everything that may gate or bound an increase and still lets these fills pass.
fn guards() -> Value {
    json!({
        "coins_allow": ["BTC", "ETH", "SOL", "kPEPE"], "coins_block": ["OLDX"], "min_value_usd": "10", "max_value_usd": "1000000",
        "side": "long", "hours": ["00:30-01:30", "07:00-20:00", "22:00-24:00"], "hours_zone": "Europe/Berlin",
        "max_leader_leverage": "500", "min_listed_days": 30, "min_day_volume_usd": "1000", "min_open_interest_usd": "1000",
        "quality_window": "week", "only_profitable": true, "max_leader_drawdown_bps": 2000,
        "max_order_usd": "50000", "max_position_usd": "100000", "round_up": true, "round_up_max_usd": "9"
    })
}

/// A thousand accounts that hold three coins of one leader's.
pub fn crowd(guarded: bool) -> World {
    let (edge, account) = if guarded {
        (guards(), json!({"max_order_usd": "50000", "max_position_usd": "100000", "max_gross_usd": "900000"}))
    } else {
        (json!({}), json!({}))
    };
    let follows: Vec<Value> = (0..CROWD).map(|at| follow(0, at, edge.clone())).collect();
    let mut settings = config_json(1, &vec![account; CROWD], &follows, "off");
    // As many changes of the clocks as the loader's tables have.
    let offsets: Vec<Value> =
        (0i64..72).map(|half| json!([1_704_067_200 + half * 15_778_800, 3_600 * (1 + half % 2)])).collect();
    settings["zones"] = json!([{"name": "Europe/Berlin", "offsets": offsets}]);
    let mut world = World::of(&settings);
    for coin in ["BTC", "ETH", "SOL", "kPEPE"] {
        world.figures.contexts.insert(coin.into(), ["1000000.0", "1000000.0", "3000.0"]);
        world.figures.closes.insert(coin.into(), vec!["3000.0".into(); 40]);
    }
    world.figures.pasts.insert(leader_address(0), vec![("0.0", "10000.0"), ("-500.0", "9500.0"), ("900.0", "10900.0")]);
    world.boot(1);
    world.step(OwnedEvent::Tick);
    world.settle();
    for coin in ["BTC", "SOL", "kPEPE"] {
        let orders = copy_to_crowd(&mut world, coin, "B", &mut |engine, event, now_ms, out| {
            let _ = engine.step(event, now_ms, 0, out);
        });
        assert_eq!(orders, CROWD, "everybody follows");
    }
    world
}

/// One fill of the leader's, all chunks of it through `step`, then every order filled in full. Answers how many there were.
pub fn copy_to_crowd(
    world: &mut World,
    coin: &str,
    side: &str,
    step: &mut dyn FnMut(&mut Engine, &Event<'_>, u64, &mut Commands),
) -> usize {
    world.now += 1;
    let row = world.leader_trades(0, coin, side, "3000", "2");
    let bytes = World::fills_frame(0, &[row], false);
    // Kept between fills, as the host keeps it.
    let mut out = std::mem::take(&mut world.out);
    let mut posts: Vec<u64> = Vec::new();
    let mut event = Event::Frame { source: USER_SOURCE, bytes: &bytes };
    loop {
        step(&mut world.engine, &event, world.now, &mut out);
        posts.extend(out.attempts.iter().map(|attempt| attempt.post_id));
        if !out.more {
            break;
        }
        event = Event::Continue;
    }
    let orders = posts.len();
    for id in posts {
        let answer = filled(id);
        let _ = world.engine.step(&Event::Frame { source: LANE, bytes: answer.as_bytes() }, world.now, 0, &mut out);
    }
    world.out = out;
    orders
}

/// The venue's answer to a post of one order.
pub fn filled(id: u64) -> String {
    format!(
        r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"action","payload":{{"status":"ok","response":{{"type":"order","data":{{"statuses":[{{"filled":{{"totalSz":"1","avgPx":"3000","oid":1}}}}]}}}}}}}}}}}}"#
    )
}
