//! From a leader's change to a follower's orders: entitled position, sizing, price, plan.
pub mod entitle;
pub mod equity;
pub mod pace;
pub mod parts;
pub mod plan;
pub mod price;
pub mod sizing;
