//! All connections of the sink, what they said and what they are told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::TcpListener;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::connection::{Connection, READ};
use crate::http;
use crate::schedule::{Run, fill_frame, opens, size_text};
use crate::scrape::Scraper;
use crate::venue::{Accounts, Body, Inbound, Subscription, settle};
use crate::ws::{self, Frame};

const LISTENER: Token = Token(0);
const STDIN: Token = Token(1);
const SCRAPE: Token = Token(2);
const FIRST_CONNECTION: usize = 3;

/// One action that was wholly read and waits for its answer.
pub struct Arrival {
    pub arrived: Instant,
    token: usize,
    bytes: Vec<u8>,
}

pub struct Server {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    connections: HashMap<usize, Connection>,
    next_token: usize,
    scratch: Vec<u8>,
    leader: String,
    agents: HashMap<String, String>,
    next_oid: u64,
    pub stdin_ready: bool,
    /// WebSocket posts; answered together once an event is complete, as block-wise as the venue does.
    pub posts: Vec<Arrival>,
    /// HTTP requests; answered at once, since their senders wait.
    requests: Vec<Arrival>,
    pub scraper: Option<Scraper>,
    pub fills_sent: u64,
    pub orders_seen: u64,
}

impl Server {
    pub fn new(leader: String, agents: &str) -> std::io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        poll.registry().register(&mut SourceFd(&0), STDIN, Interest::READABLE)?;
        let pair = |line: &str| line.split_once(' ').map(|(agent, account)| (agent.to_owned(), account.to_owned()));
        Ok(Self {
            poll,
            events: Events::with_capacity(256),
            listener,
            connections: HashMap::new(),
            next_token: FIRST_CONNECTION,
            scratch: Vec::new(),
            leader,
            agents: agents.to_ascii_lowercase().lines().filter_map(pair).collect(),
            next_oid: 900_000_000_000,
            stdin_ready: false,
            posts: Vec::new(),
            requests: Vec::new(),
            scraper: None,
            fills_sent: 0,
            orders_seen: 0,
        })
    }

    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// One round of the poll: accepts, reads, writes what is left.
    pub fn turn(&mut self, patience: Option<Duration>) -> std::io::Result<()> {
        match self.poll.poll(&mut self.events, patience) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        let ready: Vec<(Token, bool)> = self.events.iter().map(|event| (event.token(), event.is_writable())).collect();
        for (token, writable) in ready {
            match token {
                LISTENER => self.accept()?,
                STDIN => self.stdin_ready = true,
                SCRAPE => self.read_scrape()?,
                Token(number) => self.serve(number, writable),
            }
        }
        Ok(())
    }

    /// Asks for the copier's metrics when that is due.
    pub fn scrape(&mut self) -> std::io::Result<()> {
        if let Some(scraper) = &mut self.scraper
            && scraper.begin(Instant::now())?
            && let Some(stream) = &mut scraper.stream
        {
            self.poll.registry().register(stream, SCRAPE, Interest::READABLE)?;
        }
        Ok(())
    }

    /// How long the poll may sleep for the next scrape's sake, in whole milliseconds.
    pub fn until_scrape(&self) -> Duration {
        let until = self.scraper.as_ref().map_or(Duration::MAX, |scraper| scraper.patience(Instant::now()));
        Duration::from_millis(u64::try_from(until.as_millis()).unwrap_or(u64::MAX))
    }

    fn read_scrape(&mut self) -> std::io::Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(READ, 0);
        let read = self.scraper.as_mut().map_or(Ok(()), |scraper| scraper.read(&mut scratch));
        self.scratch = scratch;
        read
    }

    fn accept(&mut self) -> std::io::Result<()> {
        while let Ok((mut stream, _)) = self.listener.accept() {
            stream.set_nodelay(true)?;
            let token = self.next_token;
            self.next_token += 1;
            self.poll.registry().register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
            self.connections.insert(token, Connection::new(stream));
        }
        Ok(())
    }

    fn serve(&mut self, token: usize, writable: bool) {
        let Some(mut connection) = self.connections.remove(&token) else { return };
        if writable {
            connection.write();
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        connection.read(&mut scratch, |connection, arrived| self.take(token, connection, arrived));
        self.scratch = scratch;
        if !connection.closed {
            self.connections.insert(token, connection);
        }
    }

    /// Splits what has arrived into requests and frames.
    fn take(&mut self, token: usize, connection: &mut Connection, arrived: Instant) {
        let mut used = 0;
        loop {
            let rest = &connection.inbox[used..];
            if connection.is_websocket {
                let Some(frame) = Frame::next(rest) else { break };
                let payload = frame.payload(rest);
                used += frame.length;
                self.take_frame(token, connection, frame.opcode, payload, arrived);
            } else {
                let Some(request) = http::Request::next(rest) else { break };
                let body = rest[request.body.clone()].to_vec();
                used += request.body.end;
                if let Some(key) = &request.upgrade_key {
                    connection.outbox.extend_from_slice(ws::handshake(key).as_bytes());
                    connection.is_websocket = true;
                } else if request.path == "/exchange" {
                    self.requests.push(Arrival { arrived, token, bytes: body });
                } else {
                    let answer = self.accounts(|accounts| accounts.info(&body));
                    http::put_answer(&mut connection.outbox, answer.as_bytes());
                }
            }
        }
        connection.inbox.drain(..used);
        connection.write();
    }

    fn take_frame(
        &mut self,
        token: usize,
        connection: &mut Connection,
        opcode: u8,
        payload: Vec<u8>,
        arrived: Instant,
    ) {
        match opcode {
            ws::OP_PING => ws::put_frame(&mut connection.outbox, ws::OP_PONG, &payload),
            ws::OP_CLOSE => ws::put_frame(&mut connection.outbox, ws::OP_CLOSE, &payload),
            ws::OP_TEXT if payload.starts_with(br#"{"method":"post""#) => {
                self.posts.push(Arrival { arrived, token, bytes: payload });
            }
            ws::OP_TEXT => self.take_message(token, connection, payload, arrived),
            _ => {}
        }
    }

    fn take_message(&mut self, token: usize, connection: &mut Connection, payload: Vec<u8>, arrived: Instant) {
        let Ok(message) = serde_json::from_slice::<Inbound<'_>>(&payload) else { return };
        match (message.method, message.subscription) {
            ("ping", _) => ws::put_frame(&mut connection.outbox, ws::OP_TEXT, br#"{"channel":"pong"}"#),
            ("subscribe" | "unsubscribe", Some(subscription)) => {
                let (method, text) = (message.method, subscription.get());
                let ack = format!(
                    r#"{{"channel":"subscriptionResponse","data":{{"method":"{method}","subscription":{text}}}}}"#
                );
                ws::put_frame(&mut connection.outbox, ws::OP_TEXT, ack.as_bytes());
                let Ok(wanted) = serde_json::from_str::<Subscription<'_>>(text) else { return };
                let user = wanted.user.unwrap_or("").to_ascii_lowercase();
                if wanted.kind == "userFills" && method == "subscribe" {
                    let snapshot =
                        format!(r#"{{"channel":"userFills","data":{{"isSnapshot":true,"user":"{user}","fills":[]}}}}"#);
                    ws::put_frame(&mut connection.outbox, ws::OP_TEXT, snapshot.as_bytes());
                    connection.is_feed |= user == self.leader;
                }
            }
            ("post", _) => self.posts.push(Arrival { arrived, token, bytes: payload }),
            _ => {}
        }
    }

    /// Answers every waiting post, books its orders, and hands each connection one write.
    pub fn answer_posts(&mut self, mut run: Option<&mut Run>) {
        for post in std::mem::take(&mut self.posts) {
            let answer = self.answer_post(&post, run.as_deref_mut());
            if let Some(connection) = self.connections.get_mut(&post.token) {
                ws::put_frame(&mut connection.outbox, ws::OP_TEXT, answer.as_bytes());
            }
        }
        self.connections.values_mut().for_each(Connection::write);
    }

    fn answer_post(&mut self, post: &Arrival, run: Option<&mut Run>) -> String {
        let Ok(message) = serde_json::from_slice::<Inbound<'_>>(&post.bytes) else {
            return r#"{"channel":"error","data":"Error parsing JSON into valid websocket request"}"#.to_owned();
        };
        let (Some(id), Some(request)) = (message.id, message.request) else {
            // A bare echo of the transport: fixed bytes, no action.
            if let Some(run) = run {
                run.book(None, post.arrived);
            }
            return r#"{"channel":"post","data":{}}"#.to_owned();
        };
        if request.kind != "action" {
            let answer = self.accounts(|accounts| accounts.info(request.payload.get().as_bytes()));
            return format!(
                r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"info","payload":{{"type":"info","data":{answer}}}}}}}}}"#
            );
        }
        let payload = self.settle(request.payload.get().as_bytes(), post.arrived, run);
        format!(r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"action","payload":{payload}}}}}}}"#)
    }

    /// Answers every waiting /exchange request.
    pub fn answer_requests(&mut self, mut run: Option<&mut Run>) {
        for request in std::mem::take(&mut self.requests) {
            let answer = self.settle(&request.bytes, request.arrived, run.as_deref_mut());
            if let Some(connection) = self.connections.get_mut(&request.token) {
                http::put_answer(&mut connection.outbox, answer.as_bytes());
                connection.write();
            }
        }
    }

    fn settle(&mut self, body: &[u8], arrived: Instant, run: Option<&mut Run>) -> String {
        match serde_json::from_slice::<Body<'_>>(body) {
            Ok(body) => {
                self.orders_seen += body.action.orders.len() as u64;
                if let Some(run) = run {
                    body.action.orders.iter().for_each(|order| run.book(Some(order), arrived));
                }
                settle(&body.action, &mut self.next_oid)
            }
            Err(error) => serde_json::json!({"status": "err", "response": error.to_string()}).to_string(),
        }
    }

    fn accounts<T>(&self, ask: impl FnOnce(&Accounts<'_>) -> T) -> T {
        // After an opening fill (an odd count of fills sent) the leader, and so every follower, holds that pair's size.
        let held = self.fills_sent.checked_sub(1).filter(|&last| opens(last)).map(|last| size_text(last / 2));
        let position = held.as_deref().unwrap_or("0");
        ask(&Accounts {
            leader: &self.leader,
            leader_position: position,
            follower_position: position,
            agents: &self.agents,
            now_ms: now_ms(),
        })
    }

    pub fn has_feed(&self) -> bool {
        self.connections.values().any(|connection| connection.is_feed)
    }

    /// The next fill as a whole frame, rendered before its time has come. Its `time` is the moment of rendering.
    pub fn next_fill(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(512);
        ws::put_frame(&mut frame, ws::OP_TEXT, fill_frame(&self.leader, self.fills_sent, now_ms()).as_bytes());
        frame
    }

    /// Sends one rendered fill to every subscriber.
    pub fn send_fill(&mut self, frame: &[u8]) {
        self.fills_sent += 1;
        for connection in self.connections.values_mut().filter(|connection| connection.is_feed) {
            connection.outbox.extend_from_slice(frame);
            connection.write();
        }
    }

    /// Sends `count` distinct fills to the first subscriber in one write.
    pub fn send_fills(&mut self, count: usize) {
        let time_ms = now_ms();
        let mut frames = Vec::with_capacity(512 * count);
        for _ in 0..count {
            let text = fill_frame(&self.leader, self.fills_sent, time_ms);
            ws::put_frame(&mut frames, ws::OP_TEXT, text.as_bytes());
            self.fills_sent += 1;
        }
        if let Some(connection) = self.connections.values_mut().find(|connection| connection.is_feed) {
            connection.outbox.extend_from_slice(&frames);
            connection.write();
        }
    }

    /// Bytes that subscribers have not taken yet.
    pub fn feed_backlog(&self) -> usize {
        self.connections
            .values()
            .filter(|connection| connection.is_feed)
            .map(|connection| connection.outbox.len())
            .sum()
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}
