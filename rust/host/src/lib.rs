//! The core's hands: journal file, key files, presignature pool and clock. It decides nothing.

pub mod journal;
