//! The frame: bytes that are not those of a state are refused, each time with its reason.

use super::traffic::{TIGHT, traffic};
use super::{bytes, detector, ledger};
use ratelimit_guard_core::campaign::Correlator;
use ratelimit_guard_core::error::Fault;
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::live::saved::{Mark, State as Saved};
use ratelimit_guard_core::saved::{FORMAT, load, save};

type State = (u64, String, Vec<(u32, Option<f64>)>);

fn state() -> State {
    (7, "a name".into(), (0..40).map(|number| (number, (number % 3 == 0).then_some(f64::from(number)))).collect())
}

fn refused(what: &str, bytes: &[u8]) -> String {
    let error = load::<State>(what, bytes).unwrap_err();
    assert_eq!(error.fault(), Fault::Store);
    error.to_string()
}

/// Any byte that is another, any end that is missing, anything behind it.
#[test]
fn damage_is_refused() {
    let bytes = save("detector", &state()).unwrap();
    assert_eq!(load::<State>("detector", &bytes).unwrap(), state());
    for place in 0..bytes.len() {
        for change in 1..=255u8 {
            let mut bytes = bytes.clone();
            bytes[place] ^= change;
            refused("detector", &bytes);
        }
        refused("detector", &bytes[..place]);
        refused("detector", &bytes[place + 1..]);
        refused("detector", &[&bytes[..place], &[0; 100]].concat());
    }
    refused("detector", &[&bytes[..], &[0]].concat());
    refused("detector", &[&bytes[..], &bytes[..]].concat());
}

/// Two bytes that change places, and rows of them that are as they were before: torn pages.
#[test]
fn torn_pages_are_refused() {
    let mut correlator = Correlator::new(TIGHT, None);
    let sent = traffic(3, 60);
    let saves: Vec<_> = [&sent[..45], &sent[45..]]
        .map(|part| {
            part.iter().for_each(|sent| _ = sent.to(&mut correlator));
            save("correlator", &correlator).unwrap()
        })
        .into();
    let [before, after] = &saves[..] else { panic!() };
    for page in [24, 512, 4_096] {
        for start in (0..after.len().min(before.len()) - page).step_by(page) {
            let mut torn = after.clone();
            torn[start..start + page].copy_from_slice(&before[start..start + page]);
            assert_eq!(load::<Correlator>("correlator", &torn).is_ok(), torn == *after, "{start}");
        }
    }
    let mut swapped = after.clone();
    for place in (33..after.len()).step_by(5) {
        swapped.swap(place - 1, place);
        assert_eq!(load::<Correlator>("correlator", &swapped).is_ok(), swapped == *after, "{place}");
        swapped.swap(place - 1, place);
    }
}

/// What is wrong is said.
#[test]
fn reasons_are_given() {
    let bytes = save("detector", &state()).unwrap();
    let with = |place: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[place] = byte;
        bytes
    };
    let (length, whole) = (bytes.len() - 33, bytes.len() - 32);
    for (bytes, reason) in [
        (vec![], "it is cut off".to_string()),
        (b"{\"version\": 2, \"accounts\": [1, 2, 3, 4]}".to_vec(), "it is something else".into()),
        (bytes[..31].to_vec(), "it is cut off".into()),
        (with(8, 99), format!("it is of format 99, and this release reads {FORMAT}")),
        (bytes[..bytes.len() - 1].to_vec(), format!("it has {length} bytes of {whole}")),
        (with(40, 99), "its checksum is another".into()),
    ] {
        assert_eq!(refused("detector", &bytes), format!("the saved detector cannot be used: {reason}"));
    }
    assert_eq!(refused("ledger", &bytes), "the saved ledger cannot be used: its checksum is another");
    let error = load::<(u64, u64)>("detector", &bytes).unwrap_err();
    assert_eq!(error.to_string(), "the saved detector cannot be used: Not all bytes read");
    let error = save("detector", &f64::NAN).unwrap_err();
    assert!(error.fault() == Fault::Store && error.to_string().starts_with("detector cannot be saved: "), "{error}");
}

/// The layout of this format is this one. Whoever changes it gives the format a new number, and writes down what the
/// layout is then. Of the ledger only the length: its scores are logarithms in all their bits, and machines differ.
#[test]
fn the_layout_is_that_of_the_format() {
    let mut correlator = Correlator::new(TIGHT, None);
    traffic(5, 40).iter().for_each(|sent| _ = sent.to(&mut correlator));
    let sum = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| mix(sum ^ u64::from(*byte)));
    let [correlator, detector, ledger] = [bytes(&correlator), bytes(&detector::small()), bytes(&ledger::small())];
    assert_eq!((FORMAT, ledger.len()), (1, 18_744));
    assert_eq!((correlator.len(), sum(&correlator)), (40788, 14603596745719160492));
    assert_eq!((detector.len(), sum(&detector)), (4_807, 1_150_505_031_213_418_429));
}

/// The mark is told of what begins as a state in this format, and of nothing else: zeros are no secret.
#[test]
fn only_a_state_has_a_mark() {
    let mark = Mark { area: 1, position: 2, secret: [3, 4] };
    let bytes = save("detector", &(mark, state())).unwrap();
    assert_eq!(Saved::mark(&bytes[..80]), Some(mark));
    assert_eq!(Saved::mark(&bytes[..60]), None);
    for place in 0..16 {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1;
        assert_eq!(Saved::mark(&bytes), None, "{place}");
    }
    assert_eq!(Saved::mark(&[0; 256]), None);
}
