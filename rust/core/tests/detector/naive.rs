//! The slow twin of a profile: lists of whole hashes, and counts over all that there was. Obviously right, as long as no
//! two hashes share the few bits that the profile keeps of them; [`streams`](super::streams) sees to that.

use ratelimit_guard_core::detector::profile::{Events, Evidence, Observation};
use ratelimit_guard_core::detector::recall::{NUMBERS, Place, SETS};
use ratelimit_guard_core::detector::signal::Signal;
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::prompt::facts::Facts;
use std::collections::BTreeMap;

/// Entries of a set: of segments, and of the short memories.
const WAYS: usize = 4;
/// Requests whose prompts are known again by their rows.
const PROMPTS: u32 = 128;
const OPENING_SETS: u64 = 8;
const FIRST_SETS: u64 = 8;

const WARM_UP: u32 = 6;
const MIN_ANSWER_TOKENS: u32 = 64;
const MIN_TASK_WORDS: u32 = 3;
/// Of the signals of one request, and of whole streams.
const EPOCHS: [usize; 2] = [256, 512];

const SETTLED: u32 = 2;
const MOST_HITS: u32 = 3;
const GAPS: [u32; 7] = [1, 2, 3, 5, 8, 13, 22];

/// Classes of gaps, words and rows that the events ask for.
const CHANGING: u32 = 2;
const ROTATING: u32 = 4;
const MANY: usize = 3;
const MAX_WRAP_WORDS: u32 = 60;
const MAX_FRAME_WORDS: u32 = 40;
const MAX_FRAME_ROWS: usize = 2;
const MIN_FRAMED_WORDS: u32 = 4;

const LONE_WORDS: u32 = 10;
const END_WORDS: u32 = 4;
const WITNESSES: usize = 2;

/// The hashes of the rows at the ends of a lone segment.
pub fn ends(prefix: u64, suffix: u64) -> [u64; 2] {
    [prefix ^ u64::from(b'h'), suffix ^ u64::from(b't')]
}

/// The set of a segment's hash: sets share the hashes evenly.
pub fn set(hash: u64) -> usize {
    ((u128::from(mix(hash)) * SETS as u128) >> 64) as usize
}

/// What is known about a segment.
#[derive(Clone, Copy, Debug)]
struct Known {
    hash: u64,
    number: u32,
    place: Option<Place>,
    is_extra: bool,
    gap: u32,
    hits: u32,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    hash: u64,
    words: u32,
    known: Option<Known>,
}

/// What happened how often: a test of a twin is as good as what its streams reach.
pub type Reached = BTreeMap<&'static str, u64>;

#[derive(Debug, Default)]
pub struct Naive {
    /// Of each set the entries, the one that was used last at the end.
    sets: BTreeMap<usize, Vec<Known>>,
    prompts: Vec<u64>,
    openings: BTreeMap<u64, Vec<u64>>,
    first: BTreeMap<u64, Vec<u64>>,
    all: Vec<Events>,
    pub reached: Reached,
}

/// Rows of a request, and what else its segments say.
struct Seen {
    rows: Vec<Row>,
    constants: Vec<u64>,
    is_soft: bool,
    is_known: bool,
    /// Places of the inner rows with the smallest hashes.
    witnesses: Vec<usize>,
}

impl Known {
    fn gap(&self, number: u32) -> u32 {
        (number - self.number) % NUMBERS
    }

    fn is_constant(&self) -> bool {
        self.hits >= SETTLED && self.gap <= 1
    }

    fn gap_class(&self, number: u32) -> u32 {
        if self.hits >= SETTLED { self.gap } else { self.gap.max(class(self.gap(number))) }
    }

    /// It came back: its usual gap moves one class towards this one.
    fn hit(&mut self, number: u32) {
        let class = class(self.gap(number));
        self.gap = match () {
            () if self.hits == 0 => class,
            () if class > self.gap => self.gap + 1,
            () if class < self.gap => self.gap - 1,
            () => self.gap,
        };
        self.hits = (self.hits + 1).min(MOST_HITS);
        self.number = number;
    }
}

fn class(gap: u32) -> u32 {
    GAPS.iter().position(|most| gap <= *most).unwrap_or(GAPS.len()) as u32
}

fn words(rows: &[Row]) -> u32 {
    rows.iter().map(|row| row.words).sum()
}

/// Different earlier requests that rows stood in.
fn sources(rows: &[Row]) -> usize {
    let mut numbers: Vec<u32> = rows.iter().filter_map(|row| row.known).map(|known| known.number % NUMBERS).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len()
}

/// Keeps the last four of each group. Whether it was there.
fn replace(sets: &mut BTreeMap<u64, Vec<u64>>, groups: u64, hash: u64) -> bool {
    let set = sets.entry(hash % groups).or_default();
    let place = set.iter().position(|known| *known == hash);
    place.map(|place| set.remove(place));
    set.push(hash);
    if set.len() > WAYS {
        set.remove(0);
    }
    place.is_some()
}

impl Naive {
    pub fn requests(&self) -> u32 {
        self.all.len() as u32
    }

    pub fn add(&mut self, seen: &Observation<'_>) -> Events {
        let (facts, number) = (seen.facts, self.requests() + 1);
        let rows = self.rows(facts);
        let was_first = self.was_first(facts);
        let is_again = self.is_again(&rows.rows, number, facts);
        self.prompts.push(facts.digest);
        self.reach("again alone", is_again && !was_first);
        self.reach("first alone", was_first && !is_again);
        let is_repeat = is_again || was_first;
        let is_fresh = self.is_fresh(facts, rows.is_known, was_first);
        let is_short = seen.answer_tokens.is_some_and(|tokens| tokens < MIN_ANSWER_TOKENS);
        let [recombination, rotation] = [self.is_recombination(&rows, number), self.is_rotation(&rows.rows, number)];
        let mosaic = sources(&rows.rows) >= 2;
        let counts = |event: bool| (number > WARM_UP).then_some(event && !is_short && !is_repeat);
        let events = Signal::ALL.map(|signal| match signal {
            Signal::Recombination => counts(recombination),
            Signal::TemplateRotation => counts(rotation),
            Signal::Mosaic => counts(mosaic),
            Signal::CorpusWalk => Some(is_fresh && facts.system == 0 && !seen.is_declared),
            Signal::Novelty => Some(is_fresh),
        });
        self.reach("repeat", is_repeat);
        self.reach("short answer", is_short && (recombination || rotation) && number > WARM_UP);
        self.reach("repeated event", is_repeat && (recombination || rotation) && number > WARM_UP);
        self.reach("cold event", recombination && number <= WARM_UP);
        self.reach("declared", is_fresh && facts.system == 0 && seen.is_declared);
        for signal in Signal::ALL {
            self.reach(signal.name(), events[signal as usize] == Some(true));
        }
        self.remember(&rows, number);
        self.all.push(events);
        events
    }

    /// Counts of an epoch: of all requests that count, those behind the last full epoch.
    pub fn evidence(&mut self) -> Evidence {
        let tests = super::tests();
        Signal::ALL.map(|signal| {
            let counted: Vec<bool> = self.all.iter().filter_map(|events| events[signal as usize]).collect();
            let is_of_stream = matches!(signal, Signal::CorpusWalk | Signal::Novelty);
            let epoch = counted.len().div_ceil(EPOCHS[usize::from(is_of_stream)]).max(1);
            let running = &counted[(epoch - 1) * EPOCHS[usize::from(is_of_stream)]..];
            self.reach(if is_of_stream { "epoch of stream" } else { "epoch" }, epoch > 2);
            let events = running.iter().filter(|event| **event).count();
            tests[signal as usize].evidence(events as u32, running.len() as u32, epoch as u32)
        })
    }

    fn reach(&mut self, name: &'static str, is_reached: bool) {
        *self.reached.entry(name).or_default() += u64::from(is_reached);
    }

    fn find(&self, hash: u64) -> Option<Known> {
        self.sets.get(&set(hash))?.iter().copied().find(|known| known.hash == hash)
    }

    fn rows(&mut self, facts: &Facts) -> Seen {
        let real = facts.segments.iter().map(|segment| (segment.hash, segment.words));
        let mut all: Vec<(u64, u32)> = real.clone().collect();
        if let [(_, LONE_WORDS..)] = all[..] {
            let [head, tail] = ends(facts.prefixes[0], facts.suffix);
            all = [&[(head, END_WORDS)], &all[..], &[(tail, END_WORDS)]].concat();
            self.reach("lone", self.find(head).is_some() != self.find(tail).is_some());
        }
        let known: Vec<_> = all.iter().map(|(hash, words)| (*hash, *words, self.find(*hash))).collect();
        let is_constant = |known: &Option<Known>| known.is_some_and(|known| known.is_constant());
        let row = |(hash, words, known): &(u64, u32, Option<Known>)| Row { hash: *hash, words: *words, known: *known };
        let rows: Vec<Row> = known.iter().filter(|(.., known)| !is_constant(known)).map(row).collect();
        let constants = known.iter().filter(|(.., known)| is_constant(known));
        let mut witnesses: Vec<usize> = (1..rows.len().max(1) - usize::from(rows.len() > 1)).collect();
        witnesses.sort_by_key(|place| mix(rows[*place].hash));
        witnesses.truncate(WITNESSES);
        let is_soft = constants.clone().any(|(.., known)| known.unwrap().gap == 1);
        self.reach("constant", constants.clone().count() > 0);
        self.reach("flicker", is_soft);
        Seen {
            is_soft,
            is_known: real.clone().any(|(hash, _)| self.find(hash).is_some()),
            witnesses,
            constants: constants.map(|(hash, ..)| *hash).collect(),
            rows,
        }
    }

    /// Some row stood last in one of the last requests, and that was the same, as far as a byte tells.
    fn is_again(&self, rows: &[Row], number: u32, facts: &Facts) -> bool {
        let byte = |digest: u64| (digest >> 40) as u8;
        rows.iter().filter_map(|row| row.known.as_ref()).any(|known| {
            let age = known.gap(number);
            let prompt = || self.prompts[(number - age - 1) as usize];
            (1..=PROMPTS).contains(&age) && byte(prompt()) == byte(facts.digest)
        })
    }

    /// It is one of the first prompts.
    fn was_first(&mut self, facts: &Facts) -> bool {
        let first = self.first.entry(facts.digest % FIRST_SETS).or_default();
        let was_first = first.contains(&facts.digest);
        if !was_first && first.len() < WAYS {
            first.push(facts.digest);
        }
        was_first
    }

    fn is_fresh(&mut self, facts: &Facts, is_known: bool, is_repeat: bool) -> bool {
        let opening = facts.prefixes.get(1).or(facts.prefixes.first()).copied().unwrap_or_default();
        let begins_known = replace(&mut self.openings, OPENING_SETS, opening);
        let is_task = facts.assistant_turns == 0 && facts.words >= MIN_TASK_WORDS;
        self.reach("known opening alone", is_task && begins_known && !is_repeat && !is_known);
        self.reach("known prompt alone", is_task && !begins_known && is_repeat && !is_known);
        self.reach("known segment alone", is_task && !begins_known && !is_repeat && is_known);
        self.reach("follow-up alone", !is_task && !begins_known && !is_repeat && !is_known);
        is_task && !begins_known && !is_repeat && !is_known
    }

    /// Both ends are known, from different requests. Either one moved: pieces came from many requests, or change and
    /// nothing flickers. Or they change, and are short phrases around something new: from many requests, or nothing is
    /// constant.
    fn is_recombination(&mut self, seen: &Seen, number: u32) -> bool {
        let rows = &seen.rows;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return false };
        let (Some(head), Some(tail)) = (first.known, last.known) else { return false };
        if head.number % NUMBERS == tail.number % NUMBERS {
            return false;
        }
        let changing = [head, tail].iter().all(|known| known.gap_class(number) >= CHANGING);
        let [head_moved, tail_moved] = [head.place != Some(Place::First), tail.place != Some(Place::Last)];
        let moved = head_moved || tail_moved;
        let many = sources(rows) >= MANY;
        let known: Vec<Row> = rows.iter().copied().filter(|row| row.known.is_some()).collect();
        let is_around = seen.witnesses.iter().any(|place| rows[*place].known.is_none());
        let is_short = words(&known) <= MAX_WRAP_WORDS;
        let is_bare = seen.constants.is_empty();
        let is_moved = moved && (many || changing && !seen.is_soft);
        let is_wrapped = changing && is_around && is_short && (many || is_bare);
        for (name, is_reached) in [
            ("moved, many, neither changing nor hard", moved && many && !changing && seen.is_soft),
            ("moved, few, changing and hard", moved && !many && changing && !seen.is_soft && !is_wrapped),
            ("moved, few, changing", moved && !many && changing && seen.is_soft && !is_wrapped),
            ("moved, few, hard", moved && !many && !changing && !seen.is_soft),
            ("only the head moved", is_moved && !tail_moved && !is_wrapped),
            ("only the tail moved", is_moved && !head_moved && !is_wrapped),
            ("wrapped, many", is_wrapped && !is_moved && many && !is_bare),
            ("wrapped, bare", is_wrapped && !is_moved && !many && is_bare),
            ("wrapped, few and constant", !moved && changing && is_around && is_short && !many && !is_bare),
            ("wrapped, not changing", !moved && !changing && is_around && is_short && (many || is_bare)),
            ("wrapped by many words", !moved && changing && is_around && !is_short && (many || is_bare)),
            ("wrapped around nothing new", !moved && changing && !is_around && is_short && (many || is_bare)),
        ] {
            self.reach(name, is_reached);
        }
        is_moved || is_wrapped
    }

    /// Something new in a short frame, every row of which is one of many.
    fn is_rotation(&mut self, rows: &[Row], number: u32) -> bool {
        let is_new = |row: &Row| row.known.is_none();
        let (Some(start), Some(end)) = (rows.iter().position(is_new), rows.iter().rposition(is_new)) else {
            return false;
        };
        let (head, task, tail) = (&rows[..start], &rows[start..=end], &rows[end + 1..]);
        let frame = [head, tail].concat();
        let known: Vec<Known> = frame.iter().filter_map(|row| row.known).collect();
        let rotating = known.iter().filter(|known| known.gap_class(number) >= ROTATING).count();
        let (rotates, is_narrow) = (rotating == frame.len(), head.len().max(tail.len()) <= MAX_FRAME_ROWS);
        let (is_frame, is_short) = (!frame.is_empty(), words(&frame) <= MAX_FRAME_WORDS);
        let (is_all_new, is_task) = (task.iter().all(is_new), words(task) >= MIN_FRAMED_WORDS);
        let is_rotation = rotates && is_frame && is_narrow && is_short && is_all_new && is_task;
        let hits = known.iter().map(|known| known.hits).min();
        for (name, is_reached) in [
            ("frame of head", is_rotation && tail.is_empty()),
            ("frame of tail", is_rotation && head.is_empty()),
            ("frame of both", is_rotation && head.len() == 2 && tail.len() == 2),
            ("frame that is settled", is_rotation && hits >= Some(SETTLED)),
            ("frame that is young", is_rotation && hits < Some(SETTLED)),
            ("frame that is usual", rotating == 0 && is_frame && is_narrow && is_short && is_all_new && is_task),
            ("frame that is usual in part", !rotates && rotating > 0 && is_narrow && is_short && is_all_new && is_task),
            ("frame of many words", rotates && is_frame && is_narrow && !is_short && is_all_new && is_task),
            ("frame of many rows", rotates && is_frame && !is_narrow && is_short && is_all_new && is_task),
            ("frame around known text", rotates && is_frame && is_narrow && is_short && !is_all_new && is_task),
            ("frame around little", rotates && is_frame && is_narrow && is_short && is_all_new && !is_task),
        ] {
            self.reach(name, is_reached);
        }
        is_rotation
    }

    fn remember(&mut self, seen: &Seen, number: u32) {
        for hash in &seen.constants {
            self.touch(*hash, number, None, true);
        }
        for (at, row) in seen.rows.iter().enumerate() {
            let place = match at {
                0 => Place::First,
                _ if at + 1 == seen.rows.len() => Place::Last,
                _ => Place::Inner,
            };
            let keep = place != Place::Inner || seen.witnesses.contains(&at);
            self.touch(row.hash, number, Some(place), keep);
        }
    }

    /// Constants have no place of their own, and keep the one that they had.
    fn touch(&mut self, hash: u64, number: u32, place: Option<Place>, keep: bool) {
        let set = self.sets.entry(set(hash)).or_default();
        let known = set.iter().position(|known| known.hash == hash);
        if known.is_some_and(|way| set[way].gap(number) == 0) {
            return self.reach("a whole cycle", true);
        }
        let mut entry = match known {
            Some(way) => {
                let mut entry = set.remove(way);
                entry.hit(number);
                entry
            }
            None => Known { hash, number, place, is_extra: true, gap: 0, hits: 0 },
        };
        let was_extra = entry.is_extra;
        entry.place = place.or(entry.place);
        entry.is_extra &= place.is_some() && !keep || place.is_none();
        let is_full = known.is_none() && set.len() == WAYS;
        let oldest_extra = set.iter().position(|known| known.is_extra);
        let victim = if is_full { oldest_extra.or(keep.then_some(0)) } else { None };
        let has_room = !is_full || victim.is_some();
        victim.map(|way| set.remove(way));
        if has_room {
            set.push(entry);
        }
        self.reach("extra evicted", is_full && oldest_extra.is_some());
        self.reach("younger extra evicted", is_full && oldest_extra > Some(0));
        self.reach("oldest evicted", is_full && oldest_extra.is_none() && keep);
        self.reach("no room", !has_room);
        self.reach("extra kept", known.is_some() && was_extra && !entry.is_extra);
    }
}
