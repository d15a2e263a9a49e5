//! From an intent to its outcome: identities, states, and what the venue's words mean.
pub mod attempt;
pub mod identity;
pub mod setup;
pub mod stop;
pub mod surcharge;
pub mod text;
pub mod twap;
