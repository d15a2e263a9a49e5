//! Verify, repair and archive on journals that a whole life wrote.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "test code")]

mod life;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use hlfast_core::journal::{HEADER_LEN, LINK_LEN, SEGMENT_HEADER_LEN, Snapshot, record};
use hlfast_host::journal::{Place, archive, plan_repair, read_objects, repair, snapshots, survey};
use hlfast_host::runtime::verify;
use life::{Home, Life, NOW_MS, USER, Venue, config, fills};
use serde_json::Value;

/// A few copied trades; `snapshot_every` small leaves snapshots.
fn lived(snapshot_every: u64) -> (Home, Vec<u8>, Venue) {
    let mut settings: Value = serde_json::from_slice(&config(2, "durable")).unwrap();
    settings["journal"]["snapshot_every"] = snapshot_every.into();
    let (home, config) = (Home::new(), serde_json::to_vec(&settings).unwrap());
    let mut venue = Venue::default();
    let mut life = Life::open(&home.0, &config, NOW_MS).unwrap();
    life.boot(&venue);
    for size in [2.0, 1.0, -1.5] {
        let row = venue.leader_trades(size, life.now_ms);
        life.frame(USER, &fills(&[row], false));
        for post in std::mem::take(&mut life.posts) {
            let payload = venue.take(u64::from(post.id % 2 == 0), &post);
            life.answer(&post, &payload);
        }
        for _ in 0..20 {
            life.answer_asks(&venue);
            life.tick(100);
        }
        // Stores the snapshot that waits, too.
        life.runtime.flush().unwrap();
    }
    drop(life);
    (home, config, venue)
}

fn segment(home: &Home) -> PathBuf {
    home.0.join("00000001.hlj")
}

fn starts(home: &Home) -> Vec<usize> {
    let bytes = fs::read(segment(home)).unwrap();
    let mut starts = vec![SEGMENT_HEADER_LEN];
    while let Ok((_, length)) = record::parse(&bytes[*starts.last().unwrap()..]) {
        starts.push(starts.last().unwrap() + length);
    }
    starts
}

/// Changes a byte of record `number`'s payload; `forged` makes its checksum right again.
fn change(home: &Home, number: usize, forged: bool) -> usize {
    let starts = starts(home);
    let (at, end) = (starts[number - 1], starts[number]);
    let mut bytes = fs::read(segment(home)).unwrap();
    bytes[at + HEADER_LEN + LINK_LEN] ^= 1;
    if forged {
        let crc = crc32c::crc32c(&bytes[at + 4..end]);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
    fs::write(segment(home), bytes).unwrap();
    at
}

fn age(home: &Home) {
    let file = fs::File::options().write(true).open(segment(home)).unwrap();
    file.set_modified(SystemTime::now().checked_sub(Duration::from_secs(120)).unwrap()).unwrap();
}

#[test]
fn a_sound_journal_is_decided_again_equally_also_while_it_is_written() {
    let (home, config, _) = lived(1_000_000);
    let found = verify(&home.0).unwrap();
    let survey = found.survey;
    assert_eq!((survey.first, survey.records, found.replayed), (1, survey.last, survey.last));
    assert!(survey.link.is_some() && survey.torn.is_none() && survey.records > 20);
    let life = Life::open(&home.0, &config, NOW_MS + 60_000).unwrap();
    let beside = verify(&home.0).unwrap().survey;
    assert!(beside.last > survey.last && beside.link != survey.link);
    drop(life);
}

#[test]
fn the_first_change_is_named_by_file_and_offset_even_where_its_checksum_is_right() {
    for forged in [false, true] {
        let (home, _, _) = lived(1_000_000);
        let at = change(&home, 9, forged);
        let error = verify(&home.0).unwrap_err().to_string();
        assert!(
            error.contains("00000001.hlj") && error.contains(&format!("record 9 at byte {at} is damaged")),
            "{error}"
        );
        assert_eq!(error.contains("its link does not follow"), forged, "{error}");
    }
}

#[test]
fn another_decision_in_a_chain_that_was_made_anew_is_found_by_replay() {
    let (home, _, _) = lived(1_000_000);
    let mut out = fs::read(segment(&home)).unwrap()[..SEGMENT_HEADER_LEN].to_vec();
    let mut link = hlfast_core::journal::NO_LINK;
    let mut changed = 0;
    let mut offset = 0;
    survey(&home.0, &mut |_: Place<'_>, record| {
        let begun = record::begin(&mut out);
        let from = out.len();
        out.extend_from_slice(record.payload);
        // The last byte of a decision's attempt: in its client id.
        let step = hlfast_core::journal::step::read_step(record.payload);
        if changed == 0
            && let Ok(step) = step
            && let Some(attempt) = step.attempts.first()
        {
            let digest = &attempt.attempt.digest;
            let place = record.payload.windows(32).position(|window| window == digest).unwrap();
            out[from + place] ^= 1;
            changed = record.sequence;
            offset = from - HEADER_LEN - LINK_LEN;
        }
        link = record::seal(&mut out, begun, record.kind, record.sequence, record.synced, &link).unwrap();
        Ok(())
    })
    .unwrap();
    fs::write(segment(&home), out).unwrap();
    assert!(survey(&home.0, &mut |_, _| Ok(())).is_ok(), "the forger's chain holds");
    let error = verify(&home.0).unwrap_err().to_string();
    assert!(error.contains(&format!("at byte {offset}: replay of record {changed} differs")), "{error}");
}

#[test]
fn a_snapshot_that_its_records_do_not_lead_to_is_named() {
    let (home, _, _) = lived(10);
    let path = snapshots(&home.0).unwrap().remove(0);
    let bytes = fs::read(&path).unwrap();
    let snapshot = Snapshot::parse(&bytes).unwrap();
    let mut state = snapshot.state.to_owned();
    *state.last_mut().unwrap() ^= 1;
    fs::write(&path, Snapshot { state: &state, ..snapshot }.encode()).unwrap();
    let error = verify(&home.0).unwrap_err().to_string();
    assert!(error.contains(&format!("the snapshot behind record {} is not", snapshot.sequence)), "{error}");
}

#[test]
fn a_repair_says_what_goes_waits_for_living_orders_and_keeps_the_original() {
    let (home, config, venue) = lived(1_000_000);
    assert_eq!(plan_repair(&home.0).unwrap(), None);
    let records = survey(&home.0, &mut |_, _| Ok(())).unwrap().records;
    let at = change(&home, 9, false);
    let damaged = fs::read(segment(&home)).unwrap();
    let plan = plan_repair(&home.0).unwrap().unwrap();
    assert_eq!((plan.sequence, plan.offset, plan.readable), (9, at as u64, records - 9));
    let error = repair(&home.0).unwrap_err().to_string();
    assert!(error.contains("may still execute: try again in"), "{error}");
    assert_eq!(fs::read(segment(&home)).unwrap(), damaged, "a refusal changes nothing");
    age(&home);
    let done = repair(&home.0).unwrap().unwrap();
    assert_eq!(fs::read(done.kept.join("00000001.hlj")).unwrap(), damaged);
    assert_eq!(verify(&home.0).unwrap().survey.last, 8);
    let mut life = Life::open(&home.0, &config, NOW_MS + 120_000).unwrap();
    life.boot(&venue);
    drop(life);
    assert!(verify(&home.0).unwrap().survey.last > 8);
}

#[test]
fn a_repair_beside_a_running_engine_is_refused() {
    let (home, config, _) = lived(1_000_000);
    let _life = Life::open(&home.0, &config, NOW_MS + 60_000).unwrap();
    assert!(repair(&home.0).unwrap_err().to_string().contains("is written by process"));
}

#[test]
fn segments_go_only_behind_two_snapshots_and_what_was_read_and_a_reader_left_behind_is_refused() {
    let (home, config, _) = lived(10);
    let to = Home::new();
    let last = survey(&home.0, &mut |_, _| Ok(())).unwrap().last;
    assert_eq!(snapshots(&home.0).unwrap().len(), 2);
    assert!(archive(&home.0, &to.0, last).unwrap().is_empty(), "the only segment stays");
    split(&home, last / 3);
    let whole = verify(&home.0).unwrap();
    assert_eq!(whole.survey.segments, 2);
    assert!(archive(&home.0, &to.0, last / 3 - 2).unwrap().is_empty(), "a projection has not read it");
    let moved = archive(&home.0, &to.0, last).unwrap();
    assert_eq!(moved, [to.0.join("00000001.hlj")]);
    let error = read_objects(&home.0, 0, 10).unwrap_err().to_string();
    assert!(
        error.contains(&format!("begins with record {}", last / 3)) && error.contains("put the archived"),
        "{error}"
    );
    let short = verify(&home.0).unwrap();
    assert_eq!((short.survey.link, short.survey.last), (whole.survey.link, last));
    assert!(short.replayed < whole.replayed);
    Life::open(&home.0, &config, NOW_MS + 60_000).unwrap();
    for path in snapshots(&home.0).unwrap() {
        fs::remove_file(path).unwrap();
    }
    let error = Life::open(&home.0, &config, NOW_MS + 60_000).err().unwrap().to_string();
    assert!(error.contains("the journal begins with record"), "{error}");
}

/// Makes two segments of the first: the second begins with record `first`.
fn split(home: &Home, first: u64) {
    let starts = starts(home);
    let bytes = fs::read(segment(home)).unwrap();
    let at = starts[usize::try_from(first).unwrap() - 1];
    let mut second = hlfast_core::journal::SegmentHeader::new(first, first - 1).encode().to_vec();
    second.extend_from_slice(&bytes[at..]);
    fs::write(home.0.join("00000077.hlj"), second).unwrap();
    fs::write(segment(home), &bytes[..at]).unwrap();
}
