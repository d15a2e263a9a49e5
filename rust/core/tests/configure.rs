//! New settings while the engine runs: who is added begins, who is left out comes to an end, everybody else goes on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, Reply, World, account_address, agent_address, follow, leader_address, pos};
use hlfast_core::commands::Outcome;
use hlfast_core::config::Config;
use hlfast_core::engine::Engine;
use hlfast_core::event::SourceKind;
use serde_json::{Value, json};

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

fn two_edges() -> World {
    World::new(2, &[json!({}), json!({})], &[follow(0, 0, json!({})), follow(1, 0, json!({}))])
}

fn rows<'a>(config: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    config[name].as_array_mut().unwrap()
}

fn follower(at: usize) -> Value {
    venue::config_json(0, &vec![json!({}); at + 1], &[], "off")["followers"][at].clone()
}

fn restart(world: &mut World) {
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.settle();
}

#[test]
fn a_new_follow_copies_what_comes_and_ignores_what_was_there() {
    let mut world = two_edges();
    world.leader_fill(0, "SOL", "B", "100", "10");
    let answer = world.configure(json!({}), |config| rows(config, "follows").push(follow(0, 1, json!({"ratio": "1"}))));
    assert_eq!(answer["said"], json!(["F1 of L0 begins"]));
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (pos("6"), 0));
    let new = world.receipts.iter().find(|receipt| receipt.follower == 1).unwrap();
    assert_eq!((new.outcome, new.reason.name()), (Outcome::Skipped, "existing_position"));
    world.leader_fill(0, "ETH", "B", "100", "2");
    assert_eq!(world.position(1, "ETH"), pos("2"));
    world.leader_fill(0, "SOL", "A", "100", "12");
    world.leader_fill(0, "SOL", "B", "100", "3");
    assert_eq!(world.position(1, "SOL"), pos("3"), "flat ended what was from before");
    world.assert_replay();
}

#[test]
fn no_more_follow_a_leader_than_may() {
    let mut config = venue::config_json(2, &[json!({}), json!({})], &[follow(0, 0, json!({}))], "off");
    config["leaders"][0]["max_followers"] = json!(1);
    let mut world = World::of(&config);
    world.boot(2);
    let more = |config: &mut Value| rows(config, "follows").push(follow(0, 1, json!({})));
    let answer = world.configure(json!({}), more);
    assert_eq!((&answer["ok"], world.engine.revision()), (&json!(false), 0));
    assert!(answer.to_string().contains("leaders[0].max_followers"), "{answer}");
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (pos("1"), 0));
    world.configure(json!({"parting": "close"}), |config| rows(config, "follows").clear());
    assert_eq!(world.configure(json!({}), more)["ok"], true, "whoever was ended makes room");
    world.assert_replay();
}

#[test]
fn a_new_follow_adopts_what_was_there_if_it_is_told_to() {
    let mut world = two_edges();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.configure(json!({}), |config| {
        rows(config, "follows").push(follow(0, 1, json!({"existing": "adopt"})));
    });
    world.pass(1_000);
    assert_eq!(world.position(1, "SOL"), pos("5"));
    world.assert_replay();
}

#[test]
fn a_new_leader_and_a_new_follower_are_read_before_anything_is_copied() {
    let mut world = two_edges();
    world.leader_positions.insert((leader_address(5), "ETH".into()), pos("4"));
    world.positions.insert((account_address(2), "BTC".into()), pos("1"));
    let mut config = world.engine.live_settings();
    rows(&mut config, "leaders").push(json!({"name": "new", "address": leader_address(5)}));
    rows(&mut config, "followers").push(follower(2));
    let mut edge = follow(0, 2, json!({"existing": "adopt"}));
    edge["leader"] = json!("new");
    rows(&mut config, "follows").push(edge);
    let request = json!({"do": "configure", "config": config, "revision": 0});
    world.step(OwnedEvent::Operate(request.to_string().into_bytes()));
    assert_eq!(world.engine.watched().len(), 3);
    assert_eq!(world.engine.signers().len(), 3);
    world.snapshot(5, &[]);
    assert!(world.sent.is_empty());
    world.pass(2_000);
    assert_eq!(world.position(2, "ETH"), pos("2"), "adopted once both accounts were read");
    let status = world.status();
    assert_eq!(status["followers"][2]["positions"]["BTC"]["manual"], "1");
    assert_eq!(status["ready"], true);
    restart(&mut world);
    world.pass(6_000);
    world.leader_fill(5, "ETH", "A", "100", "4");
    assert_eq!(world.position(2, "ETH"), 0);
    world.assert_replay();
}

#[test]
fn an_ended_follow_is_reduced_by_its_leader_until_it_is_over() {
    let mut world = two_edges();
    world.leader_fill(0, "SOL", "B", "100", "10");
    let answer = world.configure(json!({}), |config| drop(rows(config, "follows").remove(0)));
    assert!(answer["said"][0].as_str().unwrap().contains("as the leader reduces it"), "{answer}");
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Blocked, "unfollowed"));
    world.leader_fill(0, "SOL", "A", "100", "6");
    assert_eq!(world.position(0, "SOL"), pos("2.5"));
    restart(&mut world);
    world.pass(6_000);
    world.leader_fill(0, "SOL", "A", "100", "6");
    assert_eq!(world.position(0, "SOL"), 0);
    world.pass(40);
    assert!(world.alerts.iter().any(|alert| alert.code == "follow_over"));
    let receipts = world.receipts.len();
    world.leader_fill(0, "SOL", "B", "100", "6");
    assert_eq!(world.receipts.len(), receipts, "nobody follows it");
    world.leader_fill(1, "SOL", "B", "100", "2");
    assert_eq!(world.position(0, "SOL"), pos("1"));
    world.assert_replay();
}

#[test]
fn an_ended_follow_is_closed_or_kept_if_it_is_told_to() {
    for (parting, sol, manual) in [("close", "1", "0"), ("keep", "6", "5")] {
        let mut world = two_edges();
        world.leader_fill(0, "SOL", "B", "100", "10");
        world.leader_fill(1, "SOL", "B", "100", "2");
        world.configure(json!({"parting": parting}), |config| drop(rows(config, "follows").remove(0)));
        world.pass(100);
        assert_eq!(world.position(0, "SOL"), pos(sol));
        assert_eq!(world.status()["followers"][0]["positions"]["SOL"]["manual"], manual);
        world.leader_fill(0, "SOL", "A", "100", "10");
        assert_eq!(world.position(0, "SOL"), pos(sol), "the leader is nobody any more");
        world.leader_fill(1, "SOL", "A", "100", "2");
        assert_eq!(world.position(0, "SOL"), pos(manual));
        world.assert_replay();
    }
}

/// Two leaders on one side, and the venue fills a part: what was bought is shared by what each wanted, and what is missing is
/// given back newest first, so that the second leader's part is held for nothing.
#[test]
fn what_a_kept_part_leaves_behind_for_nobody_is_closed() {
    let mut world = two_edges();
    for (leader, size) in [(0, "20"), (1, "2")] {
        let row = world.leader_trades(leader, "SOL", "A", "100", size);
        world.step(OwnedEvent::Frame(2, World::fills_frame(leader, &[row], false)));
    }
    world.reply = Reply::Part(0.5);
    world.settle();
    world.pass(3_000);
    world.reply = Reply::Fill;
    let held = |world: &World| world.status()["follows"][1].clone();
    assert_ne!(held(&world)["held"], held(&world)["entitled"], "the case that is meant");
    world.configure(json!({"parting": "keep"}), |config| drop(rows(config, "follows").remove(0)));
    world.pass(3_000);
    let lot = world.status()["followers"][0]["positions"]["SOL"].clone();
    let [own, target] = ["own", "target"].map(|name| pos(lot[name].as_str().unwrap()));
    assert!((own - target).abs() < pos("0.1"), "{lot}");
    world.assert_replay();
}

#[test]
fn who_comes_back_begins_anew_or_goes_on_with_what_is_held() {
    let mut world = two_edges();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.configure(json!({}), |config| drop(rows(config, "follows").remove(0)));
    world.configure(json!({}), |config| rows(config, "follows").insert(0, follow(0, 0, json!({}))));
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(world.position(0, "SOL"), pos("6"), "it still held its part");
    world.configure(json!({"parting": "close"}), |config| {
        rows(config, "follows").remove(0);
        rows(config, "leaders").remove(0);
    });
    world.pass(100);
    assert_eq!((world.position(0, "SOL"), world.engine.watched().len()), (0, 1));
    world.leader_trades(0, "SOL", "A", "100", "7");
    world.configure(json!({}), |config| {
        rows(config, "leaders").push(json!({"name": "again", "address": leader_address(0)}));
        let mut edge = follow(0, 0, json!({}));
        edge["leader"] = json!("again");
        rows(config, "follows").push(edge);
    });
    world.snapshot(0, &[]);
    world.pass(2_000);
    world.leader_fill(0, "SOL", "A", "100", "1");
    assert_eq!(last(&world), (Outcome::Skipped, "existing_position"));
    world.leader_fill(0, "ETH", "B", "100", "1");
    assert_eq!(world.position(0, "ETH"), pos("0.5"));
    world.assert_replay();
}

#[test]
fn names_may_change_hands_but_places_do_not() {
    let mut world = two_edges();
    world.leader_fill(0, "SOL", "B", "100", "10");
    let answer = world.configure(json!({}), |config| {
        // L0 is called new now, and somebody else L0.
        config["leaders"][0]["name"] = json!("new");
        config["follows"][0]["leader"] = json!("new");
        rows(config, "leaders").push(json!({"name": "L0", "address": leader_address(7)}));
    });
    assert_eq!(answer["ok"], true, "{answer}");
    world.leader_fill(0, "SOL", "A", "100", "5");
    assert_eq!(world.position(0, "SOL"), pos("2.5"));
    world.configure(json!({"parting": "close"}), |config| {
        rows(config, "follows").remove(0);
        rows(config, "leaders").remove(0);
        config["leaders"][1]["name"] = json!("new");
    });
    world.pass(100);
    let names: Vec<Value> = world.status()["leaders"].as_array().unwrap().iter().map(|l| l["name"].clone()).collect();
    assert_eq!(names, [json!("new~0"), json!("L1"), json!("new")]);
    assert_eq!(world.engine.live_settings()["leaders"].as_array().unwrap().len(), 2);
    world.assert_replay();
}

#[test]
fn a_changed_number_alone_sends_nothing_and_counts_from_the_next_entry() {
    let mut world = two_edges();
    world.leader_fill(0, "SOL", "B", "100", "10");
    let sent = world.sent.len();
    let answer = world.configure(json!({}), |config| {
        config["follows"][0]["ratio"] = json!("0.1");
        config["followers"][0]["max_position_usd"] = json!("100");
    });
    assert!(answer["said"][0].as_str().unwrap().contains("nothing moves"), "{answer}");
    world.pass(2_000);
    assert_eq!(world.sent.len(), sent);
    world.leader_fill(0, "ETH", "B", "100", "5");
    assert_eq!(world.position(0, "ETH"), pos("0.5"));
    world.assert_replay();
}

#[test]
fn what_cannot_be_is_refused_by_name_and_changes_nothing() {
    let mut world = two_edges();
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 6] = [
        ("network", |config| config["network"] = json!("mainnet")),
        ("venue.dexs", |config| config["venue"]["dexs"] = json!(["xyz"])),
        ("follows[0].ratio", |config| config["follows"][0]["ratio"] = json!("0")),
        ("follows[0].leader", |config| config["follows"][0]["leader"] = json!("nobody")),
        ("leaders[1].address", |config| config["leaders"][1]["address"] = config["leaders"][0]["address"].clone()),
        ("leaders[0].removed", |config| config["leaders"][0]["removed"] = json!(true)),
    ];
    let steps = world.steps.len();
    for (named, change) in cases {
        let answer = world.configure(json!({}), change);
        assert_eq!(answer["ok"], false, "{named}");
        assert!(answer["refused"].as_str().unwrap().contains(named), "{answer}");
    }
    let stale = world.configure(json!({"revision": 9}), |_| {});
    assert!(stale["refused"].as_str().unwrap().contains("changed meanwhile"), "{stale}");
    assert_eq!(world.steps.len(), steps);
}

#[test]
fn an_agent_is_not_changed_below_an_action_on_its_way() {
    let mut world = two_edges();
    let row = world.leader_trades(0, "SOL", "B", "100", "10");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    let change = |config: &mut Value| config["followers"][0]["agent"] = json!(agent_address(9));
    let mut request = json!({"do": "configure", "config": world.engine.live_settings(), "revision": 0});
    change(&mut request["config"]);
    world.step(OwnedEvent::Operate(request.to_string().into_bytes()));
    let answer: Value = serde_json::from_slice(&world.answer).unwrap();
    assert!(answer["refused"].as_str().unwrap().contains("followers[0].agent"), "{answer}");
    world.settle();
    assert_eq!(world.configure(json!({}), change)["ok"], true);
    assert_eq!(world.engine.signers()[0].to_string(), agent_address(9));
    world.assert_replay();
}

#[test]
fn the_file_is_remembered_beside_what_an_operator_changed() {
    let mut world = two_edges();
    let file = world.engine.file_settings();
    world.configure(json!({}), |config| config["followers"][0]["max_position_usd"] = json!("100"));
    assert_eq!(world.engine.file_settings(), file);
    assert_ne!(world.engine.live_settings(), file);
    let answer = world.configure(json!({"from_file": true}), |config| {
        config["engine"]["lane_connections"] = json!(4);
    });
    assert!(answer.to_string().contains("engine.lane_connections takes effect at the next start"), "{answer}");
    assert_eq!(world.engine.file_settings(), world.engine.live_settings());
    let merged = world.engine.config().settings().clone();
    assert!(Engine::new(Config::from_merged(merged).unwrap()).is_ok());
    world.assert_replay();
}
