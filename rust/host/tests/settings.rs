//! New settings while the engine runs, over restarts: the journal knows which are in force, and which the file had.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "test code")]

mod life;

use std::sync::Arc;

use hlfast_host::runtime::verify;
use life::{Home, Life, NOW_MS, USER, Venue, account, config, fills, key};
use serde_json::{Value, json};

/// Has the leader trade, and everything executed and answered.
fn trade(life: &mut Life, venue: &mut Venue, size: f64) {
    let row = venue.leader_trades(size, life.now_ms);
    life.frame(USER, &fills(&[row], false));
    serve(life, venue);
}

fn serve(life: &mut Life, venue: &mut Venue) {
    for _ in 0..100 {
        for post in std::mem::take(&mut life.posts) {
            let objects = life_objects(life);
            let follower = objects.iter().find(|o| o["post_id"] == post.id).unwrap()["follower"].as_u64().unwrap();
            let payload = venue.take(follower, &post);
            life.answer(&post, &payload);
        }
        life.answer_asks(venue);
        life.tick(20);
    }
}

fn life_objects(life: &Life) -> Vec<Value> {
    let objects = hlfast_host::journal::read_objects(&life.home, 0, usize::MAX).unwrap();
    objects.iter().map(|object| serde_json::from_slice(object).unwrap()).collect()
}

fn ask(life: &mut Life, request: &Value) -> Value {
    let answer = life.runtime.operate(request.to_string().as_bytes(), life.now_ms).unwrap();
    life.send();
    serde_json::from_slice(&answer).unwrap()
}

fn configure(life: &mut Life, from_file: bool, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let engine = life.runtime.engine();
    let (mut config, revision) = (engine.live_settings(), engine.revision());
    change(&mut config);
    let text = config.to_string().into_bytes();
    let answer = ask(life, &json!({"do": "configure", "config": config, "revision": revision, "from_file": from_file}));
    assert_eq!(answer["ok"], true, "{answer}");
    text
}

/// The third follower, as another file would have it.
fn add_third(config: &mut Value) {
    let more: Value = serde_json::from_slice(&life::config(3, "durable")).unwrap();
    for list in ["followers", "follows"] {
        config[list].as_array_mut().unwrap().push(more[list][2].clone());
    }
}

#[test]
fn settings_changed_by_an_operator_survive_a_kill_and_the_file_stays_what_it_was() {
    let (home, file) = (Home::new(), config(2, "durable"));
    let mut venue = Venue::default();
    let mut life = Life::open(&home.0, &file, NOW_MS).unwrap();
    life.boot(&venue);
    trade(&mut life, &mut venue, 1.0);
    life.runtime.add_keys(vec![Arc::new(key(2))]);
    configure(&mut life, false, add_third);
    trade(&mut life, &mut venue, -1.0);
    trade(&mut life, &mut venue, 2.0);
    assert_eq!(venue.positions[&2], 1.0, "{}: the new one copies", account(2));
    let (now, status) = (life.now_ms, life.runtime.status());
    // Killed: nothing is flushed, no snapshot is taken.
    drop(life);
    let mut life = Life::open(&home.0, &file, now).unwrap();
    assert_eq!(life.runtime.missing_keys(), Vec::<String>::new());
    life.boot(&venue);
    serve(&mut life, &mut venue);
    trade(&mut life, &mut venue, -1.0);
    assert_eq!(venue.positions[&2], 0.5);
    let followers =
        |status: &[u8]| serde_json::from_slice::<Value>(status).unwrap()["followers"].as_array().unwrap().len();
    assert_eq!(followers(&life.runtime.status()), followers(&status));
    let found = verify(&home.0).unwrap();
    assert_eq!(found.replayed, found.survey.records);
}

#[test]
fn a_file_that_was_changed_without_a_reload_is_refused_by_name_and_one_that_was_reloaded_is_taken() {
    let (home, file) = (Home::new(), config(2, "durable"));
    let mut venue = Venue::default();
    let mut life = Life::open(&home.0, &file, NOW_MS).unwrap();
    life.boot(&venue);
    trade(&mut life, &mut venue, 1.0);
    let changed = configure(&mut life, true, |config| config["follows"][0]["ratio"] = json!("0.25"));
    life.runtime.flush().unwrap();
    drop(life);
    let refused = Life::open(&home.0, &file, NOW_MS).err().unwrap().to_string();
    assert!(refused.contains("follows[0].ratio") && refused.contains("reload"), "{refused}");
    let mut life = Life::open(&home.0, &changed, NOW_MS).unwrap();
    life.boot(&venue);
    serve(&mut life, &mut venue);
    trade(&mut life, &mut venue, -1.0);
    trade(&mut life, &mut venue, 2.0);
    assert_eq!((venue.positions[&0], venue.positions[&1]), (0.5, 1.0));
    verify(&home.0).unwrap();
}

#[test]
fn settings_and_pauses_survive_a_snapshot() {
    let (home, file) = (Home::new(), config(2, "durable"));
    let mut venue = Venue::default();
    let mut life = Life::open(&home.0, &file, NOW_MS).unwrap();
    life.boot(&venue);
    trade(&mut life, &mut venue, 1.0);
    configure(&mut life, false, |config| drop(config["follows"].as_array_mut().unwrap().remove(0)));
    assert_eq!(ask(&mut life, &json!({"do": "pause", "follower": "F1", "why": "rest"}))["ok"], true);
    life.runtime.flush().unwrap();
    drop(life);
    let mut life = Life::open(&home.0, &file, NOW_MS).unwrap();
    life.boot(&venue);
    serve(&mut life, &mut venue);
    trade(&mut life, &mut venue, 1.0);
    assert_eq!((venue.positions[&0], venue.positions[&1]), (0.5, 0.5), "neither grows");
    trade(&mut life, &mut venue, -1.0);
    assert_eq!((venue.positions[&0], venue.positions[&1]), (0.25, 0.25), "both shrink");
    let status: Value = serde_json::from_slice(&life.runtime.status()).unwrap();
    assert_eq!(status["followers"][1]["pause"]["why"], "rest");
    verify(&home.0).unwrap();
}
