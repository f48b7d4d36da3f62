//! Where things lie in the table's words.
//!
//! ```text
//! words 0..64          head of the table: magic, version, seed, … (8..16 belong to the host; 32, 40 are counters)
//! words 64..16448      registry: 4096 quotas of 4 words
//! words 16448..        rows of 8 cells: 8 key words (one cache line), then 8 × 4 state words (two cells to a line)
//! ```

#[cfg(not(loom))]
/// Cells of a row: their keys fill one cache line of 64 bytes.
pub const ROW_CELLS: usize = 8;
#[cfg(loom)]
/// Small, so that all interleavings can be tried.
pub const ROW_CELLS: usize = 2;

/// Words of a cell besides its key: head, expiry, two for the past.
pub const STATE_WORDS: usize = 4;
/// Words of a row.
pub const ROW_WORDS: usize = ROW_CELLS * (1 + STATE_WORDS);

/// "rlguard" and a version of the way in which the file is recognised.
pub const MAGIC: u64 = u64::from_be_bytes(*b"rlguard1");
/// Changes whenever the meaning of a word does.
pub const VERSION: u64 = 1;

/// Word that says that this is a table; written last.
pub const WORD_MAGIC: usize = 0;
/// Word with [`VERSION`].
pub const WORD_VERSION: usize = 1;
/// Word with the capacity that was asked for.
pub const WORD_CAPACITY: usize = 2;
/// Two words with the secret seed.
pub const WORD_SEED: usize = 4;
/// Eight words in which the host notes what it must recognise (boot id, time namespace).
pub const WORDS_HOST: std::ops::Range<usize> = 8..16;
/// Counts decisions refused because no cell was free; on a cache line of its own.
pub const WORD_FULL_REFUSED: usize = 32;
/// Counts decisions allowed although no cell was free.
pub const WORD_FULL_ALLOWED: usize = 40;

/// First word of the registry.
pub const REGISTRY_START: usize = 64;
/// Words of an entry of the registry.
pub const REGISTRY_ENTRY: usize = 4;
#[cfg(not(loom))]
/// Quotas that one table can know, plus the unused number 0.
pub const REGISTRY_ENTRIES: usize = 4096;
#[cfg(loom)]
/// Small: loom tracks every word.
pub const REGISTRY_ENTRIES: usize = 4;
/// First word of the rows.
pub const ROWS_START: usize = REGISTRY_START + REGISTRY_ENTRY * REGISTRY_ENTRIES;

/// Largest capacity: 2³¹ keys, 114 GB.
pub const MAX_CAPACITY: u64 = 1 << 31;

/// Rows for `capacity` keys at a fill of three quarters; even, because the table has two halves.
pub const fn rows_for(capacity: u64) -> usize {
    let cells = (capacity * 4).div_ceil(3) as usize;
    let rows = cells.div_ceil(ROW_CELLS);
    if rows < 2 { 2 } else { rows + rows % 2 }
}

/// Words of a table for `capacity` keys.
pub const fn words_for(capacity: u64) -> usize {
    ROWS_START + rows_for(capacity) * ROW_WORDS
}
