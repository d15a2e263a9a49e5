//! The deterministic core of hlfast: pure computation, no clock, no I/O, no threads.
#![forbid(unsafe_code)]

pub mod commands;
pub mod config;
pub mod config_check;
pub mod config_merge;
pub mod copy;
pub mod engine;
pub mod event;
pub mod feed;
pub mod journal;
pub mod latency;
pub mod market;
pub mod metrics;
pub mod num;
pub mod operation;
pub mod order;
pub mod planted;
pub mod risk;
pub mod sign;
pub mod state;
pub mod wire;
