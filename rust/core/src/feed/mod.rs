//! Frames to facts: strict, bounded, without floats.
pub mod account;
pub mod answer;
pub mod figures;
pub mod frame;
pub mod hex;
mod leader;
pub mod money;
pub mod scan;
pub mod seen;
pub mod spot;
pub mod transfers;
pub mod twap;
