//! The two homes of a table: anonymous memory and a mapped file.

use crate::file;
use crate::host;
use crate::mapping::Mapping;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::layout::words_for;
use ratelimit_guard_core::table::{Table, check_capacity};
use std::path::Path;

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
    let table = file::open_or_make(path, capacity, interrupted)
        .map_err(|why| Error::store(format!("table {path:?}: {why}")))?;
    if table.capacity() != capacity {
        let there = table.capacity();
        return Err(Error::store(format!(
            "table {path:?} has capacity {there}, not {capacity}: use the same on all workers, or stop them and delete the file"
        )));
    }
    Ok(table)
}
