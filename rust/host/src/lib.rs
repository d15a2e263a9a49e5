//! The core's hands: journal file, key files, presignature pool and clock. It decides nothing.
#![deny(unsafe_code)]

pub mod calm;
pub mod clock;
pub mod failpoint;
pub mod journal;
pub mod keys;
pub mod keystore;
pub mod memory;
pub mod pool;
pub mod rehearsal;
pub mod runtime;
pub mod schedule;
mod splitmix;
pub mod verify;
