//! Defects that a test build carries, so that the tests of the whole can show that they would be found.
//!
//! Without the feature `planted` the question is a constant "no" and the sites vanish.

macro_rules! bugs {
    ($($name:ident: $what:literal),* $(,)?) => {
        /// One defect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Bug { $(#[doc = $what] $name),* }

        /// All of them, by name.
        pub const ALL: &[(&str, Bug)] = &[$((stringify!($name), Bug::$name)),*];
    };
}

bugs! {
    SilenceIsDead: "No answer in time counts as not executed.",
    ServerErrorIsDead: "A 5xx counts as refused.",
    NotFoundIsDead: "The first unknownOid counts as not executed.",
    UsedNonceIsDead: "A fence that finds its nonce used counts as a fence that passed.",
    DedupeInMemoryOnly: "Known fills are forgotten at a restart.",
    UnknownForgottenAtRestart: "Attempts without an outcome are dropped at a restart.",
    NonceFromTheClock: "A nonce is the time, whatever was given out before.",
    LostResidual: "What an order left unfilled is not tried again.",
    SignFlipOnClose: "A close goes the wrong way.",
    ReductionMayOpen: "Reductions are sent without reduce-only.",
    FilledInFull: "Any fill counts as the whole order.",
    CountOfStatusesIgnored: "A wrong count of statuses is read as far as it goes.",
    NoExpiry: "Orders live for an hour.",
    StaleEntries: "Entries never become too old.",
    GapIgnored: "A broken chain is taken as it comes.",
    BackfillIgnored: "Missing fills are read and thrown away.",
    LookupForgotten: "A lookup whose answer comes late is not made again.",
    DigestByPlace: "A digest is taken from its place among all attempts of the step.",
    ReadsMultiply: "Each reason to read an account goes on as a rhythm of its own.",
    ClientIdRepeats: "Each try of a coin has the client id of the first.",
    FlatLeavesDust: "A leader's close leaves a part of E.",
    FlipKeepsOldSide: "A flip adds the new side to the old one.",
    WeightNeverReturns: "Used weight never comes back.",
    OneStopsAll: "A refused agent stops every follower.",
    WaitsForEver: "A venue that takes nothing now is never asked again.",
    ReceiptTwice: "A receipt is written twice.",
    CapForgotten: "The account's cap of a position is not applied.",
    SentBeforeWritten: "Orders leave before their record is written.",
    SyncLeftOut: "Orders leave before their record is on stable storage.",
    GrossOfConfirmed: "The cap of an account's gross counts what is confirmed alone.",
    GivenBackUnsaid: "A receipt does not say that a part was given back.",
    MissingFillsForgotten: "Fills that could not be read are not read again.",
    OtherEngineUnnoticed: "A nonce that somebody else used is taken for a miss.",
}

#[cfg(feature = "planted")]
mod chosen {
    use std::sync::atomic::{AtomicU32, Ordering};

    static CHOSEN: AtomicU32 = AtomicU32::new(u32::MAX);

    /// Switches a defect on; `None`: all off.
    pub fn plant(bug: Option<super::Bug>) {
        CHOSEN.store(bug.map_or(u32::MAX, |bug| bug as u32), Ordering::Relaxed);
    }

    /// As [`plant`], by name.
    ///
    /// # Errors
    /// The name, when no defect is called so.
    pub fn plant_by_name(name: Option<&str>) -> Result<(), String> {
        let find = |name: &str| super::ALL.iter().find(|(known, _)| *known == name).map(|(_, bug)| *bug);
        plant(name.map(|name| find(name).ok_or_else(|| format!("no defect is called {name}"))).transpose()?);
        Ok(())
    }

    /// Whether this defect is on.
    #[must_use]
    pub fn planted(bug: super::Bug) -> bool {
        CHOSEN.load(Ordering::Relaxed) == bug as u32
    }
}

#[cfg(feature = "planted")]
pub use chosen::{plant, plant_by_name, planted};

/// Whether this defect is on: never, in this build.
#[cfg(not(feature = "planted"))]
#[inline(always)]
#[must_use]
pub const fn planted(_bug: Bug) -> bool {
    false
}
