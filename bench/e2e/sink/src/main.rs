//! Load generator and order sink for tick-to-trade: the leader's feed and the venue's order door in one process, so that
//! both ends of a latency are read from one monotonic clock.
//!
//! `sink LEADER [AGENTS_FILE]` prints `{"base_url", "ws_url"}` and obeys JSON lines on standard input:
//! `{"op":"run", …Plan}` sends leader fills open-loop and reports each event's first and last order; `{"op":"flood",
//! "seconds"}` sends distinct one-fill frames as fast as the copier takes them; `{"op":"wait_feed"}` answers when the leader
//! is subscribed to. It ends when standard input closes. AGENTS_FILE holds `agent account` pairs, one a line.
//!
//! While an event is open the loop polls without sleeping, so that waking up is never part of a figure; between events it
//! sleeps and leaves its core to the copier.

mod connection;
mod http;
mod schedule;
mod scrape;
mod server;
mod venue;
mod ws;

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use serde::Deserialize;

use schedule::{MAX_PAIRS, Plan, Run};
use scrape::Scraper;
use server::Server;

/// Polling without sleep starts this long before an intended send …
const LEAD: Duration = Duration::from_micros(400);
/// … and ends this long after it: copiers that need longer are far above any wake-up cost.
const SPIN: Duration = Duration::from_millis(20);
/// Orders that are part of an event that will not complete are answered after this much silence.
const QUIET: Duration = Duration::from_millis(5);
/// The last event of a run may take this long.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Command {
    WaitFeed { seconds: f64 },
    Run(Plan),
    Flood { seconds: f64, frames_per_write: usize },
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(leader) = arguments.next() else {
        eprintln!("usage: sink LEADER [AGENTS_FILE]");
        std::process::exit(2);
    };
    let agents = match arguments.next() {
        Some(path) => std::fs::read_to_string(path)?,
        None => String::new(),
    };
    let mut server = Server::new(leader.to_ascii_lowercase(), &agents)?;
    let address = server.address()?;
    say(&format!(r#"{{"base_url":"http://{address}","ws_url":"ws://{address}/ws"}}"#))?;
    let mut lines = Vec::new();
    loop {
        server.turn(Some(Duration::from_secs(1)))?;
        server.answer_posts(None);
        server.answer_requests(None);
        if server.stdin_ready {
            server.stdin_ready = false;
            let mut chunk = [0_u8; 4096];
            let size = std::io::stdin().read(&mut chunk)?;
            if size == 0 {
                return Ok(());
            }
            lines.extend_from_slice(&chunk[..size]);
        }
        while let Some(end) = lines.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = lines.drain(..=end).collect();
            let answer = match serde_json::from_slice(&line) {
                Ok(command) => obey(&mut server, command)?,
                Err(error) => serde_json::json!({"error": error.to_string()}).to_string(),
            };
            say(&answer)?;
        }
    }
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn obey(server: &mut Server, command: Command) -> std::io::Result<String> {
    match command {
        Command::WaitFeed { seconds } => wait_feed(server, Duration::from_secs_f64(seconds)),
        Command::Run(plan) if (plan.events + plan.warmup) % 2 != 0 || plan.followers == 0 => {
            Ok(r#"{"error":"events + warmup must be even (the leader ends flat) and followers at least 1"}"#.to_owned())
        }
        Command::Run(plan) if (plan.events + plan.warmup) as u64 > 2 * MAX_PAIRS => {
            Ok(format!(r#"{{"error":"a run holds at most {} events"}}"#, 2 * MAX_PAIRS))
        }
        Command::Run(plan) => run(server, plan),
        Command::Flood { seconds, frames_per_write } => {
            // An even number a write: the leader ends flat.
            flood(server, Duration::from_secs_f64(seconds), frames_per_write.next_multiple_of(2).max(2))
        }
    }
}

fn wait_feed(server: &mut Server, limit: Duration) -> std::io::Result<String> {
    let started = Instant::now();
    while !server.has_feed() {
        if started.elapsed() > limit {
            return Ok(r#"{"error":"nobody subscribed to the leader's fills"}"#.to_owned());
        }
        server.turn(Some(Duration::from_millis(20)))?;
        server.answer_posts(None);
    }
    Ok(format!(r#"{{"waited_ms":{}}}"#, started.elapsed().as_millis()))
}

fn run(server: &mut Server, plan: Plan) -> std::io::Result<String> {
    let interval = Duration::from_micros(plan.interval_us);
    let mut run = Run::new(plan, server.fills_sent, Instant::now() + Duration::from_millis(50));
    let end = run.events.last().map_or_else(Instant::now, |event| event.intended) + interval + GRACE;
    server.scraper = plan.scrape.map(|scrape| Scraper::new(scrape, Instant::now()));
    let mut frame = None;
    loop {
        let now = Instant::now();
        if let Some(event) = run.events.get_mut(run.next) {
            if now >= event.intended {
                server.send_fill(&frame.take().unwrap_or_else(|| server.next_fill()));
                event.sent_late = now - event.intended;
                run.next += 1;
            } else if frame.is_none() && now + LEAD >= event.intended {
                frame = Some(server.next_fill());
            }
        } else if !run.is_open() || now > end {
            break;
        }
        server.scrape()?;
        server.turn(Some(patience(&mut run, interval).min(server.until_scrape())))?;
        let waiting = server.posts.len();
        let quiet = server.posts.last().is_some_and(|post| post.arrived.elapsed() > QUIET);
        if waiting >= plan.followers || quiet {
            server.answer_posts(Some(&mut run));
        }
        server.answer_requests(Some(&mut run));
    }
    let scraper = server.scraper.take();
    Ok(run.report(scraper.as_ref().map_or(&[], |scraper| &scraper.took_ns)))
}

/// How long the next poll may sleep: not at all around an event, else until shortly before the next one.
fn patience(run: &mut Run, interval: Duration) -> Duration {
    let now = Instant::now();
    let since_sent = run.next.checked_sub(1).map(|last| now.saturating_duration_since(run.events[last].intended));
    if since_sent.is_some_and(|since| since < SPIN.min(interval)) && run.is_open() {
        return Duration::ZERO;
    }
    let until = run.events.get(run.next).map_or(QUIET, |event| event.intended.saturating_duration_since(now));
    // The poll counts whole milliseconds and rounds up: round down here, and spin the rest.
    Duration::from_millis(until.saturating_sub(LEAD).min(QUIET).as_millis() as u64)
}

fn flood(server: &mut Server, limit: Duration, frames_per_write: usize) -> std::io::Result<String> {
    let before = server.fills_sent;
    let started = Instant::now();
    while started.elapsed() < limit {
        if server.feed_backlog() == 0 {
            server.send_fills(frames_per_write);
        }
        server.turn(Some(if server.feed_backlog() == 0 { Duration::ZERO } else { Duration::from_millis(10) }))?;
        server.answer_posts(None);
        server.answer_requests(None);
    }
    while server.feed_backlog() > 0 && started.elapsed() < limit + GRACE {
        server.turn(Some(Duration::from_millis(1)))?;
        server.answer_posts(None);
    }
    let sent = server.fills_sent - before;
    Ok(format!(r#"{{"fills":{sent},"elapsed_ns":{},"orders":{}}}"#, started.elapsed().as_nanos(), server.orders_seen))
}
