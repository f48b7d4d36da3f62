//! What an audit keeps of each campaign: counts, a timeline and examples.

use crate::campaign::Found;
use crate::campaign::campaigns::Campaigns;
use crate::hash::mix;
use crate::prompt::capability::Capability;
use crate::saved::ensure;
use crate::sketch::hyperloglog::HyperLogLog;
use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// Requests kept as examples: the first that paid.
pub const MAX_EXAMPLES: usize = 6;
/// Bins of a timeline; when they are used up, each becomes twice as wide.
pub const BINS: usize = 64;
/// Width of a bin at first: five minutes.
const WIDTH: f64 = 300.0;
/// Registers of the counts of different values, 2^10: exact to 3 %.
const PRECISION: u64 = 10;
/// Campaigns with counts of their own, convicted or not.
const MAX_GROUPS: usize = 1 << 14;

/// A matching request.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'l> {
    /// Seconds since the epoch.
    pub time: f64,
    /// Name of the request.
    pub id: &'l str,
    /// Of its account.
    pub account: &'l str,
    /// What it asks for.
    pub capability: Capability,
    /// Hashes of its tenant, of who pays, and of its network.
    pub who: [u64; 3],
}

/// Counts of a campaign.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Group {
    /// Time of the first matching request.
    pub first: f64,
    /// Of the last.
    pub last: f64,
    /// Requests that belong to it.
    pub matches: u64,
    /// Of these, combinations new to their account.
    pub events: u64,
    /// Requests that pay.
    pub restricted: u64,
    /// Different tenants, payers and networks.
    pub different: [Option<HyperLogLog>; 3],
    /// Requests by what they ask for.
    pub capabilities: [u64; Capability::ALL.len()],
    /// Time, name and account of the first requests that paid.
    pub examples: Vec<(f64, Box<str>, Box<str>)>,
    start: f64,
    #[borsh(deserialize_with = "read_width")]
    width: f64,
    bins: [(u32, u32); BINS],
}

impl Default for Group {
    fn default() -> Self {
        Self {
            first: f64::INFINITY,
            last: f64::NEG_INFINITY,
            matches: 0,
            events: 0,
            restricted: 0,
            different: [0; 3].map(|_| HyperLogLog::new(PRECISION).ok()),
            capabilities: [0; Capability::ALL.len()],
            examples: Vec::new(),
            start: f64::INFINITY,
            width: WIDTH,
            bins: [(0, 0); BINS],
        }
    }
}

/// Bins have some width, so that twice as wide ones come to an end.
fn read_width<R: Read>(reader: &mut R) -> io::Result<f64> {
    let width = f64::deserialize_reader(reader)?;
    ensure(width >= WIDTH, "width of bins")?;
    Ok(width)
}

/// All of them by number.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Groups(BTreeMap<u32, Group>);

impl Groups {
    /// Count a request that belongs to a campaign.
    pub fn add(&mut self, found: &Found, hit: &Hit<'_>, campaigns: &Campaigns) {
        if self.0.len() >= MAX_GROUPS {
            self.make_room(campaigns);
        }
        if self.0.len() < MAX_GROUPS || self.0.contains_key(&found.campaign) {
            self.0.entry(found.campaign).or_default().add(found, hit);
        }
    }

    /// Forget those of campaigns that are forgotten, and add what has become part of another to that: there are fewer
    /// campaigns than groups, so the next call is far away.
    fn make_room(&mut self, campaigns: &Campaigns) {
        for (number, group) in std::mem::take(&mut self.0) {
            if campaigns.root(number) != 0 || campaigns.name(number) != 0 {
                self.0.entry(campaigns.whole(number)).or_default().take(&group);
            }
        }
    }

    /// Those of convicted campaigns in the order of conviction, each with all that has become part of it.
    pub fn convicted(&self, campaigns: &Campaigns) -> Vec<(u32, Group)> {
        let mut whole = BTreeMap::<u32, Group>::new();
        for (&number, group) in &self.0 {
            let root = campaigns.whole(number);
            if campaigns.record(root).is_some() {
                whole.entry(root).or_default().take(group);
            }
        }
        let mut whole: Vec<_> = whole.into_iter().collect();
        whole.sort_by_key(|(number, _)| campaigns.name(*number));
        whole
    }
}

impl Group {
    /// Start of each bin up to the last that is used, its matches and those that pay.
    pub fn timeline(&self) -> impl Iterator<Item = (f64, u32, u32)> {
        let used = self.bins.iter().rposition(|bin| *bin != (0, 0)).map_or(0, |last| last + 1);
        let start = |place: usize| self.start + place as f64 * self.width;
        self.bins[..used].iter().enumerate().map(move |(place, &(matches, paid))| (start(place), matches, paid))
    }

    fn add(&mut self, found: &Found, hit: &Hit<'_>) {
        self.restricted += u64::from(found.pays);
        // What is only restricted with its account shows nothing of the campaign.
        let is_match = found.matches || !found.is_whole;
        self.count(hit.time, u32::from(is_match), u32::from(found.pays));
        if !is_match {
            return;
        }
        self.first = self.first.min(hit.time);
        self.last = self.last.max(hit.time);
        self.matches += 1;
        self.events += u64::from(found.event == Some(true));
        for (different, who) in self.different.iter_mut().zip(hit.who) {
            if let Some(different) = different.as_mut().filter(|_| who != 0) {
                different.add_hash(mix(who));
            }
        }
        self.capabilities[hit.capability as usize] += 1;
        if found.pays && self.examples.len() < MAX_EXAMPLES {
            self.examples.push((hit.time, hit.id.into(), hit.account.into()));
        }
    }

    fn take(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.matches += other.matches;
        self.events += other.events;
        self.restricted += other.restricted;
        for (mine, theirs) in self.different.iter_mut().zip(&other.different) {
            if let (Some(mine), Some(theirs)) = (mine, theirs) {
                // Of one precision, so they merge.
                _ = mine.merge(theirs);
            }
        }
        for (mine, theirs) in self.capabilities.iter_mut().zip(other.capabilities) {
            *mine += theirs;
        }
        self.examples.extend(other.examples.iter().cloned());
        self.examples.sort_by(|one, other| one.0.total_cmp(&other.0));
        self.examples.truncate(MAX_EXAMPLES);
        for (time, matches, paid) in other.timeline() {
            self.count(time, matches, paid);
        }
    }

    fn count(&mut self, time: f64, matches: u32, paid: u32) {
        if !self.start.is_finite() {
            self.start = (time / WIDTH).floor() * WIDTH;
        }
        // What comes late in a log counts where it begins.
        while time - self.start >= self.width * BINS as f64 {
            for place in 0..BINS {
                let pair = self.bins.get(2 * place..2 * place + 2).unwrap_or_default();
                self.bins[place] = pair.iter().fold((0, 0), |sum, bin| (sum.0 + bin.0, sum.1 + bin.1));
            }
            self.width *= 2.0;
        }
        let place = ((time - self.start) / self.width).max(0.0) as usize;
        let bin = &mut self.bins[place];
        *bin = (bin.0.saturating_add(matches), bin.1.saturating_add(paid));
    }
}
