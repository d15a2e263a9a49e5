//! Bounds: what a position may be worth and what the venue allows.
pub mod budget;
