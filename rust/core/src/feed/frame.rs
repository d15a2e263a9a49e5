//! WebSocket frames: which channel, and the rows of those that decide something.
//!
//! A frame is parsed whole into reused buffers before any of it is applied, so a malformed one changes nothing.
use super::answer::{self, Answer};
use super::leader;
use super::scan::{FrameError, Scan, Span};
use crate::num::{Pos, Px, Sz};

/// Larger frames are refused by name: the venue's own largest (2,000 fills) is under 1 MB.
pub const MAX_FRAME: usize = 8 * 1024 * 1024;
/// 2096 in milliseconds: a larger time is not a time.
const MAX_TIME_MS: u64 = 4_000_000_000_000;

type Result<T> = std::result::Result<T, FrameError>;

/// One side of one match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FillRow {
    /// The coin's name.
    pub coin: Span,
    /// Price.
    pub price: Px,
    /// Size, above zero.
    pub size: Sz,
    /// The account bought.
    pub is_buy: bool,
    /// Block time.
    pub time_ms: u64,
    /// The account's position before; the tape has none.
    pub start: Option<Pos>,
    /// The venue's hash of both orders.
    pub tid: u64,
    /// Whom the match liquidated, if anyone.
    pub liquidated: Option<[u8; 20]>,
    /// The backstop did that, beside the book.
    pub by_backstop: bool,
}

/// What the venue did to an account without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// It took a position for want of margin.
    Liquidated,
    /// It closed a position, or a part of it, that was on the winning side of somebody's who could not pay.
    Deleveraged,
}

impl FillRow {
    /// What the venue did to the account whose row this is. Of deleveraging only display text speaks by name; by its facts it is a
    /// match beside the book that reduces a position and liquidates somebody else (a row of 2025-10-10: method `backstop`, no fee).
    #[must_use]
    pub fn forced(&self, account: &[u8; 20]) -> Option<Forced> {
        let liquidated = self.liquidated?;
        if liquidated == *account {
            return Some(Forced::Liquidated);
        }
        let start = self.start?.raw();
        let reduces =
            start != 0 && (start > 0) != self.is_buy && self.size.raw().unsigned_abs() <= start.unsigned_abs();
        (self.by_backstop && reduces).then_some(Forced::Deleveraged)
    }
}

/// A tape row: the match and its two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TapeRow {
    /// The match, `is_buy` unset.
    pub row: FillRow,
    /// Buyer and seller.
    pub users: [[u8; 20]; 2],
}

/// Best quotes of one coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteRow {
    /// The coin's name.
    pub coin: Span,
    /// Block time.
    pub time_ms: u64,
    /// Best bid, if any: price and size (zero: not told).
    pub bid: Option<(Px, Sz)>,
    /// Best ask, if any.
    pub ask: Option<(Px, Sz)>,
}

/// What a frame is. Rows are in the buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Rows in `Buffers::fills`.
    UserFills {
        /// Whose.
        user: [u8; 20],
        /// History, not news.
        snapshot: bool,
    },
    /// Rows in `Buffers::tape`.
    Trades,
    /// Best quotes changed.
    Quote(QuoteRow),
    /// An answer to a post of ours; statuses in `Buffers::answers`.
    Post {
        /// The post's id.
        id: u64,
        /// What it says.
        answer: Answer,
    },
    /// An account was liquidated (from `userEvents`).
    Liquidation {
        /// Whose.
        user: [u8; 20],
    },
    /// Orders of whoever owns the connection changed.
    Orders {
        /// How many.
        count: u64,
        /// The newest change.
        time_ms: u64,
    },
    /// Money came to an account or left it, other than by trading and funding.
    Transfers {
        /// Whose.
        user: [u8; 20],
        /// The newest.
        time_ms: u64,
    },
    /// A pong.
    Pong,
    /// A subscription confirmed.
    Ack {
        /// Whose orders, if these were subscribed: their frames don't say.
        orders_of: Option<[u8; 20]>,
    },
    /// The venue's error channel.
    Error,
    /// Nothing for the core.
    Other,
}

/// Rows of the frame parsed last. Kept between frames so that steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Buffers {
    /// Rows of `userFills`.
    pub fills: Vec<FillRow>,
    /// Rows of `trades`.
    pub tape: Vec<TapeRow>,
    /// Statuses of a post's orders.
    pub statuses: Vec<answer::Status>,
    /// Whose fills they are: set as soon as it is read, also when the frame turns out malformed.
    pub user: Option<[u8; 20]>,
}

impl Buffers {
    fn clear(&mut self) {
        self.fills.clear();
        self.tape.clear();
        self.statuses.clear();
        self.user = None;
    }
}

/// Parses one frame.
///
/// # Errors
/// The first rule that the bytes break. Nothing of the frame may then be used but `Buffers::user`.
pub fn parse_frame(bytes: &[u8], buffers: &mut Buffers) -> Result<Frame> {
    buffers.clear();
    if bytes.len() > MAX_FRAME {
        return Err(FrameError { what: "frame above 8 MiB", at: MAX_FRAME });
    }
    // The venue's historic greeting is no JSON; it was still sent in 2024.
    if bytes == b"Websocket connection established." {
        return Ok(Frame::Other);
    }
    let mut scan = Scan::new(bytes);
    let mut first = true;
    let (mut channel, mut data, mut frame): (Option<&[u8]>, Option<usize>, _) = (None, None, None);
    if scan.take_exactly(b"{\"channel\":\"userFills\",\"data\":") {
        (first, channel, data) = (false, Some(b"userFills".as_slice()), Some(scan.place()));
        frame = Some(user_fills(&mut scan, buffers)?);
    }
    while let Some(key) = scan.key(&mut first)? {
        match (key, channel) {
            (b"channel", None) => channel = Some(scan.string_bytes()?),
            (b"channel", Some(_)) => return Err(scan.error("channel twice")),
            (b"data", _) if data.is_some() => return Err(scan.error("data twice")),
            (b"data", Some(channel)) => {
                data = Some(scan.place());
                frame = Some(parse_data(channel, &mut scan, buffers)?);
            }
            (b"data", None) => {
                data = Some(scan.place());
                scan.skip()?;
            }
            _ => scan.skip()?,
        }
    }
    scan.end()?;
    match (frame, channel, data) {
        (Some(frame), _, _) => Ok(frame),
        (None, Some(channel), Some(at)) => parse_data(channel, &mut scan.seek(at), buffers),
        (None, Some(b"pong"), None) => Ok(Frame::Pong),
        (None, Some(_), None) => Err(scan.error("no data")),
        (None, None, _) => Err(scan.error("no channel")),
    }
}

fn parse_data(channel: &[u8], scan: &mut Scan<'_>, buffers: &mut Buffers) -> Result<Frame> {
    match channel {
        b"userFills" => user_fills(scan, buffers),
        b"trades" => trades(scan, buffers),
        b"bbo" => quote(scan),
        b"post" => answer::parse_post(scan, &mut buffers.statuses),
        b"user" => leader::user_event(scan),
        b"orderUpdates" => leader::order_updates(scan),
        b"userNonFundingLedgerUpdates" => leader::transfers(scan),
        b"subscriptionResponse" => leader::acknowledgement(scan),
        _ => {
            scan.skip()?;
            Ok(match channel {
                b"pong" => Frame::Pong,
                b"error" => Frame::Error,
                _ => Frame::Other,
            })
        }
    }
}

fn user_fills(scan: &mut Scan<'_>, buffers: &mut Buffers) -> Result<Frame> {
    let mut first = true;
    let mut snapshot = false;
    let mut seen = false;
    if scan.take_exactly(b"{\"user\":") {
        first = false;
        buffers.user = Some(scan.address()?);
    }
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"user" => buffers.user = Some(scan.address()?),
            b"isSnapshot" => snapshot = !scan.null() && scan.boolean()?,
            b"fills" if !seen => {
                seen = true;
                parse_fills(scan, &mut buffers.fills)?;
            }
            _ => scan.skip()?,
        }
    }
    match (buffers.user, seen) {
        (Some(user), true) => Ok(Frame::UserFills { user, snapshot }),
        (None, _) => Err(scan.error("userFills without user")),
        (_, false) => Err(scan.error("userFills without fills")),
    }
}

/// Parses an array of fill rows, as in `userFills` frames and `/info` answers.
///
/// # Errors
/// The first row that is malformed.
pub fn parse_fills(scan: &mut Scan<'_>, rows: &mut Vec<FillRow>) -> Result<()> {
    let mut first = true;
    while scan.element(&mut first)? {
        rows.push(fill_row(scan)?);
    }
    Ok(())
}

const COIN: u8 = 1;
const PRICE: u8 = 2;
const SIZE: u8 = 4;
const SIDE: u8 = 8;
const TIME: u8 = 16;
const TID: u8 = 32;
const START: u8 = 64;
const USERS: u8 = 128;

/// What a row's key is for.
#[derive(Debug, Clone, Copy)]
enum Field {
    Coin,
    Price,
    Size,
    Side,
    Time,
    Tid,
    Start,
    Liquidation,
    Users,
    Other,
}

impl Field {
    const fn named(key: &[u8]) -> Field {
        match key {
            b"coin" => Field::Coin,
            b"px" => Field::Price,
            b"sz" => Field::Size,
            b"side" => Field::Side,
            b"time" => Field::Time,
            b"tid" => Field::Tid,
            b"startPosition" => Field::Start,
            b"liquidation" => Field::Liquidation,
            b"users" => Field::Users,
            _ => Field::Other,
        }
    }
}

/// Reads fields as long as they come in this order, each behind these very bytes: their keys need no looking up. Gives the bits
/// of those that came. Written out, so that each comparison is with a constant.
macro_rules! in_order {
    ($scan:ident, $row:ident, $read:ident: $($before:literal => $field:ident,)*) => {'row: {
        let mut has = 0u8;
        $(
            if !$scan.take_exactly($before) {
                break 'row has;
            }
            has |= $read(Field::$field, $scan, &mut $row)?;
        )*
        has
    }};
}

fn fill_row(scan: &mut Scan<'_>) -> Result<FillRow> {
    let mut row = FillRow::default();
    // The venue's order (2026-08), up to where it begins to differ between fills.
    let mut has = in_order!(scan, row, fill_field:
        b"{\"coin\":" => Coin,
        b",\"px\":" => Price,
        b",\"sz\":" => Size,
        b",\"side\":" => Side,
        b",\"time\":" => Time,
        b",\"startPosition\":" => Start,
        b",\"dir\":" => Other,
        b",\"closedPnl\":" => Other,
        b",\"hash\":" => Other,
        b",\"oid\":" => Other,
        b",\"crossed\":" => Other,
        b",\"fee\":" => Other,
        b",\"tid\":" => Tid,
        b",\"feeToken\":" => Other,
        b",\"twapId\":" => Other,
    );
    let mut first = has == 0;
    while let Some(key) = scan.key(&mut first)? {
        has |= fill_field(Field::named(key), scan, &mut row)?;
    }
    checked(scan, row, has, COIN | PRICE | SIZE | SIDE | TIME | TID | START)
}

#[inline]
fn fill_field(field: Field, scan: &mut Scan<'_>, row: &mut FillRow) -> Result<u8> {
    match field {
        Field::Start => {
            row.start = Some(scan.pos()?);
            Ok(START)
        }
        Field::Liquidation => {
            (row.liquidated, row.by_backstop) = if scan.null() { (None, false) } else { liquidated(scan)? };
            Ok(0)
        }
        _ => common_field(field, scan, row),
    }
}

/// Both sides of a liquidating match carry the object; it names the account that was liquidated.
fn liquidated(scan: &mut Scan<'_>) -> Result<(Option<[u8; 20]>, bool)> {
    let (mut user, mut by_backstop) = (None, false);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"liquidatedUser" if !scan.null() => user = Some(scan.address()?),
            b"liquidatedUser" => {}
            b"method" if !scan.null() => by_backstop = scan.string_bytes()? == b"backstop",
            _ => scan.skip()?,
        }
    }
    Ok((user, by_backstop))
}

#[inline]
fn common_field(field: Field, scan: &mut Scan<'_>, row: &mut FillRow) -> Result<u8> {
    match field {
        Field::Coin => {
            row.coin = scan.string()?;
            Ok(COIN)
        }
        Field::Price => {
            row.price = scan.px()?;
            Ok(PRICE)
        }
        Field::Size => {
            row.size = scan.sz()?;
            Ok(SIZE)
        }
        Field::Side => {
            row.is_buy = match scan.string_bytes()? {
                b"B" => true,
                b"A" => false,
                _ => return Err(scan.error("side is neither A nor B")),
            };
            Ok(SIDE)
        }
        Field::Time => {
            row.time_ms = scan.uint()?;
            Ok(TIME)
        }
        Field::Tid => {
            row.tid = scan.uint()?;
            Ok(TID)
        }
        _ => {
            scan.skip()?;
            Ok(0)
        }
    }
}

fn checked(scan: &Scan<'_>, row: FillRow, has: u8, needs: u8) -> Result<FillRow> {
    if has & needs != needs {
        let names = [
            (COIN, "row without coin"),
            (PRICE, "row without px"),
            (SIZE, "row without sz"),
            (SIDE, "row without side"),
            (TIME, "row without time"),
            (TID, "row without tid"),
            (START, "row without startPosition"),
            (USERS, "row without users"),
        ];
        let missing = names.iter().find(|(bit, _)| needs & bit != 0 && has & bit == 0);
        return Err(scan.error(missing.map_or("row incomplete", |(_, name)| name)));
    }
    if row.size.is_zero() {
        return Err(scan.error("row of size zero"));
    }
    // Remembered, it would be what the coin's exits are priced by.
    if row.price.is_zero() {
        return Err(scan.error("row of price zero"));
    }
    if row.time_ms > MAX_TIME_MS {
        return Err(scan.error("row with an impossible time"));
    }
    Ok(row)
}

fn trades(scan: &mut Scan<'_>, buffers: &mut Buffers) -> Result<Frame> {
    let mut first_row = true;
    while scan.element(&mut first_row)? {
        buffers.tape.push(tape_row(scan)?);
    }
    Ok(Frame::Trades)
}

fn tape_row(scan: &mut Scan<'_>) -> Result<TapeRow> {
    let mut tape = TapeRow::default();
    let mut has = in_order!(scan, tape, tape_field:
        b"{\"coin\":" => Coin,
        b",\"side\":" => Side,
        b",\"px\":" => Price,
        b",\"sz\":" => Size,
        b",\"time\":" => Time,
        b",\"hash\":" => Other,
        b",\"tid\":" => Tid,
        b",\"users\":" => Users,
    );
    let mut first = has == 0;
    while let Some(key) = scan.key(&mut first)? {
        has |= tape_field(Field::named(key), scan, &mut tape)?;
    }
    tape.row = checked(scan, tape.row, has, COIN | PRICE | SIZE | TIME | TID | USERS)?;
    Ok(tape)
}

#[inline]
fn tape_field(field: Field, scan: &mut Scan<'_>, tape: &mut TapeRow) -> Result<u8> {
    let Field::Users = field else { return common_field(field, scan, &mut tape.row) };
    let mut first = true;
    for user in &mut tape.users {
        if !scan.element(&mut first)? {
            return Err(scan.error("users are not two"));
        }
        *user = scan.address()?;
    }
    scan.expect(b']', "users are not two")?;
    Ok(USERS)
}

fn quote(scan: &mut Scan<'_>) -> Result<Frame> {
    let (mut coin, mut time_ms, mut sides) = (None, None, None);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"coin" => coin = Some(scan.string()?),
            b"time" => time_ms = Some(scan.uint()?),
            b"bbo" => {
                let mut first_side = true;
                let mut pair = [None; 2];
                for side in &mut pair {
                    if !scan.element(&mut first_side)? {
                        return Err(scan.error("bbo is not two levels"));
                    }
                    *side = level(scan)?;
                }
                scan.expect(b']', "bbo is not two levels")?;
                sides = Some(pair);
            }
            _ => scan.skip()?,
        }
    }
    match (coin, time_ms, sides) {
        (Some(coin), Some(time_ms), Some([bid, ask])) => Ok(Frame::Quote(QuoteRow { coin, time_ms, bid, ask })),
        _ => Err(scan.error("bbo incomplete")),
    }
}

fn level(scan: &mut Scan<'_>) -> Result<Option<(Px, Sz)>> {
    if scan.null() {
        return Ok(None);
    }
    let (mut price, mut size) = (None, Sz::ZERO);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"px" => price = Some(scan.px()?),
            b"sz" => size = scan.sz()?,
            _ => scan.skip()?,
        }
    }
    // A price of zero is a level that isn't there.
    price.map(|px| Some((px, size)).filter(|(px, _)| !px.is_zero())).ok_or_else(|| scan.error("level without px"))
}
