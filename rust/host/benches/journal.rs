//! Journal append, metric update, scrape: `cargo bench -p hlfast-host`. The journal lies in `HLFAST_BENCH_DIR`, which must be
//! on a disk file system, else in the build directory.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may stop on any failure")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hlfast_core::journal::{Kind, NO_LINK, record};
use hlfast_core::metrics::{Metrics, Stage};
use hlfast_host::journal::{Durability, Journal, Options};

/// What one fill's frame and its decision take.
const RECORD: [u8; 640] = [0x61; 640];

fn directory(name: &str) -> PathBuf {
    let base =
        std::env::var_os("HLFAST_BENCH_DIR").map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let path = base.join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn open(path: &Path, durability: Durability) -> Journal {
    Journal::open(path, Options::new(durability), Arc::default(), 0, &mut |_| Ok(())).unwrap().0
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal");
    group.throughput(Throughput::Bytes(RECORD.len() as u64));
    let path = directory("append");
    let mut journal = open(&path, Durability::Relaxed);
    let mut buffer = Vec::new();
    group.bench_function("seal in memory", |bench| {
        bench.iter(|| {
            buffer.clear();
            let begun = record::begin(&mut buffer);
            buffer.extend_from_slice(&RECORD);
            record::seal(&mut buffer, begun, Kind::Step, 1, 0, &NO_LINK).unwrap();
        });
    });
    // Short: each second of it is half a gigabyte on the disk.
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    group.bench_function("append and write", |bench| {
        bench.iter(|| {
            journal.append(Kind::Step, |out| out.extend_from_slice(&RECORD)).unwrap();
            journal.write().unwrap();
        });
    });
    drop(journal);
    std::fs::remove_dir_all(&path).unwrap();
    let path = directory("durable");
    let mut journal = open(&path, Durability::Durable);
    group.sample_size(20).bench_function("append, write and sync", |bench| {
        bench.iter(|| {
            journal.append(Kind::Step, |out| out.extend_from_slice(&RECORD)).unwrap();
            journal.write().unwrap();
            journal.sync().unwrap();
        });
    });
    drop(journal);
    std::fs::remove_dir_all(&path).unwrap();
    group.finish();
}

fn metrics(criterion: &mut Criterion) {
    let metrics = Metrics::default();
    let mut group = criterion.benchmark_group("metrics");
    let mut duration_ns = 1_000;
    group.bench_function("histogram update", |bench| {
        bench.iter(|| {
            duration_ns = (duration_ns * 3) & 0xf_ffff;
            metrics.stage(Stage::Decide, duration_ns);
        });
    });
    group.bench_function("labelled counter update", |bench| bench.iter(|| metrics.reasons.add(3, 1)));
    let mut page = String::new();
    metrics.render(1, &mut page);
    let series = page.lines().filter(|line| !line.starts_with('#')).count();
    group.throughput(Throughput::Elements(series as u64));
    group.bench_function("render", |bench| {
        bench.iter_batched_ref(|| String::with_capacity(64 << 10), |out| metrics.render(1, out), BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, append, metrics);
criterion_main!(benches);
