//! What is kept of each campaign: counts, a timeline whose bins double, examples.

use super::bodies::Random;
use super::rounds;
use ratelimit_guard_core::audit::groups::{BINS, Group, Groups, Hit, MAX_EXAMPLES};
use ratelimit_guard_core::campaign::campaigns::{CONVICTS, Campaigns, Kind, STOCK};
use ratelimit_guard_core::campaign::{Found, MEMBERS};
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::prompt::capability::Capability;

const WIDTH: f64 = 300.0;

/// So many campaigns, of which some are convicted, the newest first.
fn campaigns(count: u32, is_convicted: impl Fn(u32) -> bool) -> Campaigns {
    let mut campaigns = Campaigns::default();
    (0..count).for_each(|_| _ = campaigns.open(Kind::Rotation, 0));
    for number in (1..=count).rev().filter(|number| is_convicted(*number)) {
        let campaign = campaigns.get_mut(number).unwrap();
        (1..=MEMBERS as u32).for_each(|tenant| _ = campaign.join(tenant));
        (campaign.evidence, campaign.pieces) = (CONVICTS, STOCK);
        campaigns.touch(number, u64::from(1_000 - number));
    }
    campaigns
}

fn hit(time: f64, who: [u64; 3]) -> Hit<'static> {
    Hit { time, id: "r", account: "a", capability: Capability::Maths, who }
}

fn found(campaign: u32, pays: bool) -> Found {
    Found { campaign, matches: true, event: pays.then_some(true), pays, ..Found::default() }
}

/// The bins of the twin: five minutes wide, or twice as wide, …, so that all fit; what is earlier than the first record
/// counts where the line begins.
fn naive(hits: &[(f64, bool)]) -> (f64, Vec<(f64, u32, u32)>) {
    let start = (hits[0].0 / WIDTH).floor() * WIDTH;
    let last = hits.iter().map(|hit| hit.0).fold(start, f64::max);
    let width = (0..).map(|power| WIDTH * f64::from(1 << power)).find(|width| last - start < width * BINS as f64);
    let width = width.unwrap();
    let mut bins = vec![(0, 0); BINS];
    for (time, pays) in hits {
        let bin = &mut bins[((time - start) / width).max(0.0) as usize];
        *bin = (bin.0 + 1, bin.1 + u32::from(*pays));
    }
    let used = bins.iter().rposition(|bin| *bin != (0, 0)).unwrap() + 1;
    let shown = bins[..used].iter().enumerate();
    (width, shown.map(|(place, bin)| (start + place as f64 * width, bin.0, bin.1)).collect())
}

fn sums(group: &Group) -> (u64, u64) {
    group.timeline().fold((0, 0), |sum, (_, matches, paid)| (sum.0 + u64::from(matches), sum.1 + u64::from(paid)))
}

/// After any records the bins are those of the twin, and no record is lost.
#[test]
fn timelines_equal_their_twin() {
    let mut widest = 0.0f64;
    for seed in 1..rounds(300) {
        let mut random = Random(mix(seed) | 1);
        let convicted = campaigns(1, |_| true);
        let mut groups = Groups::default();
        let (mut time, mut hits) = (1.7e9 + random.below(1_000) as f64 / 7.0, Vec::new());
        let longest = [10, 400, 20_000, 900_000][random.below(4)];
        for _ in 0..1 + random.below(200) {
            time += random.below(longest) as f64 / 3.0 - if random.below(20) == 0 { 5_000.0 } else { 0.0 };
            let pays = random.below(3) == 0;
            hits.push((time, pays));
            groups.add(&found(1, pays), &hit(time, [1, 2, 3]), &Campaigns::default());
        }
        let [(1, group)] = &groups.convicted(&convicted)[..] else { panic!("one group") };
        let (width, bins) = naive(&hits);
        widest = widest.max(width);
        let shown: Vec<_> = group.timeline().collect();
        assert!(shown.iter().map(|bin| (bin.1, bin.2)).eq(bins.iter().map(|bin| (bin.1, bin.2))), "seed {seed}");
        assert!(shown.iter().zip(&bins).all(|(one, other)| (one.0 - other.0).abs() < 1e-6), "seed {seed}");
        let paid = hits.iter().filter(|hit| hit.1).count() as u64;
        let all = hits.len() as u64;
        assert_eq!((sums(group), group.matches, group.restricted), ((all, paid), all, paid));
        let times = hits.iter().map(|hit| hit.0);
        assert_eq!(group.first, times.clone().fold(f64::INFINITY, f64::min));
        assert_eq!((group.last, group.events), (times.fold(f64::NEG_INFINITY, f64::max), paid));
    }
    assert!(widest > 100_000.0, "{widest}");
}

/// A record of any time a log can have fits.
#[test]
fn any_time_fits() {
    let convicted = campaigns(1, |_| true);
    let mut groups = Groups::default();
    for time in [5.0, 9_999_999_999.0, 0.0, 1.7e9, 299.9] {
        groups.add(&found(1, true), &hit(time, [1; 3]), &Campaigns::default());
    }
    assert_eq!(sums(&groups.convicted(&convicted)[0].1), (5, 5));
}

/// Convicted ones are told in the order of conviction, with all that has become part of them; of others nothing is.
#[test]
fn parts_are_added_to_their_whole() {
    let mut all = campaigns(9, |number| [3, 6, 8].contains(&number));
    assert_eq!((all.merge(3, 1), all.merge(3, 9), all.merge(2, 4)), (3, 3, 2));
    let mut groups = Groups::default();
    for number in 1..=9u32 {
        for time in 0..40 {
            let time = f64::from(time * 1_000 + 7 * number);
            groups.add(&found(number, number % 2 == 1), &hit(time, [u64::from(number), 5, 0]), &Campaigns::default());
        }
    }
    let told = groups.convicted(&all);
    assert_eq!(told.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [8, 6, 3]);
    let whole = &told[2].1;
    assert_eq!((whole.matches, whole.restricted, whole.events, sums(whole)), (120, 120, 120, (120, 120)));
    assert_eq!((whole.first, whole.last), (7.0, 39_063.0));
    assert_eq!((whole.capabilities[Capability::Maths as usize], whole.capabilities.iter().sum()), (120, 120u64));
    let different = whole.different.clone().map(|sketch| sketch.unwrap().count().round());
    assert_eq!(different, [3.0, 1.0, 0.0]);
    let times: Vec<f64> = whole.examples.iter().map(|example| example.0).collect();
    assert_eq!((times, MAX_EXAMPLES), (vec![7.0, 21.0, 63.0, 1_007.0, 1_021.0, 1_063.0], 6));
    assert!(told[0].1.examples.is_empty() && told[0].1.restricted == 0 && told[0].1.matches == 40);
}

/// Examples are the first requests that paid.
#[test]
fn examples_are_the_first_that_paid() {
    let convicted = campaigns(1, |_| true);
    let mut groups = Groups::default();
    (0..100)
        .for_each(|time| groups.add(&found(1, time % 3 == 2), &hit(f64::from(time), [1; 3]), &Campaigns::default()));
    let group = &groups.convicted(&convicted)[0].1;
    let times: Vec<f64> = group.examples.iter().map(|example| example.0).collect();
    assert_eq!(times, [2.0, 5.0, 8.0, 11.0, 14.0, 17.0]);
}

/// Campaigns with counts are bounded; those that have some go on.
#[test]
fn groups_are_bounded() {
    let convicted = campaigns(1, |_| true);
    let mut groups = Groups::default();
    (1..=20_000).for_each(|number| groups.add(&found(number, false), &hit(1.0, [0; 3]), &convicted));
    groups.add(&found(1, true), &hit(2.0, [0; 3]), &convicted);
    let group = &groups.convicted(&convicted)[0].1;
    assert_eq!((group.matches, group.restricted), (2, 1));
    assert!(format!("{groups:?}").matches("restricted").count() <= 1 << 14);
}

/// Of parts there may be more than groups: they make room for campaigns, and what they counted stays with their whole.
#[test]
fn parts_make_room() {
    let mut all = Campaigns::default();
    let whole = all.open(Kind::Rotation, 0);
    let mut groups = Groups::default();
    for time in 0..20_000 {
        let part = all.open(Kind::Rotation, 0);
        groups.add(&found(part, false), &hit(f64::from(time), [1; 3]), &all);
        all.merge(whole, part);
    }
    let campaign = all.get_mut(whole).unwrap();
    (1..=MEMBERS as u32).for_each(|tenant| _ = campaign.join(tenant));
    (campaign.evidence, campaign.pieces) = (CONVICTS, STOCK);
    all.touch(whole, 1);
    let [(_, group)] = &groups.convicted(&all)[..] else { panic!("one group") };
    assert_eq!((group.matches, sums(group)), (20_000, (20_000, 0)));
}
