//! The deterministic core of hlfast: pure computation, no clock, no I/O, no threads.
#![forbid(unsafe_code)]

pub mod num;
pub mod sign;
pub mod wire;
