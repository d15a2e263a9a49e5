//! The journal on disks that really fail: a small file system without room, and system calls that answer EIO.
//!
//! Each case is this program again, in a mount namespace of its own or behind a library that takes the place of the calls.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "test code")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hlfast_core::journal::Kind;
use hlfast_host::journal::{Durability, Journal, JournalError, Options, survey};

type Case = (&'static str, fn(&Path));

const CASES: [Case; 3] = [("full", full), ("sync", failing_sync), ("write", failing_write)];
/// Room for the first segment and the reserve (4 MiB each), and for a part of the next segment.
const DISK: &str = "size=11m";

fn main() {
    let Some(case) = std::env::var_os("CASE") else {
        for (case, _) in CASES {
            run_apart(case);
            println!("test a disk that fails: {case} ... ok");
        }
        return;
    };
    let (_, body) = CASES.iter().find(|(name, _)| case == *name).unwrap();
    body(Path::new(&std::env::var_os("DISK").unwrap()));
}

fn run_apart(case: &str) {
    let home = std::env::temp_dir().join(format!("hlfast-disk-{}-{case}", std::process::id()));
    std::fs::create_dir(&home).unwrap();
    let this = std::env::current_exe().unwrap();
    let mut command = if case == "full" {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs -o {DISK} tmpfs \"$DISK\" && exec \"$0\"");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(&this);
        command
    } else {
        let mut command = Command::new(&this);
        command.env("LD_PRELOAD", shim(&home)).env("FAIL", case);
        command
    };
    let done = command.env("CASE", case).env("DISK", &home).output().unwrap();
    std::fs::remove_dir_all(&home).unwrap();
    assert!(done.status.success(), "{case}: {}", String::from_utf8_lossy(&done.stderr));
}

fn shim(home: &Path) -> PathBuf {
    let (source, library) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/failing_disk.c"), home.join("shim.so"));
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(built.unwrap().success());
    library
}

fn open(directory: &Path) -> Journal {
    let options = Options::new(Durability::Durable);
    Journal::open(directory, options, Arc::default(), 0, &mut |_| Ok(())).unwrap().0
}

fn record(journal: &mut Journal, length: usize) -> Result<(), JournalError> {
    journal.append(Kind::Start, |out| out.resize(out.len() + length, 7))?;
    journal.write()?;
    journal.sync()
}

fn directory(disk: &Path) -> PathBuf {
    disk.join("journal")
}

/// No room: the reserve takes over, its end stops the journal, and all that was recorded is there afterwards.
fn full(disk: &Path) {
    let mut journal = open(&directory(disk));
    while !directory(disk).join("reserve").exists() {
        std::thread::yield_now();
    }
    let error = loop {
        if let Err(error) = record(&mut journal, 50_000) {
            break error;
        }
        if journal.in_reserve() {
            break record_until_the_reserve_ends(&mut journal);
        }
    };
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
    let last = journal.next_sequence() - 2;
    let again = record(&mut journal, 1).unwrap_err().to_string();
    assert!(again.contains("nothing more is sent"), "{again}");
    drop(journal);
    let found = survey(&directory(disk), &mut |_, _| Ok(())).unwrap();
    assert_eq!(found.last, last);
    assert!(last > 150, "8 MiB and more were recorded");
    // With room made, the next start goes on behind the last record.
    let spare = std::fs::read_dir(directory(disk)).unwrap().map(|entry| entry.unwrap().path());
    assert!(spare.into_iter().all(|path| path.file_name().unwrap() != "reserve"), "the reserve is in use");
}

fn record_until_the_reserve_ends(journal: &mut Journal) -> JournalError {
    for _ in 0..1_000 {
        if let Err(error) = record(journal, 50_000) {
            assert!(journal.in_reserve());
            return error;
        }
    }
    panic!("a reserve of 4 MiB took 50 MB");
}

/// The first sync that fails stops the journal for good: the kernel may have dropped the pages.
fn failing_sync(disk: &Path) {
    let mut journal = open(&directory(disk));
    record(&mut journal, 100).unwrap();
    fail_from_now_on();
    assert!(record(&mut journal, 100).unwrap_err().to_string().contains("fdatasync"));
    assert_stopped(&mut journal);
}

/// A write of which half arrives before the error leaves a torn end, which the next start cuts.
fn failing_write(disk: &Path) {
    let mut journal = open(&directory(disk));
    record(&mut journal, 100).unwrap();
    fail_from_now_on();
    record(&mut journal, 100).unwrap_err();
    assert_stopped(&mut journal);
    drop(journal);
    let found = survey(&directory(disk), &mut |_, _| Ok(())).unwrap();
    assert_eq!(found.last, 1);
    assert!(found.torn.is_some());
}

fn assert_stopped(journal: &mut Journal) {
    for _ in 0..3 {
        let error = record(journal, 1).unwrap_err().to_string();
        assert!(error.contains("the journal stopped") && error.contains("nothing more is sent"), "{error}");
    }
}

#[expect(unsafe_code, reason = "the library reads the process's environment")]
fn fail_from_now_on() {
    // SAFETY: this program's own threads read no environment.
    unsafe { std::env::set_var("AFTER", "0") };
}
