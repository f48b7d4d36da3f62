//! Quota strings.
//!
//! ```text
//! quota   = limit [unit] ("/" | " per ") window *( ";" option )
//!         | limit "concurrent-requests" [";" "lease=" window]
//! limit   = digits, "_" allowed between them, or a number with the suffix k, M or G
//! window  = [number] ("ms" | "s" | "second" | "m" | "minute" | "h" | "hour" | "d" | "day" | "week"), plural allowed
//! option  = "burst=" limit | "algorithm=" ("strict" | "sliding-window" | "token-bucket")
//! ```

use super::{Algorithm, Quota, Unit};
use crate::error::Error;
use crate::time::Nanos;
use std::fmt;

/// Longest quota string that is read; the longest sensible one has about 70 characters.
const MAX_TEXT: usize = 256;
const EXAMPLES: &str = "for example \"100/minute\", \"100/minute; burst=20\" or \"8 concurrent-requests; lease=30s\"";
/// Lease of a permit when none is named.
const DEFAULT_LEASE: Nanos = Nanos(60 * Nanos::SECOND.0);

/// Names of spans. `ns` and `us` exist so that every quota has a string of its own.
const SPANS: [(&str, u64); 17] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("millisecond", 1_000_000),
    ("second", 1_000_000_000),
    ("sec", 1_000_000_000),
    ("s", 1_000_000_000),
    ("minute", 60_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("hour", 3_600_000_000_000),
    ("hr", 3_600_000_000_000),
    ("h", 3_600_000_000_000),
    ("day", 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("week", 604_800_000_000_000),
    ("w", 604_800_000_000_000),
];

impl Quota {
    /// Read a quota string (grammar: `docs/quota-strings.md`).
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_TEXT {
            return Err(Error::config(format!("quota of {} bytes: at most {MAX_TEXT} are read", text.len())));
        }
        parse(text).map_err(|why| Error::config(format!("quota {text:?}: {why} ({EXAMPLES})")))
    }
}

fn parse(text: &str) -> Result<Quota, Error> {
    let mut parts = text.split(';').map(str::trim);
    let (limit, unit, window) = head(parts.next().unwrap_or(""))?;
    let (mut burst, mut algorithm, mut lease) = (None, None, None);
    for option in parts {
        let (name, value) = option.split_once('=').ok_or_else(|| bad("option (write burst=20)", option))?;
        match name.trim() {
            "burst" => once(&mut burst, "burst", number(value)?)?,
            "algorithm" => once(&mut algorithm, "algorithm", Algorithm::named(value.trim())?)?,
            "lease" => once(&mut lease, "lease", span(value)?)?,
            _ => return Err(bad("option", option)),
        }
    }
    let window = match (unit, window, lease) {
        (Unit::ConcurrentRequests, None, lease) => lease.unwrap_or(DEFAULT_LEASE),
        (Unit::ConcurrentRequests, Some(_), _) => {
            return Err(Error::config("concurrent-requests have a lease, not a window: write \"; lease=30s\""));
        }
        (_, Some(window), None) => window,
        (_, _, Some(_)) => return Err(Error::config("only concurrent-requests have a lease")),
        (_, None, None) => return Err(Error::config("no window")),
    };
    Quota::new(limit, window, burst, algorithm, unit)
}

fn head(text: &str) -> Result<(u64, Unit, Option<Nanos>), Error> {
    let (amount, window) = match text.split_once('/').or_else(|| text.split_once(" per ")) {
        Some((amount, window)) => (amount.trim(), Some(span(window)?)),
        None => (text, None),
    };
    let (limit, unit) = match amount.split_once(char::is_whitespace) {
        Some((limit, unit)) => (limit, unit_named(unit.trim())?),
        None => (amount, Unit::Requests),
    };
    Ok((number(limit)?, unit, window))
}

fn unit_named(text: &str) -> Result<Unit, Error> {
    match text {
        "request" => Ok(Unit::Requests),
        "token" => Ok(Unit::Tokens),
        _ => Unit::named(text),
    }
}

fn number(text: &str) -> Result<u64, Error> {
    let text = text.trim();
    let (digits, scale) = match text.chars().last() {
        Some('k') => (&text[..text.len() - 1], 1_000),
        Some('M') => (&text[..text.len() - 1], 1_000_000),
        Some('G') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    let tidy = digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.ends_with('_') && !digits.contains("__");
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    if !tidy || !plain.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad("whole number: write digits, \"_\" between them, and k, M or G after them", text));
    }
    let value = plain.parse::<u64>().ok().and_then(|value| value.checked_mul(scale));
    value.ok_or_else(|| Error::config(format!("number {text:?} is too large")))
}

fn span(text: &str) -> Result<Nanos, Error> {
    let text = text.trim();
    let name = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
    let count = &text[..text.len() - name.len()];
    let name = name.trim_start();
    let count = if count.is_empty() { 1 } else { number(count)? };
    let singular = name.strip_suffix('s').filter(|rest| rest.len() > 1);
    let unit = SPANS.iter().find(|(known, _)| *known == name || Some(*known) == singular);
    let (_, nanos) =
        unit.ok_or_else(|| bad("window: write ms, second, minute, hour, day or week in lower case", text))?;
    count.checked_mul(*nanos).map(Nanos).ok_or_else(|| Error::config(format!("window {text:?} is too long")))
}

fn once<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), Error> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::config(format!("{name} is named twice"))),
    }
}

fn bad(what: &str, text: &str) -> Error {
    Error::config(format!("{text:?} is no {what}"))
}

/// A window in canonical words: the longest unit that divides it.
pub(super) struct Span(pub Nanos);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest_first = ["day", "hour", "minute", "s", "ms", "us"].iter();
        let spans = longest_first.filter_map(|name| SPANS.iter().find(|(known, _)| known == name));
        let divides = |(_, nanos): &(&str, u64)| self.0.0.is_multiple_of(*nanos);
        let (name, nanos) = spans.copied().find(divides).unwrap_or(("ns", 1));
        match (self.0.0 / nanos, name) {
            (1, "s") => f.write_str("second"),
            (1, name) => f.write_str(name),
            (count, name) if name.len() > 2 => write!(f, "{count} {name}s"),
            (count, name) => write!(f, "{count}{name}"),
        }
    }
}
