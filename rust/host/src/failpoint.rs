//! Places where a test has this process killed. A build without the feature `failpoints`, which is every one that is
//! installed, contains nothing of it.
//!
//! `FAILPOINT=name:count` kills by `SIGKILL` when that place is reached for the `count`-th time.

/// Every place, in the order of a life.
pub const PLACES: [&str; 18] = [
    "replayed",       // a record of a former life was decided again
    "tail_cut",       // a torn end is zeroed, not synced
    "start_recorded", // the opening is written, its recovery not begun
    "decided",        // orders are decided, nothing of them is written
    "mid_record",     // half of a group has reached the kernel
    "written",        // a group has reached the kernel
    "before_sync",    // written, not on stable storage
    "after_sync",     // on stable storage, not signed
    "after_sign",     // signed, no frame is made
    "before_send",    // frames are made and handed to the shell next
    "after_send",     // the shell has handed the last of them to the transport
    "before_fence",   // frames are made and one of them is a fence
    "after_ack",      // an answer is decided on, its record is not made
    "ack_recorded",   // the record is in memory only
    "segment_named",  // a segment has its name and no content
    "segment_begun",  // a segment has its header and first group, the writer is not in it yet
    "snapshot_half",  // a snapshot is written under its unfinished name
    "snapshot_named", // it has its name, older ones are still there
];

/// Bytes of a segment: small where failpoints are, so that segments end often.
pub const SEGMENT_BYTES: u64 = if cfg!(feature = "failpoints") { 128 << 10 } else { 64 << 20 };
/// Bytes of a new journal's first segment, small so that starting doesn't wait for zeros.
pub const FIRST_SEGMENT_BYTES: u64 = if cfg!(feature = "failpoints") { 128 << 10 } else { 4 << 20 };

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn reach(_place: &'static str) {}

/// True when the next [`reach`] of `place` kills.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
#[must_use]
pub fn is_next(_place: &'static str) -> bool {
    false
}

#[cfg(feature = "failpoints")]
pub use armed::{is_next, reach};

#[cfg(feature = "failpoints")]
mod armed {
    #![expect(unsafe_code, reason = "a process can't kill itself uncatchably otherwise")]
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Armed {
        place: String,
        left: AtomicU64,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let setting = std::env::var("FAILPOINT").ok()?;
        let (place, count) = setting.split_once(':')?;
        let left = AtomicU64::new(count.parse().ok().filter(|count| *count > 0)?);
        super::PLACES.contains(&place).then(|| Armed { place: place.to_owned(), left })
    });

    /// Ends the process when `place` is the one set, for the last of the set times.
    pub fn reach(place: &'static str) {
        debug_assert!(super::PLACES.contains(&place), "{place} is in no list");
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.place == place) else { return };
        if armed.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: plain values; the signal can't be caught, so nothing of this process runs afterwards.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            loop {
                std::thread::park();
            }
        }
    }

    /// True when the next [`reach`] of `place` kills.
    pub fn is_next(place: &'static str) -> bool {
        ARMED.as_ref().is_some_and(|armed| armed.place == place && armed.left.load(Ordering::Acquire) == 1)
    }
}
