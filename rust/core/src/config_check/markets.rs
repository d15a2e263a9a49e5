//! Which kinds of markets an edge copies, and what can't be asked of them.
use crate::config::{ConfigError, RawFollow, RawMarkets, RawMode};
use crate::market::{is_outcome_name, is_spot_name};

/// Which of a leader's markets are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Markets {
    /// Perpetuals.
    #[default]
    Perps,
    /// Spot pairs.
    Spot,
    /// Both.
    All,
}

impl Markets {
    /// Spot is among them.
    #[must_use]
    pub const fn has_spot(self) -> bool {
        matches!(self, Markets::Spot | Markets::All)
    }

    /// Perpetuals are among them.
    #[must_use]
    pub const fn has_perps(self) -> bool {
        matches!(self, Markets::Perps | Markets::All)
    }
}

/// Leaders whose own channel the shell watches within the venue's limits: the first ones. Of the others the public tape is all
/// that comes, and it tells no balance.
const WATCHED_LEADERS: usize = 8;

/// `before`: so many leaders stand before the edge's own.
pub(super) fn check_watched(at: &str, markets: Markets, before: usize) -> Result<(), ConfigError> {
    if !markets.has_spot() || before < WATCHED_LEADERS {
        return Ok(());
    }
    let place = before.saturating_add(1);
    let problem =
        format!("its leader is number {place}, and spot is told of the first {WATCHED_LEADERS} leaders alone");
    Err(ConfigError::new(format!("{at}.markets"), problem))
}

pub(super) fn check_markets(at: &str, raw: &RawFollow) -> Result<Markets, ConfigError> {
    let refused = |name: &str, problem: String| Err(ConfigError::new(format!("{at}.{name}"), problem));
    let markets = match raw.markets {
        None | Some(RawMarkets::Perps) => Markets::Perps,
        Some(RawMarkets::Spot) => Markets::Spot,
        Some(RawMarkets::All) => Markets::All,
    };
    for coin in raw.coins_allow.iter().flatten().chain(&raw.coins_block) {
        if is_outcome_name(coin) {
            return refused("coins_allow", format!("{coin} is an outcome market: those are not copied"));
        }
    }
    for coin in raw.coins_allow.iter().flatten() {
        let copied = if is_spot_name(coin) { markets.has_spot() } else { markets.has_perps() };
        if !copied {
            return refused("coins_allow", format!("{coin} is no market that this follow copies: see markets"));
        }
    }
    if !markets.has_spot() {
        return Ok(markets);
    }
    // What spot can't do, or what nothing is known of there.
    let asked = [
        ("inverse", raw.inverse, "sells what is not held"),
        ("mode", raw.mode == RawMode::Risk, "sizes by the moves of perpetuals"),
        ("min_listed_days", raw.min_listed_days.is_some(), "is known of perpetuals alone"),
        ("min_day_volume_usd", raw.min_day_volume_usd.is_some(), "is known of perpetuals alone"),
        ("min_open_interest_usd", raw.min_open_interest_usd.is_some(), "is known of perpetuals alone"),
    ];
    match asked.into_iter().find(|(_, asked, _)| *asked) {
        Some((name, _, why)) => refused(name, format!("{why}: copy spot by a follow of its own, or change it")),
        None => Ok(markets),
    }
}
