//! Recorded fills of a leader through the real core, against a modelled venue: what a follower would have got.
//!
//! Pure like the core: no clock, no I/O, no chance. The same record, settings and model give the same bytes. What the model
//! assumes is said in `docs/what-if.md`.
#![forbid(unsafe_code)]

mod account;
mod leader;
mod market;
mod model;
mod orders;
mod outcome;
mod reads;
mod record;
mod replay;
mod resting;
mod twaps;
mod venue;

pub use model::Model;
pub use outcome::Outcome;
pub use record::{Record, RecordError};
pub use replay::{ReplayError, replay};
