//! Tokens of a model API: how many a prompt has, how many of an answer have passed, and how many the upstream says.
//!
//! **Before the call** [`estimate`] counts a scanned body. **While the answer passes** a [`meter`] cuts it into
//! [`lines`], finds in each event what the model said ([`answer`], over the JSON views of [`value`]), counts it
//! ([`tally`]), reads what the upstream says it was ([`usage`]) and keeps the start of the [`text`]. [`filter`] takes
//! away what only came because usage was asked for.
//!
//! Counts are estimates by script, within a sixth of the truth for English and code; an upstream's own count replaces
//! them, and [`ratios`] remember for each model how far off they were.

pub mod answer;
pub mod estimate;
pub mod filter;
pub mod lines;
pub mod meter;
pub mod ratios;
pub mod tally;
pub mod text;
pub mod usage;
pub mod value;

/// A count from here on is not believed: no model has read or written as much.
pub const MAX_TOKENS: u32 = 1 << 31;
