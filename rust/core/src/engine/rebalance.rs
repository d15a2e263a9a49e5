//! Open positions that take their ratio anew: at set times, or once it is far enough from what their edge's sizing gives now. All
//! are looked at once a minute, beside leaders' events and never within one.
use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::decide::{ADOPTION_MS, Verdict};
use super::gates::Refusal;
use super::resolve::TICK_WORK;
use crate::commands::{Alert, CoinId, Commands, Level, Outcome, Reason};
use crate::config_check::Mode;
use crate::copy::entitle::Move;
use crate::copy::sizing::{rescale, to_position};
use crate::num::{Pos, Round, mul_div};
use crate::state::{Change, Gap, Held, Measure, Rebalances};

/// Equities are read twice as often.
const ROUND_MS: u64 = 60_000;

/// A part that takes another ratio.
#[derive(Debug, Clone, Copy)]
struct Turn {
    follow: u32,
    coin: CoinId,
    /// What the edge's sizing gave when its ratio was fixed, and gives now.
    then: i64,
    now: i64,
    /// The leader's position.
    position: i64,
    /// The new ratio.
    ratio: i64,
    measure: Option<Measure>,
}

impl Engine {
    /// Goes on with the look at open positions, and lets those take their ratio whose turn it is.
    pub(super) fn rebalance(&mut self, now_ms: u64, out: &mut Commands) {
        // An event on its way has moved the ledger, and not yet the parts.
        if self.needs.rebalancing.is_empty() || !self.state.started || !self.state.fanouts.is_empty() {
            return;
        }
        let rounds = &mut self.state.rebalances;
        if rounds.next.is_none() {
            if now_ms < rounds.round_ms.saturating_add(ROUND_MS) {
                return;
            }
            rounds.begin(now_ms);
        }
        out.changed = true;
        // All are found before the first one moves: parts of one coin go in one order.
        let turns = self.turns(now_ms);
        if turns.is_empty() {
            return;
        }
        self.refresh_lists();
        self.state.taken.clear();
        let mut moved: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for turn in &turns {
            if let Some(text) = self.take_turn(turn, now_ms, out) {
                moved.entry(turn.follow).or_default().push(text);
            }
        }
        self.tell_rebalanced(&moved, out);
        let followers: BTreeSet<u32> =
            moved.keys().filter_map(|at| self.config.follows.get(*at as usize)).map(|edge| edge.follower).collect();
        followers.into_iter().for_each(|follower| self.work(follower, now_ms, out));
    }

    /// New settings are looked at at once. An edge that is not rebalanced any more is forgotten.
    pub(super) fn review_rebalances(&mut self, now_ms: u64) {
        let edges = &self.needs.rebalancing;
        if edges.is_empty() {
            self.state.rebalances = Rebalances::default();
            return;
        }
        let is_one = |follow: &u32| edges.binary_search(follow).is_ok();
        let rounds = &mut self.state.rebalances;
        rounds.due.retain(|(follow, _)| is_one(follow));
        rounds.measures.retain(|(follow, _), _| is_one(follow));
        rounds.begin(now_ms);
    }

    /// The next edges of the round: what of their parts may take another ratio now.
    fn turns(&mut self, now_ms: u64) -> Vec<Turn> {
        let mut turns = Vec::new();
        let mut left = TICK_WORK;
        while let Some(next) = self.state.rebalances.next {
            let edges = &self.needs.rebalancing;
            let at = edges.partition_point(|follow| *follow < next);
            let Some(follow) = edges.get(at).copied() else {
                self.state.rebalances.next = None;
                break;
            };
            if left == 0 {
                break;
            }
            let looked = self.look_at(follow, now_ms, &mut turns);
            left = left.saturating_sub(looked.max(1));
            self.state.rebalances.next = Some(follow.saturating_add(1));
        }
        turns
    }

    /// How many open positions the edge has.
    fn look_at(&mut self, follow: u32, now_ms: u64, turns: &mut Vec<Turn>) -> usize {
        let Some(rebalance) = self.config.follows.get(follow as usize).map(|edge| edge.rebalance) else { return 0 };
        let coins = self.state.held.get(follow as usize).into_iter().flatten();
        let parts: Vec<(CoinId, Held)> =
            coins.filter(|(_, held)| held.ratio.is_some()).map(|(coin, held)| (*coin, *held)).collect();
        let rounds = &mut self.state.rebalances;
        rounds.keep(follow, |coin| parts.binary_search_by_key(&coin, |part| part.0).is_ok());
        // Before the first round nothing was there to be late for.
        if rounds.before_ms > 0 && rebalance.passes(rounds.before_ms, rounds.round_ms) {
            rounds.due.extend(parts.iter().map(|(coin, _)| (follow, *coin)));
        }
        turns.extend(parts.iter().filter_map(|(coin, held)| self.turn(follow, *coin, held, now_ms)));
        parts.len()
    }

    /// What is unknown, moves or is held back now is looked at again in the next round.
    fn turn(&mut self, follow: u32, coin: CoinId, held: &Held, now_ms: u64) -> Option<Turn> {
        let edge = self.config.follows.get(follow as usize)?;
        let (rebalance, ratio, key) = (edge.rebalance, held.ratio?, (follow, coin));
        let price = self.state.market.coin(coin).map(|coin| coin.last_price).filter(|price| *price > 0)?;
        let position = self.known_position(edge.leader, coin)?;
        let known = self.state.rebalances.measures.get(&key).copied().filter(|measure| measure.ratio == ratio);
        let of = known.map_or(position, |measure| measure.position);
        let now = self.ratio(edge, coin, price, of, now_ms).ok()?;
        let by_size = matches!(edge.mode, Mode::Risk { .. });
        let then = match known {
            _ if !by_size => ratio,
            Some(measure) => measure.share,
            None => {
                self.state.rebalances.measures.insert(key, Measure { ratio, position, share: now });
                now
            }
        };
        if now == then {
            self.state.rebalances.due.remove(&key);
            return None;
        }
        let is_due = self.state.rebalances.due.contains(&key) || rebalance.is_adrift(then, now);
        if !is_due || !self.rests(follow, coin, held) {
            return None;
        }
        let ratio = mul_div(ratio, now, then, Round::TowardZero).filter(|ratio| *ratio > 0)?;
        let measure = by_size.then_some(Measure { ratio, position: of, share: now });
        Some(Turn { follow, coin, then, now, position, ratio, measure })
    }

    /// A leader's position that nothing contradicts.
    fn known_position(&self, leader: u32, coin: CoinId) -> Option<i64> {
        let state = self.state.leaders.get(leader as usize).filter(|state| state.gap == Gap::None)?;
        let entry = state.coins.get(&coin).filter(|entry| entry.suspect.is_none())?;
        Some(entry.position).filter(|position| *position != 0)
    }

    /// Nothing of the account's coin is on its way, unknown or still to be done, and nobody holds the edge back.
    fn rests(&self, follow: u32, coin: CoinId, held: &Held) -> bool {
        let Some(edge) = self.config.follows.get(follow as usize) else { return false };
        let lot = self.state.follower(edge.follower).and_then(|state| state.coins.get(&coin));
        let idle = lot.is_none_or(|lot| lot.is_idle() && lot.suspect.is_none());
        idle && held.frozen.is_none() && self.hold(follow).is_none()
    }

    /// The part as large as its new ratio makes it. What it moved by, in words.
    fn take_turn(&mut self, turn: &Turn, now_ms: u64, out: &mut Commands) -> Option<String> {
        let (follow, coin) = (turn.follow, turn.coin);
        let edge = self.config.follows.get(follow as usize)?;
        let (leader, follower) = (edge.leader, edge.follower);
        let first = self.state.held(follow, coin);
        // Of what is in E: what was missed, cut or closed by somebody is not opened by this either.
        let wanted = rescale(first.entitled, turn.now, turn.then);
        let grows = wanted.unsigned_abs() > first.entitled.unsigned_abs();
        let gate = self.gate(follower, now_ms);
        if !(if grows { gate.open } else { gate.reduce }) {
            return None;
        }
        let change = self.standing(turn, (first.entitled > 0) == grows, now_ms, out);
        let mut held = Held { ratio: Some(turn.ratio), ..first };
        let mut verdict = Verdict { deadline_ms: now_ms.saturating_add(ADOPTION_MS), ..Verdict::default() };
        if grows {
            verdict.added = match self.outgrow(follow, &change, &held, wanted, now_ms) {
                Ok(added) => added,
                // As of an entry, what a cap cuts is not taken later.
                Err((_, Reason::Cap)) => 0,
                Err(_) => return None,
            };
            held.entitled = held.entitled.saturating_add(verdict.added);
        } else {
            held.entitled = wanted;
            verdict.reduces = wanted != first.entitled;
        }
        let net_before = self.net(follower, coin);
        self.state.set_held(follow, coin, held);
        self.count_taken(leader, coin, verdict.added);
        let rounds = &mut self.state.rebalances;
        rounds.due.remove(&(follow, coin));
        if let Some(measure) = turn.measure {
            rounds.measures.insert((follow, coin), measure);
        }
        if verdict.reduces {
            self.cut_opposition(follower, &change, net_before);
            self.uncover(follow, follower, &change, net_before);
        }
        self.set_ceiling(follower, change.coin, change.price, net_before, now_ms);
        self.cross_parts(follower, coin);
        self.conclude(follow, &change, first, Move::None, &verdict, now_ms, out);
        let [before, after] = [first, held].map(|held| Pos::from_raw(to_position(held.entitled).unwrap_or(0)));
        (verdict.reduces || verdict.added != 0).then(|| format!("{} {before} to {after}", self.coin_name(coin)))
    }

    /// What an increase adds, through all gates of an entry.
    fn outgrow(&self, follow: u32, change: &Change, held: &Held, wanted: i128, now_ms: u64) -> Result<i128, Refusal> {
        let edge = self.config.follows.get(follow as usize).ok_or((Outcome::Skipped, Reason::OutOfRange))?;
        let view = self.view(edge.leader, change, now_ms);
        self.judge(follow, change, &view, held, now_ms)?;
        self.fit(follow, edge, change, held.entitled, wanted.saturating_sub(held.entitled), now_ms)
    }

    /// The leader stands where it stands, and the price is the book's: no fill of his says what an entry may cost.
    fn standing(&mut self, turn: &Turn, is_buy: bool, now_ms: u64, out: &mut Commands) -> Change {
        let best = self.quote(turn.coin, now_ms, out).and_then(|quote| quote.opposite(is_buy));
        let change = self.silent_change(turn.coin, turn.position, turn.position, now_ms);
        Change { price: best.unwrap_or(change.price), ..change }
    }

    fn tell_rebalanced(&self, moved: &BTreeMap<u32, Vec<String>>, out: &mut Commands) {
        for (follow, texts) in moved {
            let Some(edge) = self.config.follows.get(*follow as usize) else { continue };
            out.alerts.push(Alert {
                level: Level::Info,
                code: "rebalanced",
                leader: Some(edge.leader),
                follower: Some(edge.follower),
                text: format!("{} takes another ratio: {}.", self.follow_name(*follow), texts.join(", ")),
            });
            out.rebalanced = out.rebalanced.saturating_add(u32::try_from(texts.len()).unwrap_or(u32::MAX));
        }
    }
}
