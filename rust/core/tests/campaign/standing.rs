//! Whose a key is by its first users, at the bounds.

use super::bodies::Random;
use super::rounds;
use ratelimit_guard_core::campaign::HORIZON_HOURS;
use ratelimit_guard_core::campaign::cells::{Cell, FIRST};
use ratelimit_guard_core::campaign::rotator::ROTATES;
use ratelimit_guard_core::campaign::standing::{MIN_ROTATING, PURE, Standings};
use ratelimit_guard_core::hash::mix;

const GUILTY: f64 = 2.0;
const OTHER: f64 = -1.2;
const NEUTRAL: f64 = 0.0;

/// Tenants far apart, so that each has a place.
fn tenant(number: usize) -> u32 {
    (number as u32) << 28 | 1
}

/// A key whose first users have such evidence, `None` for those that never matched; all in campaign 5.
fn pure(users: &[Option<f64>]) -> bool {
    let mut standings = Standings::new(1 << 12);
    let mut cell = Cell::default();
    for (number, evidence) in users.iter().enumerate() {
        cell.tenants[number] = tenant(number);
        if let Some(evidence) = evidence {
            standings.set(tenant(number), 1, 5, *evidence);
        }
    }
    assert!(!standings.is_pure(&cell, |home| home == 6));
    assert_eq!(standings.is_pure(&cell, |_| true), standings.is_pure(&cell, |home| home == 5));
    standings.is_pure(&cell, |_| true)
}

fn of(rotating: usize, others: usize, neutral: usize, strangers: usize) -> bool {
    let many = |evidence: Option<f64>, count: usize| vec![evidence; count];
    let users =
        [many(Some(GUILTY), rotating), many(Some(OTHER), others), many(Some(NEUTRAL), neutral), many(None, strangers)];
    pure(&users.concat())
}

/// Three that rotate and one other are enough, two others are too many; two that rotate are too few.
#[test]
fn keys_are_pure_at_the_bounds() {
    assert_eq!((MIN_ROTATING, PURE, ROTATES), (3, 0.75, 0.5));
    for (rotating, others, is_pure) in [
        (0, 0, false),
        (2, 0, false),
        (3, 0, true),
        (3, 1, true),
        (3, 2, false),
        (4, 1, true),
        (4, 2, false),
        (5, 2, false),
        (6, 2, true),
        (5, 3, false),
        (8, 0, true),
    ] {
        assert_eq!(of(rotating, others, 0, 0), is_pure, "{rotating} {others}");
        // Who never matched is another too; who matched and showed nothing counts neither way.
        assert_eq!(of(rotating, 0, 0, others), is_pure, "{rotating} {others}");
        assert_eq!(of(rotating, others, FIRST - rotating - others, 0), is_pure, "{rotating} {others}");
    }
}

/// Half a nat rotates, anything below 0 is another.
#[test]
fn evidence_counts_at_its_bounds() {
    let three = [Some(ROTATES); 3];
    assert!(pure(&three));
    assert!(!pure(&[Some(ROTATES), Some(ROTATES), Some(ROTATES - 0.01)]));
    let with = |evidence: f64| pure(&[&three[..], &[Some(evidence); 2]].concat());
    assert!(with(0.0) && with(ROTATES - 0.01) && !with(-0.01));
}

/// Homes are those of the first users that rotate, as many times as they have users.
#[test]
fn homes_are_those_of_who_rotates() {
    let mut standings = Standings::new(1 << 12);
    let mut cell = Cell::default();
    for (number, (campaign, evidence)) in [(7, 2.0), (0, 2.0), (7, 0.6), (8, -1.0), (9, 0.1)].into_iter().enumerate() {
        cell.tenants[number] = tenant(number);
        standings.set(tenant(number), 1, campaign, evidence);
    }
    cell.tenants[5] = tenant(5);
    assert_eq!(standings.homes(&cell).collect::<Vec<_>>(), [7, 0, 7]);
    // What was said last counts.
    standings.set(tenant(0), 1, 8, 2.0);
    standings.set(tenant(2), 1, 7, 0.0);
    assert_eq!(standings.homes(&cell).collect::<Vec<_>>(), [8, 0]);
}

/// Two of one place forget each other: never does one stand as the other does.
#[test]
fn tenants_of_one_place_forget_each_other() {
    for capacity in [0, 1, 7, 100] {
        let mut random = Random(capacity as u64 + 1);
        let mut standings = Standings::new(capacity);
        let mut said = std::collections::HashMap::new();
        for _ in 0..rounds(2_000) {
            let tenant = (mix(random.below(300) as u64) >> 32) as u32 | 1;
            let campaign = 1 + random.below(9) as u32;
            standings.set(tenant, 1, campaign, GUILTY);
            said.insert(tenant, campaign);
            let other = (mix(random.below(300) as u64) >> 32) as u32 | 1;
            let mut cell = Cell::default();
            cell.tenants[..2].copy_from_slice(&[tenant, other]);
            let homes: Vec<u32> = standings.homes(&cell).collect();
            assert!(homes.len() <= 2 && homes[0] == campaign);
            assert!(homes.iter().all(|home| *home == campaign || said.get(&other) == Some(home)));
        }
    }
}

/// The home of a tenant that rotates.
fn home(standings: &Standings, tenant: u32) -> Option<u32> {
    let mut cell = Cell::default();
    cell.tenants[0] = tenant;
    standings.homes(&cell).next()
}

/// Of two accounts of a tenant the one counts that shows most, and each may take back what it showed itself.
#[test]
fn the_account_that_shows_most_counts() {
    let mut standings = Standings::new(1 << 12);
    let tenant = tenant(3);
    standings.set(tenant, 1, 5, 2.0);
    standings.set(tenant, 2, 6, 1.9);
    standings.set(tenant, 3, 6, OTHER);
    assert_eq!(home(&standings, tenant), Some(5));
    standings.set(tenant, 2, 6, 2.0);
    assert_eq!(home(&standings, tenant), Some(6));
    standings.set(tenant, 1, 5, 3.0);
    assert_eq!(home(&standings, tenant), Some(5));
    standings.set(tenant, 1, 5, OTHER);
    assert_eq!(home(&standings, tenant), None);
    standings.set(tenant, 2, 6, NEUTRAL);
    standings.set(tenant, 2, 6, GUILTY);
    assert_eq!(home(&standings, tenant), Some(6));
}

/// Who does not rotate takes nobody's place who does, until that is a week ago; who rotates does.
#[test]
fn who_rotates_keeps_a_place_for_a_week() {
    for start in [0u16, 100, 65_500] {
        let mut standings = Standings::new(1);
        standings.hour = start;
        standings.set(1, 1, 5, GUILTY);
        standings.set(3, 3, 6, ROTATES - 0.01);
        assert_eq!((home(&standings, 1), home(&standings, 3)), (Some(5), None));
        standings.set(3, 3, 6, ROTATES);
        assert_eq!((home(&standings, 1), home(&standings, 3)), (None, Some(6)));
        standings.hour = start.wrapping_add(HORIZON_HOURS - 1);
        standings.set(1, 1, 5, OTHER);
        assert_eq!(home(&standings, 3), Some(6));
        standings.hour = start.wrapping_add(HORIZON_HOURS);
        assert_eq!(home(&standings, 3), None);
        standings.set(1, 1, 5, OTHER);
        standings.hour = start;
        assert_eq!(home(&standings, 3), None);
        // A clock that goes back forgets nothing.
        standings.set(1, 1, 5, GUILTY);
        standings.hour = start.wrapping_sub(300);
        assert_eq!(home(&standings, 1), Some(5));
    }
}
