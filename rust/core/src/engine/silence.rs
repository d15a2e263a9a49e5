//! Feeds that are open and say nothing of a leader: found by what another feed brought, or by a look at the account.
//!
//! All of it lies outside the journalled state. It decides which connection is dialled again and which account is looked at,
//! never what is traded; what a look finds out is journalled as the read that it is.
use super::Engine;
use super::reads::{SECOND_LOOK_MS, STATE_WEIGHT};
use crate::commands::{Ask, Commands, LOOK};
use crate::event::{FrameClass, SourceId};
use crate::feed::account::{AccountState, parse_state};
use crate::risk::budget::Purpose;
use crate::state::Gap;

/// What one feed brought, every other one that carries the leader owes. Copies come milliseconds apart.
const OWED_MS: u64 = 1_000;
/// A leader whose feeds were dropped in vain is given up to 2^6 times as long.
const MOST_DOUBLINGS: u32 = 6;
/// Leaders, by their order in the settings, that are looked at when they are quiet: the venue lets an address follow ten.
const WATCHED: usize = 10;
/// So much more often than every other account.
const LOOKS_PER_READ: u64 = 5;
/// A look's token holds leader and dex: nobody remembers the question.
const DEX_BITS: u32 = 16;

/// One feed that has shown that it carries a leader.
#[derive(Debug, Clone, Copy)]
struct Heard {
    source: SourceId,
    /// The newest fill it brought.
    newest_ms: u64,
    /// A newer one that came elsewhere: the fill's time, and when the feed is dropped for it.
    owed: Option<(u64, u64)>,
}

/// What is known of one leader's feeds.
#[derive(Debug, Default, Clone)]
struct Ears {
    heard: Vec<Heard>,
    /// The fill for which feeds were dropped last, and how often they were without having brought it since.
    disputed_ms: u64,
    drops: u32,
    /// When the account is looked at.
    look_ms: u64,
}

/// What is known of all leaders' feeds.
#[derive(Debug, Default)]
pub(super) struct Silence {
    leaders: Vec<Ears>,
    /// Nothing is overdue before.
    due_ms: u64,
}

impl Silence {
    pub fn new(leaders: usize) -> Silence {
        Silence { leaders: vec![Ears::default(); leaders], due_ms: u64::MAX }
    }

    pub fn len(&self) -> usize {
        self.leaders.len()
    }

    /// A new process: the connections are others.
    pub fn reopen(&mut self) {
        *self = Silence::new(self.leaders.len());
    }

    /// A connection is another one now, or gone.
    pub fn forget(&mut self, source: SourceId) {
        self.leaders.iter_mut().for_each(|ears| ears.heard.retain(|heard| heard.source != source));
    }

    /// A feed brought fills of a leader, the newest of this time; 0: none, but it spoke.
    pub fn heard(&mut self, leader: u32, source: SourceId, newest_ms: u64) {
        let Some(ears) = self.leaders.get_mut(leader as usize) else { return };
        if newest_ms >= ears.disputed_ms {
            ears.drops = 0;
        }
        match ears.heard.iter_mut().find(|heard| heard.source == source) {
            Some(heard) => {
                heard.newest_ms = heard.newest_ms.max(newest_ms);
                heard.owed = heard.owed.filter(|(fill_ms, _)| *fill_ms > heard.newest_ms);
            }
            None => ears.heard.push(Heard { source, newest_ms, owed: None }),
        }
    }

    /// A fill is news: every feed of the leader but the one that brought it owes it.
    fn owe(&mut self, leader: u32, brought_by: Option<SourceId>, fill_ms: u64, now_ms: u64) {
        let Some(ears) = self.leaders.get_mut(leader as usize) else { return };
        let due = now_ms.saturating_add(OWED_MS << ears.drops.min(MOST_DOUBLINGS));
        for heard in &mut ears.heard {
            if Some(heard.source) != brought_by && heard.newest_ms < fill_ms && heard.owed.is_none() {
                heard.owed = Some((fill_ms, due));
                self.due_ms = self.due_ms.min(due);
            }
        }
    }

    /// The feeds that did not bring what they owed in time, each with a leader of whom it was silent.
    fn overdue(&mut self, now_ms: u64) -> Vec<(SourceId, u32)> {
        let mut found: Vec<(SourceId, u32)> = Vec::new();
        if now_ms < self.due_ms {
            return found;
        }
        self.due_ms = u64::MAX;
        for (leader, ears) in (0..).zip(&mut self.leaders) {
            for heard in &mut ears.heard {
                let Some((fill_ms, due)) = heard.owed else { continue };
                if due > now_ms {
                    self.due_ms = self.due_ms.min(due);
                    continue;
                }
                heard.owed = None;
                if ears.disputed_ms < fill_ms {
                    ears.disputed_ms = fill_ms;
                    ears.drops = ears.drops.saturating_add(1);
                }
                if !found.iter().any(|(source, _)| *source == heard.source) {
                    found.push((heard.source, leader));
                }
            }
        }
        found
    }
}

impl Engine {
    /// The ledger of a leader went on to `fill_ms`, by a feed or by a read: it is not quiet, and the other feeds owe this.
    pub(super) fn note_news(&mut self, leader: u32, brought_by: Option<SourceId>, fill_ms: u64, now_ms: u64) {
        self.silence.owe(leader, brought_by, fill_ms, now_ms);
        self.put_off_look(leader, now_ms);
    }

    /// Whatever was just heard of a leader's account is worth a look.
    pub(super) fn put_off_look(&mut self, leader: u32, now_ms: u64) {
        let every = self.config.engine.reconcile_ms / LOOKS_PER_READ;
        if let Some(ears) = self.silence.leaders.get_mut(leader as usize) {
            ears.look_ms = now_ms.saturating_add(every);
        }
    }

    /// Has feeds that keep a leader's fills back dialled again, and looks at leaders of whom nothing was heard.
    pub(super) fn tend_silence(&mut self, now_ms: u64, out: &mut Commands) {
        for (source, leader) in self.silence.overdue(now_ms) {
            out.asks.push(Ask::Reconnect { source, leader });
        }
        let all_dexs = u32::try_from(self.dexs.len()).unwrap_or(u32::MAX);
        let weight = STATE_WEIGHT.saturating_mul(all_dexs);
        for leader in (0..).take(self.state.leaders.len().min(WATCHED)) {
            let ears = self.silence.leaders.get(leader as usize);
            let due =
                self.state.started && self.is_awake_leader(leader) && ears.is_some_and(|ears| ears.look_ms <= now_ms);
            if !due || !self.budget.has(weight, 0, Purpose::Ordinary) {
                continue;
            }
            self.put_off_look(leader, now_ms);
            let Some(address) = self.address(true, leader) else { continue };
            for (dex, name) in (0u64..).zip(&self.dexs) {
                let body = format!("{{\"type\":\"clearinghouseState\",\"user\":\"{address}\",\"dex\":\"{name}\"}}");
                let token = LOOK | u64::from(leader) << DEX_BITS | dex;
                out.asks.push(Ask::Info { token, weight: STATE_WEIGHT, body: body.into_bytes() });
            }
            self.budget.take(weight, 0);
        }
    }

    /// The answer to a look, if the token is of one. It is a read like any other when it tells something new.
    pub(super) fn on_look(
        &mut self,
        token: u64,
        status: u16,
        body: &[u8],
        now_ms: u64,
        out: &mut Commands,
    ) -> Option<FrameClass> {
        if token & LOOK == 0 {
            return None;
        }
        let place = token & !LOOK;
        let (Ok(leader), Ok(dex)) = (u32::try_from(place >> DEX_BITS), u32::try_from(place & ((1 << DEX_BITS) - 1)))
        else {
            return Some(FrameClass::Other);
        };
        let read = if status == 200 { parse_state(body).ok() } else { None };
        let Some(read) = read else { return Some(FrameClass::Bad) };
        if self.tells_news(leader, dex, &read) {
            out.changed = true;
            self.on_leader_state(leader, dex, body, now_ms, out);
            self.read_at(now_ms.saturating_add(SECOND_LOOK_MS), true, leader);
        }
        Some(FrameClass::Taken)
    }

    /// A position that is another one than the ledger's, and no older.
    fn tells_news(&self, leader: u32, dex: u32, read: &AccountState) -> bool {
        let Some(state) = self.state.leaders.get(leader as usize) else { return false };
        if state.gap != Gap::None || !state.seeded.get(dex as usize).copied().unwrap_or(false) {
            return false;
        }
        let is_other = |name: &str, size: i64| {
            let known = self.state.market.find(name.as_bytes()).and_then(|coin| state.coins.get(&coin));
            known.map_or(size != 0, |entry| entry.position != size && entry.last_ms < read.time_ms)
        };
        let is_listed = |name: &str| read.positions.iter().any(|row| row.coin == name);
        let held = state.coins.keys().filter(|coin| self.dex_of(**coin) == Some(dex as usize));
        read.positions.iter().any(|row| is_other(&row.coin, row.size.raw()))
            || held.map(|coin| self.coin_name(*coin)).any(|name| !is_listed(name) && is_other(name, 0))
    }
}
