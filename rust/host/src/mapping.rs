//! `Mapping`: atomic words in memory that forked children, or all who map the same file, share.
//!
//! **Why this is sound.** A mapping is page-aligned, readable and writable, lives until `Drop`, and is only ever
//! reached through `&[AtomicU64]`, for which any bit pattern is valid and concurrent access, from other processes too,
//! is defined. What another process could still do is shorten the file, after which touching lost pages raises SIGBUS:
//! the file is ours alone (checked owner, mode 0600), and this package never shortens one.

#![allow(unsafe_code)]

use ratelimit_guard_core::sync::AtomicU64;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};

/// Shared, zeroed or file-backed words.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<c_void>,
    words: usize,
}

// SAFETY: the pointer is owned, and all access goes through atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

impl Mapping {
    /// Zeroed words shared with children that are forked later. Pages cost memory once touched.
    pub fn anonymous(words: usize) -> Result<Self, Errno> {
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches nobody's memory.
        let start = unsafe { mmap_anonymous(null_mut(), words * 8, READ_WRITE, flags) }?;
        Ok(Self { start: NonNull::new(start).ok_or(Errno::NOMEM)?, words })
    }

    /// Zeroed words of this process alone: a forked child finds zeros again (Linux 4.14, MADV_WIPEONFORK).
    pub fn wiped_on_fork(words: usize) -> Result<Self, Errno> {
        // SAFETY: as above.
        let start = unsafe { mmap_anonymous(null_mut(), words * 8, READ_WRITE, MapFlags::PRIVATE) }?;
        let mapping = Self { start: NonNull::new(start).ok_or(Errno::NOMEM)?, words };
        // SAFETY: pages that were just mapped, and hold only atomic words for which zeros are valid.
        unsafe { madvise(start, words * 8, Advice::LinuxWipeOnFork) }?;
        Ok(mapping)
    }

    /// The words of a file that has at least that many.
    pub fn of_file(file: impl AsFd, words: usize) -> Result<Self, Errno> {
        // SAFETY: as above.
        let start = unsafe { mmap(null_mut(), words * 8, READ_WRITE, MapFlags::SHARED, file, 0) }?;
        Ok(Self { start: NonNull::new(start).ok_or(Errno::NOMEM)?, words })
    }
}

impl AsRef<[AtomicU64]> for Mapping {
    fn as_ref(&self) -> &[AtomicU64] {
        // SAFETY: `words` words were mapped at the page-aligned `start`, and stay so until drop.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped; no reference outlives `self`. An error could only mean that it is gone
        // already.
        let _ = unsafe { munmap(self.start.as_ptr(), self.words * 8) };
    }
}
