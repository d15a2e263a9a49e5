//! Stops of losses (rule 31), per account and per follow: what was earned is read, and a latch that trips holds back until an
//! operator resets it.
//!
//! An account's earnings are its worth less the money that came and went. A deposit must not hide a loss, nor a withdrawal look
//! like one, so a reading of the worth counts once the transfers up to it were read and none is close to it. A follow's earnings are those of its part:
//! what its executions took in, fees, funding, and what it holds at the mark of the last read.
use super::reads::MAX_ASKS;
use super::{Engine, alert_follower};
use crate::commands::{CoinId, Commands, Level};
use crate::config_check::DAY_MS;
use crate::copy::equity::Counted;
use crate::feed::account::{AccountState, parse_taker_rate};
use crate::feed::transfers::parse_transfers;
use crate::num::{Px, Usd};
use crate::risk::budget::Purpose;
use crate::risk::latches::{Latch, LossLimits, Trip};
use crate::state::{Asked, Weighed};

/// Venue rule: weight of `userNonFundingLedgerUpdates`, and one more per 20 rows; and of `userFees`.
const WEIGHT: u32 = 20;
/// An account's transfers are read this often; at once when its worth alone would trip a latch.
const TRANSFERS_MS: u64 = 60_000;
/// A ledger is read so long after the worth, and a transfer so close before that leaves it open: what the venue serves of an
/// account and of its ledger is a little old, each by its own time.
const LAG_MS: u64 = 3_000;
/// An account whose losses could not be told for so long takes no increases.
const STALE_MS: u64 = 600_000;
/// A rate that could not be read is asked for again.
const FEES_AGAIN_MS: u64 = 600_000;
/// Rows of one answer that may be all there are room for: what comes behind them is read at once.
const PAGE_ROWS: usize = 500;
/// Venue rule: what a taker pays before any discount, in 10^-8, until the account's own rate was read.
pub(super) const BASE_RATE: i64 = 45_000;

impl Engine {
    fn account_limits(&self, follower: u32) -> Option<LossLimits> {
        let limits = self.config.followers.get(follower as usize)?.losses;
        (!limits.is_none()).then_some(limits)
    }

    fn follow_limits(&self, follow: u32) -> Option<LossLimits> {
        let limits = self.config.follows.get(follow as usize)?.losses;
        (!limits.is_none()).then_some(limits)
    }

    /// Whether an account's worth is needed for its latches.
    pub(super) fn watches_losses(&self, follower: u32) -> bool {
        self.account_limits(follower).is_some()
    }

    /// An account's losses can't be told now, and it has a limit of them.
    pub(super) fn is_unjudged(&self, follower: u32) -> bool {
        let account = self.state.losses.accounts.get(&follower);
        self.watches_losses(follower) && account.is_none_or(|state| state.unjudged || state.earnings.read_ms == 0)
    }

    /// A new process: what was lost meanwhile is read before anything is opened.
    pub(super) fn reopen_latches(&mut self) {
        let losses = &mut self.state.losses;
        (losses.ledger_dues, losses.stale_dues) = Default::default();
        losses.accounts.values_mut().for_each(|account| (account.unjudged, account.weighed) = (true, None));
    }

    /// An account's spot was read.
    pub(super) fn weigh_tokens(&mut self, follower: u32, now_ms: u64) {
        if self.watches_losses(follower) && self.state.mids_ms > 0 {
            self.state.losses.account_mut(follower).priced = true;
        }
        self.weigh(follower, now_ms);
    }

    /// A part of an account's money was read.
    pub(super) fn weigh(&mut self, follower: u32, now_ms: u64) {
        let Some(limits) = self.account_limits(follower) else { return };
        let (oldest, spot) = (self.oldest_ms(now_ms), self.trades_spot(false, follower));
        let purse = self.state.follower(follower).map(|state| &state.purse);
        let Some((counted, worth, since_ms)) = purse.and_then(|purse| purse.in_all(oldest, spot)) else { return };
        let account = self.state.losses.account_mut(follower);
        // Tokens without prices are no loss.
        if counted != Counted::Dexs && !account.priced {
            return;
        }
        if account.weighed.is_some_and(|weighed| now_ms < weighed.read_ms.saturating_add(TRANSFERS_MS)) {
            return;
        }
        if account.transfers_ms == 0 {
            // What came before the first reading is in it.
            account.transfers_ms = since_ms.saturating_sub(LAG_MS);
        }
        if account.counted.replace(counted).is_some_and(|before| before != counted) {
            // Its money counts otherwise from now on: that is neither a gain nor a loss.
            account.transferred = worth.saturating_sub(account.earnings.last);
        }
        let earned = worth.saturating_sub(account.transferred);
        let due = now_ms >= account.transfers_read_ms.saturating_add(TRANSFERS_MS);
        if due || account.unjudged || account.earnings.would_trip(earned, worth, &limits, now_ms) {
            account.weighed = Some(Weighed { worth, since_ms, read_ms: now_ms });
            self.state.losses.ledger_dues.insert((now_ms.saturating_add(LAG_MS), follower));
        }
    }

    fn ask_transfers(&mut self, follower: u32, now_ms: u64, out: &mut Commands) {
        let asked = Asked::Transfers { follower };
        if self.state.asks.values().any(|other| *other == asked) {
            return;
        }
        if self.state.asks.len() >= MAX_ASKS || !self.budget.has(WEIGHT, 0, Purpose::Ordinary) {
            self.state.losses.ledger_dues.insert((now_ms.saturating_add(LAG_MS), follower));
            return;
        }
        let Some(address) = self.address(false, follower) else { return };
        let from = self.state.losses.account_mut(follower).transfers_ms.saturating_add(1);
        let body = format!("{{\"type\":\"userNonFundingLedgerUpdates\",\"user\":\"{address}\",\"startTime\":{from}}}");
        self.ask(asked, WEIGHT, body, out);
    }

    pub(super) fn transfers_unread(&mut self, follower: u32, at_ms: u64) -> bool {
        self.state.losses.account_mut(follower).weighed = None;
        self.read_at(at_ms, false, follower)
    }

    pub(super) fn on_transfers_read(&mut self, follower: u32, body: &[u8], now_ms: u64, out: &mut Commands) -> bool {
        let Some(address) = self.address(false, follower) else { return true };
        let price = |name: &str| {
            let coin = self.state.market.coin(self.state.market.find(name.as_bytes())?)?;
            (coin.last_price > 0).then(|| Px::from_raw(coin.last_price))
        };
        let spot = self.state.losses.accounts.get(&follower).is_some_and(|one| one.counted != Some(Counted::Dexs));
        let Ok(transfers) = parse_transfers(body, &address, spot, price) else { return false };
        let unknown = transfers.iter().any(|transfer| !transfer.is_known);
        let newest_ms = transfers.last().map_or(0, |last| last.time_ms);
        let account = self.state.losses.account_mut(follower);
        account.transfers_read_ms = now_ms;
        for transfer in transfers.iter().filter(|transfer| transfer.time_ms > account.transfers_ms) {
            account.transferred = account.transferred.saturating_add(transfer.added);
        }
        account.transfers_ms = newest_ms.max(account.transfers_ms);
        if transfers.len() >= PAGE_ROWS {
            self.ask_transfers(follower, now_ms, out);
            return true;
        }
        let Some(weighed) = account.weighed.take() else { return true };
        // What moved close to the reading may be in one of its parts, in the ledger, or in both: the next one is sure.
        if newest_ms.saturating_add(LAG_MS) >= weighed.since_ms {
            account.doubted |= unknown;
            self.read_at(now_ms.saturating_add(LAG_MS), false, follower);
            return true;
        }
        if std::mem::take(&mut account.doubted) | unknown {
            account.transferred = weighed.worth.saturating_sub(account.earnings.last);
            let text = "Money moved in a way that this release can't tell the worth of: what changed since the last reading counts as moved, and as neither lost nor earned.";
            alert_follower(out, Level::Warning, "transfer_unknown", follower, text.to_owned());
        }
        self.judge_account(follower, weighed.worth, now_ms, out);
        true
    }

    fn judge_account(&mut self, follower: u32, worth: i64, now_ms: u64, out: &mut Commands) {
        let Some(limits) = self.account_limits(follower) else { return };
        let losses = &mut self.state.losses;
        let account = losses.account_mut(follower);
        account.unjudged = false;
        let earned = worth.saturating_sub(account.transferred);
        let trip = account.earnings.judge(earned, worth, &limits, now_ms);
        losses.stale_dues.retain(|(_, other)| *other != follower);
        losses.stale_dues.insert((now_ms.saturating_add(STALE_MS), follower));
        if let Some(trip) = trip {
            let name = self.config.followers.get(follower as usize).map_or("", |one| one.name.as_str());
            let text = told(&format!("follower {name}"), trip, limits.flattens);
            self.tripped(follower, text, now_ms, out);
        }
    }

    /// Ledgers that are to be read now, and accounts whose losses could not be told for too long: these take no increases from
    /// now on.
    pub(super) fn tend_latches(&mut self, now_ms: u64, out: &mut Commands) {
        while let Some((due, follower)) =
            self.state.losses.ledger_dues.first().copied().filter(|(due, _)| *due <= now_ms)
        {
            self.state.losses.ledger_dues.remove(&(due, follower));
            out.changed = true;
            self.ask_transfers(follower, now_ms, out);
        }
        while let Some((due, follower)) =
            self.state.losses.stale_dues.first().copied().filter(|(due, _)| *due <= now_ms)
        {
            self.state.losses.stale_dues.remove(&(due, follower));
            out.changed = true;
            self.state.losses.account_mut(follower).unjudged = true;
            let text = "Its losses could not be told for ten minutes: no entries until its account is read.".to_owned();
            alert_follower(out, Level::Warning, "losses_unread", follower, text);
        }
    }

    /// After each reading of an account's positions: what each of its follows has earned.
    pub(super) fn judge_follows(&mut self, follower: u32, now_ms: u64, out: &mut Commands) {
        for follow in self.follows_of_follower.get(follower as usize).cloned().unwrap_or_default() {
            let Some(limits) = self.follow_limits(follow) else { continue };
            let earned = self.earned(follow, follower);
            let edge = self.state.losses.follow_mut(follow);
            if let Some(trip) = edge.earnings.judge(earned, 0, &limits, now_ms) {
                let text = told(&self.follow_name(follow), trip, limits.flattens);
                self.tripped(follower, text, now_ms, out);
            }
        }
    }

    /// What a follow's part has earned since it began, in 10^-6 dollars.
    fn earned(&self, follow: u32, follower: u32) -> i64 {
        let paid = self.state.losses.follows.get(&follow).map_or(0, |edge| edge.paid);
        let cash = self.state.edges.get(follow as usize).map_or(0, |edge| edge.cash.saturating_sub(paid));
        let coins = self.state.held.get(follow as usize).into_iter().flatten();
        coins.filter(|(_, held)| held.position != 0).fold(cash, |sum, (coin, held)| {
            let mark = self.state.losses.costs.get(&(follower, *coin)).map(|costs| costs.mark).filter(|mark| *mark > 0);
            let mark = mark.or_else(|| self.state.market.coin(*coin).map(|coin| coin.last_price)).unwrap_or(0);
            // 10^-8 coins times 10^-8 dollars, in 10^-6 dollars.
            let value = i128::from(held.position).saturating_mul(i128::from(mark)) / 10_000_000_000;
            sum.saturating_add(i64::try_from(value).unwrap_or(i64::MAX))
        })
    }

    /// Marks and funding of an account's positions, shared out to the follows that hold them.
    pub(super) fn note_costs(&mut self, follower: u32, read: &AccountState) {
        for row in &read.positions {
            let Some(coin) = self.state.market.find(row.coin.as_bytes()) else { continue };
            let costs = self.state.losses.costs.entry((follower, coin)).or_default();
            costs.mark = row.mark.map_or(costs.mark, |mark| mark.raw());
            let (all, open) = row.funding.unwrap_or((0, 0));
            let paid = costs.funding.replace(all).map_or(open, |before| all.saturating_sub(before));
            self.share_funding(follower, coin, paid);
        }
        // Whoever is flat begins anew with the next position.
        let lots = self.state.followers.get(follower as usize).map(|state| &state.coins);
        self.state.losses.costs.retain(|(of, coin), _| {
            let lot = lots.and_then(|lots| lots.get(coin));
            *of != follower || lot.is_some_and(|lot| lot.own != 0 || lot.manual != 0)
        });
    }

    fn share_funding(&mut self, follower: u32, coin: CoinId, paid: i64) {
        let lot = self.state.follower(follower).and_then(|state| state.coins.get(&coin));
        let whole = lot.map_or(0, |lot| lot.own.saturating_add(lot.manual));
        if paid == 0 || whole == 0 {
            return;
        }
        for follow in self.follows_of_follower.get(follower as usize).cloned().unwrap_or_default() {
            let part = self.state.held(follow, coin).position;
            let share = i128::from(paid).saturating_mul(part.into()) / i128::from(whole);
            let edge = self.state.losses.follow_mut(follow);
            edge.paid = edge.paid.saturating_add(i64::try_from(share).unwrap_or(0));
        }
    }

    /// What a taker of this account pays, in 10^-8 of the value, with the builder's share.
    pub(super) fn taker_rate(&self, follower: u32) -> i64 {
        let own = self.state.losses.accounts.get(&follower).and_then(|account| account.fee_rate).unwrap_or(BASE_RATE);
        let builder = self.config.followers.get(follower as usize).and_then(|account| account.builder);
        // A tenth of a basis point is 10^-5.
        own.saturating_add(builder.map_or(0, |builder| i64::from(builder.fee).saturating_mul(1_000)))
    }

    /// An account with limits of follows: what it pays is read once a day.
    pub(super) fn ask_fees(&mut self, follower: u32, now_ms: u64, out: &mut Commands) {
        let follows = self.follows_of_follower.get(follower as usize).into_iter().flatten();
        let needed = follows.copied().any(|follow| self.follow_limits(follow).is_some());
        let asked_ms = self.state.losses.accounts.get(&follower).map_or(0, |account| account.fees_ms);
        let due = now_ms >= asked_ms.saturating_add(DAY_MS);
        if !needed || !due || !self.budget.has(WEIGHT.saturating_mul(10), 0, Purpose::Ordinary) {
            return;
        }
        let Some(address) = self.address(false, follower) else { return };
        self.state.losses.account_mut(follower).fees_ms = now_ms;
        let body = format!("{{\"type\":\"userFees\",\"user\":\"{address}\"}}");
        self.ask(Asked::Fees { follower }, WEIGHT, body, out);
    }

    /// It is asked again in ten minutes; until then the last rate counts, or the base rate.
    pub(super) fn fees_unread(&mut self, follower: u32, now_ms: u64) -> bool {
        self.state.losses.account_mut(follower).fees_ms = now_ms.saturating_sub(DAY_MS).saturating_add(FEES_AGAIN_MS);
        true
    }

    pub(super) fn on_fees(&mut self, follower: u32, body: &[u8]) -> bool {
        let Ok(rate) = parse_taker_rate(body) else { return false };
        self.state.losses.account_mut(follower).fee_rate = Some(rate);
        true
    }

    fn tripped(&mut self, follower: u32, text: String, now_ms: u64, out: &mut Commands) {
        alert_follower(out, Level::Critical, "latch_tripped", follower, text);
        out.changed = true;
        self.enforce_holds(follower, now_ms, out);
        self.count_holds();
        self.state.waiting.insert(follower);
    }
}

fn told(who: &str, trip: Trip, flattens: bool) -> String {
    let lost = Usd::from_raw(trip.lost);
    let since = match trip.latch {
        Latch::DailyLoss => "since the day began (UTC)",
        Latch::Drawdown => "since its best",
    };
    let now = if flattens { "what is held is closed" } else { "no more entries, exits go on" };
    format!("{who} has lost {lost} USD {since}: {now}, until you reset it (hlfast resume --reset).")
}
