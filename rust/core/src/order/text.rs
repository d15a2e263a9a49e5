//! What the venue's error texts mean. Matched by prefix: the live ones may end in ` asset=173`.
use crate::commands::Reason;
use crate::wire::Address;

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing matched: price it again and try.
    Retry(Reason),
    /// The venue takes nothing now: wait, then try.
    Wait(Reason),
    /// It takes nothing of this coin now: the same, while all others go on.
    WaitCoin(Reason),
    /// This trade won't do; the next may.
    Skip(Reason),
    /// Its builder may not charge the account: the same thing again, without.
    WithoutBuilder,
    /// The account can't pay its bid to be earlier: the same thing again, without.
    WithoutPriority,
    /// This account or agent can't trade.
    StopFollower,
    /// Our bytes were wrong, or look so.
    Bug(Reason),
    /// The signature was of somebody else: stop all entries.
    Foreign,
    /// The nonce was used: something with it executed.
    NonceUsed,
    /// No copy of it can execute from now on.
    TooLate,
    /// A text that nobody knows.
    Unknown,
}

const TABLE: &[(&str, Class)] = &[
    ("Order could not immediately match", Class::Retry(Reason::NoMatch)),
    ("No liquidity available for market order", Class::Retry(Reason::NoMatch)),
    ("Order must have minimum value of", Class::Skip(Reason::BelowMinimum)),
    ("TWAP order must have minimum value of", Class::Skip(Reason::BelowMinimum)),
    ("Invalid TWAP duration", Class::Bug(Reason::Invalid)),
    ("Insufficient margin to place order", Class::Skip(Reason::Margin)),
    ("Order has insufficient spot balance", Class::Skip(Reason::Margin)),
    ("Reduce only order would increase position", Class::Skip(Reason::ReduceOnly)),
    ("Order would increase open interest while", Class::Skip(Reason::VenueLimit)),
    ("Order rejected due to price more aggressive", Class::Skip(Reason::VenueLimit)),
    ("Order would cause position to exceed margin tier", Class::Skip(Reason::VenueLimit)),
    ("Too many open orders", Class::Skip(Reason::VenueLimit)),
    ("Order price too far from oracle", Class::Skip(Reason::PriceTooFar)),
    ("Order price cannot be more than", Class::Skip(Reason::PriceTooFar)),
    ("Order would increase open interest too quickly", Class::WaitCoin(Reason::VenueLimit)),
    ("Only post-only orders allowed", Class::Wait(Reason::VenueBusy)),
    ("Trading is halted", Class::WaitCoin(Reason::VenueBusy)),
    ("Too many cumulative requests sent", Class::Wait(Reason::VenueBusy)),
    ("429", Class::Wait(Reason::VenueBusy)),
    ("Invalid leverage value", Class::Skip(Reason::LeverageRefused)),
    ("Cannot switch leverage type", Class::Skip(Reason::LeverageRefused)),
    ("Cross margin is not allowed", Class::Skip(Reason::LeverageRefused)),
    ("Isolated position does not have sufficient margin", Class::Skip(Reason::LeverageRefused)),
    ("Cross position does not have sufficient margin", Class::Skip(Reason::LeverageRefused)),
    ("Price must be divisible by tick size", Class::Bug(Reason::Invalid)),
    ("Order has zero size", Class::Bug(Reason::Invalid)),
    ("Order has invalid size", Class::Bug(Reason::Invalid)),
    ("Order has invalid price", Class::Bug(Reason::Invalid)),
    ("Orders are empty", Class::Bug(Reason::Invalid)),
    ("Post only order would have", Class::Bug(Reason::Invalid)),
    ("Invalid TP/SL price", Class::Bug(Reason::Invalid)),
    ("Invalid spot", Class::Bug(Reason::Invalid)),
    ("Reduce-only is invalid for spot", Class::Bug(Reason::Invalid)),
    ("Builder fee has not been approved", Class::WithoutBuilder),
    ("Insufficient delegatable balance for priority", Class::WithoutPriority),
    ("Unable to recover signer", Class::Foreign),
    ("Mainnet and testnet require different signature", Class::Foreign),
    ("Vault not registered", Class::StopFollower),
    ("Multi-sig required", Class::StopFollower),
    ("Agent valid_until already expired", Class::StopFollower),
    ("Invalid nonce: duplicate nonce", Class::NonceUsed),
    ("Nonce error: duplicate", Class::NonceUsed),
    ("Invalid nonce: nonce too low", Class::TooLate),
    ("Action already expired", Class::TooLate),
    ("Invalid nonce: nonce too high", Class::Bug(Reason::Invalid)),
];

/// Texts that name the signer the venue recovered.
const NAMING: &[&str] =
    &["User or API Wallet ", "L1 error: User or API Wallet ", "Must deposit before performing actions"];

/// The meaning of a text, for an action signed by `agent` for `account`.
#[must_use]
pub fn classify(text: &[u8], agent: &Address, account: &Address) -> Class {
    if NAMING.iter().any(|prefix| text.starts_with(prefix.as_bytes())) {
        return match named(text) {
            Some(address) if address == *agent || address == *account => Class::StopFollower,
            Some(_) => Class::Foreign,
            None => Class::StopFollower,
        };
    }
    TABLE.iter().find(|(prefix, _)| text.starts_with(prefix.as_bytes())).map_or(Class::Unknown, |(_, class)| *class)
}

fn named(text: &[u8]) -> Option<Address> {
    let at = text.windows(2).position(|pair| pair == b"0x")?;
    Address::parse(text.get(at..at.checked_add(42)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: Address = Address([0x99; 20]);
    const ACCOUNT: Address = Address([0x5e; 20]);

    fn class(text: &str) -> Class {
        classify(text.as_bytes(), &AGENT, &ACCOUNT)
    }

    #[test]
    fn every_known_text_has_its_class_with_and_without_a_suffix() {
        for (prefix, wanted) in TABLE {
            assert_eq!(class(prefix), *wanted, "{prefix}");
            assert_eq!(class(&format!("{prefix}. asset=173")), *wanted, "{prefix} with suffix");
        }
    }

    #[test]
    fn a_foreign_signer_is_our_fault_and_a_known_one_the_accounts() {
        let named = |address: &Address| format!("User or API Wallet {address} does not exist.");
        assert_eq!(class(&named(&AGENT)), Class::StopFollower);
        assert_eq!(class(&named(&Address([7; 20]))), Class::Foreign);
        assert_eq!(class(&format!("L1 error: {}", named(&Address([7; 20])))), Class::Foreign);
        assert_eq!(class(&format!("Must deposit before performing actions. User: {ACCOUNT}")), Class::StopFollower);
        assert_eq!(
            class(&format!("Must deposit before performing actions. User: {}", Address([8; 20]))),
            Class::Foreign
        );
    }

    #[test]
    fn a_text_nobody_knows_is_unknown() {
        assert_eq!(class("The moon is in the wrong house."), Class::Unknown);
        assert_eq!(class(""), Class::Unknown);
    }
}
