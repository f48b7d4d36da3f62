//! A flood neither grows anything beyond its room nor drives out what a campaign showed.

use super::bodies::Random;
use super::rounds;
use super::service::{Service, Stock, bare, campaign, convicted, paying, send};
use arrayvec::ArrayVec;
use ratelimit_guard_core::campaign::campaigns::MAX_CAMPAIGNS;
use ratelimit_guard_core::campaign::{Correlator, Room};
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::prompt::history::Answer;

/// How many of these a correlator holds, as it shows itself.
fn held(shown: &str, what: &str) -> usize {
    shown.matches(&format!("{what} {{")).count()
}

/// 200,000 requests of 50,000 accounts, most with random keys, some with keys of a small stock, some with answers of
/// others: what is held is what there is room for.
#[test]
fn memory_is_that_of_the_room() {
    let room = Room { keys: 1 << 14, accounts: 1 << 10, answers: 1 << 12 };
    let mut correlator = Correlator::new(room, None);
    let mut random = Random(17);
    for number in 0..rounds(200_000) {
        let account = random.below(50_000) as u64;
        let keys: Vec<u64> = (0..12)
            .map(|place| match random.below(4) {
                0 => mix(random.below(60) as u64 + 1),
                _ => mix(number << 8 | place),
            })
            .collect();
        let mut facts = bare(&keys, number);
        let answer = |_| {
            let ago = random.below(3_000).min(number as usize) as u64;
            Answer { hash: mix((1 << 40) + number - ago), link: 0, words: 30 }
        };
        facts.answers = (0..2).map(answer).collect::<ArrayVec<_, _>>();
        send(&mut correlator, account, account, &facts, (mix((1 << 40) + number), 30), number);
        if number % 50_000 == 49_999 {
            let shown = format!("{correlator:?}");
            assert_eq!((held(&shown, "Cell"), held(&shown, "Given")), (room.keys, room.answers), "{number}");
            assert_eq!(held(&shown, "Standing"), 2 * room.accounts);
            assert_eq!((held(&shown, "Rotator"), held(&shown, "Seat")), (room.accounts, room.accounts));
            assert!(held(&shown, "Campaign") <= MAX_CAMPAIGNS);
        }
    }
}

/// A flood of 50,000 tenants with keys of their own, each once, does not make a campaign forgotten that uses a tenth of
/// the room.
#[test]
fn a_flood_hides_no_campaign() {
    let mut random = Random(18);
    let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
    campaign(&mut service, &mut random, &stock, 0, 15);
    assert_eq!(convicted(&service.correlator), 1);
    for tenant in 0..50_000 {
        let keys: Vec<u64> = (0..8).map(|place| mix(1 << 40 | tenant << 8 | place)).collect();
        let found = service.send(1 << 20 | tenant, 1 << 20 | tenant, &bare(&keys, tenant), (0, 0));
        assert!(!found.matches && !found.pays);
        service.time -= 59;
    }
    let late = campaign(&mut service, &mut random, &stock, 0, 5);
    assert!(paying(&late) >= 95, "{}", paying(&late));
}
