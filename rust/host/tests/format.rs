//! A journal of the format version before stays readable, and is gone on with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "test code")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hlfast_core::journal::{Kind, OLDEST_READABLE, Record, SegmentHeader, VERSION};
use hlfast_host::journal::{Durability, Journal, JournalError, Options, read_after, read_objects};
use serde_json::Value;

/// A directory of its own that goes with the test.
struct Home(PathBuf);

impl Home {
    fn new() -> Home {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hlfast-format-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Home(path)
    }

    fn objects(&self) -> Vec<Value> {
        let objects = read_objects(&self.0, 0, usize::MAX).unwrap();
        objects.iter().map(|object| serde_json::from_slice(object).unwrap()).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A directory that holds the frozen journal of version 1.
fn frozen() -> Home {
    let home = Home::new();
    std::fs::copy(fixture("journal-1.hlj"), home.0.join("00000001.hlj")).unwrap();
    home
}

fn open(home: &Home) -> Result<(Journal, Vec<u64>), JournalError> {
    let mut seen = Vec::new();
    let mut replay = |record: &Record<'_>| {
        seen.push(record.sequence);
        Ok(())
    };
    let options = Options { segment_bytes: 64 << 10, ..Options::new(Durability::Durable) };
    let (journal, _) = Journal::open(&home.0, options, std::sync::Arc::default(), 0, &mut replay)?;
    Ok((journal, seen))
}

#[test]
fn a_journal_of_version_1_reads_as_it_did_when_it_was_written() {
    let expected = std::fs::read_to_string(fixture("journal-1.jsonl")).unwrap();
    let expected: Vec<Value> = expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut objects = frozen().objects();
    for start in objects.iter_mut().filter(|object| object["kind"] == "start") {
        let settings = start.as_object_mut().unwrap().remove("config").unwrap();
        assert!(settings["leaders"].is_array(), "the settings were written, and are told since: {settings}");
    }
    assert_eq!(objects, expected);
}

#[test]
fn a_journal_of_version_1_is_gone_on_with_in_a_segment_of_this_version() {
    let home = frozen();
    let before = std::fs::read(home.0.join("00000001.hlj")).unwrap();
    let (mut journal, seen) = open(&home).unwrap();
    let first = journal.next_sequence();
    assert_eq!(seen, (1..first).collect::<Vec<_>>());
    for _ in 0..3 {
        journal.append(Kind::Start, |out| out.extend_from_slice(b"more")).unwrap();
        journal.write().unwrap();
        journal.sync().unwrap();
    }
    drop(journal);
    assert_eq!(std::fs::read(home.0.join("00000001.hlj")).unwrap(), before, "no file holds records of two versions");
    let mut sequences = Vec::new();
    let mut linked = Vec::new();
    read_after(&home.0, 0, &mut |record| {
        sequences.push(record.sequence);
        linked.push(record.link.is_some());
        Ok(true)
    })
    .unwrap();
    assert_eq!(sequences, (1..first + 3).collect::<Vec<_>>());
    assert!(linked.iter().zip(&sequences).all(|(linked, sequence)| *linked == (*sequence >= first)));
    assert_eq!(open(&home).unwrap().1, sequences);
}

#[test]
fn versions_outside_the_range_are_refused_by_number() {
    assert_eq!((OLDEST_READABLE, VERSION), (VERSION - 1, 2));
    for version in [OLDEST_READABLE - 1, VERSION + 1] {
        let home = frozen();
        let path = home.0.join("00000001.hlj");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[..64].copy_from_slice(&SegmentHeader { version, ..SegmentHeader::new(1, 0) }.encode());
        std::fs::write(&path, bytes).unwrap();
        let error = open(&home).unwrap_err().to_string();
        assert!(error.contains(&format!("format version {version} is not readable by this build")), "{error}");
    }
}
