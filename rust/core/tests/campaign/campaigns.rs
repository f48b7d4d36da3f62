//! Campaigns: evidence of all together, what is one with what, who is convicted, and what is forgotten.

use super::bodies::Random;
use super::{cases, rounds};
use proptest::prelude::*;
use ratelimit_guard_core::campaign::campaigns::{
    CONVICTS, Campaign, Campaigns, Kind, MAX_CAMPAIGNS, MOST_OF_ONE, STOCK,
};
use ratelimit_guard_core::campaign::{HORIZON, MEMBERS};

/// A step in the life of campaigns, by their places in the order of opening.
#[derive(Clone, Debug)]
enum Step {
    Open,
    Join(usize, u32),
    Add(usize, f64),
    Touch(usize),
    Merge(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = 0usize..24;
    let step = prop_oneof![
        2 => Just(Step::Open),
        6 => (place.clone(), 1u32..12).prop_map(|(place, tenant)| Step::Join(place, tenant)),
        3 => (place.clone(), 0.0..5.0).prop_map(|(place, nats)| Step::Add(place, nats)),
        3 => place.clone().prop_map(Step::Touch),
        3 => (place.clone(), place).prop_map(|(one, other)| Step::Merge(one, other)),
    ];
    prop::collection::vec(step, 1..200)
}

/// The twin: for each number which it is part of, members and nats, and whether it was convicted.
#[derive(Clone, Debug, Default)]
struct Naive {
    whole: usize,
    members: Vec<u32>,
    nats: f64,
    is_convicted: bool,
    name: u32,
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Roots, convictions and evidence are those of the twin; the convicted one keeps its number, else the older one.
    #[test]
    fn campaigns_equal_their_twin(steps in steps()) {
        let mut campaigns = Campaigns::default();
        let mut naive: Vec<Naive> = vec![Naive::default()];
        let mut named = 0;
        for (now, step) in steps.into_iter().enumerate() {
            let root = |place: usize, naive: &[Naive]| naive.get(place % naive.len()).map_or(0, |one| one.whole);
            match step {
                Step::Open => {
                    prop_assert_eq!(campaigns.open(Kind::Rotation, now as u64), naive.len() as u32);
                    naive.push(Naive { whole: naive.len(), ..Naive::default() });
                    if let Some(one) = campaigns.get_mut(naive.len() as u32 - 1) {
                        one.pieces = STOCK;
                    }
                }
                Step::Join(place, tenant) => {
                    let place = root(place, &naive);
                    let members = &mut naive[place].members;
                    let is_new = place != 0 && members.len() < MEMBERS && !members.contains(&tenant);
                    if is_new {
                        members.push(tenant);
                    }
                    let joined = campaigns.get_mut(place as u32).is_some_and(|one| one.join(tenant));
                    prop_assert_eq!(joined, is_new);
                }
                Step::Add(place, nats) => {
                    let place = root(place, &naive);
                    naive[place].nats += nats;
                    if let Some(one) = campaigns.get_mut(place as u32) {
                        one.evidence += nats;
                    }
                }
                Step::Touch(place) => {
                    let place = root(place, &naive);
                    let one = &mut naive[place];
                    if place != 0 && !one.is_convicted && one.members.len() >= MEMBERS && one.nats >= CONVICTS {
                        named += 1;
                        (one.is_convicted, one.name) = (true, named);
                    }
                    campaigns.touch(place as u32, now as u64);
                }
                Step::Merge(one, other) => {
                    let (one, other) = (root(one, &naive), root(other, &naive));
                    if one == 0 || other == 0 {
                        continue;
                    }
                    let mut pair = [one.min(other), one.max(other)];
                    pair.sort_by_key(|&place| !naive[place].is_convicted);
                    let [whole, part] = pair;
                    prop_assert_eq!(campaigns.merge(one as u32, other as u32), whole as u32);
                    if whole != part {
                        let taken = std::mem::take(&mut naive[part]);
                        naive[whole].nats += taken.nats;
                        let names = [naive[whole].name, taken.name].into_iter().filter(|name| *name != 0);
                        naive[whole].name = names.min().unwrap_or(0);
                        for tenant in taken.members {
                            let members = &mut naive[whole].members;
                            if members.len() < MEMBERS && !members.contains(&tenant) {
                                members.push(tenant);
                            }
                        }
                        naive.iter_mut().filter(|one| one.whole == part).for_each(|one| one.whole = whole);
                        naive[part].whole = whole;
                    }
                }
            }
            let live = || naive.iter().enumerate().skip(1).filter(|(place, one)| one.whole == *place);
            prop_assert_eq!(campaigns.convicted, live().filter(|(_, one)| one.is_convicted).count());
            prop_assert_eq!(campaigns.iter().count(), live().count());
            for (place, one) in naive.iter().enumerate().skip(1) {
                let found = campaigns.root(place as u32);
                prop_assert_eq!((found, campaigns.root(found)), (one.whole as u32, one.whole as u32));
                prop_assert_eq!(campaigns.is_convicted(found), naive[one.whole].is_convicted);
                prop_assert_eq!(campaigns.name(place as u32), naive[one.whole].name);
            }
            for (place, one) in live() {
                prop_assert!((campaigns.get(place as u32).unwrap().evidence - one.nats).abs() < 1e-9);
            }
        }
    }

    /// The evidence is never below 0, and no account has given or taken more than its most.
    #[test]
    fn evidence_of_one_account_is_bounded(events in prop::collection::vec((0usize..5, any::<bool>()), 1..300)) {
        let mut campaign = Campaign::default();
        let (mut given, mut highest) = ([0.0f64; 5], 0.0f64);
        for (account, is_event) in events {
            let before = campaign.evidence;
            given[account] = campaign.add(is_event, given[account]);
            highest = highest.max(campaign.evidence);
            prop_assert!(given.iter().all(|nats| nats.abs() <= MOST_OF_ONE));
            prop_assert!(campaign.evidence >= 0.0);
            let moved = campaign.evidence - before;
            prop_assert!(moved.abs() < 1e-9 || is_event == (moved > 0.0));
            prop_assert_eq!(campaign.highest, highest);
        }
    }

    /// Where others have given enough, one account adds 2 nats or takes 2, however often and in whatever order it acts.
    #[test]
    fn one_account_moves_two_nats(events in prop::collection::vec(any::<bool>(), 1..100)) {
        let mut campaign = Campaign::default();
        campaign.evidence = 5.0;
        let mut given = 0.0;
        for is_event in events {
            given = campaign.add(is_event, given);
            prop_assert!((campaign.evidence - 5.0).abs() <= 2.0 + 1e-9);
        }
        (0..9).for_each(|_| given = campaign.add(true, given));
        prop_assert!((campaign.evidence - 7.0).abs() < 1e-9);
        (0..9).for_each(|_| given = campaign.add(false, given));
        prop_assert!((campaign.evidence - 3.0).abs() < 1e-9);
    }
}

/// Six members and 9.2 nats convict, neither five nor less; the moment and the number stay.
#[test]
fn members_and_nats_convict_at_their_bounds() {
    for (members, nats, is_convicted) in [(5, 100.0, false), (6, 9.19, false), (6, 9.2, true), (9, 9.2, true)] {
        let mut campaigns = Campaigns::default();
        let number = campaigns.open(Kind::Rotation, 3);
        let campaign = campaigns.get_mut(number).unwrap();
        (1..=members).for_each(|tenant| _ = campaign.join(tenant));
        (1..=members).for_each(|tenant| assert!(!campaign.join(tenant)));
        (campaign.evidence, campaign.pieces) = (nats, STOCK);
        campaigns.touch(number, 17);
        assert_eq!(campaigns.is_convicted(number), is_convicted, "{members} {nats}");
        campaigns.get_mut(number).unwrap().evidence = 0.0;
        campaigns.touch(number, 99);
        let moment = campaigns.get(number).unwrap().convicted;
        assert_eq!((moment, campaigns.convicted), (is_convicted.then_some(17), usize::from(is_convicted)));
    }
}

fn convict(campaigns: &mut Campaigns, number: u32, now: u64) {
    let campaign = campaigns.get_mut(number).unwrap();
    (1..=MEMBERS as u32).for_each(|tenant| _ = campaign.join(tenant));
    (campaign.evidence, campaign.pieces) = (CONVICTS, STOCK);
    campaigns.touch(number, now);
    assert!(campaigns.is_convicted(number));
}

/// Nobody opens more than there may be while all of them are new and convicted; then the next gets none, and everything
/// that is asked of none is harmless.
#[test]
fn campaigns_are_bounded() {
    let mut campaigns = Campaigns::default();
    for now in 0..MAX_CAMPAIGNS as u64 {
        let number = campaigns.open(Kind::Rotation, now);
        convict(&mut campaigns, number, now);
    }
    assert_eq!(campaigns.open(Kind::Provenance, MAX_CAMPAIGNS as u64), 0);
    assert_eq!((campaigns.iter().count(), campaigns.convicted), (MAX_CAMPAIGNS, MAX_CAMPAIGNS));
    campaigns.touch(0, 5);
    assert!(campaigns.get(0).is_none() && campaigns.root(0) == 0 && !campaigns.is_convicted(0));
    assert_eq!((campaigns.root(u32::MAX), campaigns.root(99_999)), (0, 0));
}

/// When there is no room, those that nobody served for a week go, and all that has become part of them.
#[test]
fn those_unused_for_a_week_are_forgotten() {
    let mut campaigns = Campaigns::default();
    let (old, part) = (campaigns.open(Kind::Rotation, 0), campaigns.open(Kind::Rotation, 0));
    convict(&mut campaigns, old, 0);
    campaigns.merge(old, part);
    let used = campaigns.open(Kind::Rotation, 0);
    campaigns.touch(used, 1);
    while campaigns.iter().count() < MAX_CAMPAIGNS {
        campaigns.open(Kind::Rotation, 1);
    }
    assert_eq!((campaigns.root(part), campaigns.convicted), (old, 1));
    let new = campaigns.open(Kind::Rotation, HORIZON + 1);
    assert!(new != 0 && campaigns.root(new) == new);
    assert_eq!((campaigns.root(old), campaigns.root(part), campaigns.convicted), (0, 0, 0));
    assert_eq!(campaigns.root(used), used);
}

/// When that makes no room the older half of those that are not convicted goes; convicted ones and newer ones stay.
#[test]
fn the_older_half_goes_before_what_is_convicted() {
    let mut campaigns = Campaigns::default();
    let first = campaigns.open(Kind::Rotation, 0);
    convict(&mut campaigns, first, 0);
    let mut now = 10_000;
    for _ in 1..3 * MAX_CAMPAIGNS {
        now += 1;
        let mut number = campaigns.open(Kind::Rotation, now);
        if number == 0 {
            // Room is looked for once an hour.
            now += 3_600;
            number = campaigns.open(Kind::Rotation, now);
        }
        assert!(number != 0 && campaigns.root(number) == number);
        assert!(campaigns.is_convicted(first) && campaigns.iter().count() <= MAX_CAMPAIGNS);
        let last = number.saturating_sub(MAX_CAMPAIGNS as u32 / 2 - 2);
        assert!(last < 2 || campaigns.root(last) == last);
    }
}

/// Of two kinds each has a name.
#[test]
fn kinds_have_names() {
    assert_eq!((Kind::Rotation.name(), Kind::Provenance.name()), ("rotation", "provenance"));
    let mut campaigns = Campaigns::default();
    let number = campaigns.open(Kind::Provenance, 0);
    assert_eq!(campaigns.get(number).unwrap().kind, Kind::Provenance);
}

/// However they merge, the highest is at least the evidence, and pieces and first conviction are those of all.
#[test]
fn what_merges_is_added() {
    for seed in 1..rounds(200) {
        let mut random = Random(seed);
        let mut campaigns = Campaigns::default();
        let numbers: Vec<u32> = (0..9).map(|now| campaigns.open(Kind::Rotation, now)).collect();
        for number in &numbers {
            campaigns.get_mut(*number).unwrap().pieces = STOCK;
            if random.below(3) == 0 {
                convict(&mut campaigns, *number, 100 - u64::from(*number));
            }
        }
        let first = campaigns.iter().filter_map(|(_, one)| one.convicted).min();
        let mut whole = numbers[random.below(9)];
        for number in &numbers {
            whole = campaigns.merge(campaigns.root(whole), campaigns.root(*number));
        }
        let campaign = campaigns.get(whole).unwrap();
        assert_eq!((campaign.pieces, campaign.convicted, campaigns.iter().count()), (9 * STOCK, first, 1));
        assert!(campaign.highest >= campaign.evidence || first.is_none());
        assert!(numbers.iter().all(|number| campaigns.root(*number) == whole));
    }
}

/// Campaigns fade, convicted or not, a week after a member showed them last; what is part of one fades with it.
#[test]
fn campaigns_fade() {
    let mut campaigns = Campaigns::default();
    let numbers: Vec<u32> = (0..4).map(|_| campaigns.open(Kind::Rotation, 100)).collect();
    convict(&mut campaigns, numbers[0], 100);
    convict(&mut campaigns, numbers[1], 200);
    campaigns.merge(numbers[0], numbers[2]);
    let live = |campaigns: &Campaigns| campaigns.iter().count();
    campaigns.fade(100 + HORIZON);
    assert_eq!((live(&campaigns), campaigns.convicted, campaigns.root(numbers[2])), (3, 2, numbers[0]));
    campaigns.touch(numbers[3], 300);
    campaigns.fade(101 + HORIZON);
    assert_eq!((live(&campaigns), campaigns.convicted), (2, 1));
    assert_eq!((campaigns.root(numbers[0]), campaigns.root(numbers[2])), (0, 0));
    // What was convicted can still be told of.
    assert_eq!((campaigns.name(numbers[0]), campaigns.name(numbers[2]), campaigns.records().count()), (1, 1, 2));
    // A clock that goes back does not age them.
    campaigns.touch(numbers[1], 5);
    campaigns.fade(200 + HORIZON);
    assert_eq!(campaigns.root(numbers[1]), numbers[1]);
    campaigns.fade(u64::MAX);
    assert_eq!((live(&campaigns), campaigns.convicted), (0, 0));
}

/// However merges chain, each number finds the whole at once.
#[test]
fn parts_of_parts_are_parts_of_the_whole() {
    let mut campaigns = Campaigns::default();
    let numbers: Vec<u32> = (0..9).map(|_| campaigns.open(Kind::Rotation, 0)).collect();
    for pair in numbers.windows(2).rev() {
        assert_eq!(campaigns.merge(pair[0], pair[1]), pair[0]);
    }
    assert!(numbers.iter().all(|number| campaigns.root(*number) == numbers[0]));
    assert_eq!(campaigns.iter().count(), 1);
}
