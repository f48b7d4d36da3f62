//! Who used a key first: as in a slow twin while no set is full, for a week, over clocks that run backwards.

use super::bodies::Random;
use super::rounds;
use ratelimit_guard_core::campaign::HORIZON_HOURS;
use ratelimit_guard_core::campaign::cells::{COMMUNITY, Cells, FIRST, IMMUNE, KNOWN};
use ratelimit_guard_core::hash::mix;
use std::collections::HashMap;

/// What the twin remembers; its hours have no end.
#[derive(Clone, Debug, Default)]
struct Naive {
    users: Vec<(u32, u16)>,
    is_known: bool,
    first: i64,
    last: i64,
}

#[derive(Default)]
struct Twin(HashMap<u64, Naive>);

impl Twin {
    fn get(&self, key: u64, hour: i64) -> Option<&Naive> {
        self.0.get(&key).filter(|one| one.is_known || hour - one.last < i64::from(HORIZON_HOURS))
    }

    /// A tenant counts once, and not with the prompt of the one before him.
    fn add(&mut self, key: u64, tenant: u32, prompt: u16, hour: i64) {
        if self.get(key, hour).is_none() {
            self.0.insert(key, Naive { first: hour, last: hour, ..Naive::default() });
        }
        let one = self.0.get_mut(&key).unwrap();
        one.last = one.last.max(hour);
        let is_there = one.users.iter().any(|user| user.0 == tenant);
        let is_copy = one.users.last().is_some_and(|last| last.1 == prompt);
        if !is_there && !is_copy && one.users.len() < FIRST {
            one.users.push((tenant, prompt));
        }
    }
}

fn compare(cells: &Cells, twin: &Twin, key: u64, hour: i64) -> bool {
    let (found, wanted) = (cells.get(key, hour as u16), twin.get(key, hour));
    assert_eq!(found.is_some(), wanted.is_some());
    let (Some(found), Some(wanted)) = (found, wanted) else { return false };
    let users: Vec<_> = found.tenants.into_iter().zip(found.prompts).take(found.count()).collect();
    assert_eq!((users, found.is_known()), (wanted.users.clone(), wanted.is_known));
    assert!(found.tenants[found.count()..].iter().all(|tenant| *tenant == 0));
    if !found.is_known() {
        assert_eq!(i64::from(found.age(hour as u16)), (hour - wanted.first).max(0));
    }
    for tenant in 1..20 {
        let is_early = wanted.users.iter().take(IMMUNE).any(|user| user.0 == tenant);
        assert_eq!(found.is_own_of(tenant), is_early);
    }
    found.count() == FIRST
}

/// Whatever comes in whatever order, also over the end of the count of hours.
#[test]
fn cells_equal_their_twin() {
    let (mut full, mut expired) = (0, 0);
    for seed in 1..rounds(300) {
        let mut random = Random(mix(seed) | 1);
        let (mut cells, mut twin) = (Cells::new(1 << 12), Twin::default());
        let mut hour = 65_536 - random.below(800) as i64;
        let prompts = [2, 5, 1_000][random.below(3)];
        for _ in 0..400 {
            hour = (hour + [0, 0, 0, 1, 5, 24, -1, -30, 167, 168][random.below(10)]).max(60_000);
            let key = mix(1 + random.below(12) as u64);
            let tenant = 1 + random.below(18) as u32;
            expired += u64::from(twin.0.contains_key(&key) && twin.get(key, hour).is_none());
            if random.below(100) == 0 {
                // Said before the first hour of the count, which is the one after its end too.
                cells.set_known(key);
                twin.add(key, 1, 0, 65_536);
                twin.0.get_mut(&key).unwrap().is_known = true;
            } else {
                let prompt = random.below(prompts) as u16;
                cells.add(key, tenant, prompt, hour as u16);
                twin.add(key, tenant, prompt, hour);
            }
            full += u64::from(compare(&cells, &twin, key, hour));
            compare(&cells, &twin, mix(1 + random.below(12) as u64), hour);
        }
        assert_eq!(cells.iter().count(), twin.0.len());
    }
    assert!(full > 1_000 && expired > 1_000, "{full} {expired}");
}

/// A key is forgotten a week after its last use, not after its first, and then starts anew.
#[test]
fn keys_expire_after_a_week_without_use() {
    for start in [0u16, 1, 500, 32_700, 65_400, 65_535] {
        let mut cells = Cells::new(64);
        for day in 0..30u16 {
            cells.add(7, u32::from(day) + 1, day, start.wrapping_add(24 * day));
        }
        let last = start.wrapping_add(24 * 29);
        assert_eq!(cells.get(7, last).map(|cell| cell.count()), Some(FIRST));
        assert!(cells.get(7, last.wrapping_add(167)).is_some());
        assert!(cells.get(7, last.wrapping_add(168)).is_none());
        // A clock that went back forgets nothing.
        assert!(cells.get(7, last.wrapping_sub(500)).is_some());
        cells.add(7, 99, 0, last.wrapping_add(168));
        let cell = cells.get(7, last.wrapping_add(168)).unwrap();
        assert_eq!((cell.count(), cell.tenants[0], cell.age(last.wrapping_add(170))), (1, 99, 2));
        assert_eq!(cells.iter().count(), 1);
    }
}

/// Known keys stay as long as anything does.
#[test]
fn known_keys_never_expire() {
    let mut cells = Cells::new(64);
    cells.set_known(7);
    for hour in (0..=65_535).step_by(97) {
        let cell = cells.get(7, hour).unwrap();
        assert!(cell.is_known() && cell.owner == KNOWN);
    }
    cells.add(7, 5, 5, 40_000);
    assert!(cells.get(7, 40_000).unwrap().is_known());
}

/// One set of four holds three keys of worth against any flood; a fourth is lost, because whatever comes must stand
/// somewhere.
#[test]
fn a_set_holds_three_against_a_flood() {
    for (worthy, is_known) in [(3, true), (4, true), (3, false), (4, false)] {
        let mut cells = Cells::new(1);
        assert_eq!(cells.capacity(), 4);
        let worthy_keys = (1..=worthy).map(|key: u64| mix(1 << 50 | key));
        for key in worthy_keys.clone() {
            if is_known {
                cells.set_known(key);
            }
            (1..=FIRST as u32).for_each(|tenant| cells.add(key, tenant, tenant as u16, 0));
        }
        for key in 0..10_000 {
            cells.add(mix(key), 1, 1, (key % 100) as u16);
        }
        let kept = worthy_keys.filter(|key| cells.get(*key, 100).is_some()).count();
        assert_eq!(kept, 3, "{worthy} {is_known}");
    }
}

/// Keys of many tenants, those of a campaign and known ones outlive a million keys of one tenant each while they are a
/// tenth of the room.
#[test]
fn worthy_keys_survive_a_flood() {
    let mut cells = Cells::new(1 << 12);
    for key in 1..=120 {
        match key % 3 {
            0 => cells.set_known(mix(key)),
            1 => (1..=FIRST as u32).for_each(|tenant| cells.add(mix(key), tenant, tenant as u16, 10)),
            _ => {
                cells.add(mix(key), 1, 1, 10);
                cells.set_owner(mix(key), 5);
            }
        }
    }
    for key in 0..1_000_000 {
        cells.add(mix(1 << 40 | key), 3, 1, 10 + (key >> 14) as u16);
    }
    let kept = (1..=120).filter(|key| cells.get(mix(*key), 71).is_some()).count();
    assert_eq!((kept, cells.iter().count()), (120, 1 << 12));
}

/// What goes first: forgotten keys, then those of one tenant, of two, of three, then what belongs to somebody.
#[test]
fn the_least_worth_goes_first() {
    let mut cells = Cells::new(1);
    let users = |cells: &mut Cells, key: u64, count: u32, hour: u16| {
        (1..=count).for_each(|tenant| cells.add(mix(key), tenant, tenant as u16, hour));
    };
    users(&mut cells, 1, 8, 0);
    users(&mut cells, 2, 1, 200);
    users(&mut cells, 3, 2, 201);
    users(&mut cells, 4, 1, 202);
    cells.set_owner(mix(4), 9);
    for (new, gone) in [(5, 1), (6, 2), (7, 5), (8, 6)] {
        users(&mut cells, new, 1, 203 + new as u16);
        assert!(cells.get(mix(gone), 210).is_none(), "{new}");
        assert!(
            cells.get(mix(3), 210).is_some() && cells.get(mix(4), 210).is_some() && cells.get(mix(new), 210).is_some()
        );
    }
}

/// A community's keys are nobody's while they are used, and forgotten as others are.
#[test]
fn keys_of_a_community_expire() {
    let mut cells = Cells::new(64);
    cells.add(7, 5, 5, 100);
    cells.set_owner(7, COMMUNITY);
    assert!(cells.get(7, 100 + 167).unwrap().is_known() && cells.get(7, 100 + 168).is_none());
    cells.add(7, 5, 5, 100 + 168);
    assert!(!cells.get(7, 100 + 168).unwrap().is_known());
}

/// Owners of before come first, and a key that was used again after an hour is told from one that was not.
#[test]
fn owners_come_first() {
    let mut cells = Cells::new(64);
    cells.set_own(7, [5, 9], 65_530);
    cells.set_own(8, [5, 0], 65_530);
    (20..30).for_each(|tenant| cells.add(7, tenant, tenant as u16, 65_530));
    let cell = cells.get(7, 65_530).unwrap();
    assert!(cell.is_own_of(5) && cell.is_own_of(9) && !cell.is_own_of(20) && !cell.is_lasting());
    assert_eq!((cell.count(), cells.get(8, 65_530).unwrap().count()), (FIRST, 1));
    cells.add(7, 5, 1, 65_530u16.wrapping_add(10));
    assert!(cells.get(7, 4).unwrap().is_lasting());
}
