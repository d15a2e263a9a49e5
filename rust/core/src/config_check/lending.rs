//! How a follower borrows for its positions.
use super::values::within;
use crate::config::{ConfigError, RawFollower, RawLeverage, RawMargin};

/// More than any market has lent.
const MOST: u32 = 100;

/// What is set before a coin's first entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lending {
    /// Times; `None`: as the leader.
    pub leverage: Option<u32>,
    /// A pot of its own, or the whole account; `None`: as the leader.
    pub isolated: Option<bool>,
    /// Never more times than this.
    pub max: Option<u32>,
}

/// `None`: the account keeps what it has.
pub(super) fn lending_of(at: &str, raw: &RawFollower) -> Result<Option<Lending>, ConfigError> {
    let max = raw.max_leverage.map(|max| within(at, "max_leverage", max, 1, MOST)).transpose()?;
    let refused = |name: &str, problem: &str| Err(ConfigError::new(format!("{at}.{name}"), problem));
    let leverage = match &raw.leverage {
        Some(RawLeverage::Times(times)) => Some(within(at, "leverage", *times, 1, MOST)?),
        Some(RawLeverage::Word(word)) if word == "mirror" => None,
        Some(RawLeverage::Word(word)) if word != "leave" => {
            return refused("leverage", "is neither \"mirror\", \"leave\" nor a number of times");
        }
        None | Some(RawLeverage::Word(_)) => {
            return match (max, raw.margin) {
                (Some(_), _) => refused("max_leverage", "bounds nothing while leverage is left as it is: remove it"),
                (_, Some(RawMargin::Cross | RawMargin::Isolated)) => {
                    refused("margin", "is set together with leverage, which is left as it is: remove it")
                }
                _ => Ok(None),
            };
        }
    };
    if let (Some(times), Some(max)) = (leverage, max)
        && times > max
    {
        return refused("leverage", "is above max_leverage: lower it");
    }
    let isolated = match raw.margin {
        Some(RawMargin::Cross) => Some(false),
        Some(RawMargin::Isolated) => Some(true),
        None | Some(RawMargin::Mirror) => None,
    };
    Ok(Some(Lending { leverage, isolated, max }))
}
