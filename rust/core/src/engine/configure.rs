//! New settings while the engine runs: who was added begins as at a start, who was removed comes to an end, everybody else goes
//! on as before under the new policy. Nothing that only changes a number sends an order.
use std::collections::BTreeSet;

use serde_json::Value;

use super::operate::Said;
use super::parts::pay;
use super::{Engine, alert};
use crate::commands::{CoinId, Commands, Level, Reason};
use crate::config::{Config, ConfigError};
use crate::config_merge::{Merged, live, merge};
use crate::copy::sizing::UNIT;
use crate::operation::{Parting, Refusal, Wanted};
use crate::state::{Held, Leader};

/// What differs.
#[derive(Debug, Default)]
struct Difference {
    ended: Vec<u32>,
    begun: Vec<u32>,
    new_leaders: Vec<u32>,
    new_followers: Vec<u32>,
}

impl Engine {
    /// The settings in force, as an operator would write them down.
    #[must_use]
    pub fn live_settings(&self) -> Value {
        live(self.config.settings())
    }

    /// The settings as the file had them when it was read last.
    #[must_use]
    pub fn file_settings(&self) -> Value {
        let file = self.state.file.as_deref().and_then(|text| serde_json::from_str(text).ok());
        file.unwrap_or_else(|| self.live_settings())
    }

    /// Counts changes of the settings.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.state.revision
    }

    pub(super) fn configure(&mut self, wanted: &Wanted, now_ms: u64, out: &mut Commands) -> Said {
        if wanted.revision != self.state.revision {
            let what = format!("the settings were changed meanwhile (revision {})", self.state.revision);
            return Err(Refusal::new(what, "look at what would happen now, then ask again"));
        }
        let refused = |error: ConfigError| Refusal::new(error.setting, error.problem);
        let Merged { config, at_next_start } =
            merge(&self.config, wanted.config.to_string().as_bytes()).map_err(refused)?;
        self.refuse_in_flight(&config, wanted.parting)?;
        let file = if wanted.from_file {
            None
        } else {
            Some(self.state.file.clone().unwrap_or_else(|| self.live_settings().to_string()))
        };
        self.finish_events(now_ms, out);
        let lines = self.take_settings(config, wanted.parting, now_ms, out);
        self.state.file = file;
        self.state.revision = self.state.revision.saturating_add(1);
        let wait = at_next_start.into_iter().map(|name| format!("{name} takes effect at the next start"));
        Ok(lines.into_iter().chain(wait).collect())
    }

    /// What is signed for, or counted by, must not change below an action on its way.
    fn refuse_in_flight(&self, config: &Config, parting: Parting) -> Result<(), Refusal> {
        for (at, (old, new)) in (0u32..).zip(self.config.followers.iter().zip(&config.followers)) {
            let Some(state) = self.state.follower(at) else { continue };
            let busy = state.in_flight > 0
                || self.state.stop_posts.values().any(|(follower, ..)| *follower == at)
                || self.state.setup_posts.values().any(|(follower, _)| *follower == at);
            if busy && (old.agent, old.vault) != (new.agent, new.vault) {
                let what = format!("followers[{at}].agent: actions of {} are on their way", old.name);
                return Err(Refusal::new(what, "ask again in a moment; pause the follower if it never rests"));
            }
        }
        if parting != Parting::Keep {
            return Ok(());
        }
        for (at, edge) in (0u32..).zip(&config.follows) {
            let ends = edge.removed && self.config.follows.get(at as usize).is_some_and(|old| !old.removed);
            let lots = self.state.follower(edge.follower).into_iter().flat_map(|state| &state.coins);
            let mut busy = lots.filter(|(_, lot)| lot.in_flight.is_some() || !lot.doubted.is_empty());
            if let Some((coin, _)) = busy.find(|(coin, _)| ends && self.state.held(at, **coin).holds()) {
                let what =
                    format!("an order of {} is on its way, so what is to be kept is not known", self.coin_name(*coin));
                return Err(Refusal::new(what, "ask again in a moment"));
            }
        }
        Ok(())
    }

    /// Leader events go by the places of the edges, so they come to their end first.
    fn finish_events(&mut self, now_ms: u64, out: &mut Commands) {
        while !self.state.fanouts.is_empty() {
            self.next_chunk(now_ms, out);
        }
    }

    fn take_settings(&mut self, config: Config, parting: Parting, now_ms: u64, out: &mut Commands) -> Vec<String> {
        let difference = self.difference(&config);
        let nets: Vec<_> = (0..).take(self.config.followers.len()).map(|follower| self.nets(follower)).collect();
        self.config = config;
        out.changed = true;
        for leader in &difference.new_leaders {
            self.begin_leader(*leader, now_ms);
        }
        self.index();
        for follow in &difference.begun {
            self.begin_follow(*follow);
        }
        let begun = difference.begun.iter().filter_map(|follow| self.config.follows.get(*follow as usize));
        let (leaders, followers): (BTreeSet<u32>, BTreeSet<u32>) =
            begun.map(|edge| (edge.leader, edge.follower)).unzip();
        leaders.into_iter().for_each(|leader| self.push_adoptions(leader, now_ms));
        for follower in followers {
            if self.is_read(follower) {
                self.prepare_for(follower);
            }
        }
        for follow in &difference.ended {
            self.end_follow(*follow, parting, now_ms, out);
        }
        self.index();
        for follower in &difference.new_followers {
            self.read_at(now_ms, false, *follower);
        }
        for (follower, nets) in (0..).zip(nets) {
            nets.into_iter().for_each(|(coin, net)| self.settle_net(follower, coin, net, now_ms));
            self.review_stops(follower, now_ms);
        }
        if self.state.started {
            self.start_surveys(now_ms);
        }
        self.review_rebalances(now_ms);
        self.enforce_all(now_ms, out);
        let lines = self.told(&difference, parting);
        let text = match (lines.is_empty(), self.needs.rebalancing.is_empty()) {
            (true, true) => "only policies changed: nothing moves by that".to_owned(),
            (true, false) => "only policies changed: nothing moves by that but what is rebalanced".to_owned(),
            (false, _) => lines.join("; "),
        };
        alert(out, Level::Warning, "settings_changed", format!("New settings are in force: {text}."));
        if lines.is_empty() { vec![text] } else { lines }
    }

    fn difference(&self, config: &Config) -> Difference {
        let mut found = Difference::default();
        let was_live = |at: u32| self.config.follows.get(at as usize).is_some_and(|edge| !edge.removed);
        for (at, edge) in (0u32..).zip(&config.follows) {
            match (was_live(at), !edge.removed) {
                (true, false) => found.ended.push(at),
                (false, true) => found.begun.push(at),
                _ => {}
            }
        }
        let known = |at: u32| (at as usize) < self.config.leaders.len();
        let leaders = (0u32..).zip(&config.leaders).filter(|(_, leader)| !leader.removed);
        found.new_leaders.extend(leaders.map(|(at, _)| at).filter(|at| !known(*at) || !self.is_awake_leader(*at)));
        let known = |at: u32| (at as usize) < self.config.followers.len();
        let followers = (0u32..).zip(&config.followers).filter(|(_, follower)| !follower.removed);
        found
            .new_followers
            .extend(followers.map(|(at, _)| at).filter(|at| !known(*at) || !self.is_awake_follower(*at)));
        found
    }

    /// Its ledger begins as at a first start. Pauses and what is known of its end stay.
    fn begin_leader(&mut self, leader: u32, now_ms: u64) {
        let dexs = self.dexs.len();
        if let Some(state) = self.state.leaders.get_mut(leader as usize) {
            *state = Leader {
                pause: state.pause.take(),
                paused: state.paused,
                liquidated_ms: state.liquidated_ms,
                turns: state.turns,
                ..Leader::new(dexs)
            };
        }
        self.read_at(now_ms, true, leader);
    }

    /// What the leader holds already is from before copying began (rule 7).
    fn begin_follow(&mut self, follow: u32) {
        self.state.ending.remove(&follow);
        let was_gone = self.state.edges.get_mut(follow as usize).map(|edge| std::mem::take(&mut edge.gone));
        let holds = self.state.held.get(follow as usize).is_some_and(|coins| coins.values().any(Held::holds));
        if holds || was_gone.is_none() {
            return;
        }
        let Some(leader) = self.config.follows.get(follow as usize).map(|edge| edge.leader) else { return };
        let state = self.state.leaders.get(leader as usize);
        let held: Vec<(CoinId, i64)> = state
            .into_iter()
            .flat_map(|state| &state.coins)
            .filter(|(_, entry)| entry.position != 0)
            .map(|(coin, entry)| (*coin, entry.entry_price))
            .collect();
        for (coin, entry_price) in held {
            let mark = self.state.market.coin(coin).map_or(0, |coin| coin.last_price);
            self.mark_follow(follow, coin, mark, entry_price);
        }
    }

    fn end_follow(&mut self, follow: u32, parting: Parting, now_ms: u64, out: &mut Commands) {
        let Some(follower) = self.config.follows.get(follow as usize).map(|edge| edge.follower) else { return };
        self.state.ending.insert(follow);
        // First what was never bought: it is nobody's.
        for coin in self.coins_of(follower) {
            self.end_entries(follower, coin, &[(follow, Reason::Unfollowed)], now_ms, out);
        }
        match parting {
            Parting::Reduce => {}
            Parting::Close => {
                self.drop_parts(follow, follower, None);
            }
            Parting::Keep => self.hand_over(follow, follower, now_ms),
        }
        // What is only marked as somebody's from before is not held.
        if let Some(coins) = self.state.held.get_mut(follow as usize) {
            coins.retain(|_, held| held.holds());
        }
    }

    fn coins_of(&self, follower: u32) -> Vec<CoinId> {
        self.state.follower(follower).map_or(Vec::new(), |state| state.coins.keys().copied().collect())
    }

    /// What is held for an edge is the account owner's from now on, at the last price; as far as the account has it, where other
    /// edges are on the other side.
    fn hand_over(&mut self, follow: u32, follower: u32, now_ms: u64) {
        let coins = self.state.held.get(follow as usize).into_iter().flatten();
        let parts: Vec<(CoinId, Held)> =
            coins.map(|(coin, held)| (*coin, *held)).filter(|(_, held)| held.holds()).collect();
        for (coin, held) in parts {
            let price = self.state.market.coin(coin).map_or(0, |coin| coin.last_price);
            let Some(lot) = self.state.lot_mut(follower, coin) else { continue };
            let before = lot.own;
            let part = if before > 0 { held.position.clamp(0, before) } else { held.position.clamp(before, 0) };
            lot.own = before.saturating_sub(part);
            lot.manual = lot.manual.saturating_add(part);
            let own = i128::from(lot.own).saturating_mul(UNIT);
            self.state.retain_entries(follower, coin, |entry| !entry.is_part_of(follow));
            let rest = Held { position: held.position.saturating_sub(part), ..Held::default() };
            self.state.set_held(follow, coin, rest);
            pay(&mut self.state.edges, follow, part.saturating_neg(), price);
            // Beside somebody else's position nothing is opened: what the kept part had covered of the others is given up.
            if part != 0 {
                let same_side = (self.net(follower, coin) > 0) == (own > 0);
                self.cut_net(follower, coin, if same_side { own.saturating_abs() } else { 0 });
            }
            self.cross_parts(follower, coin);
            self.touch_stop(follower, coin, before, now_ms);
            // What stays may be held for nobody.
            self.want(follower, coin);
        }
    }

    /// Ended follows that hold nothing any more are let go. Between events only: they change the places of the others.
    pub(super) fn let_go_ended(&mut self, out: &mut Commands) {
        if self.state.ending.is_empty() || !self.state.fanouts.is_empty() {
            return;
        }
        let empty = |follow: &u32| {
            let coins = self.state.held.get(*follow as usize);
            coins.is_none_or(|coins| !coins.values().any(Held::holds))
        };
        let over: Vec<u32> = self.state.ending.iter().copied().filter(empty).collect();
        if over.is_empty() {
            return;
        }
        for follow in over {
            self.state.ending.remove(&follow);
            if let Some(edge) = self.state.edges.get_mut(follow as usize) {
                edge.gone = true;
            }
            if let Some(coins) = self.state.held.get_mut(follow as usize) {
                coins.clear();
            }
            let text = format!("{} is over: nothing is held after it.", self.follow_name(follow));
            alert(out, Level::Info, "follow_over", text);
        }
        self.index();
        out.changed = true;
    }

    fn told(&self, difference: &Difference, parting: Parting) -> Vec<String> {
        let how = match parting {
            Parting::Reduce => "what it holds goes as the leader reduces it",
            Parting::Close => "what it holds is closed",
            Parting::Keep => "what it holds is yours",
        };
        let begun = difference.begun.iter().map(|follow| format!("{} begins", self.follow_name(*follow)));
        let ended = difference.ended.iter().map(|follow| format!("{} ends: {how}", self.follow_name(*follow)));
        begun.chain(ended).collect()
    }
}
