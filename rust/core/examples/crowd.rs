//! Decides fills for a thousand followers, without or behind every gate and cap: what `bench/micro/instructions.py` counts under
//! callgrind. Arguments: `plain` or `guarded`, and how many fills.
#![allow(clippy::unwrap_used, reason = "bench code")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use hlfast_core::commands::Commands;
use hlfast_core::engine::Engine;
use hlfast_core::event::Event;
use venue::crowd::{CROWD, copy_to_crowd, crowd};

#[path = "../tests/venue/mod.rs"]
mod venue;

/// Collected alone: not the crowd's beginning, nor the venue's answers.
#[inline(never)]
fn decide_for_crowd(engine: &mut Engine, event: &Event<'_>, now_ms: u64, out: &mut Commands) {
    let _ = black_box(engine.step(black_box(event), now_ms, 0, out));
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let guarded = arguments.next().as_deref() == Some("guarded");
    let fills: usize = arguments.next().map_or(2, |text| text.parse().unwrap());
    let mut world = crowd(guarded);
    let mut best = Duration::MAX;
    for number in 0..fills {
        let side = if number % 2 == 0 { "B" } else { "A" };
        let mut spent = Duration::ZERO;
        let orders = copy_to_crowd(&mut world, "ETH", side, &mut |engine, event, now_ms, out| {
            let started = Instant::now();
            decide_for_crowd(engine, event, now_ms, out);
            spent += started.elapsed();
        });
        assert_eq!(orders, CROWD, "everybody follows");
        best = best.min(spent);
    }
    println!("{} orders, the fastest fill in {best:?}", fills * CROWD);
}
