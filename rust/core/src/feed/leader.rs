//! What leaders do besides trading: liquidations, orders, transfers, and which connection their orders come on.
use super::frame::Frame;
use super::scan::{FrameError, Scan};

type Result<T> = std::result::Result<T, FrameError>;

/// `userEvents` carry no user, but a liquidation names its own.
pub(super) fn user_event(scan: &mut Scan<'_>) -> Result<Frame> {
    let mut frame = Frame::Other;
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        if key != b"liquidation" {
            scan.skip()?;
            continue;
        }
        if scan.null() {
            continue;
        }
        let mut inner = true;
        while let Some(key) = scan.key(&mut inner)? {
            match key {
                b"liquidated_user" => frame = Frame::Liquidation { user: scan.address()? },
                _ => scan.skip()?,
            }
        }
    }
    Ok(frame)
}

/// Orders are looked at whole, though only their number and newest time are used: a row that breaks the form is news.
pub(super) fn order_updates(scan: &mut Scan<'_>) -> Result<Frame> {
    let (mut count, mut newest) = (0u64, 0u64);
    let mut first_row = true;
    while scan.element(&mut first_row)? {
        let (mut order, mut status, mut time_ms) = (false, false, None);
        let mut first = true;
        while let Some(key) = scan.key(&mut first)? {
            match key {
                b"order" => order = order_of(scan)?,
                b"status" => status = !scan.string_bytes()?.is_empty(),
                b"statusTimestamp" => time_ms = Some(scan.uint()?),
                _ => scan.skip()?,
            }
        }
        let Some(time_ms) = time_ms.filter(|_| order && status) else {
            return Err(scan.error("order update incomplete"));
        };
        count = count.saturating_add(1);
        newest = newest.max(time_ms);
    }
    Ok(Frame::Orders { count, time_ms: newest })
}

/// True: coin, side, price, size and id are there.
fn order_of(scan: &mut Scan<'_>) -> Result<bool> {
    let mut has = 0u8;
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        has |= match key {
            b"coin" => scan.string().map(|_| 1)?,
            b"side" if matches!(scan.string_bytes()?, b"A" | b"B") => 2,
            b"side" => return Err(scan.error("side is neither A nor B")),
            b"limitPx" => scan.px().map(|_| 4)?,
            b"sz" => scan.sz().map(|_| 8)?,
            b"oid" => scan.uint().map(|_| 16)?,
            _ => scan.skip().map(|()| 0)?,
        };
    }
    Ok(has == 31)
}

pub(super) fn transfers(scan: &mut Scan<'_>) -> Result<Frame> {
    let (mut user, mut newest) = (None, None);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"user" => user = Some(scan.address()?),
            b"nonFundingLedgerUpdates" => {
                let mut first_row = true;
                let newest = newest.get_or_insert(0);
                while scan.element(&mut first_row)? {
                    *newest = time_of(scan)?.max(*newest);
                }
            }
            _ => scan.skip()?,
        }
    }
    match (user, newest) {
        (Some(user), Some(time_ms)) => Ok(Frame::Transfers { user, time_ms }),
        _ => Err(scan.error("ledger updates incomplete")),
    }
}

fn time_of(scan: &mut Scan<'_>) -> Result<u64> {
    let mut time_ms = None;
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"time" => time_ms = Some(scan.uint()?),
            _ => scan.skip()?,
        }
    }
    time_ms.ok_or_else(|| scan.error("ledger update without time"))
}

pub(super) fn acknowledgement(scan: &mut Scan<'_>) -> Result<Frame> {
    let (mut orders, mut user) = (false, None);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        if key != b"subscription" {
            scan.skip()?;
            continue;
        }
        if scan.null() {
            continue;
        }
        let mut inner = true;
        while let Some(key) = scan.key(&mut inner)? {
            match key {
                b"type" => orders = scan.string_bytes()? == b"orderUpdates",
                b"user" if !scan.null() => user = Some(scan.address()?),
                b"user" => {}
                _ => scan.skip()?,
            }
        }
    }
    Ok(Frame::Ack { orders_of: user.filter(|_| orders) })
}
