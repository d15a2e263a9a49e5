//! What the operating system can do for secrets: keep them out of swap, core dumps and forked children.
//!
//! The only `unsafe` of this crate outside the journal: plain system calls, each with its reason beside it.
#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keeps this process's memory from debuggers and core files. Call before the first key is loaded.
///
/// # Errors
/// The system call's own error.
pub fn harden_process() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls take plain values; `none` outlives the call.
    let (core, dump) =
        unsafe { (libc::setrlimit(libc::RLIMIT_CORE, &raw const none), libc::prctl(libc::PR_SET_DUMPABLE, 0)) };
    if core == 0 && dump == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keeps the pages of `value` out of swap and core dumps. Best effort: a low RLIMIT_MEMLOCK is reported as `false`.
pub fn protect<T>(value: &T) -> bool {
    let page = page_size();
    let start = std::ptr::from_ref(value).addr();
    let first = start & !(page - 1);
    let length = (start + size_of::<T>()).next_multiple_of(page) - first;
    let pages = std::ptr::from_ref(value).cast::<libc::c_void>().cast_mut().with_addr(first);
    // SAFETY: the range covers the pages that hold `value`, all mapped; neither call changes what they contain.
    unsafe { libc::mlock(pages, length) == 0 && libc::madvise(pages, length, libc::MADV_DONTDUMP) == 0 }
}

/// Lets every other thread go first: the refill must not take time from the hot path.
pub fn lower_priority() -> bool {
    // SAFETY: plain values; on Linux `who` 0 is the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) == 0 }
}

fn page_size() -> usize {
    // SAFETY: plain value.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// True in the process that made it, false in every fork of it: a page that the kernel wipes when it copies the process.
pub struct ForkGuard {
    page: Option<NonNull<AtomicU64>>,
    pid: u32,
}

// SAFETY: the page is only read and written through an atomic.
unsafe impl Send for ForkGuard {}
// SAFETY: as above.
unsafe impl Sync for ForkGuard {}

const ALIVE: u64 = 0x686c_6661_7374_0001;

impl ForkGuard {
    /// Maps the page. Kernels before 4.14 can't wipe it; then the process id is compared instead.
    #[must_use]
    pub fn new() -> ForkGuard {
        let length = page_size();
        // SAFETY: a fresh anonymous private mapping; checked before use.
        let page = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let page = libc::mmap(std::ptr::null_mut(), length, protection, kind, -1, 0);
            if page == libc::MAP_FAILED {
                None
            } else if libc::madvise(page, length, libc::MADV_WIPEONFORK) != 0 {
                libc::munmap(page, length);
                None
            } else {
                NonNull::new(page.cast::<AtomicU64>())
            }
        };
        let guard = ForkGuard { page, pid: std::process::id() };
        if let Some(cell) = guard.cell() {
            cell.store(ALIVE, Ordering::Relaxed);
        }
        guard
    }

    /// True in the process that made this guard. About a nanosecond.
    #[inline]
    #[must_use]
    pub fn same_process(&self) -> bool {
        match self.cell() {
            Some(cell) => cell.load(Ordering::Relaxed) == ALIVE,
            None => std::process::id() == self.pid,
        }
    }

    fn cell(&self) -> Option<&AtomicU64> {
        // SAFETY: the mapping is page aligned, lives until drop, and holds a valid integer at every bit pattern.
        self.page.map(|page| unsafe { page.as_ref() })
    }
}

impl Default for ForkGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ForkGuard {
    fn drop(&mut self) {
        if let Some(page) = self.page {
            // SAFETY: mapped by `new` with this length, not used after.
            unsafe { libc::munmap(page.as_ptr().cast(), page_size()) };
        }
    }
}

/// 32 bytes from the operating system's generator.
///
/// # Errors
/// The generator's own error; there is no fallback.
pub fn entropy() -> io::Result<[u8; 32]> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    Ok(bytes)
}

/// When this process started, in clock ticks since boot; 0 when the system does not say.
#[must_use]
pub fn process_start() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the name, may contain spaces and parentheses: count from its last parenthesis.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_is_told_from_its_parent() {
        let guard = ForkGuard::new();
        assert!(guard.same_process());
        // SAFETY: the child only reads a mapped page and leaves at once.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::_exit(i32::from(guard.same_process()));
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
            assert_eq!(libc::WEXITSTATUS(status), 0, "the child believed to be its parent");
        }
        assert!(guard.same_process());
    }

    #[test]
    fn entropy_differs_and_the_start_is_known() {
        assert_ne!(entropy().unwrap(), entropy().unwrap());
        assert!(process_start() > 0);
        let boxed = Box::new([0u8; 64]);
        assert!(protect(&*boxed));
    }
}
