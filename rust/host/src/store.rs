//! The two homes of a table: anonymous memory and a mapped file.

use crate::file::{self, Layout};
use crate::host;
use crate::mapping::Mapping;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::layout::words_for;
use ratelimit_guard_core::live::area::{AREA_WORDS, Area};
use ratelimit_guard_core::table::{Table, check_capacity};
use std::path::Path;

/// Counters for so many keys.
struct Counters(u64);

impl Layout for Counters {
    type Made = Table<Mapping>;
    fn words(&self) -> usize {
        words_for(self.0)
    }
    fn format(&self, memory: Mapping) -> Result<Self::Made, Error> {
        Table::format(memory, self.0, host::secret_seed()?)
    }
    fn open(&self, memory: Mapping) -> Result<Self::Made, Error> {
        Table::open(memory)
    }
    fn memory<'m>(&self, made: &'m Self::Made) -> &'m Mapping {
        made.memory()
    }
}

/// A table for this process and the children that it forks.
pub fn memory(capacity: u64) -> Result<Table<Mapping>, Error> {
    check_capacity(capacity)?;
    let words = words_for(capacity);
    let mapping = Mapping::anonymous(words).map_err(|why| {
        Error::store(format!("no memory for {} bytes of counters ({why}): lower the capacity", words * 8))
    })?;
    Table::format(mapping, capacity, host::secret_seed()?)
}

/// A table for every process that opens `path`, made if it is absent or left by an earlier boot. Signals that come while
/// another process holds its lock call `interrupted`, whose error ends the wait.
pub fn shared(
    path: &Path,
    capacity: u64,
    interrupted: impl Fn() -> Result<(), Error>,
) -> Result<Table<Mapping>, Error> {
    check_capacity(capacity)?;
    let table = file::open_or_make(path, &Counters(capacity), interrupted)
        .map_err(|why| Error::store(format!("table {path:?}: {why}")))?;
    if table.capacity() != capacity {
        let there = table.capacity();
        return Err(Error::store(format!(
            "table {path:?} has capacity {there}, not {capacity}: use the same on all workers, or stop them and delete the file"
        )));
    }
    Ok(table)
}

/// The shared area of a detector, with a secret.
struct Detection<K>(K);

impl<K: Fn() -> Option<Seed>> Layout for Detection<K> {
    type Made = Area<Mapping>;
    fn words(&self) -> usize {
        AREA_WORDS
    }
    fn format(&self, memory: Mapping) -> Result<Self::Made, Error> {
        let Seed([id, _]) = host::secret_seed()?;
        Area::format(memory, (self.0)().map_or_else(host::secret_seed, Ok)?, id)
    }
    fn open(&self, memory: Mapping) -> Result<Self::Made, Error> {
        Area::open(memory)
    }
    fn memory<'m>(&self, made: &'m Self::Made) -> &'m Mapping {
        made.memory()
    }
}

/// The area of a detector for every process that opens `path`, made if it is absent or left by an earlier boot: with
/// `secret`, or the one that was `kept`, or a new one.
pub fn area(
    path: &Path,
    secret: Option<Seed>,
    kept: impl Fn() -> Option<Seed>,
    interrupted: impl Fn() -> Result<(), Error>,
) -> Result<Area<Mapping>, Error> {
    let area = file::open_or_make(path, &Detection(|| secret.or_else(&kept)), interrupted)
        .map_err(|why| Error::store(format!("detector {path:?}: {why}")))?;
    match secret {
        Some(secret) if secret.0 != area.seed().0 => Err(Error::store(format!(
            "detector {path:?} was made with another secret: use one baseline on all workers, or stop them and delete the file"
        ))),
        _ => Ok(area),
    }
}
