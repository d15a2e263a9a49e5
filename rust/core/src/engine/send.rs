//! From drafts to attempts: post id, nonce, lane, client ids, bytes and digests; the hashes of a chunk together.
use std::ops::Range;

use super::Engine;
use crate::commands::{Attempt, AttemptKind, CoinId, Commands, Road};
use crate::copy::plan::Draft;
use crate::event::LaneId;
use crate::num::{Pos, Px, Sz};
use crate::order::attempt::{ANSWER_MS, FENCE_TTL_MS, InFlight, Leg, OPEN_TTL_MS, Phase, REDUCE_TTL_MS};
use crate::order::identity::{CLOID_MESSAGE, CloidParts, cloid_message, cloid_of, next_nonce};
use crate::planted::{Bug, planted};
use crate::sign::{
    Digest, digest_of_hash, digests_of_preimages, keccak256, keccak256_many, l1_digest, write_circumstances,
};
use crate::wire::{Action, Address, Cloid, Order, Tif, encode_action};

/// Orders of one action at most. The venue takes any number that is practical, up to 40 to 100 by what was seen; one that it
/// refuses whole must not be a flatten of everything.
const MAX_ORDERS: usize = 40;

/// One follower's action before it has bytes.
#[derive(Debug)]
struct ActionDraft {
    follower: u32,
    post: u64,
    legs: Range<usize>,
}

/// What a step plans, over all its followers. Reused between steps.
#[derive(Debug, Default)]
pub(super) struct Batch {
    legs: Vec<(CoinId, Draft)>,
    actions: Vec<ActionDraft>,
    start: usize,
    /// Of the follower that is planned: what waits at the venue goes in actions of its own.
    passive: Vec<(CoinId, Draft)>,
    /// The coins of the follower that is planned.
    pub coins: Vec<CoinId>,
    messages: Vec<[u8; CLOID_MESSAGE]>,
    hashes: Vec<[u8; 32]>,
    orders: Vec<Order>,
    /// What the actions' hashes cover, and where each one's is.
    hashed: Vec<u8>,
    preimages: Vec<Range<usize>>,
    /// Of the actions' JSON.
    spans: Vec<Range<usize>>,
    digests: Vec<Digest>,
}

impl Batch {
    pub fn begin(&mut self) {
        self.start = self.legs.len();
    }

    /// A coin takes two orders at most: a close and an opening.
    pub fn is_full(&self) -> bool {
        self.legs.len().saturating_sub(self.start) > MAX_ORDERS.saturating_sub(2)
    }

    pub fn push(&mut self, coin: CoinId, draft: Draft) {
        if draft.passive { self.passive.push((coin, draft)) } else { self.legs.push((coin, draft)) }
    }

    /// Begins the next action of what waits at the venue: of all that waits in the book, or of one TWAP. False: nothing is left.
    pub fn begin_passive(&mut self) -> bool {
        self.begin();
        let native = self.passive.pop_if(|(_, draft)| draft.native);
        if native.is_none() {
            let count = self.passive.len().min(MAX_ORDERS);
            self.legs.extend(self.passive.drain(..count));
        }
        self.legs.extend(native);
        self.legs.len() > self.start
    }

    fn clear(&mut self) {
        self.legs.clear();
        self.actions.clear();
        self.messages.clear();
        self.orders.clear();
        self.hashed.clear();
        self.preimages.clear();
        self.spans.clear();
    }
}

impl Engine {
    /// Makes one action of what was pushed since `Batch::begin`, and takes it into the state as sent.
    pub(super) fn close_action(&mut self, follower: u32, now_ms: u64) {
        let range = self.batch.start..self.batch.legs.len();
        let Some(drafts) = self.batch.legs.get(range.clone()) else { return };
        if drafts.is_empty() {
            return;
        }
        let post = self.state.next_post;
        self.state.next_post = post.saturating_add(1);
        let reduces = drafts.iter().all(|(_, draft)| draft.reduce_only);
        let Some((lane, _)) = self.lane(follower, None) else { return };
        let surcharge = self.surcharge(follower, drafts);
        let native = drafts.iter().find(|(_, draft)| draft.native).map(|(_, draft)| draft.size);
        let leg = |(coin, draft): &(CoinId, Draft)| Leg {
            coin: *coin,
            size: draft.size,
            price: draft.price.raw(),
            reduce_only: draft.reduce_only,
            plain: draft.plain,
            passive: draft.passive,
            cloid: [0; 16],
            found: None,
        };
        let legs: Vec<Leg> = drafts.iter().map(leg).collect();
        let event_ms = legs.first().map_or(now_ms, |leg| self.event_ms(follower, leg.coin, now_ms));
        let Some(state) = self.state.follower_mut(follower) else { return };
        let nonce =
            if planted(Bug::NonceFromTheClock) { now_ms } else { next_nonce(event_ms, now_ms, state.last_nonce) };
        state.last_nonce = nonce;
        state.in_flight = state.in_flight.saturating_add(1);
        for leg in &legs {
            if let Some(lot) = state.coins.get_mut(&leg.coin) {
                lot.in_flight = Some(post);
                lot.tried_ms = now_ms;
                lot.tried_limit = leg.price;
                // What an unknown action carries stays with it.
                lot.entries.iter_mut().filter(|e| e.post.is_none()).for_each(|entry| entry.post = Some(post));
                for pending in lot.pending.iter_mut().filter(|pending| pending.post.is_none()) {
                    pending.post = Some(post);
                    pending.planned_ms = now_ms;
                    let numbers = &mut pending.numbers;
                    numbers.nonce = nonce;
                    numbers.limit_price = Px::from_raw(leg.price);
                    numbers.ordered = numbers.ordered.checked_add(Pos::from_raw(leg.size)).unwrap_or(numbers.ordered);
                }
            }
        }
        let attempt = InFlight {
            follower,
            lane,
            reduces,
            nonce,
            expires_after: now_ms.saturating_add(if planted(Bug::NoExpiry) {
                3_600_000
            } else if reduces {
                REDUCE_TTL_MS
            } else {
                OPEN_TTL_MS
            }),
            sent_ms: now_ms,
            legs,
            surcharge,
            phase: Phase::Sent,
            deadline_ms: now_ms.saturating_add(ANSWER_MS),
            former: false,
            refused: false,
            nonce_taken: false,
            resent: false,
        };
        self.state.attempts.insert(post, attempt);
        if let Some(size) = native {
            self.note_twap(post, follower, size);
        }
        self.state.deadlines.insert((now_ms.saturating_add(ANSWER_MS), post));
        self.budget.take(post_weight(range.len()), 1);
        self.count_requests(follower, range.len());
        self.batch.actions.push(ActionDraft { follower, post, legs: range });
    }

    /// The time of the fill that the newest receipt of the coin is about.
    fn event_ms(&self, follower: u32, coin: CoinId, now_ms: u64) -> u64 {
        let lot = self.state.follower(follower).and_then(|follower| follower.coins.get(&coin));
        lot.and_then(|lot| lot.pending.last()).map_or(now_ms, |pending| pending.time_ms)
    }

    /// A way out: followers spread over the lanes that are up, HTTP when there is none. `not`: another one, if there is one.
    pub(super) fn lane(&self, follower: u32, not: Option<LaneId>) -> Option<(LaneId, Road)> {
        let sockets = self.state.lanes.iter().filter(|lane| Some(**lane) != not);
        let count = sockets.clone().count();
        let pick = |lanes: usize| (follower as usize).checked_rem(lanes);
        if let Some(lane) = pick(count).and_then(|at| sockets.clone().nth(at)) {
            return Some((*lane, Road::WebSocket));
        }
        if let Some(lane) = self.state.http_lanes.first().filter(|lane| Some(**lane) != not) {
            return Some((*lane, Road::Http));
        }
        // Better the same lane than none.
        let same = not.filter(|lane| self.state.lanes.contains(lane)).map(|lane| (lane, Road::WebSocket));
        same.or_else(|| self.state.http_lanes.first().map(|lane| (*lane, Road::Http)))
    }

    fn road(&self, lane: LaneId) -> Road {
        if self.state.lanes.contains(&lane) { Road::WebSocket } else { Road::Http }
    }

    /// Gives the batch its bytes and hands it out.
    pub(super) fn send_batch(&mut self, _now_ms: u64, out: &mut Commands) {
        if self.batch.actions.is_empty() {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        self.name_orders(&mut batch);
        self.encode(&mut batch, out);
        // By place in the batch: fences of the same step stand before its orders in `out`.
        for ((draft, span), digest) in batch.actions.iter().zip(&batch.spans).zip(&batch.digests) {
            let Some(attempt) = self.state.attempts.get(&draft.post) else { continue };
            let first_cloid = out.cloids.len();
            // A TWAP has no client id.
            if !self.state.twaps.contains_key(&draft.post) {
                out.cloids.extend(attempt.legs.iter().map(|leg| Cloid(leg.cloid)));
            }
            out.attempts.push(Attempt {
                follower: draft.follower,
                signer: draft.follower,
                lane: attempt.lane,
                road: self.road(attempt.lane),
                post_id: draft.post,
                kind: attempt.kind(),
                nonce: attempt.nonce,
                expires_after: attempt.expires_after,
                vault: self.vault(draft.follower),
                digest: if planted(Bug::DigestByPlace) {
                    batch.digests.get(out.attempts.len()).copied().unwrap_or_default()
                } else {
                    *digest
                },
                action: span.clone(),
                cloids: first_cloid..out.cloids.len(),
            });
        }
        batch.clear();
        self.batch = batch;
    }

    /// Client ids of all orders of the batch: one wide hash.
    fn name_orders(&mut self, batch: &mut Batch) {
        let chain = self.config.network.chain();
        for draft in &batch.actions {
            let Some(drafts) = batch.legs.get(draft.legs.clone()) else { continue };
            for ((coin, _), leg) in drafts.iter().zip(0u32..) {
                let asset = self.state.market.asset(*coin).map_or(u32::MAX, |asset| asset.id);
                let Some(account) = self.config.followers.get(draft.follower as usize) else { continue };
                let Some(lot) = self.state.lot_mut(draft.follower, *coin) else { continue };
                lot.attempts = if planted(Bug::ClientIdRepeats) { 1 } else { lot.attempts.saturating_add(1) };
                let (follow, time_ms, tid) =
                    lot.pending.last().map_or((None, 0, 0), |p| (Some(p.follow), p.time_ms, p.tid));
                let leader = follow.and_then(|follow| self.config.follows.get(follow as usize));
                let leader = leader.and_then(|edge| self.config.leaders.get(edge.leader as usize));
                let leader = leader.map_or(Address([0; 20]), |leader| leader.address);
                let parts = CloidParts {
                    follower: &account.account,
                    leader: &leader,
                    event: (asset, time_ms, tid),
                    leg,
                    attempt: lot.attempts,
                };
                batch.messages.push(cloid_message(&parts, chain));
            }
        }
        batch.hashes.clear();
        if let [message] = batch.messages.as_slice() {
            batch.hashes.push(keccak256(message));
        } else {
            batch.hashes.resize(batch.messages.len(), [0; 32]);
            let messages: Vec<&[u8]> = batch.messages.iter().map(<[u8; CLOID_MESSAGE]>::as_slice).collect();
            keccak256_many(&messages, &mut batch.hashes);
        }
        let mut hashes = batch.hashes.iter();
        for draft in &batch.actions {
            let legs = self.state.attempts.get_mut(&draft.post).map(|attempt| attempt.legs.iter_mut());
            for (leg, hash) in legs.into_iter().flatten().zip(&mut hashes) {
                leg.cloid = cloid_of(hash);
            }
        }
    }

    /// Bytes of all actions of the batch, then their digests: three wide hashes.
    fn encode(&mut self, batch: &mut Batch, out: &mut Commands) {
        for draft in &batch.actions {
            let Some(attempt) = self.state.attempts.get(&draft.post) else { continue };
            batch.orders.clear();
            batch.orders.extend(attempt.legs.iter().filter_map(|leg| self.order(leg)));
            let (json_at, preimage_at) = (out.bytes.len(), batch.hashed.len());
            let action = self.action_of(draft.post, attempt, &batch.orders);
            encode_action(&action, &mut batch.hashed, &mut out.bytes);
            let vault = self.vault(draft.follower);
            write_circumstances(&mut batch.hashed, attempt.nonce, vault.as_ref(), Some(attempt.expires_after));
            batch.spans.push(json_at..out.bytes.len());
            batch.preimages.push(preimage_at..batch.hashed.len());
        }
        let chain = self.config.network.chain();
        let preimage = |span: &Range<usize>| batch.hashed.get(span.clone()).unwrap_or_default();
        batch.digests.clear();
        if let [only] = batch.preimages.as_slice() {
            batch.digests.push(digest_of_hash(&keccak256(preimage(only)), chain));
        } else {
            batch.digests.resize(batch.preimages.len(), [0; 32]);
            let preimages: Vec<&[u8]> = batch.preimages.iter().map(preimage).collect();
            digests_of_preimages(&preimages, chain, &mut batch.digests);
        }
    }

    /// What an attempt asks for: its TWAP, or its orders.
    fn action_of<'a>(&self, post: u64, attempt: &InFlight, orders: &'a [Order]) -> Action<'a> {
        self.twap_action(post, attempt).unwrap_or_else(|| self.order_action(attempt, orders))
    }

    fn vault(&self, follower: u32) -> Option<Address> {
        self.config.followers.get(follower as usize).filter(|account| account.vault).map(|account| account.account)
    }

    fn order(&self, leg: &Leg) -> Option<Order> {
        Some(Order {
            asset: self.state.market.asset(leg.coin)?.id,
            is_buy: leg.size > 0,
            price: Px::from_raw(leg.price),
            size: Sz::from_raw(leg.size.saturating_abs()),
            reduce_only: leg.reduce_only && !leg.plain && !planted(Bug::ReductionMayOpen),
            tif: if leg.passive { Tif::Alo } else { Tif::Ioc },
            cloid: Some(Cloid(leg.cloid)),
        })
    }

    /// Hands out an attempt once more over another lane. Its bytes are made anew from the same parts, so its digest is the same.
    /// False: there is no other lane.
    pub(super) fn send_again(&mut self, post: u64, out: &mut Commands) -> bool {
        let Some(attempt) = self.state.attempts.get(&post) else { return false };
        let Some((lane, road)) = self.lane(attempt.follower, Some(attempt.lane)) else { return false };
        if lane == attempt.lane {
            return false;
        }
        let orders: Vec<Order> = attempt.legs.iter().filter_map(|leg| self.order(leg)).collect();
        if orders.len() != attempt.legs.len() {
            return false;
        }
        let named = attempt.legs.iter().filter(|_| !self.state.twaps.contains_key(&post));
        let cloids: Vec<Cloid> = named.map(|leg| Cloid(leg.cloid)).collect();
        let (follower, nonce, expires_after) = (attempt.follower, attempt.nonce, attempt.expires_after);
        let action = self.action_of(post, attempt, &orders);
        let way = (lane, road, AttemptKind::Resend);
        let again = self.hand_out(follower, way, &action, (nonce, expires_after), &cloids, out);
        self.state.resends.insert(again, post);
        if let Some(attempt) = self.state.attempts.get_mut(&post) {
            attempt.resent = true;
        }
        true
    }

    /// Makes one attempt beside the batch and takes its message from the budget.
    pub(super) fn hand_out(
        &mut self,
        follower: u32,
        (lane, road, kind): (LaneId, Road, AttemptKind),
        action: &Action<'_>,
        (nonce, expires_after): (u64, u64),
        cloids: &[Cloid],
        out: &mut Commands,
    ) -> u64 {
        let post_id = self.state.next_post;
        self.state.next_post = post_id.saturating_add(1);
        let mut msgpack = Vec::with_capacity(256);
        let (from, first_cloid) = (out.bytes.len(), out.cloids.len());
        encode_action(action, &mut msgpack, &mut out.bytes);
        out.cloids.extend_from_slice(cloids);
        let vault = self.vault(follower);
        let chain = self.config.network.chain();
        out.attempts.push(Attempt {
            follower,
            signer: follower,
            lane,
            road,
            post_id,
            kind,
            nonce,
            expires_after,
            vault,
            digest: l1_digest(&msgpack, nonce, vault.as_ref(), Some(expires_after), chain),
            action: from..out.bytes.len(),
            cloids: first_cloid..out.cloids.len(),
        });
        out.changed = true;
        self.budget.take(post_weight(cloids.len()), 1);
        self.count_requests(follower, cloids.len());
        post_id
    }

    /// Hands out a `noop` under the nonce of an attempt; its post id if there was a way out.
    pub(super) fn send_fence(&mut self, post: u64, out: &mut Commands) -> Option<u64> {
        let attempt = self.state.attempts.get(&post)?;
        let (follower, nonce) = (attempt.follower, attempt.nonce);
        let expires_after = attempt.expires_after.saturating_add(FENCE_TTL_MS);
        let (lane, road) = self.lane(follower, Some(attempt.lane))?;
        let way = (lane, road, AttemptKind::Fence);
        let fence = self.hand_out(follower, way, &Action::Noop, (nonce, expires_after), &[], out);
        self.state.fences.insert(fence, post);
        Some(fence)
    }
}

/// Venue rule: what a post of so many orders weighs.
pub(super) fn post_weight(orders: usize) -> u32 {
    u32::try_from(orders / 40).unwrap_or(u32::MAX).saturating_add(1)
}
