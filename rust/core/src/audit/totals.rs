//! Counts of a run, and why lines could not be used.

use crate::prompt::fields::Problem;
use borsh::{BorshDeserialize, BorshSerialize};

/// Why a line could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Skip {
    /// No JSON object.
    NotJson,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// Nested too deep.
    TooDeep,
    /// Longer than [`MAX_LINE`](super::MAX_LINE).
    TooLong,
    /// Nobody sent it.
    NoAccount,
    /// No time, or none that is understood.
    NoTime,
}

impl Skip {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::NotJson, Self::NotUtf8, Self::TooDeep, Self::TooLong, Self::NoAccount, Self::NoTime];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotJson => "not-json",
            Self::NotUtf8 => "not-utf-8",
            Self::TooDeep => "too-deep",
            Self::TooLong => "too-long",
            Self::NoAccount => "no-account",
            Self::NoTime => "no-time",
        }
    }

    pub(super) fn of(problem: Problem) -> Self {
        match problem {
            Problem::NotUtf8 => Self::NotUtf8,
            Problem::TooDeep => Self::TooDeep,
            _ => Self::NotJson,
        }
    }
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Place {
    /// Files before its own.
    pub file: u64,
    /// Its number in the file, from 1, blank lines too.
    pub line: u64,
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Totals {
    /// Lines, blank ones left out.
    pub lines: u64,
    /// Lines that were used.
    pub records: u64,
    /// Of each reason how many lines were passed over, and the first of them.
    pub skipped: [(u64, Place); Skip::ALL.len()],
    /// Where the last line stood.
    pub place: Place,
    /// Lines that repeat a recent one: passed over.
    pub repeated: u64,
    /// Records older than the one before.
    pub out_of_order: u64,
    /// Records a day and more away from the one before.
    pub jumps: u64,
    /// Answered records whose request holds no prompt that can be read.
    pub no_prompt: u64,
    /// Records that ask for no text, or got no answer.
    pub not_judged: u64,
    /// Earliest and latest time.
    pub span: Option<(f64, f64)>,
}
