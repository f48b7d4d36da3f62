//! What a history teaches: what strangers share in it is nobody's afterwards, but for what its campaigns share.

use super::bodies::Random;
use super::rounds;
use super::service::{Service, Stock, bare, campaign, convicted, paying, send, words};
use ratelimit_guard_core::campaign::{Correlator, Known, Room};
use ratelimit_guard_core::hash::mix;
use std::collections::HashSet;

/// Keys of a text between other words, as requests that hold it have them.
fn keys_of(service: &mut Service, text: &str) -> Vec<u64> {
    let facts = service.facts(&[text]);
    facts.keys.clone()
}

/// The public template of a history is known and never matches afterwards, from the first request on; the pieces of a
/// campaign in it are not, and the campaign is convicted again.
#[test]
fn a_history_knows_the_template_and_not_the_campaign() {
    for seed in 1..rounds(5) {
        let mut random = Random(mix(seed) | 1);
        let (mut history, stock) = (Service::new(None), Stock::new(&mut random, 30));
        let template = words(&mut random, 60);
        for _ in 0..20 {
            campaign(&mut history, &mut random, &stock, 0, 1);
            for person in 0..20 {
                let content = words(&mut random, 20);
                history.ask(1_000 + person, &format!("{template} {content}"));
            }
        }
        assert_eq!(convicted(&history.correlator), 1);
        let known = history.correlator.known(40);
        let keys: HashSet<u64> = known.keys.iter().copied().collect();
        assert!((known.tenants, keys.len()) == (3, known.keys.len()), "seed {seed}");
        let shared = keys_of(&mut history, &template);
        assert!(shared.len() > 5 && shared.iter().all(|key| keys.contains(key)), "seed {seed}");
        let pieces: Vec<u64> = stock.0.iter().flat_map(|piece| keys_of(&mut history, piece)).collect();
        let told = pieces.iter().filter(|key| keys.contains(key)).count();
        assert!(pieces.len() > 50 && told * 20 <= pieces.len(), "seed {seed}: {told} of {}", pieces.len());

        let mut service = Service::new(Some(&known));
        for person in 0..40 {
            let content = words(&mut random, 20);
            assert!(!service.ask(2_000 + person, &format!("{template} {content}")).matches, "seed {seed}");
        }
        campaign(&mut service, &mut random, &stock, 0, 12);
        assert_eq!(convicted(&service.correlator), 1);
        let late = campaign(&mut service, &mut random, &stock, 0, 5);
        assert!(paying(&late) > 90, "seed {seed}: {}", paying(&late));
        // What was known stays known for the history after.
        let keys: HashSet<u64> = service.correlator.known(40).keys.into_iter().collect();
        assert!(known.keys.iter().all(|key| keys.contains(key)));
    }
}

/// With a history a key is hot from one tenant more on than makes it common there, within bounds.
#[test]
fn a_history_says_what_is_hot() {
    for (tenants, hot) in [(0, 4), (1, 4), (3, 4), (4, 5), (5, 6), (7, 8), (9, 8), (usize::MAX - 1, 8)] {
        let known = Known { tenants, keys: vec![], owned: vec![] };
        let mut correlator = Correlator::new(Room { keys: 64, accounts: 64, answers: 64 }, Some(&known));
        let mut matched = Vec::new();
        for tenant in 0..12 {
            matched.push(send(&mut correlator, tenant, tenant, &bare(&[mix(1), mix(2)], tenant), (0, 0), 60).matches);
        }
        assert_eq!(matched.iter().position(|matches| *matches), Some(hot), "{tenants}");
    }
}

/// The larger the history, the more tenants make a key common: one more for each ten times as many.
#[test]
fn larger_histories_need_more_tenants() {
    let mut correlator = Correlator::new(Room { keys: 1 << 10, accounts: 64, answers: 64 }, None);
    // Key n is used by n tenants.
    for tenant in 0..9 {
        let keys: Vec<u64> = (tenant + 1..=9).map(mix).collect();
        send(&mut correlator, tenant, tenant, &bare(&keys, tenant), (0, 0), 60);
    }
    for (tenants, common) in
        [(0, 3), (40, 3), (49_999, 3), (50_000, 4), (499_999, 4), (500_000, 5), (5_000_000, 6), (usize::MAX, 7)]
    {
        let known = correlator.known(tenants);
        let keys: HashSet<u64> = known.keys.iter().copied().collect();
        assert_eq!((known.tenants, keys), (common, (common as u64..=9).map(mix).collect()), "{tenants}");
    }
}

/// No more keys are known than half of the room, so that there is some for others.
#[test]
fn known_keys_leave_room() {
    let known = Known { tenants: 3, keys: (0..10_000).map(mix).collect(), owned: vec![] };
    let correlator = Correlator::new(Room { keys: 1_000, accounts: 64, answers: 64 }, Some(&known));
    let kept = correlator.known(10).keys.len();
    assert!((450..=500).contains(&kept), "{kept}");
    let nothing = Correlator::new(Room { keys: 1_000, accounts: 64, answers: 64 }, None).known(0);
    assert_eq!(nothing, Known { tenants: 3, keys: vec![], owned: vec![] });
}

/// Who had a key in the history, alone or with one other, has it as his own afterwards; who comes third has not.
#[test]
fn owners_of_a_history_own() {
    let room = Room { keys: 1 << 10, accounts: 64, answers: 64 };
    let mut history = Correlator::new(room, None);
    let keys = [mix(1), mix(2)];
    (0..2).for_each(|tenant| _ = send(&mut history, tenant, tenant, &bare(&keys, tenant), (0, 0), 60));
    // What one used in one hour only is nobody's; used again after hours it is his.
    send(&mut history, 5, 5, &bare(&[mix(3), mix(4)], 10), (0, 0), 60);
    send(&mut history, 5, 5, &bare(&[mix(4)], 11), (0, 0), 60 + 5 * 3_600);
    let known = history.known(40);
    let mut owned: Vec<(u64, usize)> = known
        .owned
        .iter()
        .map(|(key, tenants)| (*key, tenants.iter().filter(|tenant| **tenant != 0).count()))
        .collect();
    let mut wanted = vec![(mix(1), 2), (mix(2), 2), (mix(4), 1)];
    owned.sort_unstable();
    wanted.sort_unstable();
    assert_eq!((owned, known.keys.len()), (wanted, 0));
    let mut correlator = Correlator::new(room, Some(&known));
    let mut ask = |tenant: u64| send(&mut correlator, tenant, tenant, &bare(&keys, 100 + tenant), (0, 0), 60).matches;
    // They are the first two of the eight, whoever comes before them today.
    (10..20).for_each(|tenant| _ = ask(tenant));
    assert_eq!([0, 1, 10, 11, 30].map(&mut ask), [false, false, true, true, true]);
}
