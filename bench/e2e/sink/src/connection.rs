//! One accepted socket: bytes in with the time they were read, bytes out without blocking.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Instant;

use mio::net::TcpStream;

/// One read never takes more than this.
pub const READ: usize = 1 << 18;

pub struct Connection {
    pub stream: TcpStream,
    pub is_websocket: bool,
    /// Subscribed to the leader's fills.
    pub is_feed: bool,
    pub inbox: Vec<u8>,
    pub outbox: Vec<u8>,
    pub closed: bool,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, is_websocket: false, is_feed: false, inbox: Vec::new(), outbox: Vec::new(), closed: false }
    }

    /// Reads what is there; the instant is taken right after each read returned. Calls `each` after every read.
    pub fn read(&mut self, scratch: &mut Vec<u8>, mut each: impl FnMut(&mut Self, Instant)) {
        scratch.resize(READ, 0);
        loop {
            match self.stream.read(scratch) {
                Ok(0) => {
                    self.closed = true;
                    return;
                }
                Ok(size) => {
                    let arrived = Instant::now();
                    self.inbox.extend_from_slice(&scratch[..size]);
                    each(self, arrived);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    /// Writes as much of the outbox as the socket takes.
    pub fn write(&mut self) {
        let mut done = 0;
        while done < self.outbox.len() {
            match self.stream.write(&self.outbox[done..]) {
                Ok(size) => done += size,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.closed = true;
                    break;
                }
            }
        }
        self.outbox.drain(..done);
    }
}
