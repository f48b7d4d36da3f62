//! The two homes of a table and of its leases: anonymous memory and a mapped file.

use crate::file::{self, Layout};
use crate::host;
use crate::mapping::Mapping;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::layout::words_for;
use ratelimit_guard_core::lease::ledger::{self, Ledger};
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

/// The ledger of a table's leases.
struct Leased<'t>(&'t Table<Mapping>);

impl Leased<'_> {
    fn entries(&self) -> u64 {
        ledger::entries_for(self.0.capacity())
    }
    /// The seed itself stays in one file.
    fn identity(&self) -> u64 {
        self.0.seed().digest(b"leases").0[0]
    }
}

impl Layout for Leased<'_> {
    type Made = Ledger<Mapping>;
    fn words(&self) -> usize {
        ledger::words_for(self.0.capacity())
    }
    fn format(&self, memory: Mapping) -> Result<Self::Made, Error> {
        Ledger::format(memory, self.entries(), self.identity())
    }
    fn open(&self, memory: Mapping) -> Result<Self::Made, Error> {
        Ledger::open(memory)
    }
    fn memory<'m>(&self, made: &'m Self::Made) -> &'m Mapping {
        made.memory()
    }
    fn is_current(&self, made: &Self::Made) -> bool {
        made.belongs_to(self.entries(), self.identity())
    }
}

/// The ledger of a table in memory, for this process and the children that it forks.
pub fn memory_leases(table: &Table<Mapping>) -> Result<Ledger<Mapping>, Error> {
    let layout = Leased(table);
    let mapping = Mapping::anonymous(layout.words());
    layout.format(mapping.map_err(|why| Error::store(format!("no memory for the ledger of leases ({why})")))?)
}

/// Is there a ledger of leases beside the table at `path`?
pub fn has_leases(path: &Path) -> bool {
    file::beside(path, file::LEASES_SUFFIX).exists()
}

/// The ledger of a shared table, in a file beside it; made if it is absent, or of an earlier table.
pub fn shared_leases(
    table: &Table<Mapping>,
    path: &Path,
    interrupted: impl Fn() -> Result<(), Error>,
) -> Result<Ledger<Mapping>, Error> {
    let path = file::beside(path, file::LEASES_SUFFIX);
    file::open_or_make(&path, &Leased(table), interrupted)
        .map_err(|why| Error::store(format!("leases {path:?}: {why}")))
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
