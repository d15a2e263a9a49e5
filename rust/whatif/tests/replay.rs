//! Small records through the real core, checked by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "test code")]

use hlfast_core::config::Config;
use hlfast_whatif::{Model, Outcome, Record, replay};
use serde_json::{Value, json};

const LEADER: &str = "0x1111111111111111111111111111111111111111";
const START: u64 = 1_795_161_600_000;
const ONE: i64 = 100_000_000;

fn coin(half_spread: i64, depth: i64) -> Value {
    json!({"name": "SOL", "size_decimals": 2, "max_leverage": 10, "half_spread": half_spread, "depth": depth})
}

/// Fills as (seconds, price, signed size); positions follow.
fn record(coin: &Value, fills: &[(u64, i64, i64)]) -> Record {
    let mut start = 0;
    let rows: Vec<Value> = fills
        .iter()
        .map(|(second, price, size)| {
            let row = json!([0, START + second * 1_000, price * ONE, size * ONE, start * ONE, "unknown", false]);
            start += size;
            row
        })
        .collect();
    Record::from_json(json!({"leader": LEADER, "coins": [coin], "fills": rows}).to_string().as_bytes()).unwrap()
}

fn config(follow: &Value, follower: &Value) -> Config {
    config_with(follow, follower, &json!({}))
}

fn config_with(follow: &Value, follower: &Value, more: &Value) -> Config {
    let mut edge = json!({
        "leader": "leader", "follower": "follower", "mode": "ratio", "ratio": "0.5", "weight": null, "notional_usd": null,
        "scale_adds": false, "existing": "ignore", "adopt_band_bps": null, "coins_allow": null, "coins_block": [],
        "min_value_usd": null, "max_value_usd": null, "max_order_usd": null, "max_position_usd": null, "max_age_ms": 2000,
        "entry_band_bps": 30, "reduce_band_bps": 100, "emergency_band_bps": 300
    });
    let mut account = json!({"name": "follower", "account": "0x2222222222222222222222222222222222222222",
        "agent": "0x3333333333333333333333333333333333333333", "vault": false,
        "max_order_usd": null, "max_position_usd": null, "max_gross_usd": null});
    merge(&mut edge, follow);
    merge(&mut account, follower);
    let mut whole = json!({
        "network": "testnet",
        "venue": {"base_url": "http://what-if.invalid", "ws_url": null, "limits": "venue", "dexs": []},
        "journal": {"directory": "none", "durability": "durable", "snapshot_every": 100_000},
        "leaders": [{"name": "leader", "address": LEADER}], "followers": [account], "follows": [edge],
        "engine": {"user_connections": 2, "tape_connections": 2, "lane_connections": 2, "http_lane": true, "tape": true,
            "busy_poll": false, "presign": true, "pool_depth": 16, "ping_ms": 10_000, "stall_ms": 2_000, "reconcile_ms": 30_000},
        "keys": {"credentials_directory": null, "keystores": [], "env": [], "force_env_on_mainnet": false},
        "metrics": {"enabled": true, "host": "127.0.0.1", "port": 9464}
    });
    merge(&mut whole, more);
    Config::from_json(whole.to_string().as_bytes()).unwrap()
}

fn merge(base: &mut Value, extra: &Value) {
    for (key, value) in extra.as_object().unwrap() {
        base[key] = value.clone();
    }
}

fn model(extra: &Value) -> Model {
    let mut model = json!({"see_ms": 200, "order_ms": 500, "answer_ms": 100, "taker": 45_000, "maker": 15_000, "builder_factor": 2, "seed": 7,
        "equity": 10_000_000_000_i64, "leader_equity": 100_000_000_000_i64, "leverage": 10, "funding": 0, "book_age_ms": 10_000});
    merge(&mut model, extra);
    Model::from_json(model.to_string().as_bytes()).unwrap()
}

fn run(record: &Record, follow: &Value, model: &Model) -> Outcome {
    replay(record, config(follow, &json!({})), model, true).expect("a replay")
}

/// A book so deep and narrow that only the middle counts.
fn deep() -> Value {
    coin(0, 100_000_000_000_000_000)
}

fn receipts(outcome: &Outcome) -> Vec<Value> {
    outcome
        .receipts
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn a_round_trip_pays_the_middle_at_the_latency_and_the_fee() {
    // 100 at second 0, 110 at second 10: 700 ms later the middle is 100.7. Then 110, for good.
    let record = record(&deep(), &[(0, 100, 20), (10, 110, -20)]);
    let found = run(&record, &json!({"entry_band_bps": 200}), &model(&json!({})));
    let executions: Vec<(i64, i64)> = found.executions.iter().map(|row| (row.2, row.3)).collect();
    assert_eq!(executions, [(10 * ONE, 10_070_000_000), (-10 * ONE, 11_000_000_000)]);
    assert_eq!(found.executions[0].0, START + 700);
    // 1,007 and 1,100 dollars at 4.5 bps, cut at six decimals.
    assert_eq!(found.coins[0].fees, 453_150 + 495_000);
    assert_eq!(found.coins[0].traded, 93_000_000);
    assert_eq!((found.coins[0].drift, found.coins[0].spread, found.coins[0].impact), (7_000_000, 0, 0));
    assert_eq!(found.equity, 10_000_000_000 + 93_000_000 - 948_150);
    assert_eq!((found.fills, found.receipts_written, found.orders), (2, 2, 2));
    assert!(receipts(&found).iter().all(|receipt| receipt["outcome"] == "filled"));
}

#[test]
fn a_maker_is_copied_across_the_whole_spread_and_a_taker_beside_him() {
    let narrow = coin(100_000, 100_000_000_000_000_000);
    for (role, spread) in [("taker", 0), ("maker", 2_000_000), ("unknown", 1_000_000)] {
        let price = 100 * ONE
            + if role == "taker" {
                ONE / 10
            } else if role == "maker" {
                -ONE / 10
            } else {
                0
            };
        let row = json!([0, START, price, 20 * ONE, 0, role, false]);
        let whole = json!({"leader": LEADER, "coins": [narrow.clone()], "fills": [row]});
        let record = Record::from_json(whole.to_string().as_bytes()).unwrap();
        let found = run(&record, &json!({}), &model(&json!({})));
        assert_eq!(found.coins[0].middle, 100 * ONE, "{role}");
        // Ten coins; half a spread is 10 bps of 100 dollars.
        assert_eq!((found.coins[0].spread, found.coins[0].drift), (spread, 0), "{role}");
    }
}

#[test]
fn a_shallow_book_gives_a_part_and_the_rest_expires() {
    // 200 dollars within 10 bps: the entry's limit, 30 bps away, lies behind 600 dollars.
    let record = record(&coin(0, 200_000_000), &[(0, 100, 20)]);
    let found = run(&record, &json!({}), &model(&json!({})));
    let first = found.executions[0];
    assert_eq!(first.2, 6 * ONE, "600 of 1,000 dollars");
    assert_eq!(first.3, 10_015_000_000, "half of the 30 bps on average");
    // The modelled book is full again at the next try, 250 ms to 2 s later.
    let bought: i64 = found.executions.iter().map(|row| row.2).sum();
    assert_eq!(bought, 10 * ONE);
    assert_eq!(receipts(&found)[0]["outcome"], "filled");
}

#[test]
fn an_opening_without_margin_is_refused_and_said_so() {
    let record = record(&deep(), &[(0, 100, 20)]);
    let found = run(&record, &json!({}), &model(&json!({"equity": 99_000_000})));
    assert_eq!(found.refused.get("Insufficient margin to place order."), Some(&1));
    let receipts = receipts(&found);
    assert_eq!((&receipts[0]["outcome"], &receipts[0]["reason"]), (&json!("rejected"), &json!("margin")));
    assert!(found.executions.is_empty());
}

#[test]
fn an_entry_below_ten_dollars_waits_and_goes_once_with_the_next() {
    let record = record(&deep(), &[(0, 10, 1), (60, 10, 2)]);
    let found = run(&record, &json!({}), &model(&json!({})));
    let receipts = receipts(&found);
    assert_eq!((&receipts[0]["outcome"], &receipts[0]["reason"]), (&json!("carried"), &json!("below_minimum")));
    assert_eq!(found.executions.iter().map(|row| row.2).collect::<Vec<_>>(), [ONE + ONE / 2]);
}

#[test]
fn funding_is_paid_each_hour_at_the_recorded_rate_else_at_the_assumed_one() {
    let mut known = deep();
    // One hundredth of a percent in the first hour of two.
    known["funding"] = json!([[START + 3_600_000 + 40, 100_000_000]]);
    let record = record(&known, &[(0, 100, 20), (7_300, 100, -20)]);
    let found = run(&record, &json!({}), &model(&json!({"funding": 10_000_000})));
    // Ten coins at 100: 0.1 dollars, then 0.01.
    assert_eq!(found.coins[0].funding, -110_000);
}

#[test]
fn a_position_whose_margin_is_used_up_is_liquidated_and_the_engine_learns_it() {
    let record = record(&deep(), &[(0, 100, 20), (60, 92, 1), (120, 100, 1)]);
    let found = run(&record, &json!({}), &model(&json!({"equity": 110_000_000})));
    assert_eq!(found.liquidations, 1);
    assert!(found.executions.iter().any(|row| row.6 && row.2 < 0));
    assert_eq!(found.alerts.get("position_drift"), Some(&1));
    assert_eq!(found.alerts.get("follower_liquidated"), Some(&1), "it opens nothing more by itself");
}

#[test]
fn a_recorded_book_stands_while_it_is_fresh() {
    let mut known = coin(0, 100_000_000_000_000_000);
    known["books"] = json!([[
        START,
        [[9_990_000_000_i64, 50 * ONE]],
        [[10_010_000_000_i64, 4 * ONE], [10_020_000_000_i64, 50 * ONE]]
    ]]);
    let record = record(&known, &[(0, 100, 20), (60, 100, -20)]);
    let found = run(&record, &json!({}), &model(&json!({})));
    let prices: Vec<i64> = found.executions.iter().map(|row| row.3).collect();
    assert_eq!(
        prices,
        [10_016_000_000, 10_000_000_000],
        "four at 100.1 and six at 100.2; a minute later the model again"
    );
}

#[test]
fn a_gate_keeps_an_entry_out_and_an_exit_is_never_asked() {
    let record = record(&deep(), &[(0, 100, 20), (60, 100, 20), (120, 100, -40)]);
    let found = run(&record, &json!({"max_value_usd": "3000"}), &model(&json!({})));
    assert_eq!(found.executions.iter().map(|row| row.2).collect::<Vec<_>>(), [10 * ONE, -10 * ONE]);
}

#[test]
fn the_same_is_the_same_to_the_byte_and_a_slower_way_is_not() {
    let record =
        record(&coin(10_000, 1_000_000_000), &[(0, 100, 20), (1, 101, -5), (2, 99, -15), (3, 98, -9), (9, 97, 9)]);
    let bytes = |model: &Model| {
        let found = run(&record, &json!({}), model);
        (found.to_json(), found.receipts)
    };
    assert_eq!(bytes(&model(&json!({}))), bytes(&model(&json!({}))));
    assert_ne!(bytes(&model(&json!({}))), bytes(&model(&json!({"see_ms": 900}))));
}

#[test]
fn a_builders_share_is_paid_on_top() {
    let record = record(&deep(), &[(0, 100, 20)]);
    let builder = json!({"address": "0x4444444444444444444444444444444444444444", "fee_tenths_bps": 25});
    let config = config_with(&json!({}), &json!({}), &json!({"builder": builder}));
    let found = replay(&record, config, &model(&json!({})), true).expect("a replay");
    // 1,000 dollars at 4.5 and 2.5 bps.
    assert_eq!(found.coins[0].fees, 700_000);
}

#[test]
fn a_stop_at_the_venue_closes_what_the_price_runs_against() {
    let record = record(&deep(), &[(0, 100, 20), (3_600, 90, 1), (7_200, 90, -21)]);
    let stops = config(&json!({}), &json!({"disaster_stop_bps": 500}));
    let found = replay(&record, stops, &model(&json!({})), true).expect("a replay");
    let stopped = found.executions[1];
    // Five per cent below the leader's price.
    assert_eq!((stopped.2, stopped.3), (-10 * ONE, 95 * ONE));
    assert_eq!(found.alerts.get("disaster_stop_filled"), Some(&1));
    assert_eq!(found.coins[0].size, 0);
}

#[test]
fn an_opening_in_portions_by_time_goes_in_its_portions() {
    let record = record(&deep(), &[(0, 100, 20), (300, 100, -20)]);
    let execution = json!({"style": "twap", "seconds": 60, "slices": 5, "jitter_percent": 10, "depth_percent": null,
        "passive_ms": null, "improvement_bps": null, "max_slippage_bps": null});
    let twap = config(&json!({}), &json!({"execution": execution}));
    let found = replay(&record, twap, &model(&json!({})), true).expect("a replay");
    let bought: Vec<i64> = found.executions.iter().map(|row| row.2).filter(|size| *size > 0).collect();
    assert_eq!(bought.len(), 5, "{bought:?}");
    assert_eq!(bought.iter().sum::<i64>(), 10 * ONE);
    assert_eq!(found.executions.last().unwrap().2, -10 * ONE, "a reduction goes whole");
    assert_eq!(found.receipts_written, 2);
}

fn native() -> Config {
    let execution = json!({"style": "native_twap", "seconds": 300, "slices": null, "jitter_percent": null,
        "depth_percent": null, "passive_ms": null, "improvement_bps": null, "max_slippage_bps": null});
    config(&json!({}), &json!({"execution": execution}))
}

#[test]
fn an_opening_as_the_venues_twap_goes_in_its_slices() {
    let record = record(&deep(), &[(0, 100, 20), (400, 100, -20)]);
    let found = replay(&record, native(), &model(&json!({})), true).expect("a replay");
    let bought: Vec<(u64, i64)> = found.executions.iter().map(|row| (row.0, row.2)).filter(|row| row.1 > 0).collect();
    assert_eq!(bought.len(), 11, "one at the start and one each half minute: {bought:?}");
    assert!(bought.iter().zip(&bought[1..]).all(|(one, next)| next.0 - one.0 == 30_000));
    assert!(bought.iter().all(|(_, size)| (90_000_000..=92_000_000).contains(size)), "{bought:?}");
    assert_eq!(bought.iter().map(|row| row.1).sum::<i64>(), 10 * ONE);
    assert_eq!(found.executions.last().unwrap().2, -10 * ONE, "a reduction goes whole");
    assert_eq!((found.receipts_written, found.coins[0].size), (2, 0));
}

#[test]
fn an_exit_ends_the_venues_twap_and_what_it_bought_goes_too() {
    let record = record(&deep(), &[(0, 100, 20), (95, 100, -20)]);
    let found = replay(&record, native(), &model(&json!({})), true).expect("a replay");
    let bought: i64 = found.executions.iter().map(|row| row.2).filter(|size| *size > 0).sum();
    assert_eq!(bought, 364_000_000, "four slices of eleven, in whole lots");
    assert_eq!((found.receipts_written, found.coins[0].size), (2, 0));
    assert!(found.refused.is_empty(), "{:?}", found.refused);
}

#[test]
fn a_portion_that_rests_is_filled_when_the_price_comes_to_it_and_pays_as_a_maker() {
    // One basis point of spread; the price comes down to our bid within a minute.
    let record = record(&coin(10_000, 100_000_000_000_000_000), &[(0, 100, 20), (60, 99, 1), (900, 99, -21)]);
    let execution = json!({"style": "smart", "seconds": 120, "slices": null, "jitter_percent": null, "depth_percent": 100,
        "passive_ms": 20_000, "improvement_bps": null, "max_slippage_bps": null});
    let smart = config(&json!({}), &json!({"execution": execution}));
    let found = replay(&record, smart, &model(&json!({})), true).expect("a replay");
    let first = found.executions[0];
    assert!(first.3 <= 100 * ONE, "{}", first.3);
    // 1.5 bps of about 1,000 dollars.
    assert!((first.4 - 150_000).abs() < 2_000, "{}", first.4);
    assert_eq!(found.coins[0].size, 0);
    assert_eq!(found.receipts_written, 3);
}

#[test]
fn gates_by_figures_read_what_the_record_knows_and_block_on_the_rest() {
    let mut known = deep();
    known["activity"] = json!([5_000_000_000_000_i64, 900_000_000_000_i64]);
    let fills = [(0, 100, 20), (600, 100, -20)];
    let gated = json!({"min_day_volume_usd": "1000000", "min_open_interest_usd": "500000"});
    let reason = |coin: &Value| receipts(&run(&record(coin, &fills), &gated, &model(&json!({}))))[0]["reason"].clone();
    assert_eq!(reason(&known), "none");
    assert_eq!(reason(&deep()), "market_unread");
    known["activity"] = json!([5_000_000_000_i64, 900_000_000_000_i64]);
    assert_eq!(reason(&known), "low_volume");
}

#[test]
fn mode_risk_sizes_by_recorded_days() {
    let mut known = deep();
    let day = 86_400_000;
    let first = START / day * day - 20 * day;
    // Two per cent up and down by turns.
    known["days"] =
        (0..20).map(|at| json!([first + at * day, if at % 2 == 0 { 100 * ONE } else { 102 * ONE }])).collect();
    let follow = json!({"mode": "risk", "ratio": null, "risk_bps": 100, "volatility_days": 10});
    let found = run(&record(&known, &[(0, 100, 200), (600, 100, -200)]), &follow, &model(&json!({})));
    // One per cent of 10,000 dollars a day, at about 2 % a day: about 5,000 dollars.
    let bought = found.executions[0].2;
    assert!((bought - 50 * ONE).abs() < ONE, "{bought}");
}

#[test]
fn a_leader_is_judged_by_what_the_record_shows_of_him() {
    let fills = [(0, 100, 20), (4_000, 90, -20), (8_000, 100, 20), (12_000, 100, -20)];
    let gated = json!({"quality_window": "all", "only_profitable": true});
    let found = receipts(&run(&record(&deep(), &fills), &gated, &model(&json!({}))));
    let third = found.iter().find(|receipt| receipt["tid"] == 3).unwrap();
    assert_eq!(third["reason"], "leader_quality", "he lost 200 dollars before");
}

#[test]
fn several_dexs_have_one_balance() {
    let mut other = deep();
    other["name"] = json!("xyz:GOLD");
    let fills = json!([
        [0, START, 100 * ONE, 100 * ONE, 0, "taker", false],
        [1, START + 60_000, 100 * ONE, 100 * ONE, 0, "taker", false]
    ]);
    let whole = json!({"leader": LEADER, "coins": [deep(), other], "fills": fills});
    let record = Record::from_json(whole.to_string().as_bytes()).unwrap();
    let venue = json!({"base_url": "http://what-if.invalid", "ws_url": null, "limits": "venue", "dexs": ["xyz"]});
    let config =
        config_with(&json!({"mode": "equity", "ratio": null, "weight": "1"}), &json!({}), &json!({"venue": venue}));
    let found = replay(&record, config, &model(&json!({})), true).expect("a replay");
    // A tenth of his equity, a tenth of his size, on both; the first fee makes the second a lot smaller.
    assert_eq!(found.executions.iter().map(|row| row.2).collect::<Vec<_>>(), [10 * ONE, 10 * ONE - ONE / 100]);
}

#[test]
fn a_record_that_does_not_hold_together_is_refused_with_its_place() {
    let refused = |fills: Value| {
        let whole = json!({"leader": LEADER, "coins": [deep()], "fills": fills});
        Record::from_json(whole.to_string().as_bytes()).unwrap_err().to_string()
    };
    assert!(refused(json!([])).contains("no fills"));
    assert!(refused(json!([[1, START, ONE, ONE, 0, "taker", false]])).contains("fills[0] names coin 1"));
    let broken = json!([[0, START, ONE, ONE, 0, "taker", false], [0, START, ONE, ONE, 0, "taker", false]]);
    assert!(refused(broken).contains("fills[1] starts elsewhere"));
    let older = json!([[0, START, ONE, ONE, 0, "taker", false], [0, START - 1, ONE, ONE, ONE, "taker", false]]);
    assert!(refused(older).contains("fills[1] is older"));
}
