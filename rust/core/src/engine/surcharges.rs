//! Who pays a builder's share and bids to be earlier, and what happens when the venue will have neither.
use super::settle::LegResult;
use super::{Engine, alert_follower};
use crate::commands::{CoinId, Commands, Level};
use crate::copy::plan::Draft;
use crate::order::attempt::InFlight;
use crate::order::surcharge::Surcharge;
use crate::order::text::Class;
use crate::wire::{Action, Grouping, Order};

impl Engine {
    /// What an action of these orders pays. A bid needs an opening among them: a reduction waits for nobody's saving.
    pub(super) fn surcharge(&self, follower: u32, drafts: &[(CoinId, Draft)]) -> Surcharge {
        let (Some(account), Some(state)) =
            (self.config.followers.get(follower as usize), self.state.follower(follower))
        else {
            return Surcharge::default();
        };
        let builder = account.builder.is_some() && !state.without_builder;
        let max_bps = account.max_priority_bps.filter(|_| !state.without_priority);
        let bid = |max_bps: u32| {
            let opened = drafts.iter().filter(|(_, draft)| !draft.reduce_only && !draft.passive);
            let bids = opened.map(|(coin, _)| self.state.drift.get(coin).map_or(0, |drift| drift.bid(max_bps)));
            bids.max().unwrap_or(0)
        };
        Surcharge { builder, priority: max_bps.map_or(0, bid) }
    }

    /// The action of an attempt's orders.
    pub(super) fn order_action<'a>(&self, attempt: &InFlight, orders: &'a [Order]) -> Action<'a> {
        let account = self.config.followers.get(attempt.follower as usize);
        let builder = account.and_then(|account| account.builder).filter(|_| attempt.surcharge.builder);
        let grouping = match attempt.surcharge.priority {
            0 => Grouping::Na,
            rate => Grouping::Priority(rate.into()),
        };
        Action::Order { orders, grouping, builder }
    }

    /// A surcharge that the venue refuses is left out until a restart: nothing waits for it, an exit least of all.
    pub(super) fn drop_surcharge(&mut self, follower: u32, class: Class, out: &mut Commands) {
        let Some(state) = self.state.follower_mut(follower) else { return };
        let (dropped, code, text) = match class {
            Class::WithoutBuilder => (
                &mut state.without_builder,
                "builder_refused",
                "The account has not approved the builder's fee: orders go without it until a restart.",
            ),
            Class::WithoutPriority => (
                &mut state.without_priority,
                "priority_refused",
                "The account has no staked balance to bid with: orders go without a bid until a restart.",
            ),
            _ => return,
        };
        if !std::mem::replace(dropped, true) {
            alert_follower(out, Level::Warning, code, follower, text.into());
        }
    }

    /// Learns from what an action opened how fast the coin runs away; only where somebody may bid for that.
    pub(super) fn learn_drift(
        &mut self,
        post: u64,
        attempt: &InFlight,
        results: &[LegResult],
        coin: CoinId,
        now_ms: u64,
    ) {
        let account = self.config.followers.get(attempt.follower as usize);
        if account.is_none_or(|account| account.max_priority_bps.is_none()) {
            return;
        }
        let mut legs = attempt.legs.iter().zip(results).filter(|(leg, _)| leg.coin == coin && !leg.reduce_only);
        let opened = legs.rfind(|(_, result)| result.filled != 0);
        let lot = self.state.follower(attempt.follower).and_then(|state| state.coins.get(&coin));
        let entry =
            lot.and_then(|lot| lot.pending.iter().rfind(|pending| pending.post == Some(post) && pending.enters));
        if let (Some((leg, result)), Some(entry)) = (opened, entry.filter(|entry| entry.from_fill)) {
            let (leader, elapsed) = (entry.numbers.leader_price.raw(), now_ms.saturating_sub(entry.time_ms));
            self.state.drift.entry(coin).or_default().observe(result.price.raw(), leader, leg.size > 0, elapsed);
        }
    }
}
