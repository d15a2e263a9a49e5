#![expect(clippy::cast_possible_truncation, reason = "the tests' own small numbers")]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hlfast_core::journal::{FormatError, Kind, Record, SEGMENT_HEADER_LEN};
use hlfast_core::metrics::Metrics;

use super::directory::{open_file, reserve_path, segment_path, segments};
use super::flusher::{Shared, locked};
use super::*;

/// A directory of its own that goes with the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Temporary {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hlfast-journal-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Temporary(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(durability: Durability) -> Options {
    Options { durability, segment_bytes: 1 << 20, simulated: false }
}

type Opened = (Journal, Vec<(u64, Vec<u8>)>, bool);

fn open(directory: &Path, durability: Durability) -> Result<Opened, JournalError> {
    let mut seen = Vec::new();
    let mut replay = |record: &Record<'_>| {
        seen.push((record.sequence, record.payload.to_vec()));
        Ok(())
    };
    let (journal, found) = Journal::open(directory, options(durability), Arc::default(), 0, &mut replay)?;
    assert_eq!(found.records, seen.len() as u64);
    Ok((journal, seen, found.torn))
}

fn payload(number: u64, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at as u64 * 31 + number) as u8).collect()
}

fn append(journal: &mut Journal, number: u64, length: usize) {
    let sequence = journal.append(Kind::Step, |out| out.extend(payload(number, length))).unwrap();
    assert_eq!(sequence, number);
}

fn read(directory: &Path, after: u64) -> Result<Vec<u64>, JournalError> {
    let mut seen = Vec::new();
    read_after(directory, after, &mut |record| {
        seen.push(record.sequence);
        Ok(true)
    })?;
    Ok(seen)
}

#[test]
fn records_survive_a_reopening_and_go_on() {
    let home = Temporary::new();
    for durability in [Durability::Durable, Durability::Relaxed] {
        let (mut journal, seen, torn) = open(&home.0, durability).unwrap();
        let first = seen.len() as u64 + 1;
        for number in first..first + 100 {
            append(&mut journal, number, 300);
            journal.write().unwrap();
        }
        journal.sync().unwrap();
        assert_eq!(journal.synced(), first + 99);
        assert!(!torn);
    }
    let (_journal, seen, torn) = open(&home.0, Durability::Durable).unwrap();
    assert_eq!((seen.len(), torn), (200, false));
    assert!(seen.iter().all(|(number, content)| *content == payload(*number, 300)));
}

#[test]
fn what_is_only_buffered_is_not_on_disk_and_a_drop_writes_it() {
    let home = Temporary::new();
    let (mut journal, _, _) = open(&home.0, Durability::Relaxed).unwrap();
    append(&mut journal, 1, 50);
    assert!(read(&home.0, 0).unwrap().is_empty());
    journal.write().unwrap();
    assert_eq!(read(&home.0, 0).unwrap(), [1]);
    append(&mut journal, 2, 50);
    drop(journal);
    assert_eq!(read(&home.0, 0).unwrap(), [1, 2]);
}

#[test]
fn durable_asks_for_a_sync_only_after_a_write() {
    let home = Temporary::new();
    let (mut journal, _, _) = open(&home.0, Durability::Durable).unwrap();
    assert!(!journal.needs_sync());
    append(&mut journal, 1, 10);
    journal.write().unwrap();
    journal.sync().unwrap();
    assert!(!journal.needs_sync());
}

#[test]
fn relaxed_records_reach_stable_storage_by_themselves() {
    let home = Temporary::new();
    let (mut journal, _, _) = open(&home.0, Durability::Relaxed).unwrap();
    append(&mut journal, 1, 10);
    journal.write().unwrap();
    assert!(!journal.needs_sync());
    let begun = Instant::now();
    while journal.synced() < 1 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the flusher does not sync");
        std::thread::yield_now();
    }
}

#[test]
fn a_second_writer_is_refused_by_the_firsts_pid() {
    let home = Temporary::new();
    let (journal, _, _) = open(&home.0, Durability::Relaxed).unwrap();
    let error = open(&home.0, Durability::Relaxed).unwrap_err();
    assert!(error.to_string().contains(&format!("written by process {}", std::process::id())), "{error}");
    drop(journal);
    open(&home.0, Durability::Relaxed).unwrap();
}

#[test]
fn segments_roll_over_and_readers_follow() {
    let home = Temporary::new();
    let (mut journal, _, _) = open(&home.0, Durability::Relaxed).unwrap();
    for number in 1..=90 {
        append(&mut journal, number, 100_000);
        journal.write().unwrap();
        if number % 20 == 0 {
            assert_eq!(read(&home.0, number - 3).unwrap(), [number - 2, number - 1, number]);
        }
    }
    journal.sync().unwrap();
    assert!(segments(&home.0).unwrap().iter().filter(|segment| segment.header.is_some()).count() > 3);
    assert_eq!(read(&home.0, 0).unwrap(), (1..=90).collect::<Vec<_>>());
    assert!(read(&home.0, 90).unwrap().is_empty());
    drop(journal);
    let (_journal, seen, _) = open(&home.0, Durability::Relaxed).unwrap();
    assert_eq!(seen.len(), 90);
    assert!(seen.iter().all(|(number, content)| *content == payload(*number, 100_000)));
}

#[test]
fn a_record_longer_than_a_segment_and_a_readers_window_is_kept_whole() {
    let home = Temporary::new();
    let (mut journal, _, _) = open(&home.0, Durability::Relaxed).unwrap();
    append(&mut journal, 1, 9 << 20);
    append(&mut journal, 2, 10);
    drop(journal);
    assert_eq!(read(&home.0, 0).unwrap(), [1, 2]);
    assert_eq!(open(&home.0, Durability::Relaxed).unwrap().1[0].1.len(), 9 << 20);
}

#[test]
fn replay_may_begin_behind_a_snapshot() {
    let home = Temporary::new();
    let (mut journal, _, _) = open(&home.0, Durability::Relaxed).unwrap();
    for number in 1..=60 {
        append(&mut journal, number, 100_000);
    }
    drop(journal);
    let mut seen = Vec::new();
    let mut replay = |record: &Record<'_>| {
        seen.push(record.sequence);
        Ok(())
    };
    Journal::open(&home.0, options(Durability::Relaxed), Arc::default(), 55, &mut replay).unwrap();
    assert_eq!(seen, [56, 57, 58, 59, 60]);
}

/// A journal of `count` records in one segment, each synced before the next; the ends of the records in the file.
fn written(directory: &Path, count: u64) -> Vec<u64> {
    let (mut journal, _, _) = open(directory, Durability::Durable).unwrap();
    let mut ends = vec![SEGMENT_HEADER_LEN as u64];
    for number in 1..=count {
        append(&mut journal, number, 40 + number as usize);
        journal.write().unwrap();
        journal.sync().unwrap();
        ends.push(ends.last().unwrap() + hlfast_core::journal::record::padded(40 + number as usize) as u64);
    }
    ends
}

#[test]
fn a_file_cut_anywhere_keeps_the_whole_records_and_takes_new_ones() {
    let home = Temporary::new();
    let ends = written(&home.0, 12);
    let path = segment_path(&home.0, 1);
    let whole = fs::read(&path).unwrap();
    // Every byte is covered where the format is tested; here the file's handling, around each boundary.
    for cut in ends.iter().flat_map(|end| [end.saturating_sub(1), *end, end + 1, end + 33]) {
        let cut = cut.clamp(SEGMENT_HEADER_LEN as u64, *ends.last().unwrap());
        let case = Temporary::new();
        fs::write(segment_path(&case.0, 1), &whole[..cut as usize]).unwrap();
        let (mut journal, seen, _) = open(&case.0, Durability::Relaxed).unwrap();
        let kept = ends.iter().filter(|end| **end <= cut).count() as u64 - 1;
        assert_eq!(seen.len() as u64, kept, "cut at {cut}");
        append(&mut journal, kept + 1, 70);
        drop(journal);
        let (_journal, seen, torn) = open(&case.0, Durability::Relaxed).unwrap();
        assert_eq!((seen.len() as u64, torn), (kept + 1, false), "cut at {cut}");
    }
}

#[test]
fn a_torn_tail_is_zeroed_so_that_it_can_never_be_read_again() {
    let home = Temporary::new();
    let ends = written(&home.0, 5);
    let path = segment_path(&home.0, 1);
    open_for_damage(&path, ends[4] + 40);
    let (_journal, seen, torn) = open(&home.0, Durability::Relaxed).unwrap();
    assert_eq!((seen.len(), torn), (4, true));
    assert!(fs::read(&path).unwrap()[ends[4] as usize..].iter().all(|byte| *byte == 0));
}

fn open_for_damage(path: &Path, at: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

#[test]
fn damage_in_the_middle_is_refused_by_file_and_offset() {
    let home = Temporary::new();
    let ends = written(&home.0, 20);
    let path = segment_path(&home.0, 1);
    open_for_damage(&path, ends[9] + 35);
    let error = open(&home.0, Durability::Relaxed).unwrap_err();
    let JournalError::Format { path: named, source } = &error else { panic!("{error}") };
    assert_eq!(named, &path);
    assert!(matches!(source, FormatError::Corrupt { offset, sequence: 10, .. } if *offset == ends[9]), "{error}");
    assert!(error.to_string().contains("hlfast journal repair"));
    // Nothing was changed by the refusal: with the bit back, all is there.
    open_for_damage(&path, ends[9] + 35);
    assert_eq!(open(&home.0, Durability::Relaxed).unwrap().1.len(), 20);
}

#[test]
fn a_lost_segment_is_refused() {
    let home = Temporary::new();
    let (mut journal, _, _) = open(&home.0, Durability::Durable).unwrap();
    for number in 1..=90 {
        append(&mut journal, number, 100_000);
        journal.write().unwrap();
        journal.sync().unwrap();
    }
    drop(journal);
    let begun: Vec<_> = segments(&home.0).unwrap().into_iter().filter(|segment| segment.header.is_some()).collect();
    fs::remove_file(&begun[1].path).unwrap();
    let error = open(&home.0, Durability::Durable).unwrap_err();
    assert!(error.to_string().contains("zeros where a record was"), "{error}");
    assert!(read(&home.0, 0).unwrap_err().to_string().contains("records are missing"));
}

#[test]
fn a_full_disk_turns_to_the_reserve_and_back() {
    let home = Temporary::new();
    let (mut journal, _, _) = open(&home.0, Durability::Durable).unwrap();
    wait_for(&reserve_path(&home.0));
    append(&mut journal, 1, 10);
    journal.write().unwrap();
    append(&mut journal, 2, 10);
    journal.write_on_a_full_disk().unwrap();
    assert!(journal.in_reserve());
    append(&mut journal, 3, 10);
    // The flusher finds room for a whole spare again and says so; the next write leaves the reserve.
    let begun = Instant::now();
    while journal.in_reserve() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the reserve is not left");
        let number = journal.next_sequence();
        append(&mut journal, number, 10);
        journal.write().unwrap();
    }
    let count = journal.next_sequence() - 1;
    drop(journal);
    assert_eq!(read(&home.0, 0).unwrap().len() as u64, count);
    let (_journal, seen, torn) = open(&home.0, Durability::Durable).unwrap();
    assert_eq!((seen.len() as u64, torn), (count, false));
}

fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} is not made", path.display());
        std::thread::yield_now();
    }
}

#[test]
fn after_a_failure_nothing_is_accepted() {
    let home = Temporary::new();
    let (mut journal, _, _) = open(&home.0, Durability::Durable).unwrap();
    append(&mut journal, 1, 10);
    journal.simulate_failure();
    for error in
        [journal.write().unwrap_err(), journal.append(Kind::Step, |_| {}).unwrap_err(), journal.sync().unwrap_err()]
    {
        assert!(error.to_string().contains("nothing more is sent"), "{error}");
    }
}

#[test]
fn snapshots_stored_by_two_threads_at_once_are_each_whole() {
    let home = Temporary::new();
    let file = Arc::new(open_file(&segment_path(&home.0, 1)).unwrap());
    let shared = Shared::new(home.0.clone(), 1 << 20, file, 1, false, Arc::default());
    shared.synced.store(u64::MAX, Ordering::Release);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for number in 1..=60u8 {
                    *locked(&shared.snapshot) = Some((u64::from(number), vec![number; 50_000 + usize::from(number)]));
                    shared.store_snapshot().unwrap();
                }
            });
        }
    });
    for path in snapshots(&home.0).unwrap() {
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes, vec![bytes[0]; 50_000 + usize::from(bytes[0])], "{}", path.display());
    }
}

#[test]
fn metrics_count_records_and_bytes() {
    let home = Temporary::new();
    let metrics = Arc::new(Metrics::default());
    let (mut journal, _) =
        Journal::open(&home.0, options(Durability::Relaxed), metrics.clone(), 0, &mut |_| Ok(())).unwrap();
    append(&mut journal, 1, 8);
    journal.write().unwrap();
    assert_eq!((metrics.journal_records.get(), metrics.journal_bytes.get()), (1, 72));
}

#[test]
fn a_simulated_power_loss_takes_at_most_what_was_not_synced() {
    for seed in 0..48u64 {
        let home = Temporary::new();
        let reopen = || {
            let mut seen = Vec::new();
            let mut replay = |record: &Record<'_>| {
                seen.push((record.sequence, record.payload.to_vec()));
                Ok(())
            };
            let options = Options::simulated(Durability::Durable);
            let (journal, _) = Journal::open(&home.0, options, Arc::default(), 0, &mut replay).unwrap();
            (journal, seen)
        };
        let (mut journal, _) = reopen();
        for number in 1..=40 {
            append(&mut journal, number, 700);
            journal.write().unwrap();
            if number == 20 {
                journal.sync().unwrap();
            }
        }
        append(&mut journal, 41, 10);
        journal.crash((seed > 0).then_some(seed)).unwrap();
        assert!(journal.append(Kind::Step, |_| ()).is_err(), "nothing is written after the end");
        let (_again, seen) = reopen();
        let kept = seen.len() as u64;
        assert!((20..=40).contains(&kept), "seed {seed}: {kept}");
        assert!(seed > 0 || kept == 40, "a killed process keeps what the kernel has");
        assert!(seen.iter().all(|(number, bytes)| *bytes == payload(*number, 700)));
    }
}

fn on_a_simulated_disk(home: &Temporary) -> Journal {
    let options = Options::simulated(Durability::Durable);
    Journal::open(&home.0, options, Arc::default(), 0, &mut |_| Ok(())).unwrap().0
}

#[test]
fn a_full_simulated_disk_turns_to_the_reserve_and_back() {
    let home = Temporary::new();
    let mut journal = on_a_simulated_disk(&home);
    journal.round();
    journal.set_disk_full(true);
    append(&mut journal, 1, 100);
    journal.write().unwrap();
    assert!(journal.in_reserve());
    journal.set_disk_full(false);
    for number in 2..=4 {
        journal.round();
        append(&mut journal, number, 100);
        journal.write().unwrap();
    }
    assert!(!journal.in_reserve());
}

#[test]
fn a_spare_behind_the_reserve_does_not_end_it_while_the_disk_is_full() {
    let home = Temporary::new();
    let mut journal = on_a_simulated_disk(&home);
    // The reserve is whole, and the spare has its first blocks.
    journal.round();
    journal.round();
    journal.set_disk_full(true);
    let mut number = 0;
    while segments(&home.0).unwrap().iter().filter(|segment| segment.header.is_some()).count() < 3 {
        number += 1;
        append(&mut journal, number, 50_000);
        journal.write().unwrap();
        assert!(number < 500, "no third segment");
    }
    assert!(journal.in_reserve(), "what was left of the disk is no room");
}
