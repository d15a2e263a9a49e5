//! A monitor that reads the copier's metrics while events are measured. It lives in the sink's loop: on two cores that sink and
//! copier fill, a process of its own would take its time from one of them, and that would be what a tail shows.

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use serde::Deserialize;

/// A shorter page is none.
const LEAST: usize = 10_000;
/// Moves each scrape against the events by a part of every interval, so that in turn it meets each moment of one.
const DRIFT: Duration = Duration::from_micros(617);

#[derive(Deserialize, Clone, Copy)]
pub struct Plan {
    pub address: SocketAddr,
    pub every_us: u64,
}

/// At most one scrape under way.
pub struct Scraper {
    plan: Plan,
    due: Instant,
    begun: Instant,
    pub stream: Option<TcpStream>,
    page: Vec<u8>,
    pub took_ns: Vec<u64>,
}

impl Scraper {
    pub fn new(plan: Plan, now: Instant) -> Self {
        Self { plan, due: now, begun: now, stream: None, page: Vec::new(), took_ns: Vec::new() }
    }

    /// Until the next scrape.
    pub fn patience(&self, now: Instant) -> Duration {
        if self.stream.is_some() { Duration::MAX } else { self.due.saturating_duration_since(now) }
    }

    /// Asks for the page if it is time. True: a new stream is to be polled.
    pub fn begin(&mut self, now: Instant) -> std::io::Result<bool> {
        if now < self.due {
            return Ok(false);
        }
        self.due += Duration::from_micros(self.plan.every_us) + DRIFT;
        // A page that takes longer than the time between two is its own figure; nobody asks for two at a time.
        if self.stream.is_some() {
            return Ok(false);
        }
        self.begun = now;
        self.page.clear();
        // Loopback: connected, and the request taken, at once.
        let mut stream = std::net::TcpStream::connect(self.plan.address)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n")?;
        stream.set_nonblocking(true)?;
        self.stream = Some(TcpStream::from_std(stream));
        Ok(true)
    }

    /// Reads what is there; the copier closes after its answer.
    pub fn read(&mut self, scratch: &mut [u8]) -> std::io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        loop {
            match stream.read(scratch) {
                Ok(0) => break,
                Ok(size) => self.page.extend_from_slice(&scratch[..size]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stream = None;
        if !self.page.starts_with(b"HTTP/1.1 200") || self.page.len() < LEAST {
            return Err(Error::other(format!("no metrics in {} bytes", self.page.len())));
        }
        self.took_ns.push(self.begun.elapsed().as_nanos() as u64);
        Ok(())
    }
}
