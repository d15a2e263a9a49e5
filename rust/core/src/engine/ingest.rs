//! Leader fills, from whichever feed comes first, to changes of the ledger: each fill once, in the order of its chain.
use super::{Engine, alert_leader};
use crate::commands::{Ask, CoinId, Commands, Level};
use crate::event::{FrameClass, SourceId};
use crate::feed::frame::{FillRow, Forced, TapeRow};
use crate::feed::scan::FrameError;
use crate::feed::seen::identity;
use crate::market::{Kind, is_spot_name};
use crate::num::Pos;
use crate::planted::{Bug, planted};
use crate::state::{Change, Fanout, Gap, LeaderCoin};

/// Unknown fills this much older than the cursor are for the audit, never for trading.
const TOO_OLD_MS: u64 = 600_000;
/// Venue rule: a snapshot holds no more than the newest of so many fills (2026-08).
const SNAPSHOT_ROWS: usize = 2_000;

impl Engine {
    #[expect(clippy::too_many_arguments, reason = "a frame's parts, each from another place")]
    pub(super) fn on_user_fills(
        &mut self,
        source: SourceId,
        user: [u8; 20],
        snapshot: bool,
        frame: &[u8],
        rows: &mut Vec<FillRow>,
        now_ms: u64,
        out: &mut Commands,
    ) -> FrameClass {
        let Some(leader) = self.leader_by_address.get(&user).copied() else { return FrameClass::Other };
        let newest_ms = rows.iter().map(|row| row.time_ms).max().unwrap_or(0);
        self.silence.heard(leader, source, newest_ms);
        out.changed |= snapshot && self.state.unheard.remove(&leader).is_some();
        if snapshot && self.take_baseline(leader, rows, out) {
            self.note_habits(leader, frame, rows, now_ms);
            return FrameClass::Taken;
        }
        let known_ms = self.known_until(leader);
        // What came before a full snapshot may have ended where it began: no chain breaks, and its fills are owed a receipt.
        if snapshot && rows.len() >= SNAPSHOT_ROWS && rows.iter().all(|row| row.time_ms > known_ms) {
            self.begin_gap(leader, known_ms, out);
        }
        self.apply_news(leader, Some(source), frame, rows, now_ms, out);
        self.mark_whole(leader, now_ms, out);
        self.first_chunk(now_ms, out);
        FrameClass::Taken
    }

    /// The leader's own channel has spoken: what came before is in the ledger, unless a gap is open. It is written down only
    /// where it lets a tape move the ledger again.
    fn mark_whole(&mut self, leader: u32, now_ms: u64, out: &mut Commands) {
        let youngest_tape = self.state.tapes.values().copied().max().unwrap_or(0);
        let Some(state) = self.state.leader_mut(leader) else { return };
        if state.gap == Gap::None && state.whole_ms.iter().any(|whole| *whole < youngest_tape) {
            state.whole_ms.iter_mut().for_each(|whole| *whole = now_ms.max(*whole));
            out.changed = true;
        }
    }

    /// Applies rows and notes what is news in them. `brought_by`: the feed; `None`: a read.
    pub(super) fn apply_news(
        &mut self,
        leader: u32,
        brought_by: Option<SourceId>,
        frame: &[u8],
        rows: &mut Vec<FillRow>,
        now_ms: u64,
        out: &mut Commands,
    ) {
        let before = self.cursor(leader);
        self.gap_floor_ms = self.known_until(leader);
        self.apply_rows(leader, frame, rows, now_ms, out);
        let after = self.cursor(leader);
        if after > before {
            self.note_news(leader, brought_by, after, now_ms);
        }
    }

    fn cursor(&self, leader: u32) -> u64 {
        self.state.leaders.get(leader as usize).map_or(0, |leader| leader.cursor_ms)
    }

    /// The first snapshot is state, not news: it says which fills were there before copying began.
    fn take_baseline(&mut self, leader: u32, rows: &[FillRow], out: &mut Commands) -> bool {
        let Some(state) = self.state.leader_mut(leader) else { return true };
        if state.had_snapshot {
            return false;
        }
        state.had_snapshot = true;
        out.changed = true;
        // Fills that came live before the snapshot bound what is history.
        let newest = rows.iter().map(|row| row.time_ms).max().unwrap_or(0);
        if state.cursor_ms == 0 {
            state.baseline_ms = newest;
            return true;
        }
        state.baseline_ms = state.cursor_ms.min(newest);
        false
    }

    /// Applies rows that carry their start position: `userFills`, snapshots after a reconnect, backfill.
    fn apply_rows(&mut self, leader: u32, frame: &[u8], rows: &mut Vec<FillRow>, now_ms: u64, out: &mut Commands) {
        // Histories come newest first; within one time the array is the execution order reversed as a whole.
        let descending = matches!((rows.first(), rows.last()), (Some(a), Some(b)) if a.time_ms > b.time_ms);
        if descending {
            rows.reverse();
        }
        let mut changes: Vec<Change> = Vec::new();
        let mut rest: &mut [FillRow] = rows.as_mut_slice();
        while let Some(first) = rest.first() {
            // Rows of one coin to the front, their order kept; most frames have one coin only.
            let name = first.coin.of(frame);
            let count = gather(rest, |row| row.coin.of(frame) == name);
            let (same, others) = rest.split_at_mut(count);
            match self.state.market.intern(name) {
                Some(coin) => changes.extend(self.apply_coin(leader, coin, same, now_ms, out)),
                None => alert_leader(
                    out,
                    Level::Warning,
                    "coin_name_refused",
                    leader,
                    "A fill with an impossible coin name was left out.".into(),
                ),
            }
            rest = others;
        }
        let closing: Vec<CoinId> = changes.iter().filter(|c| c.forced).map(|change| change.coin).collect();
        self.push_changes(leader, changes, out);
        if let Some((at, _)) = self.taken_from(leader, frame, rows, Forced::Liquidated) {
            self.pause_leader(leader, Forced::Liquidated, at, |coin| !closing.contains(&coin), now_ms, out);
        }
        if let Some((at, coins)) = self.taken_from(leader, frame, rows, Forced::Deleveraged) {
            let rest = |coin| coins.contains(&coin) && !closing.contains(&coin);
            self.pause_leader(leader, Forced::Deleveraged, at, rest, now_ms, out);
        }
    }

    /// When the venue took something from a leader last, and on which coins; also by rows that the tape was faster with: it does
    /// not tell.
    fn taken_from(&self, leader: u32, frame: &[u8], rows: &[FillRow], how: Forced) -> Option<(u64, Vec<CoinId>)> {
        let address = self.config.leaders.get(leader as usize)?.address.0;
        let baseline = self.state.leaders.get(leader as usize)?.baseline_ms;
        let mine = || rows.iter().filter(|row| row.time_ms > baseline && row.forced(&address) == Some(how));
        let newest = mine().map(|row| row.time_ms).max()?;
        Some((newest, mine().filter_map(|row| self.state.market.find(row.coin.of(frame))).collect()))
    }

    fn push_changes(&mut self, leader: u32, changes: Vec<Change>, out: &mut Commands) {
        if changes.is_empty() {
            return;
        }
        out.changed = true;
        for change in &changes {
            self.subscribe(change.coin, out);
            self.hurry_candles(change.coin);
        }
        self.state.fanouts.push_back(Fanout { leader, changes, next: 0 });
    }

    /// Quotes and tape of a coin are asked for once, when a leader first trades it.
    pub(super) fn subscribe(&mut self, coin: CoinId, out: &mut Commands) {
        let Some(entry) = self.state.market.coin_mut(coin) else { return };
        // An unknown coin would make the venue close the socket without a word.
        if entry.subscribed || entry.asset.is_none() {
            return;
        }
        entry.subscribed = true;
        let kinds: &[&str] = match entry.asset.map(|asset| asset.kind) {
            // A balance is moved by its owner's fills alone: fees are in no trade.
            Some(Kind::Spot) if self.needs.spot => &["bbo"],
            Some(Kind::Spot) => &[],
            _ => &["bbo", "trades"],
        };
        for kind in kinds {
            let body = format!("{{\"type\":\"{kind}\",\"coin\":\"{}\"}}", entry.name).into_bytes();
            out.asks.push(Ask::Subscribe { body });
        }
        out.changed = true;
    }

    fn apply_coin(
        &mut self,
        leader: u32,
        coin: CoinId,
        rows: &mut [FillRow],
        now_ms: u64,
        out: &mut Commands,
    ) -> Option<Change> {
        let address = self.config.leaders.get(leader as usize)?.address.0;
        let listed = self.state.leaders.get(leader as usize)?.coins.get(&coin).map(|entry| entry.position);
        // Once all positions were read, a coin without one is flat.
        let known = listed.or_else(|| self.is_seeded(leader, coin).then_some(0));
        let spot = is_spot_name(self.coin_name(coin));
        let fresh = self.take_fresh(leader, coin, rows, now_ms, out);
        let fresh = rows.get_mut(..fresh)?;
        out.changed |= !fresh.is_empty();
        if fresh.is_empty() {
            // Fees and transfers move a spot balance between fills.
            if !spot {
                self.confirm(leader, coin, rows, now_ms, out);
            }
            return None;
        }
        let behind = gather(fresh, |row| self.is_behind(leader, coin, row));
        let (behind, fresh) = fresh.split_at_mut(behind);
        self.late_rows(leader, coin, behind, now_ms, out);
        if spot {
            return self.apply_spot(leader, coin, fresh, known);
        }
        let chained = order_by_chain(fresh, known);
        let (first, last) = (*fresh.first()?, *fresh.last()?);
        let (start, end) = (first.start?.raw(), end_of(&last)?);
        let gap_from = known.filter(|position| *position != start);
        if known.is_none() {
            self.first_seen(leader, coin, start, first.price.raw());
        }
        if (gap_from.is_some() || !chained) && !planted(Bug::GapIgnored) {
            self.open_gap(leader, coin, known.unwrap_or(start), start, out);
        }
        let forced = fresh.iter().any(|row| row.forced(&address).is_some());
        let fills = fresh.iter().map(|row| (row.time_ms, row.tid)).collect();
        Some(self.record(leader, coin, gap_from, [start, end], &last, forced, fills))
    }

    /// Moves rows that are news to the front, remembers them, and counts them. Rows that are news and too old to be traded get
    /// their receipts here.
    fn take_fresh(
        &mut self,
        leader: u32,
        coin: CoinId,
        rows: &mut [FillRow],
        now_ms: u64,
        out: &mut Commands,
    ) -> usize {
        let Some(state) = self.state.leader_mut(leader) else { return 0 };
        let floor = state.cursor_ms.saturating_sub(TOO_OLD_MS);
        let (baseline, seen) = (state.baseline_ms, &mut state.seen);
        let mut too_old: Vec<FillRow> = Vec::new();
        let count = gather(rows, |row| {
            if row.time_ms <= baseline || !seen.insert(row.time_ms, identity(coin, row.time_ms, row.tid)) {
                return false;
            }
            if row.time_ms < floor {
                too_old.push(*row);
            }
            row.time_ms >= floor
        });
        if !too_old.is_empty() {
            out.changed = true;
            let number = too_old.len();
            let text = format!("{number} unknown fills are older than the cursor by 10 minutes: they are not traded.");
            alert_leader(out, Level::Warning, "fills_too_old", leader, text);
            self.late_rows(leader, coin, &too_old, now_ms, out);
        }
        count
    }

    fn is_behind(&self, leader: u32, coin: CoinId, row: &FillRow) -> bool {
        let entry = self.state.leaders.get(leader as usize).and_then(|leader| leader.coins.get(&coin));
        entry.is_some_and(|entry| row.time_ms < entry.last_ms)
    }

    /// Fills found after the ledger had passed them. The gap's decision has dealt with their effect.
    fn late_rows(&mut self, leader: u32, coin: CoinId, rows: &[FillRow], now_ms: u64, out: &mut Commands) {
        let known = self.state.leaders.get(leader as usize).and_then(|leader| leader.coins.get(&coin));
        let gap_decision = known.and_then(|entry| entry.gap_decision);
        for row in rows {
            self.late_receipts(leader, coin, row, gap_decision, now_ms, out);
        }
    }

    /// Copies of known rows: if one of them is what the ledger applied last, its end must be the ledger's position. An account
    /// read that was believed since then is newer than it, and so is the position.
    fn confirm(&mut self, leader: u32, coin: CoinId, rows: &[FillRow], now_ms: u64, out: &mut Commands) {
        let Some(entry) = self.state.leaders.get(leader as usize).and_then(|leader| leader.coins.get(&coin)) else {
            return;
        };
        let is_last =
            |row: &&FillRow| row.time_ms == entry.last_ms && identity(coin, row.time_ms, row.tid) == entry.last_fill;
        let last = rows.iter().find(is_last);
        let end = last.and_then(|row| row.start?.checked_add(signed(row))).map(Pos::raw);
        if let Some(end) = end
            && end != entry.position
        {
            let position = entry.position;
            self.open_gap(leader, coin, position, end, out);
            self.reconcile_leader(leader, coin, end, now_ms, out);
        }
    }

    /// The chain is broken: entries wait until fills and positions were read again. Reductions go on.
    fn open_gap(&mut self, leader: u32, coin: CoinId, ledger: i64, start: i64, out: &mut Commands) {
        out.changed = true;
        let name = self.coin_name(coin).to_owned();
        let text = format!(
            "{name}: a fill starts at {}, the ledger says {}. Entries wait for a backfill.",
            Pos::from_raw(start),
            Pos::from_raw(ledger)
        );
        alert_leader(out, Level::Warning, "chain_broken", leader, text);
        let from_ms = self.gap_floor_ms;
        self.begin_gap(leader, from_ms, out);
    }

    /// A coin met before all positions were read: what it starts with is from before copying began.
    pub(super) fn first_seen(&mut self, leader: u32, coin: CoinId, start: i64, price: i64) {
        if let Some(state) = self.state.leader_mut(leader) {
            state.coins.insert(coin, LeaderCoin { position: start, ..LeaderCoin::default() });
        }
        if start != 0 {
            self.mark_existing(leader, coin, price, 0);
        }
    }

    pub(super) fn is_seeded(&self, leader: u32, coin: CoinId) -> bool {
        if is_spot_name(self.coin_name(coin)) {
            return self.state.leaders.get(leader as usize).is_some_and(|leader| leader.spot_seeded);
        }
        let dex = self.dex_of(coin);
        let leader = self.state.leaders.get(leader as usize);
        leader.zip(dex).is_some_and(|(leader, dex)| leader.seeded.get(dex).copied().unwrap_or(false))
    }

    /// Moves the ledger and makes the change that all edges will decide on.
    #[expect(clippy::too_many_arguments, reason = "one row of facts, each from another place")]
    pub(super) fn record(
        &mut self,
        leader: u32,
        coin: CoinId,
        gap_from: Option<i64>,
        [before, after]: [i64; 2],
        last: &FillRow,
        forced: bool,
        fills: Vec<(u64, u64)>,
    ) -> Change {
        let decision = self.state.decision();
        let mut dirty = false;
        if let Some(state) = self.state.leader_mut(leader) {
            state.cursor_ms = state.cursor_ms.max(last.time_ms);
            dirty = state.gap != Gap::None;
            let entry = state.coins.entry(coin).or_default();
            entry.position = after;
            entry.last_fill = identity(coin, last.time_ms, last.tid);
            entry.last_ms = last.time_ms;
            if gap_from.is_some() {
                entry.gap_decision = Some(decision);
            }
        }
        if let Some(entry) = self.state.market.coin_mut(coin) {
            entry.last_price = last.price.raw();
        }
        Change {
            coin,
            decision,
            gap_from,
            before,
            after,
            price: last.price.raw(),
            time_ms: last.time_ms,
            dirty,
            forced,
            fills,
        }
    }

    /// The public tape: no start position, so only a ledger that is known and whole can be moved by it.
    pub(super) fn on_trades(
        &mut self,
        source: SourceId,
        frame: &[u8],
        rows: &[TapeRow],
        now_ms: u64,
        out: &mut Commands,
    ) -> FrameClass {
        let Some(up_ms) = self.state.tapes.get(&source).copied() else { return FrameClass::Other };
        let mut class = FrameClass::Other;
        let mut group: Option<(u32, CoinId, Change)> = None;
        for tape in rows {
            for (place, user) in tape.users.iter().enumerate() {
                let Some(leader) = self.leader_by_address.get(user).copied() else { continue };
                class = FrameClass::Taken;
                let row = FillRow { is_buy: place == 0, ..tape.row };
                if row.time_ms < up_ms {
                    continue;
                }
                let Some(coin) = self.state.market.find(row.coin.of(frame)) else { continue };
                let Some(change) = self.apply_tape(leader, coin, &row, up_ms) else { continue };
                self.note_news(leader, None, row.time_ms, now_ms);
                match &mut group {
                    Some((of, on, open)) if *of == leader && *on == coin => merge(open, change),
                    _ => {
                        if let Some((of, _, open)) = group.replace((leader, coin, change)) {
                            self.push_changes(of, vec![open], out);
                        }
                    }
                }
            }
        }
        if let Some((of, _, open)) = group {
            self.push_changes(of, vec![open], out);
        }
        if class == FrameClass::Taken {
            self.first_chunk(now_ms, out);
        }
        class
    }

    /// `up_ms`: since when this tape misses nothing. A ledger that was not whole since then could be moved from a wrong start.
    fn apply_tape(&mut self, leader: u32, coin: CoinId, row: &FillRow, up_ms: u64) -> Option<Change> {
        let seeded = self.is_seeded(leader, coin);
        let dex = self.dex_of(coin)?;
        let state = self.state.leader_mut(leader)?;
        if state.whole_ms.get(dex).is_none_or(|whole| *whole < up_ms) {
            return None;
        }
        let known = state.coins.get(&coin).map(|entry| entry.position).or(seeded.then_some(0))?;
        let late = state.coins.get(&coin).is_some_and(|entry| row.time_ms < entry.last_ms);
        if state.gap != Gap::None || row.time_ms <= state.baseline_ms || late {
            return None;
        }
        let after = Pos::from_raw(known).checked_add(signed(row))?.raw();
        if !state.seen.insert(row.time_ms, identity(coin, row.time_ms, row.tid)) {
            return None;
        }
        Some(self.record(leader, coin, None, [known, after], row, false, vec![(row.time_ms, row.tid)]))
    }

    /// A malformed frame changes nothing; if it named a leader, what it held is read over REST instead.
    pub(super) fn on_bad_frame(&mut self, user: Option<[u8; 20]>, error: FrameError, out: &mut Commands) {
        let leader = user.and_then(|user| self.leader_by_address.get(&user).copied());
        let text = format!("A frame was refused: {error}.");
        match leader {
            Some(leader) => {
                alert_leader(out, Level::Warning, "frame_refused", leader, text);
                let from_ms = self.known_until(leader);
                self.begin_gap(leader, from_ms, out);
            }
            None => super::alert(out, Level::Warning, "frame_refused", text),
        }
    }
}

/// Rows of one leader and coin on one frame of the tape are one decision.
fn merge(open: &mut Change, next: Change) {
    open.after = next.after;
    open.price = next.price;
    open.time_ms = next.time_ms;
    open.fills.extend(next.fills);
}

fn signed(row: &FillRow) -> Pos {
    Pos::from_size(row.size, row.is_buy)
}

/// Moves the rows that `wanted` says yes to to the front, in their order, and counts them. Asks once per row.
fn gather(rows: &mut [FillRow], mut wanted: impl FnMut(&FillRow) -> bool) -> usize {
    let mut count = 0;
    for at in 0..rows.len() {
        if rows.get(at).is_some_and(&mut wanted) {
            if let Some(stretch) = rows.get_mut(count..=at) {
                stretch.rotate_right(1);
            }
            count += 1;
        }
    }
    count
}

/// Puts rows into the order in which each starts where the one before ended, beginning at `known` if that fits. False if there
/// is no such order: then they stay as they came.
fn order_by_chain(rows: &mut [FillRow], known: Option<i64>) -> bool {
    if is_chain(rows) {
        return true;
    }
    rows.reverse();
    if is_chain(rows) {
        return true;
    }
    rows.reverse();
    let starts_at = |rows: &[FillRow], at: i64| rows.iter().any(|row| row.start.map(Pos::raw) == Some(at));
    let ends_at = |rows: &[FillRow], at: i64| rows.iter().any(|row| end_of(row) == Some(at));
    // The first of a chain is where the ledger stands; else the one that no other leads to.
    let headless = rows.iter().filter_map(|row| row.start.map(Pos::raw)).find(|start| !ends_at(rows, *start));
    let Some(mut next) = known.filter(|known| starts_at(rows, *known)).or(headless) else { return false };
    for at in 0..rows.len() {
        let Some(rest) = rows.get_mut(at..) else { return false };
        let Some(found) = rest.iter().position(|row| row.start.map(Pos::raw) == Some(next)) else { return false };
        if let Some(stretch) = rest.get_mut(..=found) {
            stretch.rotate_right(1);
        }
        let Some(end) = rest.first().and_then(end_of) else { return false };
        next = end;
    }
    true
}

fn end_of(row: &FillRow) -> Option<i64> {
    row.start?.checked_add(signed(row)).map(Pos::raw)
}

fn is_chain(rows: &[FillRow]) -> bool {
    rows.iter().zip(rows.iter().skip(1)).all(|(a, b)| end_of(a) == b.start.map(Pos::raw))
}
