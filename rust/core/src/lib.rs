//! The deterministic core of hlfast: pure computation, no clock, no I/O, no threads.
#![forbid(unsafe_code)]

pub mod commands;
pub mod config;
pub mod config_check;
pub mod engine;
pub mod event;
pub mod feed;
pub mod journal;
pub mod latency;
pub mod metrics;
pub mod num;
pub mod sign;
pub mod wire;
