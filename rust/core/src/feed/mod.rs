//! Frames to facts: strict, bounded, without floats.
pub mod hex;
