//! Which machine, which boot: what a table file must have been made under to mean anything.

use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::{Digest, Seed};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// Digest of the boot's id: CLOCK_MONOTONIC begins anew with each boot.
pub fn boot_id() -> Result<[u64; 2], Error> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = fs::read_to_string(path).map_err(|why| Error::store(format!("cannot read {path}: {why}")))?;
    let Digest(words) = Seed([0, 0]).digest(text.trim().as_bytes());
    Ok(words)
}

/// Inode of this process's time namespace: in another one CLOCK_MONOTONIC may be shifted. 0 where there are none.
pub fn time_namespace() -> u64 {
    fs::metadata("/proc/self/ns/time").map_or(0, |namespace| namespace.ino())
}

/// Bytes that the kernel could still hand out; None where it does not say.
pub fn memory_available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// A seed that nobody outside knows.
pub fn secret_seed() -> Result<Seed, Error> {
    let draw = || getrandom::u64().map_err(|why| Error::store(format!("no random numbers: {why}")));
    Ok(Seed([draw()?, draw()?]))
}
