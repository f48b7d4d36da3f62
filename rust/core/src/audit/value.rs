//! What columns hold: gateways write times, numbers and answers in many ways.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// Numbers from here on are milliseconds: as seconds they lie beyond the year 5138.
const MILLISECONDS: f64 = 1e11;
/// … microseconds.
const MICROSECONDS: f64 = 1e14;
/// … nanoseconds.
const NANOSECONDS: f64 = 1e17;
/// Nobody's clock is behind this: seconds of the year 2286, and what ten digits write.
const LATEST: f64 = 1e10;

/// Words for an answer.
const ANSWERED: [&str; 9] =
    ["success", "succeeded", "successful", "ok", "complete", "completed", "done", "finished", "true"];
/// Calls that answer with no text of the model, by the words in their path or kind.
const NO_TEXT: [&str; 7] = ["embedding", "moderation", "rerank", "transcription", "translations", "speech", "image"];

/// The text of a JSON scalar without quotes. Escapes stay: no value that is understood has any.
pub fn bare(json: &str) -> &str {
    json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json)
}

/// Seconds since the epoch: of a number of seconds, milli-, micro- or nanoseconds, or of a date and time as ISO 8601
/// (UTC when it names no zone) or as web servers write them (`21/Nov/2026:22:08:10 +0000`).
pub fn time(json: &str) -> Option<f64> {
    let text = bare(json).trim();
    let seconds = text.parse().ok().map(seconds).or_else(|| date(text))?;
    (0.0..LATEST).contains(&seconds).then_some(seconds)
}

fn seconds(number: f64) -> f64 {
    match number {
        _ if number < MILLISECONDS => number,
        _ if number < MICROSECONDS => number / 1e3,
        _ if number < NANOSECONDS => number / 1e6,
        _ => number / 1e9,
    }
}

fn date(text: &str) -> Option<f64> {
    let zoned = || text.parse::<Timestamp>().ok();
    let utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let server = || strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?.to_timestamp().ok();
    zoned().or_else(utc).or_else(server).map(|time| time.as_millisecond() as f64 / 1e3)
}

/// A count, 32 bits at most.
pub fn count(json: &str) -> Option<u32> {
    let number: f64 = bare(json).parse().ok()?;
    (number >= 0.0).then_some(number as u32)
}

/// Whether a status means that the model answered: 2xx, with or without more words, a word that says so, or nothing.
pub fn is_answered(json: &str) -> bool {
    let text = bare(json).trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match text[..digits].parse::<u32>() {
        Ok(status) => (200..300).contains(&status),
        Err(_) => text.is_empty() || ANSWERED.iter().any(|answered| text.eq_ignore_ascii_case(answered)),
    }
}

/// Whether a path or kind of call is one that generates text. Only the last two segments of a path say so: a query or
/// a host is anybody's choice.
pub fn generates(json: &str) -> bool {
    let text = bare(json).to_ascii_lowercase();
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let mut last = path.trim_end_matches('/').rsplit('/').take(2);
    !last.any(|segment| NO_TEXT.iter().any(|word| segment.contains(word)))
}

/// The network of an address: the first three numbers of IPv4, the first three groups of IPv6.
pub fn network(json: &str) -> &str {
    let address = bare(json).trim();
    let address = address.rsplit_once("::ffff:").map_or(address, |(_, four)| four);
    let mark = if address.contains('.') { '.' } else { ':' };
    address.match_indices(mark).nth(2).map_or(address, |(end, _)| &address[..end])
}
