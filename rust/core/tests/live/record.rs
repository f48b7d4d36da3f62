//! Records: there and back, at their longest, and from words that nobody wrote.

use super::bodies::Random;
use super::desk::{judge, key};
use super::service::{ROOM, START, Service, Stock, words};
use super::{bodies, cases};
use proptest::prelude::*;
use ratelimit_guard_core::audit::judge::Case;
use ratelimit_guard_core::audit::ledger::Entry;
use ratelimit_guard_core::audit::{MAX_NAME, cut};
use ratelimit_guard_core::hash::{Seed, mix};
use ratelimit_guard_core::live::record::{Observation, Outgoing, Record};
use ratelimit_guard_core::live::ring::MAX_WORDS;
use ratelimit_guard_core::prompt::facts::{Facts, facts};
use ratelimit_guard_core::prompt::fields::Fields;
use ratelimit_guard_core::prompt::history::MAX_ANSWERS;
use ratelimit_guard_core::prompt::keys::MAX_KEYS;
use ratelimit_guard_core::prompt::scan::Scanner;
use ratelimit_guard_core::prompt::segment::MAX_SEGMENTS;
use ratelimit_guard_core::prompt::text::Scratch;
use ratelimit_guard_core::prompt::words::Keys;
use serde_json::json;

fn written(outgoing: &Outgoing<'_>) -> Vec<u64> {
    let mut words = Vec::new();
    outgoing.write(&mut words);
    words
}

/// All that judging needs comes back.
fn assert_whole(outgoing: &Outgoing<'_>) -> Box<Observation> {
    let words = written(outgoing);
    let Some(Record::Observation(seen)) = Record::read(&words) else { panic!("no observation") };
    let mut again = Vec::new();
    Record::Observation(seen.clone()).write(&mut again);
    assert_eq!(again, words);
    assert!(seen.time == outgoing.time && seen.who == outgoing.who && seen.names == outgoing.names);
    assert_eq!((seen.answer, seen.is_declared), (outgoing.answer, outgoing.is_declared));
    assert_eq!(seen.answer_tokens, outgoing.answer_tokens.map(|tokens| tokens.min(u32::MAX - 1)));
    let (found, sent) = (&seen.facts, outgoing.facts);
    assert_eq!(
        (found.words, found.digest, found.system, found.suffix),
        (sent.words, sent.digest, sent.system, sent.suffix)
    );
    assert_eq!((&found.keys, &found.places, found.user_place), (&sent.keys, &sent.places, sent.user_place));
    assert_eq!((&found.prefixes, &found.segments), (&sent.prefixes, &sent.segments));
    assert_eq!((found.assistant_turns, found.capability), (sent.assistant_turns, sent.capability));
    let answers = |facts: &Facts| facts.answers.iter().map(|answer| (answer.hash, answer.words)).collect::<Vec<_>>();
    assert_eq!(answers(found), answers(sent));
    seen
}

/// A conversation so long that nothing of its facts could be more, from names that could not be longer.
#[test]
fn the_longest_record_fits() {
    let mut random = Random(5);
    let mut service = Service::new(None);
    let long: Vec<String> =
        (0..33).map(|_| (0..400).map(|_| words(&mut random, 6) + ".").collect::<Vec<_>>().join("\n")).collect();
    let turns: Vec<&str> = long.iter().map(String::as_str).collect();
    let mut facts = service.facts(&turns);
    // As many keys as no text of so many lines has.
    facts.keys.resize(MAX_KEYS, u64::MAX);
    facts.places.resize(MAX_KEYS, u8::MAX);
    assert_eq!((facts.segments.len(), facts.answers.len()), (MAX_SEGMENTS, MAX_ANSWERS));
    assert_eq!(facts.prefixes.len(), 3);
    for letter in ["a", "é", "漢", "😀", "\0", "\u{2028}"] {
        let name = letter.repeat(MAX_NAME);
        let outgoing = Outgoing {
            time: 1.7e9,
            who: [u64::MAX; 3],
            names: [cut(&name); 3],
            answer: (u64::MAX, u32::MAX),
            answer_tokens: Some(u32::MAX),
            is_declared: true,
            facts: &facts,
        };
        assert!(written(&outgoing).len() <= MAX_WORDS, "{}", written(&outgoing).len());
        assert_whole(&outgoing);
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,9}", ".{0,40}", "[é漢😀a]{60,300}"].prop_map(|name| cut(&name).to_string())
}

proptest! {
    #![proptest_config(cases())]

    /// Whatever a client sends.
    #[test]
    fn there_and_back(
        seed in 1u64..u64::MAX, time in -1e10f64..1e12, who: [u64; 3], names in [name(), name(), name()],
        answer: (u64, u32), answer_tokens: Option<u32>, is_declared: bool,
    ) {
        let (mut fields, mut scratch) = (Fields::default(), Scratch::default());
        let body = bodies::body(&mut Random(seed), &bodies::all());
        let scanner = Scanner::new(&bodies::all(), 1 << 20).unwrap();
        prop_assume!(scanner.scan(&body, &mut fields).is_ok());
        let facts = facts(&body, &fields, &Keys::new(Seed([1, 2])), &mut scratch);
        let names = names.each_ref().map(String::as_str);
        assert_whole(&Outgoing { time, who, names, answer, answer_tokens, is_declared, facts: &facts });
    }

    /// Random words, and records with some word changed or cut off, are read or not, without harm; what is read can be
    /// written, and its time is one.
    #[test]
    fn garbage_is_read_without_harm(
        mut garbage in prop::collection::vec(any::<u64>(), 0..80), first in 0u64..6, seed in 1u64..u64::MAX,
        place in 0usize..60, word: u64, end in 0usize..80,
    ) {
        let check = |words: &[u64]| {
            let Some(record) = Record::read(words) else { return };
            if let Record::Observation(seen) = &record {
                assert!(seen.time.is_finite());
                assert_eq!(seen.facts.keys.len(), seen.facts.places.len());
            }
            record.write(&mut Vec::new());
        };
        check(&garbage);
        garbage.insert(0, first);
        check(&garbage);
        let mut random = Random(seed);
        let text = words(&mut random, 40);
        let facts = Service::new(None).facts(&[&text]);
        let names = ["account", "tenant", "request"];
        let outgoing = Outgoing { time: 1.7e9, who: [1, 2, 3], names, answer: (4, 5), answer_tokens: None, is_declared: false, facts: &facts };
        let mut words = written(&outgoing);
        let place = place % words.len();
        words[place] = word;
        check(&words);
        check(&words[..end.min(words.len())]);
    }
}

/// Numbers at their ends, and records that are no observations.
#[test]
fn small_records_come_back() {
    for record in [
        Record::ReleaseAccount(0),
        Record::ReleaseAccount(u64::MAX),
        Record::ReleaseCampaign(1),
        Record::ReleaseCampaign(u32::MAX),
        Record::Save,
    ] {
        let mut words = Vec::new();
        record.write(&mut words);
        assert_eq!(Record::read(&words), Some(record));
    }
    assert_eq!(Record::read(&[]), None);
    assert_eq!(Record::read(&[2]), None);
}

/// A moment that is none would stop a timeline, and with it whoever leads.
#[test]
fn a_moment_that_is_none_is_no_record() {
    let facts = Service::new(None).facts(&["hello"]);
    for time in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let names = ["a"; 3];
        let outgoing = Outgoing {
            time,
            who: [1; 3],
            names,
            answer: (0, 0),
            answer_tokens: None,
            is_declared: false,
            facts: &facts,
        };
        assert_eq!(Record::read(&written(&outgoing)), None, "{time}");
    }
}

/// What detector and correlator say of the facts that came back is what they say of the facts that were sent: over a
/// long stream with campaigns, relays, templates and words of one's own.
#[test]
fn nothing_is_judged_otherwise() {
    let mut random = Random(9);
    let mut service = Service::new(None);
    let (mut one, mut other) = (judge(ROOM), judge(ROOM));
    let stocks = [Stock::new(&mut random, 30), Stock::new(&mut random, 16)];
    let template = words(&mut random, 50);
    let mut replies: Vec<String> = (0..8).map(|_| words(&mut random, 30)).collect();
    let (mut pays, mut events) = (0, 0);
    for number in 0..6_000u64 {
        let tenant = random.below(40) as u64;
        let text = match tenant {
            0..15 => stocks[0].compose(&mut random, 3),
            15..24 => stocks[1].compose(&mut random, 2),
            24..30 => format!("{template} {}", words(&mut random, 9)),
            _ => words(&mut random, 30),
        };
        let asked = words(&mut random, 9);
        let place = random.below(8);
        let turns = if tenant >= 30 { vec![&asked[..], &replies[place], &text] } else { vec![&text[..]] };
        let facts = service.facts(&turns);
        let reply = words(&mut random, 30);
        let answer = (mix(number), 30 * u32::from(number % 3 == 0));
        replies[place] = reply;
        let outgoing = Outgoing {
            time: START as f64 + 31.5 * number as f64,
            who: [key(tenant), mix(key(tenant)), tenant % 3],
            names: ["a", "t", "r"],
            answer,
            answer_tokens: [None, Some(20), Some(400)][random.below(3)],
            is_declared: tenant == 3,
            facts: &facts,
        };
        let seen = assert_whole(&outgoing);
        let entry = Entry { account: "a", tenant: "t", id: "r", time: seen.time, answer_tokens: 0, is_answered: true };
        let Outgoing { who: [account, tenant, network], answer_tokens, is_declared, .. } = outgoing;
        let case = |facts| Case { entry, account, tenant, network, facts, answer_tokens, answer, is_declared };
        let judged = [one.add(&case(&facts)), other.add(&case(&seen.facts))];
        let [first, second] = judged.each_ref().map(|judged| format!("{judged:?}"));
        assert_eq!(first, second, "request {number}");
        pays += u32::from(judged[0].found.pays);
        events += judged[0].assessment.events.iter().filter(|event| **event == Some(true)).count();
    }
    assert!(pays > 1_000 && events > 1_000, "{pays} {events}");
}

/// The same with an object that a client may send: no text at all.
#[test]
fn an_empty_prompt_is_a_record() {
    let scanner = Scanner::new(&bodies::all(), 1 << 20).unwrap();
    let body = json!({"messages": []}).to_string();
    let mut fields = Fields::default();
    scanner.scan(body.as_bytes(), &mut fields).unwrap();
    let facts = facts(body.as_bytes(), &fields, &Keys::new(Seed([1, 2])), &mut Scratch::default());
    let names = [""; 3];
    assert_whole(&Outgoing {
        time: 0.0,
        who: [0; 3],
        names,
        answer: (0, 0),
        answer_tokens: Some(0),
        is_declared: false,
        facts: &facts,
    });
}
