//! States that somebody wrote by hand: their checksum is right, and they are not. They may judge wrongly, but nothing
//! panics or hangs.

use super::bodies::Random;
use super::streams::{Prompt, Stream};
use super::traffic::{TIGHT, traffic};
use super::{detector, ledger};
use borsh::{BorshDeserialize, BorshSerialize, to_vec};
use ratelimit_guard_core::audit::groups::{Groups, Hit};
use ratelimit_guard_core::audit::judge::Judged;
use ratelimit_guard_core::audit::ledger::{Entry, Ledger, Tally};
use ratelimit_guard_core::audit::timeline::Point;
use ratelimit_guard_core::audit::totals::Totals;
use ratelimit_guard_core::bounded::Bounded;
use ratelimit_guard_core::campaign::campaigns::Campaigns;
use ratelimit_guard_core::campaign::rotator::{KEYS, Rotator};
use ratelimit_guard_core::campaign::{Correlator, Found, Room};
use ratelimit_guard_core::detector::signal::SIGNALS;
use ratelimit_guard_core::detector::{Assessment, Detector, Level};
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::prompt::capability::Capability;
use ratelimit_guard_core::sketch::hyperloglog::HyperLogLog;

/// Use a state with each of its bytes changed, in all of these ways. How many were read, and how many refused; also
/// those that end too early.
fn change<T: BorshSerialize + BorshDeserialize>(state: &T, changes: &[u8], mut used: impl FnMut(T)) -> [usize; 2] {
    let mut bytes = to_vec(state).unwrap();
    let mut count = [0; 2];
    for place in 0..bytes.len() {
        assert!(T::try_from_slice(&bytes[..place]).is_err());
        for change in changes {
            bytes[place] ^= change;
            let state = T::try_from_slice(&bytes);
            count[usize::from(state.is_err())] += 1;
            let _ = state.map(&mut used);
            bytes[place] ^= change;
        }
    }
    count
}

#[test]
fn a_changed_detector_goes_on() {
    let mut random = Random(11);
    let mut stream = Stream::new(&mut random);
    let prompts: Vec<Prompt> = (0..12).map(|_| stream.prompt()).collect();
    let count = change(&detector::small(), &[1, 0x80, 0xff], |mut detector: Detector| {
        for (prompt, number) in prompts.iter().zip(0..) {
            detector.observe(mix(number % 4), &prompt.at(100 + number));
        }
    });
    assert!(count[0] > 1_000 && count[1] > 50, "{count:?}");
}

/// Bits of lengths that would only ask for more room are left as they are. Of little room most is in use.
#[test]
fn a_changed_correlator_goes_on() {
    let sent = traffic(5, 3_020);
    let mut correlator = Correlator::new(Room { keys: 160, accounts: 6, answers: 16 }, None);
    let own = |number: &usize| sent[*number].is_of_a_campaign();
    (0..3_000).filter(own).take(300).for_each(|number| _ = sent[number].to(&mut correlator));
    sent[2_950..3_000].iter().for_each(|sent| _ = sent.to(&mut correlator));
    let shown = format!("{correlator:?}");
    assert!([("Rotator {", 6), ("Seat {", 5)].iter().all(|(what, most)| shown.matches(what).count() >= *most));
    let count = change(&correlator, &[4, 0x0b], |mut correlator: Correlator| {
        sent[3_000..].iter().for_each(|sent| _ = sent.to(&mut correlator));
    });
    assert!(count[0] > 1_000 && count[1] > 50, "{count:?}");
}

/// The maps of it in all bits, where many campaigns are.
#[test]
fn changed_campaigns_go_on() {
    let mut correlator = Correlator::new(TIGHT, None);
    traffic(6, 1_500).iter().for_each(|sent| _ = sent.to(&mut correlator));
    let campaigns = &correlator.campaigns;
    assert!(campaigns.convicted > 1);
    let count = change(campaigns, &[1, 0x80, 0xff], |mut campaigns: Campaigns| {
        let numbers: Vec<u32> = campaigns.iter().map(|(number, _)| number).collect();
        numbers.iter().for_each(|&number| campaigns.touch(number, 1 << 40));
        numbers.windows(2).for_each(|pair| _ = campaigns.merge(pair[0], pair[1]));
        campaigns.open(Default::default(), 5);
        campaigns.fade(1 << 50);
        assert!(campaigns.convicted <= campaigns.iter().count());
    });
    assert!(count[0] > 300 && count[1] > 50, "{count:?}");
}

#[test]
fn a_changed_ledger_goes_on() {
    let state = ledger::small();
    let names: Vec<_> = state.0.tallies().iter().map(|tally| tally.account.clone()).collect();
    let assessment = Assessment {
        level: Level::Throttle,
        score: 2.0,
        events: [Some(true); SIGNALS],
        evidence: [1.0; 5],
        requests: 9,
    };
    let mut correlator = Correlator::new(TIGHT, None);
    traffic(6, 900).iter().for_each(|sent| _ = sent.to(&mut correlator));
    let count = change(&state, &[1, 0x80, 0xff], |(mut ledger, mut groups, totals): (Ledger, Groups, Totals)| {
        for (account, number) in names.iter().zip(0u32..).take(4) {
            let time = 1_700_000_000.0 + 3e6 * f64::from(number);
            let entry = Entry { account, tenant: account, id: "r", time, answer_tokens: 3, is_answered: true };
            let found = Found { campaign: 1 + number % 2, matches: true, pays: true, ..Found::default() };
            if let Some(tally) = ledger.line(u64::from(number), &entry, true) {
                (0..60).for_each(|_| tally.add(&entry, Some(&Judged { assessment, found })));
                tally.timeline.points().for_each(drop);
            }
            let hit = Hit { time, id: "r", account, capability: Capability::Code, who: [1, 2, 3] };
            groups.add(&found, &hit, &correlator.campaigns);
        }
        for (_, group) in groups.convicted(&correlator.campaigns) {
            group.timeline().for_each(drop);
        }
        assert!(format!("{totals:?}").len() > 10);
    });
    assert!(count[0] > 1_000 && count[1] > 50, "{count:?}");
}

/// Lengths that no bytes are behind, twice the same key, more than there is room for, and registers of no sketch.
#[test]
fn what_cannot_be_is_refused() {
    let map = |parts: (u64, u64, Vec<(u64, u64, u8)>)| Bounded::<u8>::try_from_slice(&to_vec(&parts).unwrap());
    assert!(map((2, 9, vec![(5, 1, 7), (6, 2, 8)])).is_ok_and(|map| map.get(6) == Some(&8)));
    for parts in
        [(1, 9, vec![(5, 1, 7), (6, 2, 8)]), (2, 9, vec![(5, 1, 7), (5, 2, 8)]), (0, 9, vec![]), (2, 1 << 63, vec![])]
    {
        assert!(map(parts).is_err());
    }
    let endless = to_vec(&(u64::MAX, 0u64, u32::MAX)).unwrap();
    assert!(Bounded::<Vec<u8>>::try_from_slice(&endless).is_err());
    for registers in [vec![], vec![0u8; 8], vec![0; 17], vec![99; 16], vec![0; 1 << 17]] {
        assert!(HyperLogLog::try_from_slice(&to_vec(&registers).unwrap()).is_err());
    }
    for length in [0, 3, 1 << 26, 1 << 40, u64::MAX] {
        for used in [0, 1, u64::MAX] {
            assert!(Correlator::try_from_slice(&to_vec(&(length, used)).unwrap()).is_err());
        }
    }
}

/// The bytes of a state with a number at this place.
fn with<T: BorshSerialize>(state: &T, place: usize, number: &[u8]) -> Vec<u8> {
    let mut bytes = to_vec(state).unwrap();
    bytes[place..place + number.len()].copy_from_slice(number);
    bytes
}

/// Numbers that lead beyond an array, and those at the bound.
#[test]
fn what_leads_beyond_is_refused() {
    let empty = Correlator::new(Room { keys: 64, accounts: 8, answers: 16 }, None);
    let behind = to_vec(&empty).unwrap().len() - 28;
    // Keys, standings, answers and receivers in whole sets, and strangers that make a key hot.
    for (place, lengths, wrong) in [
        (0, vec![4u64, 128], vec![0u64, 1, 66]),
        (36, vec![1, 5, 32], vec![0]),
        (54, vec![4, 8], vec![0, 1, 7]),
        (90, vec![1 << 14], vec![0, 1 << 13, 1 << 15]),
        (behind, vec![4, 8], vec![0, 3, 9, 1 << 40]),
    ] {
        let is_read = |length: &u64| Correlator::try_from_slice(&with(&empty, place, &length.to_le_bytes())).is_ok();
        assert!(lengths.iter().all(is_read) && !wrong.iter().any(is_read), "{place}");
    }
    let filled = |number: u8| Rotator::try_from_slice(&with(&Rotator::default(), 224, &[number]));
    assert!(filled(KEYS as u8).is_ok_and(|rotator| rotator.keys() == [0; KEYS]) && filled(KEYS as u8 + 1).is_err());
}

/// Two lines of one account.
#[test]
fn doubled_lines_are_refused() {
    let (ledger, ..) = ledger::small();
    let first = &to_vec(&ledger).unwrap()[4..12];
    assert!(Ledger::try_from_slice(&with(&ledger, 4, first)).is_ok());
    assert!(Ledger::try_from_slice(&with(&ledger, 12, first)).is_err());
}

/// Points that could not be thinned.
#[test]
fn endless_timelines_are_refused() {
    let mut tally = Tally::default();
    for requests in 1..=60u32 {
        tally.timeline.add(Point { time: 0.0, requests, score: 0.5 });
    }
    let length = to_vec(&tally).unwrap().len();
    for (stride, is_read) in [(0u32, false), (1, true), (2, true), (3, false), (1 << 31, false)] {
        let bytes = with(&tally, length - 26, &stride.to_le_bytes());
        assert_eq!(Tally::try_from_slice(&bytes).is_ok(), is_read, "{stride}");
    }
    // The last point is not later than the one before.
    let bytes = with(&tally, length - 34, &58u32.to_le_bytes());
    assert!(Tally::try_from_slice(&bytes).is_err());
}
