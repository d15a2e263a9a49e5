use super::json::objects;
use super::step::{Step, read_input, read_step, write_step};
use super::{Kind, NO_LINK, record};
use crate::commands::{
    Alert, Attempt, AttemptKind, Commands, Level, Numbers, Outcome, Reason, Receipt, Road, TwapSlice,
};
use crate::copy::price::Quote;
use crate::event::{Event, SourceKind};
use crate::num::{Pos, Px, Sz};
use crate::wire::{Address, Cloid};
use proptest::prelude::*;

fn commands() -> Commands {
    Commands {
        attempts: vec![
            Attempt {
                follower: 3,
                signer: 4,
                lane: 5,
                road: Road::WebSocket,
                post_id: 6,
                kind: AttemptKind::Open,
                nonce: 1_770_000_000_001,
                expires_after: 1_770_000_003_000,
                vault: Some(Address([9; 20])),
                digest: [7; 32],
                action: 0..10,
                cloids: 0..2,
            },
            Attempt {
                follower: 8,
                signer: 8,
                lane: 1_000,
                road: Road::Http,
                post_id: 7,
                kind: AttemptKind::Fence,
                nonce: 2,
                expires_after: 3,
                vault: None,
                digest: [8; 32],
                action: 10..12,
                cloids: 2..2,
            },
        ],
        cloids: vec![Cloid([1; 16]), Cloid([2; 16])],
        receipts: vec![Receipt {
            number: 11,
            leader: 1,
            follower: 2,
            follow: 3,
            coin: 4,
            time_ms: 5,
            tid: 6,
            decision: 7,
            merged_into: Some(0),
            outcome: Outcome::Rejected,
            reason: Reason::VenueBusy,
            was_unknown: true,
            numbers: Numbers {
                leader_before: Pos::from_raw(-150_000_000),
                leader_after: Pos::from_raw(i64::MIN + 1),
                leader_price: Px::from_raw(1),
                entitled_before: Pos::from_raw(2),
                entitled_after: Pos::from_raw(3),
                ordered: Pos::from_raw(-4),
                limit_price: Px::from_raw(5),
                filled: Sz::from_raw(6),
                average_price: Px::from_raw(7),
                nonce: 8,
            },
            decided_ms: 9,
            planned_ms: 10,
            settled_ms: 12,
        }],
        alerts: vec![Alert {
            level: Level::Critical,
            code: "a_code",
            leader: None,
            follower: Some(2),
            text: "says \"why\"\n".to_owned(),
        }],
        twap_slices: vec![
            TwapSlice {
                follower: 2,
                coin: 4,
                nonce: 1_770_000_000_001,
                twap_id: Some(77),
                time_ms: Some(13),
                size: Sz::from_raw(60_000_000),
                price: Px::from_raw(10_050_000_000),
                quote: Some(Quote { bid: 9_990_000_000, ask: 0, bid_size: 14, ask_size: 15, time_ms: 16 }),
            },
            TwapSlice {
                follower: 2,
                coin: 4,
                nonce: 1_770_000_000_001,
                twap_id: None,
                time_ms: None,
                size: Sz::from_raw(1),
                price: Px::from_raw(2),
                quote: None,
            },
        ],
        context: vec![1, 2, 3],
        ..Commands::default()
    }
}

fn payload(event: &Event<'_>, commands: &Commands) -> Vec<u8> {
    let mut out = Vec::new();
    write_step(&mut out, event, 1_770_000_000_000, 42, commands, |_| "BTC");
    out
}

fn events() -> Vec<Event<'static>> {
    vec![
        Event::Frame { source: 7, bytes: b"{\"channel\":\"pong\"}" },
        Event::Continue,
        Event::HttpAnswer { post_id: 1, status: 502, body: b"bad" },
        Event::Info { token: 2, status: 200, body: b"{}" },
        Event::Meta { body: b"[]" },
        Event::SourceUp { source: 3, kind: SourceKind::User },
        Event::SourceUp { source: 3, kind: SourceKind::Tape },
        Event::SourceUp { source: 3, kind: SourceKind::Lane },
        Event::SourceDown { source: 3 },
        Event::HttpLaneUp { lane: 1_000 },
        Event::Reopen,
        Event::Start,
        Event::Tick,
        Event::StopSigner { signer: 5 },
        Event::Operate { request: b"{}" },
    ]
}

#[test]
fn every_event_comes_back() {
    for event in events() {
        let payload = payload(&event, &Commands::default());
        let step = read_step(&payload).unwrap();
        assert_eq!(step.input.event, event);
        assert_eq!((step.input.now_ms, step.input.entropy, step.input.context), (1_770_000_000_000, 42, &[][..]));
        assert_eq!(read_input(&payload), Ok(step.input));
    }
}

#[test]
fn attempts_receipts_alerts_and_slices_come_back() {
    let commands = commands();
    let payload = payload(&Event::Tick, &commands);
    let Step { input, attempts, receipts, alerts, twap_slices } = read_step(&payload).unwrap();
    assert_eq!(input.context, [1, 2, 3]);
    for (recorded, attempt) in attempts.iter().zip(&commands.attempts) {
        assert_eq!(recorded.attempt, Attempt { action: 0..0, cloids: 0..0, ..attempt.clone() });
        assert_eq!(recorded.cloids, commands.cloids[attempt.cloids.clone()]);
    }
    assert_eq!((receipts.len(), &receipts[0].receipt, receipts[0].coin), (1, &commands.receipts[0], "BTC"));
    assert_eq!((alerts[0].code, alerts[0].text, alerts[0].follower), ("a_code", "says \"why\"\n", Some(2)));
    assert_eq!((attempts.len(), alerts.len()), (2, 1));
    assert!(twap_slices.iter().map(|recorded| &recorded.slice).eq(&commands.twap_slices));
    assert!(twap_slices.iter().all(|recorded| recorded.coin == "BTC"));
}

#[test]
fn every_kind_of_attempt_comes_back_by_its_name() {
    use AttemptKind::{Cancel, Fence, Open, Reduce, Resend, Setup, Stop};
    let names = ["open", "reduce", "fence", "resend", "stop", "cancel", "setup"];
    for (kind, name) in [Open, Reduce, Fence, Resend, Stop, Cancel, Setup].into_iter().zip(names) {
        let mut commands = commands();
        commands.attempts[0].kind = kind;
        let payload = payload(&Event::Tick, &commands);
        assert_eq!(read_step(&payload).unwrap().attempts[0].attempt.kind, kind);
        let mut bytes = Vec::new();
        let begun = record::begin(&mut bytes);
        bytes.extend_from_slice(&payload);
        record::seal(&mut bytes, begun, Kind::Step, 9, 8, &NO_LINK).unwrap();
        let attempt = objects(&record::parse(&bytes).unwrap().0).unwrap().remove(1);
        assert!(String::from_utf8(attempt).unwrap().contains(&format!("\"does\":\"{name}\"")));
    }
}

#[test]
fn a_payload_cut_anywhere_or_followed_by_bytes_is_refused() {
    let event = Event::Frame { source: 1, bytes: b"frame" };
    // Where a step without slices ends: so did all of them once, and such a journal is read.
    let former = payload(&event, &Commands { twap_slices: Vec::new(), ..commands() }).len();
    let mut payload = payload(&event, &commands());
    assert!(read_step(&payload[..former]).is_ok_and(|step| step.twap_slices.is_empty() && step.alerts.len() == 1));
    for cut in (0..payload.len()).filter(|cut| *cut != former) {
        assert!(read_step(&payload[..cut]).is_err(), "cut at {cut}");
    }
    payload.push(0);
    assert_eq!(read_step(&payload), Err("bytes follow its end"));
}

#[test]
fn objects_name_what_people_look_for() {
    let payload = payload(&Event::Frame { source: 1, bytes: b"{\"a\":\"\xff\"}" }, &commands());
    let mut bytes = Vec::new();
    let begun = record::begin(&mut bytes);
    bytes.extend_from_slice(&payload);
    record::seal(&mut bytes, begun, Kind::Step, 9, 8, &NO_LINK).unwrap();
    let (record, _) = record::parse(&bytes).unwrap();
    let texts: Vec<String> =
        objects(&record).unwrap().into_iter().map(|object| String::from_utf8(object).unwrap()).collect();
    assert_eq!(texts.len(), 7);
    for (text, part) in texts.iter().zip([
        r#""kind":"input","now_ms":1770000000000,"event":"frame","source":1,"body":"{\"a\":\"�\"}""#,
        r#""does":"open","lane":5,"road":"websocket","post_id":6,"nonce":1770000000001"#,
        r#""does":"fence","lane":1000,"road":"http""#,
        r#""outcome":"rejected","reason":"venue_busy","was_unknown":true,"leader_before":"-1.5""#,
        r#""level":"critical","code":"a_code","leader":null,"follower":2,"text":"says \"why\"\u000a""#,
        r#""twap_id":77,"time_ms":13,"size":"0.6","price":"100.5","bid":"99.9","ask":"0","quoted_ms":16"#,
        r#""twap_id":null,"time_ms":null,"size":"0.00000001","price":"0.00000002","bid":null,"ask":null,"quoted_ms":null"#,
    ]) {
        assert!(text.starts_with("{\"sequence\":9,\"kind\":") && text.contains(part), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_step(&bytes);
        let _ = super::Start::read(&bytes);
        let _ = super::Snapshot::parse(&bytes);
    }
}
