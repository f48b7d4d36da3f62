//! What becomes of lines: each is used, passed over with its reason, or blank, wherever the chunks end.

use super::bodies::Random;
use super::lines::{Fate, Line, Prompt, Sums, lines, log, sums};
use super::{audited, auditor, rounds};
use proptest::prelude::*;
use ratelimit_guard_core::audit::ledger::Tally;
use ratelimit_guard_core::audit::totals::{Place, Skip, Totals};
use ratelimit_guard_core::audit::{Auditor, MAX_LINE, MAX_NAME};
use ratelimit_guard_core::detector::Level;
use ratelimit_guard_core::detector::signal::Signal;
use std::collections::BTreeMap;

/// Everything that a log came to.
fn outcome(auditor: &Auditor) -> String {
    format!("{:?} {:?} {:?}", auditor.totals, auditor.judge.ledger.tallies(), auditor.judge.ledger.unlisted)
}

/// How many lines were passed over for this reason, and file and line of the first.
fn skipped(totals: &Totals, why: Skip) -> (u64, u64, u64) {
    let (count, Place { file, line }) = totals.skipped[why as usize];
    (count, file, line)
}

/// Lines that are not blank are records, passed over or repeated; records are judged or not.
fn check_sums(auditor: &Auditor) {
    let totals = &auditor.totals;
    let skipped: u64 = totals.skipped.iter().map(|(count, _)| count).sum();
    assert_eq!(totals.lines, totals.records + skipped + totals.repeated);
    let of_all = |count: fn(&Tally) -> u32| -> u64 {
        auditor.judge.ledger.tallies().iter().map(|tally| u64::from(count(tally))).sum()
    };
    assert_eq!(totals.records, of_all(|tally| tally.requests));
    assert_eq!(totals.records, of_all(|tally| tally.counted) + totals.no_prompt + totals.not_judged);
    assert!(totals.skipped.iter().all(|(count, first)| (*count > 0) == (first.line > 0)));
}

/// What a file of lines of known fates must come to.
fn wanted(lines: &[Line]) -> Totals {
    let mut totals = Totals { place: Place { file: 1, line: 0 }, ..Totals::default() };
    let mut times = Vec::new();
    for (line, number) in lines.iter().zip(1..) {
        totals.lines += u64::from(line.fate != Fate::Blank);
        match &line.fate {
            Fate::Skipped(why) => {
                let (count, first) = &mut totals.skipped[*why as usize];
                *first = if *count == 0 { Place { file: 0, line: number } } else { *first };
                *count += 1;
            }
            Fate::Repeated => totals.repeated += 1,
            Fate::Record(record) => {
                totals.records += 1;
                totals.no_prompt += u64::from(record.prompt == Prompt::Unreadable);
                totals.not_judged += u64::from(record.prompt == Prompt::NotJudged);
                times.push(record.time);
            }
            Fate::Blank => {}
        }
    }
    totals.out_of_order = times.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64;
    totals.jumps = times.windows(2).filter(|pair| (pair[1] - pair[0]).abs() > 86_400.0).count() as u64;
    let earliest = times.iter().copied().reduce(f64::min);
    totals.span = earliest.zip(times.iter().copied().reduce(f64::max));
    totals
}

fn found_sums(auditor: &Auditor) -> BTreeMap<String, Sums> {
    let sums = |tally: &ratelimit_guard_core::audit::ledger::Tally| Sums {
        tenant: tally.tenant.to_string(),
        requests: tally.requests,
        answered: tally.answered,
        counted: tally.counted,
        tokens: tally.output_tokens,
        first: tally.first,
        last: tally.last,
    };
    auditor.judge.ledger.tallies().iter().map(|tally| (tally.account.to_string(), sums(tally))).collect()
}

/// A body with one task.
fn task(text: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn line(time: u64, account: &str, id: u64, text: &str) -> String {
    format!("{{\"t\":{time},\"user\":\"{account}\",\"id\":\"{id}\",\"request\":{}}}\n", task(text))
}

/// Every line of a log meets its fate, and the accounts' sums are those of their records.
#[test]
fn lines_meet_their_fates() {
    let mut seen = Totals::default();
    for seed in 1..rounds(600) {
        let mut random = Random(seed);
        let count = random.below(80);
        let lines = lines(&mut random, count);
        let is_ended = random.below(2) == 0;
        let auditor = audited(&log(&mut random, &lines, is_ended));
        assert_eq!(format!("{:?}", auditor.totals), format!("{:?}", wanted(&lines)), "seed {seed}");
        assert_eq!(found_sums(&auditor), sums(&lines), "seed {seed}");
        check_sums(&auditor);
        for (seen, one) in seen.skipped.iter_mut().zip(auditor.totals.skipped) {
            seen.0 += one.0;
        }
        for (seen, one) in [
            (&mut seen.repeated, auditor.totals.repeated),
            (&mut seen.out_of_order, auditor.totals.out_of_order),
            (&mut seen.jumps, auditor.totals.jumps),
            (&mut seen.no_prompt, auditor.totals.no_prompt),
            (&mut seen.not_judged, auditor.totals.not_judged),
        ] {
            *seen += one;
        }
    }
    let rarest = seen.skipped.iter().enumerate().filter(|(why, _)| *why != Skip::TooLong as usize);
    assert!(rarest.map(|(_, (count, _))| *count).min() > Some(100), "{seen:?}");
    let others = [seen.repeated, seen.out_of_order, seen.jumps, seen.no_prompt, seen.not_judged];
    assert!(others.into_iter().min() > Some(100), "{seen:?}");
}

/// Chunks may end anywhere.
#[test]
fn chunks_change_nothing() {
    for seed in 1..rounds(400) {
        let mut random = Random(seed);
        let lines = lines(&mut random, 25);
        let log = log(&mut random, &lines, false);
        let most = [1, 2, 7, 100, 3_000][random.below(5)];
        let mut parts = auditor();
        let mut rest = &log[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at((1 + random.below(most)).min(rest.len()));
            parts.feed(chunk);
            parts.feed(b"");
            rest = after;
        }
        parts.end_file();
        assert_eq!(outcome(&parts), outcome(&audited(&log)), "seed {seed}");
    }
}

/// The end of a file ends its last line, and lines are numbered file by file.
#[test]
fn files_end_their_last_lines() {
    let (one, two) = (line(1, "a", 1, "one"), line(2, "b", 2, "two"));
    let mut joined = auditor();
    joined.feed(one.trim_end().as_bytes());
    assert_eq!(joined.totals.lines, 0);
    joined.end_file();
    joined.feed(format!("\n{two}\n\n[]").as_bytes());
    assert_eq!((joined.totals.lines, joined.totals.place), (2, Place { file: 1, line: 4 }));
    joined.end_file();
    joined.end_file();
    joined.feed(b"\n[]\n{}\n");
    assert_eq!((joined.totals.lines, joined.totals.records), (5, 2));
    assert_eq!(joined.totals.place, Place { file: 3, line: 3 });
    assert_eq!(skipped(&joined.totals, Skip::NotJson), (2, 1, 5));
    assert_eq!(skipped(&joined.totals, Skip::NoTime), (1, 3, 3));
    let split = audited((one.trim_end().to_owned() + &two).as_bytes());
    assert_eq!(skipped(&split.totals, Skip::NotJson), (1, 0, 1));
}

/// A line may be as long as the cap; a longer one is passed over, whether it comes at once or in chunks, and does not
/// touch the next.
#[test]
fn long_lines_are_passed_over() {
    let next = line(2, "b", 2, "two");
    let mut long = line(1, "a", 1, "one").trim_end().as_bytes().to_vec();
    long.resize(MAX_LINE + 1, b' ');
    for (length, is_read) in [(MAX_LINE, true), (MAX_LINE + 1, false)] {
        let mut auditor = auditor();
        long[..length].chunks(1 << 20).for_each(|chunk| auditor.feed(chunk));
        auditor.feed(format!("\n{next}").as_bytes());
        let wanted = (1 + u64::from(is_read), if is_read { (0, 0, 0) } else { (1, 0, 1) });
        assert_eq!((auditor.totals.records, skipped(&auditor.totals, Skip::TooLong)), wanted, "in chunks: {length}");
        check_sums(&auditor);
    }
    for (length, is_read) in [(MAX_LINE, true), (MAX_LINE + 1, false)] {
        long.truncate(length - 1);
        long.resize(length, b' ');
        long.extend_from_slice(b"\n");
        let mut auditor = auditor();
        auditor.feed(&long);
        auditor.feed(next.as_bytes());
        let wanted = (1 + u64::from(is_read), if is_read { (0, 0, 0) } else { (1, 0, 1) });
        assert_eq!((auditor.totals.records, skipped(&auditor.totals, Skip::TooLong)), wanted, "at once: {length}");
    }
    let mut endless = auditor();
    long.chunks(1 << 20).for_each(|chunk| endless.feed(&vec![b'x'; chunk.len()]));
    endless.end_file();
    assert_eq!(skipped(&endless.totals, Skip::TooLong), (1, 0, 1));
}

/// A mark at the start of a file and returns before its line ends change nothing.
#[test]
fn marks_and_returns_change_nothing() {
    let log: String = (0..20).map(|number| line(number, "a", number, "a task of some words")).collect();
    let plain = outcome(&audited(log.as_bytes()));
    for other in
        [format!("\u{feff}{log}"), log.replace('\n', "\r\n"), log.replace('\n', "\n\r\n \n"), format!("\n{log}")]
    {
        assert_eq!(outcome(&audited(other.as_bytes())), plain);
    }
}

/// A line that says the same again is passed over; another account's, another time's, one with other words and one
/// without a name are not.
#[test]
fn repeated_lines_are_passed_over() {
    let one = line(5, "a", 1, "one");
    let unnamed = one.replace("\"id\":\"1\",", "");
    let records = |log: &[&str]| {
        let totals = audited(log.concat().as_bytes()).totals;
        (totals.records, totals.repeated)
    };
    assert_eq!(records(&[&one, &one, &one]), (1, 2));
    assert_eq!(records(&[&one, &line(5, "b", 1, "one"), &line(6, "a", 1, "one"), &line(5, "a", 2, "one")]), (4, 0));
    assert_eq!(records(&[&one, &line(7, "b", 9, "x"), &line(5, "a", 1, "other words")]), (3, 0));
    assert_eq!(records(&[&one, &line(7, "b", 9, "x"), &one]), (2, 1));
    assert_eq!(records(&[&unnamed, &unnamed]), (2, 0));
}

/// Accounts whose names are equal up to the cap are one; names are cut where a character begins.
#[test]
fn long_names_are_cut() {
    for (character, length) in [("x", MAX_NAME), ("é", MAX_NAME), ("漢", MAX_NAME - 1), ("😀", MAX_NAME)] {
        let name = character.repeat(MAX_NAME);
        let log = line(1, &name, 1, "one") + &line(2, &format!("{name}more"), 2, "two");
        let auditor = audited(log.as_bytes());
        let [tally] = auditor.judge.ledger.tallies() else {
            panic!("{} accounts", auditor.judge.ledger.tallies().len())
        };
        assert_eq!((tally.account.len(), tally.requests), (length, 2));
        assert!(name.starts_with(&*tally.account));
    }
}

/// A body in a string is judged as the body itself is.
#[test]
fn bodies_in_strings_are_judged_alike() {
    let log = |is_string: bool| -> String {
        let body = |number: u64| match is_string {
            true => {
                serde_json::Value::String(task(&format!("do \\\"{number}\\\" things\\nnow {number} é"))).to_string()
            }
            false => task(&format!("do \\\"{number}\\\" things\\nnow {number} é")),
        };
        let line = |number| format!("{{\"t\":{number},\"user\":\"a\",\"request\":{}}}\n", body(number));
        (1..100).map(line).collect()
    };
    let (as_object, as_string) = (audited(log(false).as_bytes()), audited(log(true).as_bytes()));
    assert_eq!(outcome(&as_object), outcome(&as_string));
    assert_eq!(as_object.judge.ledger.tallies()[0].counted, 99);
}

/// So many different tasks of an account, named by their numbers.
fn tasks(account: &str, count: u64) -> String {
    let words = ["ash", "birch", "cedar", "elm", "fir", "gum", "hazel", "iris"];
    let text = |number: u64| {
        let word = |place: u64| words[(number >> (3 * place)) as usize % 8];
        format!("{} {} tell {} story {number}", word(0), word(1), word(2))
    };
    (0..count).map(|number| line(number, account, number, &text(number))).collect()
}

/// A stream of bare new tasks is flagged at the request that crosses, with examples of convicting signals; a declared
/// account is shown and never flagged.
#[test]
fn walks_are_flagged_once_unless_declared() {
    let log = tasks("a", 200);
    let auditor = audited(log.as_bytes());
    let tally = &auditor.judge.ledger.tallies()[0];
    let flag = tally.flag.as_ref().unwrap();
    assert_eq!((tally.level, tally.requests, tally.counted), (Level::Throttle, 200, 200));
    assert_eq!((flag.time, flag.id.parse(), flag.after < 150), (f64::from(flag.after), Ok(flag.after), true));
    let flagged_by = |lines: usize| {
        let log: String = log.split_inclusive('\n').take(lines).collect();
        audited(log.as_bytes()).judge.ledger.tallies()[0].flag.is_some()
    };
    assert!(!flagged_by(flag.after as usize) && flagged_by(flag.after as usize + 1));
    let walk = Signal::CorpusWalk as usize;
    assert_eq!(tally.events[walk].1, 200);
    assert!(
        tally.events[walk].0 > 190
            && f64::from(tally.evidence[walk]) > auditor.judge.detector.thresholds().of(Signal::CorpusWalk)
    );
    assert!(tally.score >= 1.0 && !tally.examples.is_empty());
    assert!(tally.examples.iter().all(|(time, id, signal)| signal.convicts() && id.parse() == Ok(*time)));

    let mut declared = super::auditor();
    declared.declare("a");
    declared.declare("nobody");
    declared.feed(log.as_bytes());
    let tally = &declared.judge.ledger.tallies()[0];
    assert!(tally.level <= Level::Observe && tally.flag.is_none() && tally.events[walk].0 == 0);
}

/// An account that history shows is observed at most, with all its evidence.
#[test]
fn known_accounts_are_never_flagged() {
    let mut known = auditor();
    known.suspect("a");
    known.feed((tasks("a", 200) + &tasks("b", 200)).as_bytes());
    let [ours, other] = known.judge.ledger.tallies() else { panic!("two accounts") };
    assert_eq!((ours.level, other.level), (Level::Observe, Level::Throttle));
    assert_eq!((ours.flag.is_some(), other.flag.is_some()), (false, true));
    assert_eq!((ours.score, ours.evidence, ours.events), (other.score, other.evidence, other.events));
}

/// Names of reasons are all different.
#[test]
fn reasons_have_names() {
    for (number, why) in Skip::ALL.into_iter().enumerate() {
        assert_eq!(number, why as usize);
        assert!(Skip::ALL.iter().all(|other| *other == why || other.name() != why.name()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(500) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any bytes are lines of some kind.
    #[test]
    fn any_bytes_add_up(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..12)) {
        let mut auditor = auditor();
        chunks.iter().for_each(|chunk| auditor.feed(chunk));
        auditor.end_file();
        check_sums(&auditor);
        let log = chunks.concat();
        let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        prop_assert_eq!(auditor.totals.lines, lines as u64);
    }

    /// So are lines of which some bytes are wrong.
    #[test]
    fn damaged_lines_add_up(seed in 1u64.., wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut random = Random(seed);
        let lines = lines(&mut random, 12);
        let mut log = log(&mut random, &lines, true);
        for (place, byte) in wrong {
            let place = place.index(log.len());
            log[place] = byte;
        }
        let auditor = audited(&log);
        check_sums(&auditor);
        let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        prop_assert_eq!(auditor.totals.lines, lines as u64);
    }
}

/// Nothing but strings and numbers names an account.
#[test]
fn words_name_nobody() {
    for word in ["true", "false", "NaN", "Infinity", "[1]", "{}"] {
        assert_eq!(audited(format!("{{\"t\":1,\"user\":{word}}}").as_bytes()).totals.records, 0, "{word}");
    }
    for name in ["7", "-7", "\"7\""] {
        assert_eq!(audited(format!("{{\"t\":1,\"user\":{name}}}").as_bytes()).totals.records, 1, "{name}");
    }
}

/// A day is a jump.
#[test]
fn a_day_is_a_jump() {
    assert_eq!(audited(b"{\"t\":1,\"user\":1}\n{\"t\":86401,\"user\":1}\n").totals.jumps, 1);
    assert_eq!(audited(b"{\"t\":1,\"user\":1}\n{\"t\":86400,\"user\":1}\n").totals.jumps, 0);
}
