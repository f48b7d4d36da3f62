//! The atomics of the core: the machine's, loom's, or ones that can be told to die.
//!
//! With the feature `failpoints` every atomic operation first counts down a number of this thread and panics at zero,
//! which to the table is the same as SIGKILL at that instruction: the core has no destructors and holds no locks.

#[cfg(loom)]
pub use explored::{AtomicU64, Loads, fence, read_by};
#[cfg(not(any(loom, feature = "failpoints")))]
pub use std::sync::atomic::{AtomicU64, fence};

#[cfg(all(not(loom), feature = "failpoints"))]
pub use failing::{AtomicU64, die_after, fence, survive};

pub(crate) use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};

/// Loom remembers only the last access to a word. So where one thread reads a word and another reads and then swaps it,
/// it sees no reason to try the swap before the first read. Reads that pretend to write are all remembered, but never
/// stale: models are run both ways.
#[cfg(loom)]
mod explored {
    pub use loom::sync::atomic::fence;
    use std::sync::atomic::{AtomicBool, Ordering};

    static PRETEND: AtomicBool = AtomicBool::new(false);

    /// How words are read.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum Loads {
        /// Perhaps an earlier value that the memory model still allows.
        MayBeStale,
        /// By a swap that changes nothing.
        PretendToWrite,
    }

    /// Read all words so from now on. One test at a time: it holds for the whole process.
    pub fn read_by(loads: Loads) {
        PRETEND.store(loads == Loads::PretendToWrite, Ordering::SeqCst);
    }

    /// An atomic word of loom's.
    #[derive(Debug, Default)]
    pub struct AtomicU64(loom::sync::atomic::AtomicU64);

    impl AtomicU64 {
        /// A new word.
        pub fn new(value: u64) -> Self {
            Self(loom::sync::atomic::AtomicU64::new(value))
        }
        /// See the standard library.
        pub fn load(&self, order: Ordering) -> u64 {
            if PRETEND.load(Ordering::SeqCst) { self.0.fetch_or(0, order) } else { self.0.load(order) }
        }
        /// See the standard library.
        pub fn store(&self, value: u64, order: Ordering) {
            self.0.store(value, order);
        }
        /// See the standard library.
        pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
            self.0.fetch_add(value, order)
        }
        /// See the standard library.
        pub fn compare_exchange(&self, old: u64, new: u64, ok: Ordering, err: Ordering) -> Result<u64, u64> {
            self.0.compare_exchange(old, new, ok, err)
        }
    }
}

#[cfg(all(not(loom), feature = "failpoints"))]
mod failing {
    use std::cell::Cell;
    use std::sync::atomic::Ordering;

    thread_local!(static LEFT: Cell<u64> = const { Cell::new(u64::MAX) });

    /// Let this thread's next `operations` atomic operations pass and panic at the one after.
    pub fn die_after(operations: u64) {
        LEFT.set(operations);
    }

    /// Disarm; returns whether the thread would still have died later.
    pub fn survive() -> bool {
        LEFT.replace(u64::MAX) != u64::MAX
    }

    fn point() {
        match LEFT.get() {
            u64::MAX => {}
            0 => {
                LEFT.set(u64::MAX);
                std::panic::panic_any("failpoint");
            }
            left => LEFT.set(left - 1),
        }
    }

    /// A memory fence with a failpoint before it.
    pub fn fence(order: Ordering) {
        point();
        std::sync::atomic::fence(order);
    }

    /// `AtomicU64` with a failpoint before every operation.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct AtomicU64(std::sync::atomic::AtomicU64);

    impl AtomicU64 {
        /// A new word.
        pub const fn new(value: u64) -> Self {
            Self(std::sync::atomic::AtomicU64::new(value))
        }
        /// See the standard library.
        pub fn load(&self, order: Ordering) -> u64 {
            point();
            self.0.load(order)
        }
        /// See the standard library.
        pub fn store(&self, value: u64, order: Ordering) {
            point();
            self.0.store(value, order);
        }
        /// See the standard library.
        pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
            point();
            self.0.fetch_add(value, order)
        }
        /// See the standard library.
        pub fn compare_exchange(&self, old: u64, new: u64, ok: Ordering, err: Ordering) -> Result<u64, u64> {
            point();
            self.0.compare_exchange(old, new, ok, err)
        }
    }
}
