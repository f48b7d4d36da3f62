//! What the APIs of models tell about limits in header fields of their own: of each unit the tightest policy.
//!
//! OpenAI: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, resets as durations. Anthropic:
//! `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`, resets as dates
//! (RFC 3339). Written here because it takes ten times as long in Python, for every response.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use ratelimit_guard_core::quota::Unit;
use ratelimit_guard_core::rule::Answer;
use ratelimit_guard_core::time::Nanos;
use std::cmp::Reverse;

/// The end of the year 9999, beyond which no date can be written.
const LAST_SECOND: u64 = 253_402_300_799;

/// A policy's unit and its answer.
pub type Counted<'a> = (Unit, &'a Answer);

/// How an API spells its fields.
pub enum Style {
    OpenAi,
    /// With the time in seconds since 1970.
    Anthropic(f64),
}

impl Style {
    fn units(&self) -> &'static [Unit] {
        match self {
            Self::OpenAi => &[Unit::Requests, Unit::Tokens],
            Self::Anthropic(_) => &[Unit::Requests, Unit::Tokens, Unit::InputTokens, Unit::OutputTokens],
        }
    }

    fn name(&self, what: &str, unit: Unit) -> String {
        match self {
            Self::OpenAi => format!("x-ratelimit-{what}-{}", unit.name()),
            Self::Anthropic(_) => format!("anthropic-ratelimit-{}-{what}", unit.name()),
        }
    }

    fn reset(&self, after: Nanos) -> String {
        match self {
            Self::OpenAi => duration(after),
            // What is no time becomes the first or the last one.
            Self::Anthropic(now) => date((now + after.as_secs_f64()).ceil() as u64),
        }
    }
}

/// Names and values of the fields.
pub fn unit_fields<'py>(py: Python<'py>, counted: &[Counted<'_>], style: &Style) -> PyResult<Bound<'py, PyList>> {
    let fields = PyList::empty(py);
    for unit in style.units() {
        let Some(answer) = tightest(counted, *unit) else { continue };
        let values = [
            ("limit", answer.limit.to_string()),
            ("remaining", answer.remaining.to_string()),
            ("reset", style.reset(answer.reset_after)),
        ];
        for (what, value) in values {
            let name = PyBytes::new(py, style.name(what, *unit).as_bytes());
            fields.append((name, PyBytes::new(py, value.as_bytes())))?;
        }
    }
    Ok(fields)
}

/// The policy of a unit of which the least is left, and of these the one that takes longest to be free. Where none counts
/// all tokens, what is left is told by those that count a part of them.
fn tightest<'a>(counted: &[Counted<'a>], unit: Unit) -> Option<&'a Answer> {
    let least = |matches: &dyn Fn(Unit) -> bool| {
        let matching = counted.iter().filter(|(unit, _)| matches(*unit)).map(|(_, answer)| *answer);
        matching.min_by_key(|answer| (answer.remaining, Reverse(answer.reset_after)))
    };
    let is_part = |other: Unit| matches!(other, Unit::InputTokens | Unit::OutputTokens);
    least(&|other| other == unit).or_else(|| if unit == Unit::Tokens { least(&is_part) } else { None })
}

/// As in OpenAI's header fields, rounded up to milliseconds: 12ms, 1.5s, 6m0s, 1h0m0s.
fn duration(span: Nanos) -> String {
    let ms = span.0.div_ceil(1_000_000);
    if ms < 1_000 {
        return if ms == 0 { "0s".into() } else { format!("{ms}ms") };
    }
    let (minutes, ms) = (ms / 60_000, ms % 60_000);
    let fraction = format!("{:03}", ms % 1_000);
    let fraction = fraction.trim_end_matches('0');
    let seconds = format!("{}{}{fraction}s", ms / 1_000, if fraction.is_empty() { "" } else { "." });
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// Seconds since 1970 as UTC (RFC 3339), by Howard Hinnant's `civil_from_days` (2013).
fn date(unix: u64) -> String {
    let unix = unix.min(LAST_SECOND);
    let (days, second) = (unix / 86_400, unix % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}
