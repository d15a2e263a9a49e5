//! Tests of the engine through its front door: events in, commands out, with a small venue behind it.
//!
//! One program for all of them: the venue is compiled once, and thirty programs are not linked.

mod histories;
mod venue;

mod book;
mod chase;
mod configure;
mod copying;
mod execution;
mod filters;
mod hostile;
mod latches;
mod leaders;
mod leverage;
mod limits;
mod manual;
mod markets;
mod mistakes;
mod native;
mod netting;
mod operate;
mod operate_properties;
mod properties;
mod rebalance;
mod receipts;
mod refusals;
mod rules;
mod signing;
mod silence;
mod sizing;
mod smart;
mod spot;
mod stops;
mod unknown;
