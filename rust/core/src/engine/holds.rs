//! Who is held back now, how far and why; and what that means for parts of E, entries that wait, and receipts.
use super::receipts::{Ending, bare, executed};
use super::{Engine, alert_follower};
use crate::commands::{CoinId, Commands, Level, Numbers, Outcome, Reason};
use crate::config_check::OnLiquidation;
use crate::copy::entitle::{Move, classify};
use crate::copy::sizing::{UNIT, scale_down, to_position};
use crate::num::{Pos, Px};
use crate::risk::latches::{Latch, Trip};
use crate::risk::pause::{Pause, Paused};
use crate::state::{Change, Entry, Held, Pending};

/// The whole of a frozen part, in the units of [`Held::frozen`].
const WHOLE: i64 = 1_000_000_000_000_000_000;

/// What holds an edge or an account back, and the word that its receipts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    pub kind: Pause,
    pub reason: Reason,
}

/// How many edges are held back, by kind; for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct HoldCounts {
    pub follows: [u64; Pause::ALL.len()],
    pub killed: bool,
    /// Latches that hold, of accounts and of follows.
    pub latches: [u64; Latch::ALL.len()],
}

fn held_by(pause: Option<&Paused>, reason: Reason) -> Option<Hold> {
    let kind = pause?.kind;
    Some(Hold { kind, reason: if kind == Pause::Freeze { Reason::Frozen } else { reason } })
}

fn latched(trip: Option<Trip>, flattens: bool) -> Option<Hold> {
    let reason = match trip?.latch {
        Latch::DailyLoss => Reason::DailyLoss,
        Latch::Drawdown => Reason::Drawdown,
    };
    Some(Hold { kind: if flattens { Pause::Flatten } else { Pause::CloseOnly }, reason })
}

fn stronger(one: Option<Hold>, other: Option<Hold>) -> Option<Hold> {
    match (one, other) {
        (Some(a), Some(b)) if b.kind > a.kind => Some(b),
        (None, other) => other,
        (one, _) => one,
    }
}

impl Engine {
    /// What holds a whole account back.
    pub(super) fn account_hold(&self, follower: u32) -> Option<Hold> {
        let state = self.state.follower(follower);
        let own = state.and_then(|state| state.pause.as_ref());
        let flattens = self.config.followers.get(follower as usize).is_some_and(|account| account.losses.flattens);
        let holds = [
            held_by(self.state.kill.as_ref(), Reason::Killed),
            held_by(self.state.pause.as_ref(), Reason::Paused),
            held_by(own, Reason::Paused),
            latched(self.state.losses.account_trip(follower), flattens),
        ];
        holds.into_iter().fold(None, stronger)
    }

    /// What holds an edge back: its account, its leader, or itself.
    pub(super) fn hold(&self, follow: u32) -> Option<Hold> {
        let edge = self.config.follows.get(follow as usize)?;
        let leader = self.state.leaders.get(edge.leader as usize);
        let liquidated = match edge.on_liquidation {
            _ if !leader.is_some_and(|leader| leader.paused) => None,
            OnLiquidation::Close => Some(Hold { kind: Pause::CloseOnly, reason: Reason::LeaderPaused }),
            OnLiquidation::Hold => Some(Hold { kind: Pause::Freeze, reason: Reason::Frozen }),
            OnLiquidation::Follow => None,
        };
        let state = self.state.edges.get(follow as usize);
        let holds = [
            self.account_hold(edge.follower),
            held_by(leader.and_then(|leader| leader.pause.as_ref()), Reason::Paused),
            liquidated,
            held_by(state.and_then(|edge| edge.pause.as_ref()), Reason::Paused),
            latched(self.state.losses.follow_trip(follow), edge.losses.flattens),
            edge.removed.then_some(Hold { kind: Pause::CloseOnly, reason: Reason::Unfollowed }),
        ];
        holds.into_iter().fold(None, stronger)
    }

    pub(super) fn is_frozen(&self, follow: u32) -> bool {
        self.hold(follow).is_some_and(|hold| hold.kind == Pause::Freeze)
    }

    /// Nothing at all is sent for this account.
    pub(super) fn is_account_frozen(&self, follower: u32) -> bool {
        self.account_hold(follower).is_some_and(|hold| hold.kind == Pause::Freeze)
    }

    pub(super) fn count_holds(&mut self) {
        let mut counts = HoldCounts { killed: self.state.kill.is_some(), ..HoldCounts::default() };
        for (follow, edge) in (0..).zip(&self.config.follows) {
            if let Some(hold) = self.hold(follow).filter(|_| !edge.removed)
                && let Some(count) = counts.follows.get_mut(hold.kind as usize)
            {
                *count = count.saturating_add(1);
            }
        }
        for trip in self.state.losses.trips() {
            if let Some(count) = counts.latches.get_mut(trip.latch as usize) {
                *count = count.saturating_add(1);
            }
        }
        self.holds = counts;
    }

    /// Brings one account in line with what is held back now. May be called at any time: it looks at what is, not at what changed.
    pub(super) fn enforce_holds(&mut self, follower: u32, now_ms: u64, out: &mut Commands) {
        let follows = self.follows_of_follower.get(follower as usize).cloned().unwrap_or_default();
        let nets = self.nets(follower);
        let mut held: Vec<(u32, Reason)> = Vec::new();
        for follow in follows {
            let hold = self.hold(follow);
            if let Some(hold) = hold {
                held.push((follow, hold.reason));
                self.end_delays(follow, None, hold.reason, now_ms, out);
            }
            match hold.map(|hold| hold.kind) {
                Some(Pause::Freeze) => self.freeze(follow),
                Some(Pause::Flatten) => {
                    self.thaw(follow, follower);
                    self.drop_parts(follow, follower, None);
                }
                Some(Pause::CloseOnly) | None => self.thaw(follow, follower),
            }
        }
        for (coin, net_before) in nets {
            if !held.is_empty() {
                self.end_entries(follower, coin, &held, now_ms, out);
            }
            self.settle_net(follower, coin, net_before, now_ms);
        }
    }

    pub(super) fn nets(&self, follower: u32) -> Vec<(CoinId, i128)> {
        let coins = self.state.follower(follower).map(|state| state.coins.keys().copied());
        coins.into_iter().flatten().map(|coin| (coin, self.net(follower, coin))).collect()
    }

    /// Where a part ended, the other side that it had covered is opened as part of that exit, within the account's caps as at a
    /// leader's event; but not for an account that takes no increases. What edges of both sides want to be rid of needs no order.
    pub(super) fn settle_net(&mut self, follower: u32, coin: CoinId, net_before: i128, now_ms: u64) {
        if self.account_hold(follower).is_some() {
            self.cut_outward(follower, coin, net_before);
            self.cut_uncovered(follower, coin);
            self.cross_parts(follower, coin);
            return;
        }
        let net = self.net(follower, coin);
        if net != net_before {
            let price = self.state.market.coin(coin).map_or(0, |coin| coin.last_price);
            self.set_ceiling(follower, coin, price, net_before, now_ms);
        }
        self.cross_parts(follower, coin);
        let turned = net != 0 && (net > 0) != (net_before > 0);
        if !turned && net.unsigned_abs() <= net_before.unsigned_abs() {
            return;
        }
        let newest = self.follows_of_follower.get(follower as usize).and_then(|follows| follows.last()).copied();
        let (Some(lot), Some(follow)) = (self.state.lot_mut(follower, coin), newest) else { return };
        // What is on its way may close, in whole or in part, what now stands uncovered: only its answer tells.
        if lot.in_flight.is_some() || !lot.doubted.is_empty() {
            let price = lot.leader_price;
            lot.entries.push(Entry::uncovered(follow, price));
            return;
        }
        self.uncover_rest(follower, coin);
        self.want(follower, coin);
    }

    /// After an answer: what its order left is not tried again where that is forbidden.
    pub(super) fn enforce_after_answer(&mut self, follower: u32, now_ms: u64, out: &mut Commands) {
        let follows = self.follows_of_follower.get(follower as usize).map_or(&[][..], Vec::as_slice);
        if follows.iter().any(|follow| self.hold(*follow).is_some()) {
            self.enforce_holds(follower, now_ms, out);
        }
    }

    /// From now on E stands still; what the leader reduces is kept as a share of it.
    fn freeze(&mut self, follow: u32) {
        let Some(coins) = self.state.held.get_mut(follow as usize) else { return };
        coins.values_mut().for_each(|held| held.frozen = held.frozen.or(Some(WHOLE)));
    }

    /// The freeze is over: E takes in what the leader reduced meanwhile.
    fn thaw(&mut self, follow: u32, follower: u32) {
        let Some(coins) = self.state.held.get(follow as usize) else { return };
        let frozen: Vec<(CoinId, Held)> =
            coins.iter().filter(|(_, held)| held.frozen.is_some()).map(|(coin, held)| (*coin, *held)).collect();
        for (coin, held) in frozen {
            let share = held.frozen.unwrap_or(WHOLE);
            let thawed = match share {
                0 => held.ended(),
                share => Held { entitled: scale_down(held.entitled, share, WHOLE), frozen: None, ..held },
            };
            self.state.set_held(follow, coin, thawed);
            self.want(follower, coin);
        }
    }

    pub(super) fn want(&mut self, follower: u32, coin: CoinId) {
        if let Some(lot) = self.state.lot_mut(follower, coin) {
            lot.wants = true;
            lot.retry_ms = 0;
            self.state.waiting.insert(follower);
        }
    }

    /// What an edge holds is to be closed, on one coin or on all. True if there is anything.
    pub(super) fn drop_parts(&mut self, follow: u32, follower: u32, only: Option<CoinId>) -> bool {
        let Some(coins) = self.state.held.get(follow as usize) else { return false };
        let parts: Vec<(CoinId, Held)> = coins
            .iter()
            .filter(|(coin, held)| held.entitled != 0 && only.is_none_or(|only| only == **coin))
            .map(|(coin, held)| (*coin, *held))
            .collect();
        let any = !parts.is_empty();
        for (coin, mut held) in parts {
            self.drop_part(follow, follower, coin, &mut held);
            self.state.set_held(follow, coin, held);
            self.want(follower, coin);
        }
        any
    }

    /// Gives back what waits to be bought for edges that are held back, and ends its receipts. With the account frozen, those
    /// of reductions too: they go when the freeze ends, without one.
    pub(super) fn end_entries(
        &mut self,
        follower: u32,
        coin: CoinId,
        held: &[(u32, Reason)],
        now_ms: u64,
        out: &mut Commands,
    ) {
        let reason_of = |follow: u32| held.iter().find(|(other, _)| *other == follow).map(|(_, reason)| *reason);
        self.give_back(follower, coin, |entry| {
            reason_of(entry.follow).filter(|_| entry.post.is_none() && entry.amount != 0)
        });
        let frozen = self.is_account_frozen(follower);
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        let ends = |pending: &Pending| pending.post.is_none() && (frozen || (pending.enters && !pending.reduces));
        let (done, mut kept): (Vec<_>, Vec<_>) = std::mem::take(&mut lot.pending)
            .into_iter()
            .partition(|pending| ends(pending) && reason_of(pending.follow).is_some());
        for pending in kept.iter_mut().filter(|pending| pending.post.is_none() && pending.enters) {
            pending.reason = reason_of(pending.follow).unwrap_or(pending.reason);
        }
        lot.pending = kept;
        for pending in done {
            let reason = reason_of(pending.follow).unwrap_or(Reason::Paused);
            let ending = match (pending.complete, pending.numbers.filled.is_zero()) {
                (true, _) => executed(&pending),
                (false, true) => Ending::new(Outcome::Blocked, reason),
                (false, false) => Ending::new(Outcome::PartlyFilled, reason),
            };
            self.finish(coin, &pending, ending, now_ms, out);
        }
        self.withdraw_coin(follower, coin, now_ms, out);
    }

    /// What an exit uncovered is not opened for an account that takes no increases: the side that was covered is cut to what is
    /// held.
    fn cut_uncovered(&mut self, follower: u32, coin: CoinId) {
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        let waits = lot.entries.iter().any(|entry| entry.amount == 0);
        if !waits || lot.in_flight.is_some() || !lot.doubted.is_empty() {
            return;
        }
        lot.entries.retain(|entry| entry.amount != 0);
        let own = i128::from(lot.own).saturating_mul(UNIT);
        let net = self.net(follower, coin);
        self.cut_net(follower, coin, if (net > 0) == (own > 0) { own.saturating_abs() } else { 0 });
    }

    /// Rule 16 for an account that takes no increases: where an edge's exit would uncover an opposing edge, that side is cut, so
    /// that the net never moves outward.
    pub(super) fn cut_outward(&mut self, follower: u32, coin: CoinId, net_before: i128) {
        let net = self.net(follower, coin);
        let same_side = net_before != 0 && (net > 0) == (net_before > 0);
        self.cut_net(follower, coin, if same_side { net_before.saturating_abs() } else { 0 });
    }

    /// A leader's change of a frozen edge: nothing moves, and what the leader reduced is remembered. True: that is all.
    pub(super) fn decide_frozen(&mut self, follow: u32, change: &Change, now_ms: u64, out: &mut Commands) -> bool {
        if !self.is_frozen(follow) {
            return false;
        }
        let Some(edge) = self.config.follows.get(follow as usize) else { return true };
        let follower = edge.follower;
        let mut held = self.state.held(follow, change.coin);
        let before = held.frozen.unwrap_or(WHOLE);
        if !held.is_empty() {
            let steps = [change.gap_from.map(|from| (from, change.before)), Some((change.before, change.after))];
            let share = steps.into_iter().flatten().fold(before, |share, (from, to)| left_of(share, from, to));
            held.frozen = Some(if self.closes(follow, change) { 0 } else { share });
            self.state.set_held(follow, change.coin, held);
        }
        if before == WHOLE && held.entitled != 0 && held.frozen != Some(WHOLE) {
            let text = format!(
                "{}: the leader reduces, and a freeze holds this back. It goes when the freeze ends.",
                self.coin_name(change.coin)
            );
            alert_follower(out, Level::Critical, "reduction_frozen", follower, text);
        }
        self.merge_other_fills(follow, change, now_ms, out);
        if let Some(&(time_ms, tid)) = change.fills.first() {
            let entitled = Pos::from_raw(to_position(held.entitled).unwrap_or(0));
            let numbers = Numbers {
                leader_before: Pos::from_raw(change.gap_from.unwrap_or(change.before)),
                leader_after: Pos::from_raw(change.after),
                leader_price: Px::from_raw(change.price),
                entitled_before: entitled,
                entitled_after: entitled,
                ..Numbers::default()
            };
            let pending = Pending { numbers, ..bare(follow, change.decision, time_ms, tid, now_ms) };
            self.finish(change.coin, &pending, Ending::new(Outcome::Blocked, Reason::Frozen), now_ms, out);
        }
        out.changed = true;
        true
    }
}

/// What is left of a share when the leader goes from one position to another.
fn left_of(share: i64, from: i64, to: i64) -> i64 {
    match classify(from, to) {
        Move::None | Move::Increase => share,
        Move::Reduce => i64::try_from(scale_down(share.into(), to, from)).unwrap_or(0),
        Move::Flat | Move::Flip => 0,
    }
}
