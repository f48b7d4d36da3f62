//! Records that were taken out of the ring since the state was saved, in a file: what a process that takes over reads.
//!
//! It is written with plain writes and never flushed: it has to outlive the process, not the machine.

use crate::file::{failed, open_own};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::mix;
use rustix::fs::{OFlags, ftruncate};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Words before a record: where in the ring it ended, its words, and a checksum.
const FRAME: usize = 3;
/// Longest record in words.
const MAX_WORDS: usize = 1 << 16;
/// Longest journal, where no state can be saved: it is read as a whole.
const MAX_BYTES: u64 = 256 << 20;

/// A journal of one area.
pub struct Journal {
    file: File,
    area: u64,
    bytes: u64,
}

impl Journal {
    /// Open the journal, and tell of each record in it with the position where it ended. One of another area is
    /// emptied, and so is what was half written.
    pub fn open(path: &Path, area: u64, mut tell: impl FnMut(u64, &[u64])) -> Result<Self, Error> {
        let mut file = open_own(path, OFlags::CREATE)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|why| Error::store(format!("cannot read the journal: {why}")))?;
        let words: Vec<u64> = bytes.chunks_exact(8).map(|word| word.try_into().map_or(0, u64::from_le_bytes)).collect();
        let mut used = 0;
        if words.first() == Some(&area) {
            used = 1;
            while let Some((position, record)) = record(&words[used..]) {
                tell(position, record);
                used += FRAME + record.len();
            }
        }
        let mut journal = Self { file, area, bytes: 8 * used as u64 };
        if used == 0 {
            journal.clear()?;
        } else {
            journal.cut(8 * used as u64)?;
        }
        Ok(journal)
    }

    /// Add records with the positions where they ended.
    pub fn append(&mut self, records: &[(u64, Vec<u64>)]) -> Result<(), Error> {
        if self.bytes > MAX_BYTES {
            return Err(Error::store("the journal is full, because the state cannot be saved"));
        }
        let mut bytes = Vec::new();
        for (position, words) in records {
            let head = [*position, words.len() as u64, checksum(*position, words)];
            bytes.extend(head.iter().chain(words).flat_map(|word| word.to_le_bytes()));
        }
        self.file.write_all(&bytes).map_err(|why| Error::store(format!("cannot write the journal: {why}")))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Forget all records: the state has been saved.
    pub fn clear(&mut self) -> Result<(), Error> {
        self.cut(0)?;
        let written = self.file.write_all(&self.area.to_le_bytes());
        written.map_err(|why| Error::store(format!("cannot write the journal: {why}")))?;
        self.bytes = 8;
        Ok(())
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Is no record in it?
    pub fn is_empty(&self) -> bool {
        self.bytes <= 8
    }

    fn cut(&mut self, bytes: u64) -> Result<(), Error> {
        ftruncate(&self.file, bytes).map_err(|why| failed("cut the journal", why))?;
        let sought = self.file.seek(SeekFrom::Start(bytes));
        sought.map(|_| ()).map_err(|why| Error::store(format!("cannot write the journal: {why}")))
    }
}

fn record(words: &[u64]) -> Option<(u64, &[u64])> {
    let (&[position, length, sum], rest) = words.split_first_chunk::<FRAME>()?;
    let record = rest.get(..usize::try_from(length).ok().filter(|length| *length <= MAX_WORDS)?)?;
    (checksum(position, record) == sum).then_some((position, record))
}

fn checksum(position: u64, words: &[u64]) -> u64 {
    words.iter().fold(mix(position ^ words.len() as u64), |sum, &word| mix(sum ^ word))
}
