//! Bounds: what the venue allows, and what operators and losses forbid.
pub mod budget;
pub mod latches;
pub mod pause;
