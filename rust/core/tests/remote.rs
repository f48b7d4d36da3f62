//! Questions to a server's script and its answers: what is written can be read, and nothing that is read can panic.

use proptest::prelude::*;
use ratelimit_guard_core::quota::Quota;
use ratelimit_guard_core::remote::policies::{digest, tag_of};
use ratelimit_guard_core::remote::{Answered, Call, Due, Gate, Policies, Program, TAGS};
use ratelimit_guard_core::time::Nanos;
use std::collections::HashSet;
use std::sync::Arc;

fn policies(namespace: &str, quotas: &[(&str, &str)]) -> Arc<Policies> {
    let quotas: Vec<_> = quotas.iter().map(|(name, text)| (name.to_string(), Quota::parse(text).unwrap())).collect();
    Arc::new(Policies::new(namespace, &quotas).unwrap())
}

fn two() -> Arc<Policies> {
    policies("api", &[("calls", "10/hour"), ("tokens", "1000 tokens/hour")])
}

/// Numbers of an array in MessagePack, as the script reads them.
fn numbers(bytes: &[u8]) -> Vec<u64> {
    assert_eq!(bytes[0], 0xdd);
    let (mut found, mut rest) = (Vec::new(), &bytes[5..]);
    while let Some((&first, after)) = rest.split_first() {
        let size = match first {
            0..0x80 => 0,
            0xcd => 2,
            0xcf => 8,
            other => panic!("byte {other:#x} is not written"),
        };
        let value = after[..size].iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        found.push(if size == 0 { first.into() } else { value });
        rest = &after[size..];
    }
    assert_eq!(found.len() as u32, u32::from_be_bytes(bytes[1..5].try_into().unwrap()));
    found
}

#[test]
fn keys_name_version_namespace_and_tag_and_nothing_of_the_caller() {
    let (policies, mut program) = (two(), Program::default());
    let key = digest(b"alice@example.com").unwrap();
    program.charge(&policies, &[key, key], 1, 0, Gate::None, false).unwrap();
    let (keys, _) = program.arguments(0, 1);
    let keys: Vec<_> = keys.map(str::to_owned).collect();
    assert_eq!(keys.len(), 2);
    let begin = format!("rlg1:api:{{{:02}}}:", tag_of(key));
    assert!(keys.iter().all(|key| key.starts_with(&begin) && key.len() == begin.len() + 32), "{keys:?}");
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn namespaces_cannot_be_taken_for_each_other_or_for_a_tag() {
    let texts = ["", "a", "a:b", "a%3Ab", "{00}", "a\u{0}", "é", "A"];
    let prefixes: HashSet<_> =
        texts.iter().map(|text| policies(text, &[("p", "1/hour")]).prefix().to_owned()).collect();
    assert_eq!(prefixes.len(), texts.len());
    assert!(prefixes.iter().all(|prefix| prefix.matches(':').count() == 2 && !prefix.contains(['{', '}'])));
}

#[test]
fn equal_keys_are_one_counter_and_equal_policies_one_rule() {
    let (policies, mut program) = (two(), Program::default());
    let key = digest(b"k").unwrap();
    for _ in 0..3 {
        program.charge(&policies, &[key, key], 1, 0, Gate::None, false).unwrap();
    }
    let (keys, argument) = program.arguments(7, 9);
    assert_eq!(keys.count(), 2);
    let numbers = numbers(&argument);
    assert_eq!(numbers[..4], [7, 9, 2, 2]);
    assert_eq!(numbers.len(), 4 + 2 * 5 + 3 * (3 + 2 * 3));
}

#[test]
fn another_policy_of_the_same_name_but_algorithm_is_another_counter() {
    let key = digest(b"k").unwrap();
    let names: HashSet<String> = ["1/hour", "1/hour; burst=1", "1/hour; algorithm=sliding-window"]
        .iter()
        .map(|quota| {
            let mut program = Program::default();
            program.charge(&policies("", &[("p", quota)]), &[key], 1, 0, Gate::None, false).unwrap();
            program.arguments(0, 1).0.next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names.len(), 3);
}

#[test]
fn what_one_quota_cuts_off_an_estimate_no_other_is_charged() {
    let policies = policies("", &[("own", "100 tokens/hour"), ("in", "5000 input-tokens/hour"), ("n", "9/hour")]);
    let keys = [digest(b"k").unwrap(); 3];
    let call = Call { units: 2, input: 400, output: 50, least: 10, ..Call::default() };
    assert_eq!(Program::default().reserve(&policies, &keys, &call, Gate::None).unwrap(), [90, 90, 2]);
    let sure = Call { surely: 400, ..call };
    assert_eq!(Program::default().reserve(&policies, &keys, &sure, Gate::None).unwrap(), [400, 400, 2]);
}

#[test]
fn wrong_numbers_of_keys_are_told() {
    let mut program = Program::default();
    let key = digest(b"k").unwrap();
    assert!(program.charge(&two(), &[key], 1, 0, Gate::None, false).is_err());
    assert!(program.peek(&two(), &[key; 3], 1).is_err());
    assert!(program.is_empty());
    assert!(digest(&vec![0; 65_537]).is_err());
}

#[test]
fn answers_are_read_in_the_order_of_the_questions() {
    let (policies, mut program) = (two(), Program::default());
    let keys = [digest(b"k").unwrap(); 2];
    program.charge(&policies, &keys, 1, 0, Gate::Opens, false).unwrap();
    program.charge(&policies, &keys, 1, 0, Gate::Behind, true).unwrap();
    program.peek(&policies, &keys, 1).unwrap();
    program.reset(&policies, keys[0]);
    program.settle(&policies, &keys, &[(1, Due { debit: 3, ..Due::default() })]);
    program.renew(&policies, 0, keys[0], 5, 6);
    let reply: &[i64] = &[
        77, // the instant
        0, 10, 0, 9, 8, 1000, 1, 2, -1, // refused: ten calls for 8 µs, tokens for ever
        2,  // skipped
        3,  // damaged
        1, 0, 0, // reset; settled, but not held; renewed in vain
        4, // reclaimed
    ];
    let mut bytes = vec![0xdc, 0, reply.len() as u8];
    for &number in reply {
        match number {
            -1 => bytes.push(0xff),
            0..0x80 => bytes.push(number as u8),
            _ => bytes.extend([0xcd, (number >> 8) as u8, number as u8]),
        }
    }
    let reply = program.read(&bytes).unwrap();
    assert_eq!((reply.now, reply.reclaimed), (77, 4));
    let Answered::Told(outcome) = &reply.answers[0] else { panic!("{:?}", reply.answers[0]) };
    assert_eq!(outcome.answers()[0].retry_after, Nanos(8_000));
    assert_eq!(outcome.answer().retry_after, Nanos::NEVER);
    assert!(matches!(reply.answers[1], Answered::Skipped));
    assert!(matches!(reply.answers[2], Answered::Damaged));
    assert!(matches!(reply.answers[3], Answered::Flag(true)));
    assert!(matches!(reply.answers[4], Answered::Flag(false)));
    assert!(matches!(reply.answers[5], Answered::Renewed(None)));
}

proptest! {
    #[test]
    fn no_reply_can_panic(reply in prop::collection::vec(any::<u8>(), 0..200), head in 0u8..4) {
        let (policies, mut program) = (two(), Program::default());
        let keys = [digest(b"k").unwrap(); 2];
        program.charge(&policies, &keys, 1, 0, Gate::None, true).unwrap();
        program.peek(&policies, &keys, 1).unwrap();
        program.renew(&policies, 0, keys[0], 5, 6);
        let begin: &[u8] = [&[][..], &[0x9f], &[0xdc, 0, 20], &[0xdd, 0, 0, 0, 20]][usize::from(head)];
        let _ = program.read(&[begin, &reply].concat());
    }

    #[test]
    fn all_numbers_arrive_that_a_server_can_hold(now in 0u64..1 << 53, cost in any::<u64>(), key in any::<Vec<u8>>()) {
        let (policies, mut program) = (two(), Program::default());
        let key = digest(&key).unwrap();
        prop_assert!(tag_of(key) < TAGS);
        program.charge(&policies, &[key; 2], cost, 0, Gate::None, false).unwrap();
        let argument = program.arguments(now, 3).1;
        let numbers = numbers(&argument);
        prop_assert_eq!(numbers[0], now);
        prop_assert_eq!(*numbers.last().unwrap(), cost.min((1 << 53) - 1));
    }
}
