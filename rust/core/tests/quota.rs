//! Quota strings: what is read, what is refused and how it says so.

use proptest::prelude::*;
use ratelimit_guard_core::error::Fault;
use ratelimit_guard_core::quota::{Algorithm, MAX_LIMIT, Quota, Unit};
use ratelimit_guard_core::time::Nanos;

const SECOND: u64 = 1_000_000_000;

fn read(text: &str) -> (u64, u64, Option<u64>, &'static str, &'static str) {
    let quota = Quota::parse(text).unwrap();
    (quota.limit(), quota.window().0, quota.burst(), quota.algorithm().name(), quota.unit().name())
}

/// The forms of the field are read.
#[test]
fn quota_strings_are_read() {
    let minute = 60 * SECOND;
    #[rustfmt::skip]
    let cases = [
        //  text                                  limit       window        burst       algorithm         unit
        ("100/minute",                          (100,        minute,       None,       "strict",         "requests")),
        ("100 per minute",                      (100,        minute,       None,       "strict",         "requests")),
        (" 100 / 5 minutes ",                   (100,        5 * minute,   None,       "strict",         "requests")),
        ("1_000 requests/h",                    (1_000,      60 * minute,  None,       "strict",         "requests")),
        ("10M tokens/minute",                   (10_000_000, minute,       None,       "strict",         "tokens")),
        ("10/100ms",                            (10,         SECOND / 10,  None,       "strict",         "requests")),
        ("5k input-tokens/day; burst=1k",       (5_000,      1440 * minute, Some(1_000), "token-bucket", "input-tokens")),
        ("5/s;algorithm=token-bucket",          (5,          SECOND,       Some(5),    "token-bucket",   "requests")),
        ("5/2s; algorithm = sliding-window",    (5,          2 * SECOND,   None,       "sliding-window", "requests")),
        ("8 concurrent-requests",               (8,          minute,       None,       "strict",         "concurrent-requests")),
        ("8 concurrent-requests; lease=30s",    (8,          minute / 2,   None,       "strict",         "concurrent-requests")),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text), expected, "{text}");
    }
}

/// What cannot be enforced is refused with the text, the mistake and an example.
#[test]
fn malformed_quota_strings_are_refused() {
    #[rustfmt::skip]
    let cases = [
        ("", "no whole number"), ("100", "no window"), ("/minute", "whole number"), ("x/minute", "whole number"), ("1.5/minute", "whole number"),
        ("-1/minute", "whole number"), ("1__0/minute", "whole number"), ("_1/minute", "whole number"), ("0/minute", "limit must be"), ("99999999999999999999/minute", "too large"),
        ("68719476736/minute", "limit must be"), ("1/fortnight", "is no window"), ("1/0s", "window must be"), ("1/367 days", "window must be"), ("1/", "is no window"),
        ("1/999us", "window must be"), ("1 apples/s", "unknown unit"), ("1/s; burst", "is no option"), ("1/s; burst=0", "burst must be"), ("1/s; burst=1; burst=2", "twice"),
        ("1/s; algorithm=magic", "unknown algorithm"), ("1/s; algorithm=strict; burst=2", "has no burst"), ("1/s; lease=3s", "have a lease"), ("1/s;", "is no option"),
        ("8 concurrent-requests/s", "a lease, not a window"), ("99999 concurrent-requests", "limit of concurrent-requests"), ("8 concurrent-requests; burst=2", "leave out"),
        ("1/year; burst=1", "is no window"), ("1/day; burst=1G", "over ten years"),
    ];
    for (text, mistake) in cases {
        let error = Quota::parse(text).expect_err(text);
        assert_eq!(error.fault(), Fault::Config);
        let said = error.to_string();
        assert!(said.contains(mistake) && said.contains(&format!("{text:?}")) && said.contains("100/minute"), "{said}");
    }
}

proptest! {
    /// Reading never panics, and what was read is written so that it reads the same.
    #[test]
    fn any_text_is_read_or_refused(text in "[0-9kM_ ]{0,6}[a-z -]{0,20}[/a-z ]{0,6}[0-9]{0,3}[a-z]{0,7}(; ?[a-z]{0,9}=[a-z0-9-]{0,14}){0,2}|.{0,40}") {
        if let Ok(quota) = Quota::parse(&text) {
            prop_assert_eq!(Quota::parse(&quota.to_string()).unwrap(), quota);
        }
    }

    /// Every quota that can be built has a string.
    #[test]
    fn every_quota_has_a_string(limit in 1..=MAX_LIMIT, window in 1_000_000..=366 * 86_400 * SECOND, burst in proptest::option::of(1..1_000u64), sliding: bool, unit in 0usize..5) {
        let unit = [Unit::Requests, Unit::InputTokens, Unit::OutputTokens, Unit::Tokens, Unit::Cost][unit];
        let algorithm = (sliding && burst.is_none()).then_some(Algorithm::SlidingWindow);
        if let Ok(quota) = Quota::new(limit, Nanos(window), burst, algorithm, unit) {
            prop_assert_eq!(Quota::parse(&quota.to_string()).unwrap(), quota);
        }
    }
}
