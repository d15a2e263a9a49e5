//! Figures that gates and sizing judge by: which the settings need, and when each is read. An old one is none.
use super::reads::{MAX_ASKS, index};
use super::{Engine, alert};
use crate::commands::{CoinId, Commands, Level};
use crate::config::Config;
use crate::config_check::{DAY_MS, Mode};
use crate::copy::equity::AccountMode;
use crate::feed::figures::{parse_candles, parse_contexts, parse_pasts};
use crate::market::Kind;
use crate::risk::budget::Purpose;
use crate::state::{Asked, Survey};

/// Volume and open interest are figures of a day; each answer of a whole dex is about 70 kB of journal.
const CONTEXTS_MS: u64 = 300_000;
/// Three reads were due since.
const CONTEXTS_AGE_MS: u64 = 900_000;
/// A day's candle comes once a day.
const CANDLES_AGE_MS: u64 = DAY_MS + DAY_MS / 2;
const PAST_MS: u64 = 600_000;
const PAST_AGE_MS: u64 = 3_600_000;
/// After a read that gave nothing.
const SURVEY_AGAIN_MS: u64 = 60_000;
/// Venue rule: weight of each of these reads; of candles, one more for each 60.
const WEIGHT: u32 = 20;
/// So much weight of the minute is left to orders and to reads of accounts.
const SPARED: u32 = 480;

/// What the settings make worth reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Volume or open interest gates an edge.
    pub contexts: bool,
    /// Days of candles; 0: none.
    candle_days: u32,
    /// The numbers of days that usual moves are taken over.
    move_days: Vec<u32>,
    /// Leaders whose past gates an edge.
    past: Vec<bool>,
    /// A leader's leverage gates an edge.
    pub leverage: bool,
    /// An edge copies spot.
    pub spot: bool,
    /// The book bounds an edge.
    pub book: bool,
    /// Edges whose open positions take their ratio anew, ascending.
    pub rebalancing: Vec<u32>,
}

impl Needs {
    pub fn of(config: &Config) -> Needs {
        let mut needs = Needs { past: vec![false; config.leaders.len()], ..Needs::default() };
        needs.book = config.leaders.iter().any(|leader| leader.impact_percent.is_some());
        for (at, edge) in (0u32..).zip(&config.follows) {
            let filters = &edge.filters;
            if !edge.rebalance.is_none() && !edge.removed {
                needs.rebalancing.push(at);
            }
            needs.contexts |= filters.min_day_volume.is_some() || filters.min_open_interest.is_some();
            needs.leverage |= filters.max_leader_leverage.is_some();
            needs.spot |= edge.markets.has_spot();
            needs.book |= filters.min_depth.is_some() || edge.max_depth_percent.is_some();
            if let Some(past) = needs.past.get_mut(edge.leader as usize) {
                *past |= filters.quality.is_some();
            }
            let moves = if let Mode::Risk { days, .. } = edge.mode { days } else { 0 };
            if moves > 0 && !needs.move_days.contains(&moves) {
                needs.move_days.push(moves);
            }
            // The day before the first return, and the one that is not over.
            let listed = filters.min_listed_days.unwrap_or(0);
            let days = moves.max(listed);
            if days > 0 {
                needs.candle_days = needs.candle_days.max(days.saturating_add(2));
            }
        }
        needs
    }
}

impl Engine {
    /// Once accounts are on their way: figures that are still good are read when they are due.
    pub(super) fn start_surveys(&mut self, now_ms: u64) {
        let collateral = self.state.leaders.iter().any(|l| l.purse.mode == Some(AccountMode::Portfolio));
        if self.needs.contexts || collateral {
            for dex in 0..index(self.dexs.len()) {
                self.survey_once(now_ms, Survey::Contexts(dex));
            }
        }
        for leader in (0..).take(self.config.leaders.len()) {
            if self.needs.past.get(leader as usize).copied().unwrap_or(false) {
                self.survey_once(now_ms, Survey::Past(leader));
            }
        }
        self.survey_coins(now_ms);
    }

    /// Candles of every coin that an edge may enter; also of those that metadata has just named.
    pub(super) fn survey_coins(&mut self, now_ms: u64) {
        if self.needs.candle_days == 0 || !self.state.started {
            return;
        }
        self.refresh_lists();
        for coin in 0..index(self.state.market.len()) {
            let entry = self.state.market.coin(coin);
            let due = entry.map_or(0, |entry| match entry.facts.candles_ms {
                0 => now_ms,
                read => read.saturating_add(DAY_MS),
            });
            let tradable = entry.and_then(|entry| entry.asset).is_some_and(|a| a.kind == Kind::Perp && !a.delisted);
            if tradable && self.is_surveyed(coin) && !self.is_due(Survey::Candles(coin)) {
                self.survey_at(due, Survey::Candles(coin));
            }
        }
    }

    /// An edge that needs candles may enter the coin.
    fn is_surveyed(&self, coin: CoinId) -> bool {
        (0..).zip(&self.config.follows).any(|(follow, edge)| {
            let needs = edge.filters.min_listed_days.is_some() || matches!(edge.mode, Mode::Risk { .. });
            needs && self.lists.allow(follow, coin)
        })
    }

    pub(super) fn is_due(&self, survey: Survey) -> bool {
        let asked = self.state.asks.values().any(|asked| *asked == Asked::Survey(survey));
        asked || self.state.surveys.iter().any(|(_, other)| *other == survey)
    }

    fn survey_once(&mut self, at_ms: u64, survey: Survey) {
        if !self.is_due(survey) {
            self.survey_at(at_ms, survey);
        }
    }

    /// Has a figure read at a time. Always true.
    pub(super) fn survey_at(&mut self, at_ms: u64, survey: Survey) -> bool {
        self.state.surveys.insert((at_ms, survey))
    }

    /// A leader trades a coin of which nothing was read yet: its turn comes first.
    pub(super) fn hurry_candles(&mut self, coin: CoinId) {
        let unread = self.state.market.coin(coin).is_some_and(|entry| entry.facts.candles_ms == 0);
        if self.needs.candle_days == 0 || !unread {
            return;
        }
        let survey = Survey::Candles(coin);
        if let Some(waits) = self.state.surveys.iter().find(|(_, other)| *other == survey).copied() {
            self.state.surveys.remove(&waits);
            self.state.surveys.insert((0, survey));
        }
    }

    /// Asks for figures that are due, as far as orders and accounts leave room.
    pub(super) fn ask_surveys(&mut self, now_ms: u64, out: &mut Commands) {
        let candles = WEIGHT.saturating_add(self.needs.candle_days.div_ceil(60));
        while self.state.asks.len() < MAX_ASKS / 2 {
            let Some((due, survey)) = self.state.surveys.first().copied().filter(|(due, _)| *due <= now_ms) else {
                return;
            };
            let weight = if matches!(survey, Survey::Candles(_)) { candles } else { WEIGHT };
            if !self.budget.has(weight.saturating_add(SPARED), 0, Purpose::Ordinary) {
                return;
            }
            self.state.surveys.remove(&(due, survey));
            out.changed = true;
            if let Some(body) = self.survey_body(survey, now_ms) {
                self.ask(Asked::Survey(survey), weight, body, out);
            }
        }
    }

    fn survey_body(&self, survey: Survey, now_ms: u64) -> Option<String> {
        Some(match survey {
            Survey::Contexts(0) => "{\"type\":\"metaAndAssetCtxs\"}".to_owned(),
            Survey::Contexts(dex) => {
                format!("{{\"type\":\"metaAndAssetCtxs\",\"dex\":\"{}\"}}", self.dexs.get(dex as usize)?)
            }
            Survey::Past(leader) => {
                format!("{{\"type\":\"portfolio\",\"user\":\"{}\"}}", self.address(true, leader)?)
            }
            Survey::Candles(coin) => {
                let name = &self.state.market.coin(coin)?.name;
                let start = now_ms.saturating_sub(u64::from(self.needs.candle_days).saturating_mul(DAY_MS));
                format!(
                    "{{\"type\":\"candleSnapshot\",\"req\":{{\"coin\":\"{name}\",\"interval\":\"1d\",\"startTime\":{start},\"endTime\":{now_ms}}}}}"
                )
            }
        })
    }

    pub(super) fn on_survey(&mut self, survey: Survey, body: &[u8], now_ms: u64) -> bool {
        let next = match survey {
            Survey::Contexts(_) => self.on_contexts(body, now_ms).then_some(CONTEXTS_MS),
            Survey::Past(leader) => self.on_pasts(leader, body, now_ms).then_some(PAST_MS),
            Survey::Candles(coin) => self.on_candles(coin, body, now_ms).then_some(DAY_MS),
        };
        let Some(wait) = next else { return false };
        *self.unread_of(survey).1 = false;
        // A coin's age grows by itself; what it moves by has to be read again.
        let once = matches!(survey, Survey::Candles(_)) && self.needs.move_days.is_empty();
        once || self.survey_at(now_ms.saturating_add(wait), survey)
    }

    /// No answer, or none that can be used: what needs the figure is blocked until one comes. Told once for each kind.
    pub(super) fn survey_again(&mut self, survey: Survey, now_ms: u64, out: &mut Commands) -> bool {
        let (what, unread) = self.unread_of(survey);
        if !std::mem::replace(unread, true) {
            let text = format!("{what} could not be read. Entries that need them are blocked until they can.");
            alert(out, Level::Warning, "figures_unread", text);
        }
        self.survey_at(now_ms.saturating_add(SURVEY_AGAIN_MS), survey)
    }

    fn unread_of(&mut self, survey: Survey) -> (&'static str, &mut bool) {
        let [contexts, pasts, candles] = &mut self.state.unread;
        match survey {
            Survey::Contexts(_) => ("Volume and open interest", contexts),
            Survey::Past(_) => ("A leader's past", pasts),
            Survey::Candles(_) => ("A coin's days", candles),
        }
    }

    fn on_contexts(&mut self, body: &[u8], now_ms: u64) -> bool {
        let Ok(contexts) = parse_contexts(body) else { return false };
        for context in contexts {
            let coin = self.state.market.find(context.coin.as_bytes());
            if let Some(entry) = coin.and_then(|coin| self.state.market.coin_mut(coin)) {
                entry.facts.day_volume = context.day_volume;
                entry.facts.open_interest = context.open_interest;
                entry.facts.mark = context.mark.raw();
                entry.facts.context_ms = now_ms;
            }
        }
        true
    }

    fn on_pasts(&mut self, leader: u32, body: &[u8], now_ms: u64) -> bool {
        let Ok(pasts) = parse_pasts(body) else { return false };
        if let Some(state) = self.state.leader_mut(leader) {
            state.past = pasts;
            state.past_ms = now_ms;
        }
        true
    }

    fn on_candles(&mut self, coin: CoinId, body: &[u8], now_ms: u64) -> bool {
        let Ok(candles) = parse_candles(body, now_ms) else { return false };
        let days = &self.needs.move_days;
        let moves = days.iter().filter_map(|days| Some((*days, candles.usual_move(*days, now_ms)?))).collect();
        if let Some(entry) = self.state.market.coin_mut(coin) {
            let facts = &mut entry.facts;
            facts.moves = moves;
            facts.candles_ms = now_ms;
            // A later read reaches less far back: the oldest day seen stays.
            if candles.listed_ms > 0 && (facts.listed_ms == 0 || candles.listed_ms < facts.listed_ms) {
                facts.listed_ms = candles.listed_ms;
            }
        }
        true
    }

    /// The usual move of a coin's day over so many days, if it was read lately.
    pub(super) fn usual_move(&self, coin: CoinId, days: u32, now_ms: u64) -> Option<i64> {
        let facts = &self.state.market.coin(coin)?.facts;
        let found = facts.moves.iter().find(|(of, _)| *of == days).map(|(_, usual)| *usual);
        found.filter(|_| now_ms <= facts.candles_ms.saturating_add(CANDLES_AGE_MS))
    }
}

/// Whether volume and open interest read then are still good.
pub(super) const fn is_context_fresh(read_ms: u64, now_ms: u64) -> bool {
    read_ms > 0 && now_ms <= read_ms.saturating_add(CONTEXTS_AGE_MS)
}

/// Whether a leader's past read then is still good.
pub(super) const fn is_past_fresh(read_ms: u64, now_ms: u64) -> bool {
    read_ms > 0 && now_ms <= read_ms.saturating_add(PAST_AGE_MS)
}
