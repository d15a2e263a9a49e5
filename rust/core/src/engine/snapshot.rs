//! The whole state as bytes, and the step's context: what a replay needs beside the events.
use std::borrow::Cow;

use super::Engine;
use crate::commands::{CoinId, Commands};
use crate::copy::price::Quote;
use crate::risk::budget::ENCODED;
use crate::sign::keccak256;
use crate::state::State;

/// Version of the encoded state. Bump on any change of `state.rs`.
const VERSION: u8 = 30;
/// The oldest version that is read as well: `State` was only added to at its end since.
const OLDEST: u8 = 22;
/// What states since then lack there: empty lists and nothings, of which one came with 23, five with 24, one with 25, one with 26,
/// five with 27, one each with 28 and 29, and two with 30.
const ADDED: [&[u8]; 8] = [&[0; 17], &[0; 16], &[0; 11], &[0; 10], &[0; 9], &[0; 4], &[0; 3], &[0; 2]];
/// Until this version one number of either sign stood where `Stop::adrift_above` stands.
const ONE_ENDED: u8 = 28;
/// A quote without sizes, as written before they were used.
const BARE_QUOTE: u8 = 1;
const BUDGET: u8 = 2;
const QUOTE: u8 = 3;
/// Coin, bid, ask, time, and the sizes of bid and ask.
const QUOTE_LEN: usize = 44;
const BARE_QUOTE_LEN: usize = 28;

/// A snapshot or context that is not of this engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Written by another version.
    #[error("snapshot version {0} is unknown: this program reads {OLDEST} to {VERSION}")]
    Version(u8),
    /// Written with other leaders, followers or follows.
    #[error(
        "snapshot is of another configuration: restore its leaders, followers and follows, or start with a new journal directory"
    )]
    OtherConfig,
    /// Torn or altered.
    #[error("snapshot is damaged")]
    Damaged,
    /// Torn or altered.
    #[error("context is damaged")]
    Context,
}

impl Engine {
    /// Appends the whole state: version, fingerprint of the accounts, data.
    pub fn encode_state(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(&self.fingerprint());
        // Plain data always encodes; were it not so, the snapshot would be refused as damaged when read.
        if let Ok(bytes) = postcard::to_stdvec(&self.state) {
            out.extend_from_slice(&bytes);
        }
    }

    /// Replaces the state by an encoded one.
    ///
    /// # Errors
    /// When the bytes are damaged, of another version, or of another configuration; nothing is changed then.
    pub fn decode_state(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let (version, rest) = bytes.split_first().ok_or(StateError::Damaged)?;
        let (fingerprint, data) = rest.split_first_chunk::<8>().ok_or(StateError::Damaged)?;
        let data = match *version {
            VERSION => Cow::Borrowed(data),
            other => {
                let added = other.checked_sub(OLDEST).and_then(|since| ADDED.get(usize::from(since)));
                Cow::Owned([data, added.ok_or(StateError::Version(other))?].concat())
            }
        };
        if *fingerprint != self.fingerprint() {
            return Err(StateError::OtherConfig);
        }
        let (state, left) = postcard::take_from_bytes::<State>(&data).map_err(|_| StateError::Damaged)?;
        if !left.is_empty() {
            return Err(StateError::Damaged);
        }
        self.state = state;
        if *version <= ONE_ENDED {
            self.state.split_adrift();
        }
        self.index();
        self.count_holds();
        self.resolve_lists();
        Ok(())
    }

    /// Who is meant by the indexes in the state.
    fn fingerprint(&self) -> [u8; 8] {
        let mut text = Vec::new();
        for leader in &self.config.leaders {
            text.extend_from_slice(&leader.address.0);
        }
        text.push(0);
        for follower in &self.config.followers {
            text.extend_from_slice(&follower.account.0);
            text.extend_from_slice(&follower.agent.0);
        }
        text.push(0);
        for follow in &self.config.follows {
            text.extend_from_slice(&follow.leader.to_le_bytes());
            text.extend_from_slice(&follow.follower.to_le_bytes());
        }
        for dex in &self.dexs {
            text.extend_from_slice(dex.as_bytes());
            text.push(0);
        }
        let hash = keccak256(&text);
        let mut short = [0u8; 8];
        short.iter_mut().zip(hash).for_each(|(place, byte)| *place = byte);
        short
    }

    /// At replay, before each `step`: gives back the `Commands::context` that was journalled beside the event.
    ///
    /// # Errors
    /// When the bytes are no context.
    pub fn restore_context(&mut self, context: &[u8]) -> Result<(), StateError> {
        for note in Notes(context) {
            match note? {
                Note::Budget(levels) => self.budget.restore(levels),
                Note::Quote(coin, quote) => self.restore_quote(coin, quote),
            }
        }
        Ok(())
    }

    fn restore_quote(&mut self, coin: CoinId, quote: Quote) {
        let at = coin as usize;
        // Coins are few; a context of other bytes can't ask for more than one table of them.
        if at < 65_536 && self.quotes.len() <= at {
            self.quotes.resize(at + 1, Quote::default());
        }
        if let Some(place) = self.quotes.get_mut(at) {
            *place = quote;
        }
    }

    pub(super) fn note_budget(&self, out: &mut Commands) {
        if self.budget.is_limited() {
            out.context.push(BUDGET);
            self.budget.encode(&mut out.context);
        }
    }

    /// Writes a quote into the context, once per coin and step.
    pub(super) fn note_quote(&self, coin: CoinId, quote: Quote, out: &mut Commands) {
        let start = if self.budget.is_limited() { ENCODED + 1 } else { 0 };
        let noted = out.context.get(start..).unwrap_or_default();
        if noted.as_chunks::<{ QUOTE_LEN + 1 }>().0.iter().any(|entry| entry.get(1..5) == Some(&coin.to_le_bytes())) {
            return;
        }
        out.context.push(QUOTE);
        out.context.extend_from_slice(&coin.to_le_bytes());
        out.context.extend_from_slice(&quote.bid.to_le_bytes());
        out.context.extend_from_slice(&quote.ask.to_le_bytes());
        out.context.extend_from_slice(&quote.time_ms.to_le_bytes());
        out.context.extend_from_slice(&quote.bid_size.to_le_bytes());
        out.context.extend_from_slice(&quote.ask_size.to_le_bytes());
    }
}

/// What a step noted in its context.
#[derive(Debug, Clone, Copy)]
enum Note<'a> {
    Budget(&'a [u8; ENCODED]),
    Quote(CoinId, Quote),
}

/// The notes of a context, until its end or the first bytes that are none.
struct Notes<'a>(&'a [u8]);

impl<'a> Notes<'a> {
    fn read(&mut self, tag: u8, tail: &'a [u8]) -> Option<Note<'a>> {
        match tag {
            BUDGET => {
                let (levels, rest) = tail.split_first_chunk::<ENCODED>()?;
                self.0 = rest;
                Some(Note::Budget(levels))
            }
            BARE_QUOTE => {
                let (quote, rest) = tail.split_first_chunk::<BARE_QUOTE_LEN>()?;
                let mut sized = [0; QUOTE_LEN];
                sized.iter_mut().zip(quote).for_each(|(place, byte)| *place = *byte);
                self.0 = rest;
                let (coin, quote) = quote_of(&sized);
                Some(Note::Quote(coin, quote))
            }
            QUOTE => {
                let (quote, rest) = tail.split_first_chunk::<QUOTE_LEN>()?;
                self.0 = rest;
                let (coin, quote) = quote_of(quote);
                Some(Note::Quote(coin, quote))
            }
            _ => None,
        }
    }
}

impl<'a> Iterator for Notes<'a> {
    type Item = Result<Note<'a>, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, tail) = self.0.split_first()?;
        let note = self.read(*tag, tail).ok_or(StateError::Context);
        if note.is_err() {
            self.0 = &[];
        }
        Some(note)
    }
}

fn quote_of(bytes: &[u8; QUOTE_LEN]) -> (CoinId, Quote) {
    let (coin, prices) = bytes.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
    let words: [[u8; 8]; 5] = prices.as_chunks::<8>().0.try_into().unwrap_or_default();
    let [bid, ask, time, bid_size, ask_size] = words;
    let quote = Quote {
        bid: i64::from_le_bytes(bid),
        ask: i64::from_le_bytes(ask),
        bid_size: i64::from_le_bytes(bid_size),
        ask_size: i64::from_le_bytes(ask_size),
        time_ms: u64::from_le_bytes(time),
    };
    (CoinId::from_le_bytes(*coin), quote)
}

/// The best quotes that a step used, from its context; what is no quote is passed over.
pub fn quotes_of(context: &[u8]) -> impl Iterator<Item = (CoinId, Quote)> + '_ {
    Notes(context).filter_map(|note| match note {
        Ok(Note::Quote(coin, quote)) => Some((coin, quote)),
        _ => None,
    })
}
