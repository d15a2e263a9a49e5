//! What a thread asks of the kernel's scheduler.
#![expect(unsafe_code, reason = "std has no scheduling attributes")]

/// Time slice asked for. A thread that wakes takes the core from one with a longer slice at once; with the usual slice it
/// waits until that one's (3 to 4 ms) is over. Measured on two cores shared by six busy processes: `fdatasync` 0.2 to 0.3 ms
/// at the median with it, 2.9 ms without.
const SLICE_NS: u64 = 100_000;

/// `struct sched_attr` of Linux 3.14, the smallest one that all kernels take.
#[repr(C)]
#[derive(Debug, Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

const SIZE: libc::c_uint = 48;

/// Lets the calling thread, which waits for sockets and the disk, run as soon as what it waits for is there. Needs no
/// privilege and takes no more time from others in sum. Linux 6.12 and later heed it, earlier ones ignore it; best effort.
pub fn wake_promptly() -> bool {
    let mut attributes = Attributes::default();
    // SAFETY: the kernel writes at most `SIZE` bytes, the size of the structure; thread 0 is the calling one.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) };
    let usual = libc::SCHED_OTHER.cast_unsigned();
    if read != 0 || attributes.policy != usual {
        // A real-time policy, set from outside, needs no slice.
        return false;
    }
    attributes.size = SIZE;
    attributes.runtime_ns = SLICE_NS;
    // SAFETY: the kernel reads `size` bytes of the structure, which outlives the call.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_is_as_long_as_the_kernel_expects() {
        assert_eq!(size_of::<Attributes>(), SIZE as usize);
    }

    #[test]
    fn a_usual_thread_gets_its_slice_and_keeps_its_nice_value() {
        std::thread::spawn(|| {
            assert!(crate::memory::lower_priority());
            assert!(wake_promptly());
            let mut now = Attributes::default();
            // SAFETY: as above.
            let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut now, SIZE, 0) };
            assert_eq!((read, now.nice), (0, 19));
        })
        .join()
        .unwrap();
    }
}
