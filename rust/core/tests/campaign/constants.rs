//! What makes a key hot, a request match and a request pay, each at its bound: with prompts made by hand.

use super::service::{ROOM, START, bare, convicted, send};
use ratelimit_guard_core::campaign::{Correlator, Found, Request};
use ratelimit_guard_core::hash::mix;

/// Pieces of a stock, of eight keys each.
pub const PIECES: u64 = 24;
pub const KEYS: u64 = 8;

/// The first so many keys of a piece, in rising order as in prompts.
pub fn piece(number: u64, keys: u64) -> Vec<u64> {
    let mut all: Vec<u64> = (0..KEYS).map(|key| mix(1_000 + number * KEYS + key)).collect();
    all.sort_unstable();
    all.truncate(keys as usize);
    all
}

/// A correlator, and the number of requests it had.
pub struct Campaign {
    pub correlator: Correlator,
    requests: u64,
}

impl Campaign {
    pub fn new() -> Self {
        Self { correlator: Correlator::new(ROOM, None), requests: 0 }
    }

    /// Twenty accounts draw two pieces at a time until all pieces are theirs.
    pub fn convicted() -> Self {
        let mut campaign = Self::new();
        for round in 0..30u64 {
            for member in 0..20 {
                let (one, other) = ((member * 7 + round) % PIECES, (member * 11 + round * 5 + 1) % PIECES);
                campaign.ask(member, &[piece(one, KEYS), piece(other, KEYS)].concat());
            }
        }
        assert_eq!(convicted(&campaign.correlator), 1);
        campaign
    }

    /// A group of some tenants draws on a stock of its own, from piece `first` on. Of the eight first users of each
    /// piece the others matched once elsewhere, and so count neither way.
    pub fn group(&mut self, tenants: u64, from: u64, first: u64) {
        let others: Vec<u64> = (from + 1_000..from + 1_008 - tenants).collect();
        (100..108).for_each(|account| _ = self.ask(from + account, &piece(first + 90, 2)));
        assert!(others.iter().all(|account| self.ask(*account, &piece(first + 90, 2)).event.is_none()));
        for number in first..first + PIECES {
            let accounts = others[..2].iter().copied().chain(from..from + tenants).chain(others[2..].iter().copied());
            accounts.for_each(|account| assert!(!self.ask(account, &piece(number, KEYS)).matches));
        }
        for round in 0..20 {
            for account in 0..tenants {
                self.ask(from + account, &piece(first + (round * 5 + account * 7) % PIECES, KEYS));
            }
        }
    }

    /// A prompt with these keys, and words of its own.
    pub fn ask(&mut self, account: u64, keys: &[u64]) -> Found {
        self.ask_among(account, keys, 2)
    }

    /// The same among so many keys of its own.
    fn ask_among(&mut self, account: u64, keys: &[u64], own: u64) -> Found {
        self.requests += 1;
        let own: Vec<u64> = (0..own).map(|place| mix(1 << 60 | self.requests << 16 | place)).collect();
        let facts = bare(&[keys, &own].concat(), self.requests);
        send(&mut self.correlator, account, account, &facts, (0, 0), START + self.requests)
    }
}

/// Eight strangers make a key hot where no history says what is common: seven do not.
#[test]
fn eight_strangers_make_a_key_hot() {
    let mut correlator = Correlator::new(ROOM, None);
    let keys = [mix(1), mix(2)];
    for tenant in 0..20 {
        let found = send(&mut correlator, tenant, tenant, &bare(&keys, tenant), (0, 0), START);
        assert_eq!(found.matches, tenant >= 8, "{tenant}");
    }
    // The first two never match, the others do.
    for tenant in 0..20 {
        let found = send(&mut correlator, tenant, tenant, &bare(&keys, 100 + tenant), (0, 0), START);
        assert_eq!(found.matches, tenant >= 2, "{tenant}");
    }
}

/// Two hot keys are a match, one is none; a key that is not hot adds nothing.
#[test]
fn two_hot_keys_match() {
    let mut correlator = Correlator::new(ROOM, None);
    for tenant in 0..8 {
        let keys = [mix(1), mix(2), mix(3), if tenant < 7 { mix(4) } else { mix(5) }];
        send(&mut correlator, tenant, tenant, &bare(&keys, tenant), (0, 0), START);
    }
    for (number, (keys, matches)) in
        [(&[1, 4][..], false), (&[2, 5, 6, 7], false), (&[1, 2], true), (&[1, 2, 3], true), (&[], false)]
            .into_iter()
            .enumerate()
    {
        let keys: Vec<u64> = keys.iter().map(|key| mix(*key)).collect();
        let tenant = 100 + number as u64;
        assert_eq!(send(&mut correlator, tenant, tenant, &bare(&keys, tenant), (0, 0), START).matches, matches);
    }
}

/// Four keys of a campaign's own make a request pay whose account shows nothing, three of one piece do not.
#[test]
fn four_keys_pay() {
    for keys in 0..=KEYS {
        let found = Campaign::convicted().ask(500, &piece(3, keys));
        assert_eq!((found.matches, found.pays), (keys >= 2, keys >= 4), "{keys}");
        assert!(!found.is_member && !found.is_whole);
    }
}

/// So do three pieces of which it holds one key each, and two do not.
#[test]
fn three_units_pay() {
    for units in 1..=4 {
        let keys: Vec<u64> = (0..units).flat_map(|number| piece(3 * number, 1)).collect();
        let found = Campaign::convicted().ask(500, &keys);
        assert_eq!((found.matches, found.pays), (units >= 2, units >= 3), "{units}");
    }
}

/// Not in a long text of one's own, though: one key in eight must be the campaign's.
#[test]
fn a_few_keys_in_a_long_text_do_not_pay() {
    for (own, pays) in [(0, true), (28, true), (29, false), (100, false)] {
        let found = Campaign::convicted().ask_among(500, &piece(3, 4), own);
        assert_eq!((found.matches, found.pays), (true, pays), "{own}");
        let keys: Vec<u64> = (0..4).flat_map(|number| piece(3 * number, 1)).collect();
        assert_eq!(Campaign::convicted().ask_among(500, &keys, own).pays, pays, "{own}");
    }
    // Who rotates pays for it all the same.
    let mut campaign = Campaign::convicted();
    let found: Vec<Found> = (0..4).map(|number| campaign.ask_among(500, &piece(4 * number, 2), 100)).collect();
    assert_eq!(found.iter().map(|found| found.pays).collect::<Vec<_>>(), [false, false, true, true]);
}

/// Four keys pay only where it is usual for the account that others' words stand in its requests; three pieces always.
#[test]
fn four_keys_pay_where_matches_are_usual() {
    for (requests, pays) in [(0, true), (25, true), (26, false), (10_000, false)] {
        let mut campaign = Campaign::convicted();
        let ask = |campaign: &mut Campaign, keys: &[u64]| {
            let facts = bare(&[keys, &[mix(99)]].concat(), 1 << 20);
            let (account, tenant) = (mix(77), mix(78));
            let request = Request { account, tenant, requests, facts: &facts, answer: (0, 0), time: START };
            campaign.correlator.observe(&request)
        };
        assert_eq!(ask(&mut campaign, &piece(3, 5)).pays, pays, "{requests}");
        let keys: Vec<u64> = (0..3).flat_map(|number| piece(3 * number, 1)).collect();
        assert!(ask(&mut campaign, &keys).pays);
    }
}

/// One event of its own does not make an account pay for two keys, two events do.
#[test]
fn two_events_of_its_own_pay() {
    let mut campaign = Campaign::convicted();
    let found: Vec<Found> = (0..4).map(|number| campaign.ask(500, &piece(4 * number, 2))).collect();
    let events: Vec<_> = found.iter().map(|found| found.event).collect();
    assert_eq!(events, [None, Some(true), Some(true), Some(true)]);
    let pays: Vec<_> = found.iter().map(|found| (found.is_member, found.pays, found.is_whole)).collect();
    // After one event it is no member yet, or one that does not pay: parts of pieces may first be taken for others'.
    assert!(!pays[1].1 && !pays[1].2);
    assert_eq!([pays[0], pays[2], pays[3]], [(false, false, false), (true, true, false), (true, true, false)]);
    // One key of it alone does not match, and so does not pay.
    assert!(!campaign.ask(500, &piece(20, 1)).pays);
}

/// 4.6 nats of its own restrict all that an account sends: five events are more, four less.
#[test]
fn five_events_of_its_own_restrict_an_account() {
    let mut campaign = Campaign::convicted();
    for number in 0..10 {
        let found = campaign.ask(500, &piece(2 * number, 2));
        assert_eq!(found.is_whole, number >= 5, "{number}");
        let nats = number as f64 * (0.85f64 / 0.3).ln();
        assert!(number < 2 || (found.score - nats / 4.6).abs() < 1e-4, "{number}: {}", found.score);
    }
    // Then whatever it sends pays, though it matches nothing.
    let found = campaign.ask(500, &[]);
    assert!(found.is_whole && found.pays && !found.matches && found.campaign != 0);
}

/// And that only while three fifths of what it sends matches.
#[test]
fn an_account_is_restricted_while_most_of_it_matches() {
    for (others, is_whole) in [(0, true), (3, true), (4, true), (5, false), (20, false)] {
        let mut campaign = Campaign::convicted();
        (0..others).for_each(|_| _ = campaign.ask(500, &[]));
        (0..1).for_each(|number| _ = campaign.ask(500, &piece(2 * number, 2)));
        // Requests before its first match are not counted: so the others come after it.
        (0..others).for_each(|_| _ = campaign.ask(500, &[]));
        let found: Vec<Found> = (1..6).map(|number| campaign.ask(500, &piece(2 * number, 2))).collect();
        assert_eq!(found[4].is_whole, is_whole, "{others}");
        assert!(found[4].pays && found[4].score > 1.0);
    }
}

/// Six tenants convict, five do not, whatever they show.
#[test]
fn six_tenants_convict() {
    for tenants in [5, 6] {
        let mut campaign = Campaign::new();
        campaign.group(tenants, 0, 0);
        let [one] = campaign.correlator.campaigns.iter().map(|(_, one)| one).collect::<Vec<_>>()[..] else { panic!() };
        assert!(one.evidence > 9.2, "{}", one.evidence);
        assert_eq!(one.convicted.is_some(), tenants == 6, "{tenants}");
    }
}

/// One key of another group in the memory of an account that rotates does not make the two groups one, two do.
#[test]
fn two_keys_merge_two_groups() {
    let mut campaign = Campaign::new();
    campaign.group(5, 0, 0);
    campaign.group(5, 5_000, 500);
    let live = |campaign: &Campaign| campaign.correlator.campaigns.iter().count();
    assert_eq!(live(&campaign), 2);
    campaign.ask(1, &piece(503, KEYS));
    assert_eq!(live(&campaign), 2);
    campaign.ask(1, &piece(508, KEYS));
    assert_eq!(live(&campaign), 1);
}
