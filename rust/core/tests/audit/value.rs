//! What columns hold, in the many ways in which gateways write it.

use super::bodies::Random;
use super::rounds;
use ratelimit_guard_core::audit::value::{bare, count, generates, is_answered, time};

/// 2026-11-21 22:08:10 UTC.
const NOW: f64 = 1_795_298_890.0;

/// Days from 1970 to a date, counted year by year and month by month.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let is_leap = |year: i64| year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let length = |month: i64| match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let years: i64 = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    years + (1..month).map(length).sum::<i64>() + day - 1
}

/// One moment in every way that is understood.
#[test]
fn one_moment_has_many_spellings() {
    let spellings = [
        "1795298890",
        "1795298890.0",
        "1.79529889e9",
        "1795298890000",
        "1795298890000000",
        "1795298890000000000",
        "\"1795298890\"",
        "\" 1795298890000 \"",
        "\"2026-11-21T22:08:10Z\"",
        "\"2026-11-21t22:08:10.000z\"",
        "\"2026-11-21T22:08:10\"",
        "\"2026-11-21 22:08:10\"",
        "\"2026-11-21 22:08:10+00:00\"",
        "\"2026-11-21T23:38:10+01:30\"",
        "\"2026-11-21T14:08:10-08\"",
        "\"21/Nov/2026:22:08:10 +0000\"",
        "\"22/Nov/2026:00:08:10 +0200\"",
    ];
    for spelling in spellings {
        assert_eq!(time(spelling), Some(NOW), "{spelling}");
    }
    let fractions = [
        "1795298890.25",
        "1795298890250",
        "1795298890250000",
        "\"2026-11-21T22:08:10.25Z\"",
        "\"2026-11-21 22:08:10,25\"",
    ];
    for spelling in fractions {
        assert_eq!(time(spelling), Some(NOW + 0.25), "{spelling}");
    }
}

/// What is no time, or nobody's.
#[test]
fn what_is_no_time_is_refused() {
    let refused = [
        "null",
        "true",
        "\"\"",
        "\" \"",
        "\"now\"",
        "{}",
        "[1795298890]",
        "{\"t\":1}",
        "-1",
        "\"-5\"",
        "NaN",
        "\"nan\"",
        "Infinity",
        "\"inf\"",
        "-Infinity",
        "1e400",
        "1e30",
        "1e10",
        "99999999999",
        "\"2026-13-01T00:00:00Z\"",
        "\"2026-02-29T00:00:00Z\"",
        "\"1969-12-31T23:59:59Z\"",
        "\"2300-01-01T00:00:00Z\"",
        "\"22:08:10\"",
        "\"21/Nov/2026:22:08:10\"",
        "\"2026-11-21T22:08:10 or so\"",
        "\"\\u0031\"",
        "\"",
        "",
    ];
    for value in refused {
        assert_eq!(time(value), None, "{value}");
    }
    assert_eq!(time("0"), Some(0.0));
    assert_eq!(time("9999999999"), Some(9_999_999_999.0));
}

/// Numbers of every unit, and dates with every offset, are the moments that they name.
#[test]
fn moments_are_read_in_every_unit() {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    for seed in 1..rounds(20_000) {
        let mut random = Random(seed);
        let mut below = |bound: i64| random.below(bound as usize) as i64;
        let (year, month, day) = (1971 + below(300), 1 + below(12), 1 + below(28));
        let (hour, minute, second, milli) = (below(24), below(60), below(60), below(1_000));
        let (sign, ahead) = ([1, -1][below(2) as usize], (below(14), below(60)));
        let local = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
        let utc = local - sign * (ahead.0 * 60 + ahead.1) * 60;
        let (sign, clock) = (if sign > 0 { '+' } else { '-' }, format!("{hour:02}:{minute:02}:{second:02}"));
        let iso = format!("\"{year}-{month:02}-{day:02}T{clock}.{milli:03}{sign}{:02}:{:02}\"", ahead.0, ahead.1);
        assert_eq!(time(&iso), Some((utc * 1_000 + milli) as f64 / 1e3), "{iso}");
        let unzoned = format!("\"{year}-{month:02}-{day:02} {clock}\"");
        assert_eq!(time(&unzoned), Some(local as f64), "{unzoned}");
        let month = MONTHS[month as usize - 1];
        let server = format!("\"{day:02}/{month}/{year}:{clock} {sign}{:02}{:02}\"", ahead.0, ahead.1);
        assert_eq!(time(&server), Some(utc as f64), "{server}");
        assert_eq!(time(&utc.to_string()), Some(utc as f64));
        if utc >= 100_000_000 {
            // Earlier ones look like seconds, as they must: 1973 is the first year of milliseconds.
            for scale in [1_000, 1_000_000, 1_000_000_000] {
                let number = (i128::from(utc) * scale + i128::from(milli) * scale / 1_000).to_string();
                let (found, wanted) = (time(&number).unwrap(), utc as f64 + milli as f64 / 1e3);
                assert!((found - wanted).abs() < 1e-5, "{number}: {found} for {wanted}");
            }
        }
    }
}

/// Counts as numbers or strings of them; what is none is `None`, and what is too large is the largest.
#[test]
fn counts_are_read() {
    let cases = [
        ("0", Some(0)),
        ("17", Some(17)),
        ("\"17\"", Some(17)),
        ("17.9", Some(17)),
        ("1e3", Some(1_000)),
        ("-0", Some(0)),
        ("4294967295", Some(u32::MAX)),
        ("4294967296", Some(u32::MAX)),
        ("1e300", Some(u32::MAX)),
        ("-1", None),
        ("-0.5", None),
        ("NaN", None),
        ("null", None),
        ("true", None),
        ("\"\"", None),
        ("\"many\"", None),
        ("[1]", None),
        ("{}", None),
    ];
    for (value, wanted) in cases {
        assert_eq!(count(value), wanted, "{value}");
    }
}

/// Codes and words of success.
#[test]
fn answers_are_told_from_failures() {
    for value in ["200", "\"200\"", "201", "299", "200.0", "\"success\"", "\"ok\"", "\"\"", "\"200 OK\"", "true"] {
        assert!(is_answered(value), "{value}");
    }
    for value in [
        "0",
        "100",
        "199",
        "300",
        "404",
        "\"429\"",
        "500",
        "-200",
        "NaN",
        "false",
        "\"500 OK\"",
        "\"stop\"",
        "\"denied\"",
    ] {
        assert!(!is_answered(value), "{value}");
    }
    for word in ["fail", "failure", "failed", "error", "timeout", "cancelled"] {
        assert!(!is_answered(&format!("\"{word}\"")) && !is_answered(&format!("\"{}\"", word.to_uppercase())));
    }
}

/// Calls that answer with text of the model.
#[test]
fn calls_that_generate_are_known() {
    for value in ["\"/v1/chat/completions\"", "\"/v1/responses\"", "\"/v1/messages\"", "\"acompletion\"", "\"\"", "7"] {
        assert!(generates(value), "{value}");
    }
    for value in [
        "\"/v1/embeddings\"",
        "\"aembedding\"",
        "\"/V1/EMBEDDINGS\"",
        "\"/v1/moderations\"",
        "\"rerank\"",
        "\"/v1/audio/transcriptions\"",
        "\"/v1/audio/translations\"",
        "\"/v1/audio/speech\"",
        "\"image_generation\"",
    ] {
        assert!(!generates(value), "{value}");
    }
}

/// Quotes go in pairs.
#[test]
fn quotes_go_in_pairs() {
    for (json, text) in [("\"a\"", "a"), ("a", "a"), ("\"", "\""), ("\"\"", ""), ("\"a", "\"a"), ("\"\"\"", "\"")] {
        assert_eq!(bare(json), text);
    }
}
