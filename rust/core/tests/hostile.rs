//! Bad input gets a named refusal, changes nothing, and never panics.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, World, account_address, agent_address, config_json, follow, leader_address, pos};
use hlfast_core::commands::Commands;
use hlfast_core::config::Config;
use hlfast_core::engine::{Engine, StateError};
use hlfast_core::event::{Event, FrameClass};
use hlfast_core::feed::frame::{Buffers, Frame, parse_frame};
use proptest::prelude::*;
use serde_json::{Value, json};

fn row(change: Value) -> Value {
    let mut row = json!({"coin": "ETH", "px": "3200.5", "sz": "0.5", "side": "B", "time": venue::NOW, "startPosition": "0.0", "tid": 77});
    for (key, value) in change.as_object().unwrap() {
        if value == "absent" {
            row.as_object_mut().unwrap().remove(key);
        } else {
            row[key] = value.clone();
        }
    }
    row
}

#[test]
fn malformed_rows_are_refused_by_name_and_change_nothing() {
    let nines = "9".repeat(40);
    let cases: Vec<(Value, &str)> = vec![
        (json!({"px": "NaN"}), "bad price"),
        (json!({"px": "-1"}), "bad price"),
        (json!({"px": "1e5"}), "bad price"),
        (json!({"px": ""}), "bad price"),
        (json!({"px": nines}), "bad price"),
        (json!({"px": "0.0"}), "row of price zero"),
        (json!({"px": 3200.5}), "expected a string"),
        (json!({"px": null}), "expected a string"),
        (json!({"sz": "-0.5"}), "bad size"),
        (json!({"sz": "0"}), "row of size zero"),
        (json!({"sz": "Infinity"}), "bad size"),
        (json!({"sz": "0.1234567891"}), "bad size"),
        (json!({"startPosition": "--1"}), "bad position"),
        (json!({"startPosition": "absent"}), "row without startPosition"),
        (json!({"side": "C"}), "side is neither A nor B"),
        (json!({"side": "absent"}), "row without side"),
        (json!({"coin": "absent"}), "row without coin"),
        (json!({"coin": 7}), "expected a string"),
        (json!({"px": "absent"}), "row without px"),
        (json!({"sz": "absent"}), "row without sz"),
        (json!({"tid": "absent"}), "row without tid"),
        (json!({"tid": -5}), "expected a whole number"),
        (json!({"tid": 1.5}), "expected a whole number"),
        (json!({"time": "absent"}), "row without time"),
        (json!({"time": 99_999_999_999_999_u64}), "row with an impossible time"),
        (json!({"liquidation": {"liquidatedUser": "0x12"}}), "bad address"),
    ];
    for (change, wanted) in cases {
        let frame = World::fills_frame(0, &[row(json!({"tid": 1})), row(change.clone())], false);
        let mut buffers = Buffers::default();
        assert_eq!(parse_frame(&frame, &mut buffers).unwrap_err().what, wanted, "{change}");
        let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
        assert_eq!(world.step(OwnedEvent::Frame(2, frame)), FrameClass::Bad);
        assert!(world.receipts.is_empty() && world.sent.is_empty(), "{change}");
        assert!(world.alerts.iter().any(|alert| alert.code == "frame_refused"));
        world.settle();
        world.pass(100);
        world.leader_fill(0, "ETH", "B", "3200.5", "1");
        assert_eq!(world.position(0, "ETH"), pos("0.5"), "the next good frame is copied");
    }
}

#[test]
fn malformed_frames_are_refused_by_name() {
    let deep = format!("{{\"channel\":\"l2Book\",\"data\":{}{}}}", "[".repeat(60), "]".repeat(60));
    let huge = vec![b' '; 16 * 1024 * 1024];
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "expected an object"),
        (b"[]".to_vec(), "expected an object"),
        (b"{".to_vec(), "expected a string"),
        (b"{}".to_vec(), "no channel"),
        (b"{\"channel\":\"userFills\"}".to_vec(), "no data"),
        (b"{\"channel\":\"pong\"} x".to_vec(), "bytes after the end"),
        (b"{\"channel\":\"pong\",\"channel\":\"pong\"}".to_vec(), "channel twice"),
        (b"{\"channel\":\"userFills\",\"data\":{\"fills\":[]}}".to_vec(), "userFills without user"),
        (
            format!("{{\"channel\":\"userFills\",\"data\":{{\"user\":\"{}\"}}}}", leader_address(0)).into_bytes(),
            "userFills without fills",
        ),
        (b"{\"channel\":\"post\",\"data\":{\"id\":1}}".to_vec(), "post without id or response"),
        (b"{\"channel\":\"bbo\",\"data\":{\"coin\":\"BTC\"}}".to_vec(), "bbo incomplete"),
        (b"{\"channel\":\"userFills\",\"data\":\"unterminated".to_vec(), "expected an object"),
        (b"{\"channel\":\"x\",\"data\":tru}".to_vec(), "expected a literal"),
        (deep.into_bytes(), "nested too deeply"),
        (huge, "frame above 8 MiB"),
        (vec![0xff, 0xfe, 0x00], "expected an object"),
    ];
    for (frame, wanted) in cases {
        let mut buffers = Buffers::default();
        let shown = String::from_utf8_lossy(&frame[..frame.len().min(80)]).into_owned();
        assert_eq!(parse_frame(&frame, &mut buffers).unwrap_err().what, wanted, "{shown}");
    }
}

#[test]
fn any_key_order_and_white_space_parse_alike() {
    let frame = format!(
        " {{ \"data\" : {{ \"fills\" : [ {{ \"tid\" : 7 , \"startPosition\" : \"-1.5\" , \"new\" : {{\"a\":[1,-2.5e3,null,true,\"\\\"\"]}} , \
         \"time\" : 5 , \"side\" : \"A\" , \"sz\" : \"2\" , \"px\" : \"3\" , \"coin\" : \"ETH\" }} ] , \"isSnapshot\" : false , \
         \"user\" : \"{}\" }} , \"channel\" : \"userFills\" }} ",
        leader_address(0).to_uppercase().replace("0X", "0x")
    );
    let mut buffers = Buffers::default();
    assert!(matches!(parse_frame(frame.as_bytes(), &mut buffers), Ok(Frame::UserFills { snapshot: false, .. })));
    let parsed = buffers.fills[0];
    assert_eq!((parsed.coin.of(frame.as_bytes()), parsed.size.raw(), parsed.tid), (&b"ETH"[..], pos("2"), 7));
}

#[test]
fn settings_are_refused_by_name() {
    let base = || config_json(1, &[json!({}), json!({})], &[follow(0, 0, json!({})), follow(0, 1, json!({}))], "venue");
    assert!(Config::from_json(base().to_string().as_bytes()).is_ok());
    let cases: Vec<(&str, Value, &str)> = vec![
        ("/follows/0/ratio", json!("0"), "follows[0].ratio"),
        ("/follows/0/ratio", json!("-1"), "follows[0].ratio"),
        ("/follows/0/ratio", json!("1001"), "follows[0].ratio"),
        ("/follows/0/ratio", json!("abc"), "follows[0].ratio"),
        ("/follows/0/ratio", json!(null), "follows[0].ratio"),
        ("/follows/0/weight", json!("1"), "follows[0].weight"),
        ("/follows/0/scale_adds", json!(true), "follows[0].scale_adds"),
        ("/follows/0/max_order_usd", json!("0"), "follows[0].max_order_usd"),
        ("/follows/0/max_position_usd", json!("-5"), "follows[0].max_position_usd"),
        ("/follows/0/min_value_usd", json!("0"), "follows[0].min_value_usd"),
        ("/follows/0/adopt_band_bps", json!(5), "follows[0].adopt_band_bps"),
        ("/follows/0/existing", json!("adopt_within"), "follows[0].adopt_band_bps"),
        ("/follows/0/coins_allow", json!([]), "follows[0].coins_allow"),
        ("/follows/0/coins_block", json!([""]), "follows[0].coins_block"),
        ("/follows/0/max_age_ms", json!(0), "follows[0].max_age_ms"),
        ("/follows/0/entry_band_bps", json!(5000), "follows[0].entry_band_bps"),
        ("/follows/0/reduce_band_bps", json!(0), "follows[0].reduce_band_bps"),
        ("/follows/0/emergency_band_bps", json!(50), "follows[0].emergency_band_bps"),
        ("/follows/0/side", json!("up"), "configuration"),
        ("/follows/0/hours", json!([]), "follows[0].hours"),
        ("/follows/0/hours", json!(["25:00-01:00"]), "follows[0].hours[0]"),
        ("/follows/0/hours_zone", json!("UTC"), "follows[0].hours_zone"),
        ("/follows/0/delay_ms", json!(0), "follows[0].delay_ms"),
        ("/follows/0/delay_ms", json!(3_600_001), "follows[0].delay_ms"),
        ("/follows/0/max_leader_leverage", json!("0"), "follows[0].max_leader_leverage"),
        ("/follows/0/min_listed_days", json!(366), "follows[0].min_listed_days"),
        ("/follows/0/min_day_volume_usd", json!("0"), "follows[0].min_day_volume_usd"),
        ("/follows/0/min_open_interest_usd", json!("-1"), "follows[0].min_open_interest_usd"),
        ("/follows/0/quality_window", json!("week"), "follows[0].quality_window"),
        ("/follows/0/only_profitable", json!(true), "follows[0].quality_window"),
        ("/follows/0/max_leader_drawdown_bps", json!(500), "follows[0].quality_window"),
        ("/follows/0/mode", json!("risk"), "follows[0].risk_bps"),
        ("/follows/0/risk_bps", json!(100), "follows[0].risk_bps"),
        ("/follows/0/volatility_days", json!(30), "follows[0].volatility_days"),
        ("/follows/0/risk_max_leverage", json!("2"), "follows[0].risk_max_leverage"),
        ("/follows/0/round_up", json!(true), "follows[0].round_up_max_usd"),
        ("/follows/0/round_up_max_usd", json!("5"), "follows[0].round_up_max_usd"),
        ("/follows/0/leader", json!("nobody"), "follows[0].leader"),
        ("/follows/0/follower", json!("nobody"), "follows[0].follower"),
        ("/follows/1/follower", json!("F0"), "follows[1]"),
        ("/followers/0/max_gross_usd", json!("0.0"), "followers[0].max_gross_usd"),
        ("/followers/0/max_gross_leverage", json!("0"), "followers[0].max_gross_leverage"),
        ("/follows/0/max_gross_usd", json!("0.0"), "follows[0].max_gross_usd"),
        ("/follows/0/markets", json!("futures"), "configuration"),
        ("/follows/0/coins_allow", json!(["#10"]), "follows[0].coins_allow"),
        ("/follows/0/coins_allow", json!(["@107"]), "follows[0].coins_allow"),
        ("/followers/0/manual", json!("sometimes"), "configuration"),
        ("/followers/0/leverage", json!("mirrored"), "followers[0].leverage"),
        ("/followers/0/leverage", json!(0), "followers[0].leverage"),
        ("/followers/0/max_leverage", json!(3), "followers[0].max_leverage"),
        ("/followers/0/margin", json!("cross"), "followers[0].margin"),
        ("/followers/0/builder_fee_tenths_bps", json!(5), "followers[0].builder_fee_tenths_bps"),
        ("/followers/0/max_priority_bps", json!(9), "followers[0].max_priority_bps"),
        ("/builder", json!({"address": "0x1", "fee_tenths_bps": 5}), "builder.address"),
        ("/builder", json!({"address": format!("0x{:040x}", 7), "fee_tenths_bps": 101}), "builder.fee_tenths_bps"),
        ("/followers/0/disaster_stop_bps", json!(99), "followers[0].disaster_stop_bps"),
        ("/followers/0/disaster_stop_bps", json!(9_001), "followers[0].disaster_stop_bps"),
        ("/followers/0/account", json!("0x12"), "followers[0].account"),
        ("/followers/0/account", json!(format!("0x{}", "0".repeat(40))), "followers[0].account"),
        ("/followers/0/account", json!(leader_address(0)), "followers[0].account"),
        ("/followers/1/account", json!(account_address(0).to_uppercase().replace("0X", "0x")), "followers[1].account"),
        ("/followers/1/agent", json!(agent_address(0)), "followers[1].agent"),
        ("/followers/1/agent", json!(account_address(0)), "followers[1].agent"),
        ("/followers/1/name", json!("f0"), "followers[1].name"),
        ("/followers/1/name", json!(""), "followers[1].name"),
        ("/engine/ping_ms", json!(60_000), "engine.ping_ms"),
        ("/engine/pool_depth", json!(0), "engine.pool_depth"),
        ("/journal/snapshot_every", json!(0), "journal.snapshot_every"),
        ("/network", json!("maynet"), "configuration"),
        ("/engine/typo", json!(1), "configuration"),
    ];
    for (at, value, setting) in cases {
        let mut config = base();
        let (parent, key) = at.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap()[key] = value.clone();
        let error = Config::from_json(config.to_string().as_bytes()).expect_err(at);
        assert_eq!(error.setting, setting, "{at} = {value}: {error}");
        assert!(error.problem.len() > 10, "{error}");
    }
}

#[test]
fn snapshots_of_another_kind_are_refused() {
    let engine = |followers: usize| {
        let list: Vec<Value> = (0..followers).map(|_| json!({})).collect();
        let follows: Vec<Value> = (0..followers).map(|i| follow(0, i, json!({}))).collect();
        Engine::new(Config::from_json(config_json(1, &list, &follows, "off").to_string().as_bytes()).unwrap()).unwrap()
    };
    let mut bytes = Vec::new();
    engine(1).encode_state(&mut bytes);
    assert_eq!(engine(2).decode_state(&bytes), Err(StateError::OtherConfig));
    assert_eq!(engine(1).decode_state(&[]), Err(StateError::Damaged));
    assert_eq!(engine(1).decode_state(&[99; 9]), Err(StateError::Version(99)));
    assert_eq!(engine(1).decode_state(&bytes[..bytes.len() - 1]), Err(StateError::Damaged));
    assert_eq!(engine(1).restore_context(&[7]), Err(StateError::Context));
    assert_eq!(engine(1).restore_context(&[1, 2, 3]), Err(StateError::Context));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_engine_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..400, flip in 0usize..400) {
        let config = config_json(1, &[json!({})], &[follow(0, 0, json!({}))], "off");
        let mut engine = Engine::new(Config::from_json(config.to_string().as_bytes()).unwrap()).unwrap();
        let mut out = Commands::default();
        let mut good = World::fills_frame(0, &[row(json!({}))], false);
        let at = flip % good.len();
        good[at] ^= 1 << (flip % 8);
        good.truncate(good.len().min(cut + 1));
        for body in [&bytes, &good] {
            for event in [
                Event::Frame { source: 1, bytes: body },
                Event::HttpAnswer { post_id: 1, status: 200, body },
                Event::Info { token: 1, status: 200, body },
                Event::Meta { body },
            ] {
                engine.step(&event, venue::NOW, 0, &mut out);
            }
        }
    }
}

#[test]
fn mistake_configuration_errors_falling_back_to_defaults() {
    let base = config_json(1, &[json!({})], &[follow(0, 0, json!({}))], "venue");
    assert!(Config::from_json(base.to_string().as_bytes()).is_ok());
    for place in ["", "/venue", "/journal", "/engine", "/keys", "/metrics", "/leaders/0", "/followers/0", "/follows/0"]
    {
        let names: Vec<String> = base.pointer(place).unwrap().as_object().unwrap().keys().cloned().collect();
        for name in names {
            let mut wrong = base.clone();
            wrong.pointer_mut(place).unwrap()[&name] = json!({"what": "nonsense"});
            assert!(Config::from_json(wrong.to_string().as_bytes()).is_err(), "{place}/{name} of another kind");
            let mut misspelt = base.clone();
            let table = misspelt.pointer_mut(place).unwrap().as_object_mut().unwrap();
            let value = table.remove(&name).unwrap();
            table.insert(format!("{name}x"), value);
            assert!(Config::from_json(misspelt.to_string().as_bytes()).is_err(), "{place}/{name} misspelt");
        }
    }
}

#[test]
fn mistake_address_case_making_two_leaders() {
    let mixed = |address: String| format!("0x{}", address.trim_start_matches("0x").to_uppercase());
    let mut settings = config_json(2, &[json!({})], &[follow(0, 0, json!({}))], "off");
    settings["leaders"][1]["address"] = json!(mixed(format!("0x{:040x}", 0xabc)));
    settings["leaders"][0]["address"] = json!(format!("0x{:040x}", 0xabc));
    let error = Config::from_json(settings.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.setting, "leaders[1].address");

    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    let row = world.leader_trades(0, "SOL", "B", "100", "10");
    let frame = String::from_utf8(World::fills_frame(0, &[row], false)).unwrap();
    world.step(OwnedEvent::Frame(2, frame.replace(&leader_address(0), &mixed(leader_address(0))).into_bytes()));
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("5"), "one leader, however its address is written");
}

fn row_of(fields: &[(&str, String)], gap: &str) -> String {
    let written: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\"{gap}:{value}")).collect();
    format!("{{{}}}", written.join(&format!("{gap},")))
}

proptest! {
    /// The parser guesses the venue's order of fields: whatever comes instead must read alike.
    #[test]
    fn rows_in_any_order_and_with_any_additions_read_alike(seed in proptest::collection::vec(any::<u32>(), 20), odd in 0usize..4) {
        let text = |value: &str| format!("\"{value}\"");
        let mut fields = vec![
            ("coin", text("ETH")), ("px", text("3000.5")), ("sz", text("2.25")), ("side", text("B")), ("time", "1700000000001".into()),
            ("startPosition", text("-1.5")), ("dir", text("Open \\\"Long\\\"")), ("closedPnl", text("0.0")), ("hash", text("0xab")),
            ("oid", "5".into()), ("crossed", "true".into()), ("fee", text("0.1")), ("tid", "77".into()), ("feeToken", text("USDC")),
            ("twapId", "null".into()),
        ];
        let frame = |rows: &str| format!("{{\"channel\":\"userFills\",\"data\":{{\"user\":\"{}\",\"fills\":[{rows}]}}}}", leader_address(0));
        let parse = |frame: &str| {
            let mut buffers = Buffers::default();
            parse_frame(frame.as_bytes(), &mut buffers).map(|_| {
                let mut row = buffers.fills[0];
                let coin = row.coin.of(frame.as_bytes()).to_vec();
                row.coin = hlfast_core::feed::scan::Span::default();
                (row, coin, buffers.fills.len())
            })
        };
        let usual = parse(&frame(&row_of(&fields, ""))).unwrap();
        for (at, swap) in seed.iter().enumerate().take(odd * 5) {
            let count = fields.len();
            fields.swap(at % count, *swap as usize % count);
        }
        for key in ["liquidation", "cloid", "new"].into_iter().take(odd) {
            fields.insert(seed[odd] as usize % fields.len(), (key, "{\"a\":[1,{\"px\":\"9\"}]}".into()));
        }
        let gap = if seed[19] % 2 == 0 { "" } else { " \n" };
        prop_assert_eq!(&parse(&frame(&row_of(&fields, gap))).unwrap(), &usual);
        // Twice the same row, and a row without one of its fields.
        let row = row_of(&fields, gap);
        prop_assert_eq!(parse(&frame(&format!("{row},{row}"))).unwrap().2, 2);
        fields.retain(|(key, _)| *key != ["coin", "px", "sz", "side", "time", "tid", "startPosition"][seed[18] as usize % 7]);
        prop_assert!(parse(&frame(&row_of(&fields, gap))).is_err());
    }
}
