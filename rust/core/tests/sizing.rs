//! One test per way of sizing, and per way in which an account's worth may be read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, World, account_address, follow, leader_address, pos};
use hlfast_core::commands::Outcome;
use serde_json::{Value, json};

fn cold(extra: Value) -> World {
    World::cold(1, &[json!({})], &[follow(0, 0, extra)], "off")
}

fn equity() -> Value {
    json!({"mode": "equity", "ratio": null, "weight": "1"})
}

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

/// Forty days that go up and down by 4 %.
fn four_percent() -> Vec<String> {
    (0..40).map(|day| if day % 2 == 0 { "100.0".to_owned() } else { "104.0".to_owned() }).collect()
}

#[test]
fn risk_buys_what_a_usual_day_moves_by_the_set_part_of_the_equity() {
    let mut world = cold(json!({"mode": "risk", "ratio": null, "risk_bps": 100}));
    world.figures.closes.insert("SOL".into(), four_percent());
    world.figures.closes.insert("ETH".into(), vec!["100.0".into(); 40]);
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "7");
    // 1 % of 10,000 dollars over the root of (4 %² + 3.846 %²) / 2 = 3.924 %: 2,548.5 dollars, whatever the leader's size.
    assert_eq!(world.position(0, "SOL"), pos("25.48"));
    world.leader_fill(0, "SOL", "B", "100", "7");
    assert_eq!(last(&world), (Outcome::Skipped, "add_ignored"));
    world.leader_fill(0, "SOL", "A", "100", "7");
    assert_eq!(world.position(0, "SOL"), pos("12.74"), "half, of what is held");
    world.leader_fill(0, "ETH", "A", "100", "8");
    assert_eq!(world.position(0, "ETH"), pos("-300"), "a coin that never moved: three times the equity");
    world.leader_fill(0, "BTC", "B", "100", "7");
    assert_eq!(last(&world), (Outcome::Blocked, "volatility_unread"), "no candles came");
    world.assert_receipts(5, 1);
    world.assert_replay();
}

#[test]
fn risk_takes_no_candles_of_two_days_ago() {
    let mut world =
        cold(json!({"mode": "risk", "ratio": null, "risk_bps": 100, "risk_max_leverage": "1", "scale_adds": true}));
    world.figures.closes.insert("SOL".into(), four_percent());
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "7");
    world.leader_fill(0, "SOL", "B", "100", "7");
    assert_eq!(
        world.position(0, "SOL"),
        pos("50.97"),
        "an add at the ratio of the opening, and what rounding had left"
    );
    world.leader_fill(0, "SOL", "A", "100", "14");
    world.figures.closes.clear();
    world.now += 37 * 3_600_000;
    world.pass_coarsely(31_000);
    world.leader_fill(0, "SOL", "B", "100", "7");
    assert_eq!(last(&world), (Outcome::Blocked, "volatility_unread"));
}

#[test]
fn inverse_takes_the_other_side_through_adds_reductions_and_flips() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({"inverse": true, "max_position_usd": "900"}))]);
    let steps = [("B", "10", "-5"), ("B", "20", "-9"), ("A", "20", "-3"), ("A", "20", "5"), ("B", "10", "0")];
    for (side, size, held) in steps {
        world.leader_fill(0, "SOL", side, "100", size);
        assert_eq!(world.position(0, "SOL"), pos(held), "after {side} {size}");
    }
    world.assert_receipts(5, 1);
    world.assert_replay();
}

#[test]
fn an_inverse_entry_is_bounded_by_the_leaders_price_on_its_own_side() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({"inverse": true}))]);
    world.quote("SOL", "99.6", "100.1");
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "price_beyond_band"), "it sells, 0.4 % below the leader's price");
}

#[test]
fn rule_13_round_up_raises_an_entry_to_the_minimum_within_its_cap() {
    let raised = json!({"round_up": true, "round_up_max_usd": "6"});
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, raised.clone())]);
    world.leader_fill(0, "SOL", "B", "100", "0.08");
    assert_eq!(world.position(0, "SOL"), 0, "four dollars lack 6.5");
    assert_eq!(last(&world), (Outcome::Carried, "below_minimum"));
    world.leader_fill(0, "SOL", "B", "100", "0.08");
    assert_eq!(world.position(0, "SOL"), pos("0.11"), "eight dollars lack 2.5");
    world.leader_fill(0, "SOL", "A", "100", "0.16");
    assert_eq!(world.position(0, "SOL"), 0);
    world.pass(10_000);
    assert_eq!(world.sent.len(), 2, "what was raised is not sold again as too much");
    world.assert_receipts(3, 1);
    world.assert_replay();

    let capped = json!({"round_up": true, "round_up_max_usd": "6", "max_position_usd": "10"});
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, capped)]);
    world.leader_fill(0, "SOL", "B", "100", "0.16");
    assert_eq!(world.position(0, "SOL"), 0, "the edge's cap is not raised with it");

    let mut coarse = World::new(1, &[json!({})], &[follow(0, 0, raised.clone())]);
    coarse.leader_fill(0, "kPEPE", "B", "40", "1.8");
    assert_eq!(coarse.position(0, "kPEPE"), pos("1"), "36 dollars are less than a lot of 40");

    let mut short = World::new(1, &[json!({})], &[follow(0, 0, raised)]);
    short.leader_fill(0, "SOL", "A", "100", "0.16");
    assert_eq!(short.position(0, "SOL"), pos("-0.11"), "10.97 dollars at the far end of the band");
}

#[test]
fn mistake_minimum_in_coins_and_maximum_in_dollars() {
    let edge = json!({"ratio": "1", "min_value_usd": "50", "max_value_usd": "5000", "max_position_usd": "300"});
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, edge)]);
    world.leader_fill(0, "SOL", "B", "0.4", "100");
    assert_eq!(last(&world), (Outcome::Skipped, "below_min_value"), "a hundred coins of 40 cents are 40 dollars");
    world.leader_fill(0, "BTC", "B", "10001", "0.5");
    assert_eq!(last(&world), (Outcome::Skipped, "above_max_value"), "half a coin of 10,001 dollars is more than 5,000");
    world.leader_fill(0, "ETH", "B", "1000", "1");
    assert_eq!(world.position(0, "ETH"), pos("0.3"), "300 dollars, not 300 coins");
}

#[test]
fn mistake_a_maximum_that_caps_each_trade_but_not_the_position() {
    let edge = json!({"ratio": "1", "max_position_usd": "250", "max_order_usd": "100"});
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, edge)]);
    for held in ["1", "2", "2.5", "2.5"] {
        world.leader_fill(0, "SOL", "B", "100", "3");
        assert_eq!(world.position(0, "SOL"), pos(held));
    }
    assert_eq!(last(&world), (Outcome::Skipped, "cap"));
    let mut account = World::new(1, &[json!({"max_position_usd": "250"})], &[follow(0, 0, json!({"ratio": "1"}))]);
    for _ in 0..3 {
        account.leader_fill(0, "SOL", "B", "100", "2");
    }
    assert_eq!(account.position(0, "SOL"), pos("2.5"));
}

#[test]
fn rule_10_deposits_withdrawals_and_profits_cause_no_orders() {
    for edge in [
        json!({"ratio": "0.5"}),
        equity(),
        json!({"mode": "notional", "ratio": null, "notional_usd": "500", "scale_adds": true}),
        json!({"mode": "risk", "ratio": null, "risk_bps": 100, "scale_adds": true}),
    ] {
        let mut world = cold(edge.clone());
        world.figures.closes.insert("SOL".into(), four_percent());
        world.boot(1);
        world.leader_fill(0, "SOL", "B", "100", "8");
        let held = world.position(0, "SOL");
        assert!(held > 0, "{edge}: {:?}", world.outcomes());
        for (leader, follower) in [("10000.0", "50000.0"), ("90000.0", "50000.0"), ("90000.0", "6.0"), ("1.0", "0.0")] {
            world.equity.insert(leader_address(0), leader.into());
            world.equity.insert(account_address(0), follower.into());
            world.pass_coarsely(62_000);
        }
        assert_eq!(world.sent.len(), 1, "{edge}: money moved, nothing is sent");
        world.leader_fill(0, "SOL", "B", "100", "8");
        let is_about = |position: i64, wanted: i64| (position - wanted).abs() <= pos("0.01");
        let doubled = world.position(0, "SOL");
        assert!(is_about(doubled, 2 * held), "{edge}: {doubled}; the ratio of the opening, whatever equities are now");
        world.leader_fill(0, "SOL", "A", "100", "12");
        assert!(is_about(world.position(0, "SOL"), held / 2), "{edge}");
        world.assert_replay();
    }
}

/// A leader of 20,000 dollars and a follower of 10,000, wherever they are: half the leader's size.
fn half(mut world: World, coin: &str) {
    world.boot(1);
    world.leader_fill(0, coin, "B", "100", "10");
    assert_eq!(world.position(0, coin), pos("5"), "{:?}", world.outcomes());
    world.assert_replay();
}

#[test]
fn equity_is_read_where_the_mode_says_that_money_is() {
    let worth_nothing_in_dexs = |world: &mut World, leader: &'static str, follower: &'static str| {
        for (address, mode) in [(leader_address(0), leader), (account_address(0), follower)] {
            world.equity.insert(address.clone(), "0.0".into());
            world.figures.modes.insert(address, mode);
        }
    };
    for (leader, follower) in
        [("unifiedAccount", "unifiedAccount"), ("default", "default"), ("unifiedAccount", "portfolioMargin")]
    {
        let mut world = cold(equity());
        worth_nothing_in_dexs(&mut world, leader, follower);
        world.figures.spot.insert(leader_address(0), ("20000.0", vec![]));
        world.figures.spot.insert(account_address(0), ("10000.0", vec![("HYPE", 150, "1000.0")]));
        half(world, "SOL");
    }
    let mut portfolio = cold(equity());
    worth_nothing_in_dexs(&mut portfolio, "portfolioMargin", "unifiedAccount");
    portfolio.figures.contexts.insert("BTC".into(), ["1.0", "1.0", "50000.0"]);
    portfolio.figures.spot.insert(leader_address(0), ("5000.0", vec![("UBTC", 197, "0.3"), ("PURR", 1, "9.0")]));
    portfolio.figures.spot.insert(account_address(0), ("10000.0", vec![]));
    portfolio.boot(1);
    // Marks are asked for once the mode is known; the next read of the spot state uses them.
    portfolio.pass_coarsely(31_000);
    portfolio.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(portfolio.position(0, "SOL"), pos("5"), "{:?}", portfolio.outcomes());
    portfolio.assert_replay();
}

#[test]
fn a_mode_nobody_knows_blocks_what_is_sized_by_equity() {
    let mut world = cold(equity());
    world.figures.modes.insert(leader_address(0), "somethingNew");
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Blocked, "equity_unreadable"));
}

#[test]
fn a_dex_has_its_own_equity_in_a_standard_account() {
    let mut settings = venue::config_json(1, &[json!({})], &[follow(0, 0, equity())], "off");
    settings["venue"]["dexs"] = json!(["xyz"]);
    let mut world = World::of(&settings);
    let dex = |address: String| (address, "xyz".to_owned());
    world.figures.dex_equity.insert(dex(leader_address(0)), "10000.0");
    world.figures.dex_equity.insert(dex(account_address(0)), "4000.0");
    world.boot(1);
    world.list("xyz:TSLA");
    // The leader may lose both dexs' 20,000; what backs the follower's position is the dex's 4,000.
    world.leader_fill(0, "xyz:TSLA", "B", "100", "10");
    assert_eq!(world.position(0, "xyz:TSLA"), pos("2"), "{:?}", world.outcomes());
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.assert_replay();
}

#[test]
fn a_leader_whose_money_moved_to_another_mode_is_not_oversized() {
    let mut world = cold(equity());
    world.boot(1);
    world.pass_coarsely(31_000);
    // It went over to a unified account: the dex shows next to nothing.
    world.equity.insert(leader_address(0), "12.0".into());
    world.figures.modes.insert(leader_address(0), "unifiedAccount");
    world.figures.spot.insert(leader_address(0), ("9988.0", vec![]));
    world.pass_coarsely(31_000);
    world.leader_fill(0, "SOL", "B", "100", "10");
    // 10,000 ÷ 9,988: as before, not ten thousand over twelve.
    assert_eq!(world.position(0, "SOL"), pos("10.01"), "{:?}", world.outcomes());
    world.assert_replay();
}
