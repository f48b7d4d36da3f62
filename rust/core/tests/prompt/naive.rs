//! The slow twin of the facts: lists, sets and plain loops over the naive words. Obviously right.
#![allow(dead_code)]

#[path = "naive_words.rs"]
pub mod words;

use ratelimit_guard_core::prompt::capability::{Capability, ENDS, ENOUGH, LEXICON};
use ratelimit_guard_core::prompt::facts::{Facts, MAX_TEXT, MAX_WORDS};
use ratelimit_guard_core::prompt::fields::{Piece, Role};
use ratelimit_guard_core::prompt::history::Answer;
use ratelimit_guard_core::prompt::segment::Segment;
use ratelimit_guard_core::prompt::words::OPENING;
use ratelimit_guard_core::sketch::minhash::MinHash;
use std::collections::{BTreeMap, BTreeSet};
use words::{Word, low, mix, normalize};

/// Bytes of the body that are read of one turn, and of all turns, for the conversation.
const TURN_BYTES: usize = 6 * OPENING;
const HISTORY_BYTES: usize = 24 * 1024;
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The facts of a body whose pieces are known, and that declares no tools.
pub fn facts(body: &[u8], pieces: &[Piece], seed: [u64; 2]) -> Facts {
    facts_with_tools(body, pieces, 0, seed)
}

/// The same of one that declares some.
pub fn facts_with_tools(body: &[u8], pieces: &[Piece], tools: u32, seed: [u64; 2]) -> Facts {
    let secrets = words::secrets(seed);
    let last = pieces.iter().rfind(|piece| piece.role == Role::User).map(|piece| piece.turn);
    let system: Vec<Piece> = pieces.iter().copied().filter(|piece| piece.role == Role::System).collect();
    let is_last = |piece: &Piece| piece.role == Role::User && Some(piece.turn) == last;
    let user: Vec<Piece> = pieces.iter().copied().filter(is_last).collect();
    // A quarter is the system text's own, the rest is shared: first the user, then what the system leaves.
    let for_system = MAX_TEXT - length(body, &user).min(MAX_TEXT * 3 / 4);
    let for_user = MAX_TEXT - length(body, &system).min(for_system);
    let (system, system_left) = read(body, &system, for_system);
    let (user_text, user_left) = read(body, &user, for_user);
    let (system, system_unread) = outer_words(&system, MAX_WORDS * 3 / 4, &secrets);
    let (user, user_unread) = outer_words(&user_text, MAX_WORDS - system.len(), &secrets);
    let (system, user) = (&system[..], &user[..]);
    let all = [system, user].concat();

    let turns = turns(pieces);
    let (keys, places, user_place) = keys(system, user);
    let of = |role: Role| turns.iter().filter(move |turn| turn[0].role == role);
    // The last turn is read anyway; if it is the first too, it is not read again.
    let mut budget = HISTORY_BYTES;
    let first = match of(Role::User).count() {
        0 => vec![],
        1 => opening(&user_text, &secrets),
        _ => turn_words(body, of(Role::User).next().unwrap(), &mut budget, &secrets),
    };
    Facts {
        words: all.len() as u32,
        left_out: (system_left + user_left + system_unread + user_unread) as u32,
        digest: sequence(&hashes(&all)),
        system: sequence(&hashes(system)),
        template: template(&all),
        conversation: sequence(&first),
        user_turns: of(Role::User).count() as u32,
        assistant_turns: of(Role::Assistant).count() as u32,
        sketch: minhash(&[shingles(&hashes(system)), shingles(&hashes(user))].concat(), 128),
        keys,
        places,
        user_place,
        prefixes: [4, 8, 16].iter().filter_map(|n| masked(user).get(..*n).map(sequence)).collect(),
        suffix: masked(user).windows(4).last().map_or(0, sequence),
        segments: segments(user).into_iter().collect(),
        answers: answers(body, &turns, budget, &secrets).into_iter().collect(),
        features: features(&hashes(&all)),
        capability: capability([hashes(system), hashes(user)], tools, &secrets),
    }
}

/// The words of a text, of more than `most` three quarters from the start and the rest from the end, where a new line
/// begins; and how many are left out.
fn outer_words(text: &[u8], most: usize, secrets: &[u64; 4]) -> (Vec<Word>, usize) {
    let mut words = words::words(text, secrets);
    let more = words.len().saturating_sub(most);
    if more > 0 {
        let joint = most - most / 4;
        words.drain(joint..joint + more);
        words[joint].breaks = true;
    }
    (words, more)
}

fn hashes(words: &[Word]) -> Vec<u64> {
    words.iter().map(|word| word.hash).collect()
}

fn masked(words: &[Word]) -> Vec<u64> {
    words.iter().map(|word| word.masked).collect()
}

/// A piece without its quotes; one outside of the body is empty.
pub fn inside(body: &[u8], piece: Piece) -> &[u8] {
    let raw = body.get(piece.span.start as usize..piece.span.end as usize).unwrap_or(&[]);
    let quoted = raw.len() > 1 && raw[0] == b'"' && raw[raw.len() - 1] == b'"';
    if quoted { &raw[1..raw.len() - 1] } else { raw }
}

pub fn length(body: &[u8], pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| inside(body, *piece).len()).sum()
}

/// The normal form of pieces, a line each, and how many bytes of them were left out: all but three quarters of the
/// budget from the start and one from the end, and what would make the normal form longer than twice the
/// budget and 4 KiB.
pub fn read(body: &[u8], pieces: &[Piece], budget: usize) -> (Vec<u8>, usize) {
    let total = length(body, pieces);
    let most = 2 * budget + 4 * budget.min(1_024);
    let (mut out, mut read) = (Vec::new(), 0);
    let mut start = 0;
    for piece in pieces {
        let raw = inside(body, *piece);
        let place = |at: usize| next_safe(raw, at.saturating_sub(start));
        let fits = total <= budget;
        let front = if fits { raw.len() } else { place(budget - budget / 4) };
        let back = if fits { raw.len() } else { place(total - budget / 4).max(front) };
        for part in [&raw[..front], &raw[back..]].into_iter().filter(|part| !part.is_empty()) {
            let (normal, length) = normalize(part, piece.escaped, most.saturating_sub(out.len()));
            out.extend(normal);
            out.push(b'\n');
            read += length;
        }
        start += raw.len();
    }
    (out, total - read)
}

/// Where an escape begins, or a character with no backslash close before it; without such a place in 64 bytes, here.
fn next_safe(raw: &[u8], at: usize) -> usize {
    let ends_pair = |at: usize| at >= 6 && raw[at - 6] == b'\\' && words::units(&raw[at - 6..], true)[0].length == 12;
    let begins_escape = |at: usize| raw[at] == b'\\' && raw[at - 1] != b'\\' && !ends_pair(at);
    let begins_character = |at: usize| {
        let is_continuation = (0x80..0xc0).contains(&raw[at]);
        !is_continuation && (1..=6).all(|back| back > at || raw[at - back] != b'\\')
    };
    if at == 0 || at >= raw.len() {
        return at.min(raw.len());
    }
    let mut places = at..raw.len().min(at + 64);
    places.find(|&at| begins_escape(at) || begins_character(at)).unwrap_or(at)
}

/// Words in order: each times an odd number of its place; 0 without words.
pub fn sequence(words: &[u64]) -> u64 {
    let step = u128::from(GOLDEN) - 1;
    let odd = |place: usize| u128::from(low(step * place as u128) | 1);
    let sum = words
        .iter()
        .enumerate()
        .fold(0, |sum, (place, word)| low(u128::from(sum) + u128::from(low(u128::from(*word) * odd(place)))));
    if words.is_empty() { 0 } else { mix(sum ^ words.len() as u64) }
}

fn template(words: &[Word]) -> u64 {
    let mut kept: Vec<Option<u64>> = words.iter().map(|word| (!word.slot).then_some(word.hash)).collect();
    kept.dedup_by(|one, other| one.is_none() && other.is_none());
    sequence(&kept.iter().map(|word| word.unwrap_or(0x517c_c1b7_2722_0a95)).collect::<Vec<_>>())
}

/// The windows of three words; of those that reach beyond 4,096 words every eighth by its own hash.
pub fn shingles(words: &[u64]) -> Vec<u32> {
    let sum = |words: &[u64]| {
        let at = |place: usize| words.get(place).copied().unwrap_or(0);
        low(u128::from(at(0)) + u128::from(at(1).rotate_left(21)) + u128::from(at(2).rotate_left(42)))
    };
    let spread = |sum: u64| ((low(u128::from(sum ^ sum >> 29) * u128::from(GOLDEN)) >> 32) as u32).max(1);
    if (1..3).contains(&words.len()) {
        return vec![spread(sum(words))];
    }
    let is_kept = |place: usize, sum: u64| place + 3 <= 4_096 || mix(sum).is_multiple_of(8);
    let windows = words.windows(3).map(sum).enumerate();
    windows.filter(|(place, sum)| is_kept(*place, *sum)).map(|(_, sum)| spread(sum)).collect()
}

/// For each permutation the least of all hashes; and the set while it has at most 128.
pub fn minhash(hashes: &[u32], num_perm: usize) -> MinHash {
    let permutation = |number: u64, hash: u32| {
        let (a, b) = ((mix(2 * number + 1) % (1 << 32)) | 1, mix(2 * number + 2) % (1 << 32));
        ((u128::from(a) * u128::from(hash) + u128::from(b)) % (1 << 32)) as u32
    };
    let least = |number| hashes.iter().map(|hash| permutation(number, *hash)).min().unwrap_or(u32::MAX);
    let set: BTreeSet<u32> = hashes.iter().copied().collect();
    let whole = (set.len() <= 128).then(|| set.into_iter().collect());
    MinHash::from_parts((0..num_perm as u64).map(least).collect(), whole).unwrap()
}

/// Runs of five words of one sentence whose hash ends in enough zero bits: two, and one more for each doubling from 512
/// words on; without their last byte. Beside each the number of its sentence, at most 255, and that of the user's first.
fn keys(system: &[Word], user: &[Word]) -> (Vec<u64>, Vec<u8>, u8) {
    let (mut every, mut most) = (4, 512);
    while system.len() + user.len() >= most {
        (every, most) = (2 * every, 2 * most);
    }
    let places = |sentences: &[Vec<u64>]| sentences.iter().map(|one| one.len().div_ceil(24).max(1)).sum::<usize>();
    let user_place = places(&sentences(system)).min(255) as u8;
    let (mut found, mut before) = (BTreeMap::new(), 0);
    for sentence in sentences(system).into_iter().chain(sentences(user)) {
        for (start, run) in sentence.windows(5).enumerate().filter(|(_, run)| five(run).is_multiple_of(every)) {
            found.entry(key(run)).or_insert((before + start / 24).min(255) as u8);
        }
        before += places(&[sentence]);
    }
    let (keys, places) = found.into_iter().take(128).unzip();
    (keys, places, user_place)
}

/// The masked words of each sentence or line; of no words one that is empty.
fn sentences(words: &[Word]) -> Vec<Vec<u64>> {
    let mut sentences = vec![vec![]];
    for (place, word) in words.iter().enumerate() {
        if word.breaks && place > 0 {
            sentences.push(vec![]);
        }
        sentences.last_mut().unwrap().push(word.masked);
    }
    sentences
}

/// Without the byte that is the place's.
pub fn key(run: &[u64]) -> u64 {
    five(run) / 256 * 256
}

pub fn five(run: &[u64]) -> u64 {
    let sum = (0..5).fold(0, |sum, place| sum + u128::from(run[place].rotate_left(13 * place as u32)));
    let product = low(u128::from(low(sum) ^ low(sum) >> 29) * u128::from(GOLDEN));
    product ^ product >> 32
}

/// Lines and sentences of three words or more: the first 16, and the latest 16 after them. One that is kept is not
/// taken again.
fn segments(words: &[Word]) -> Vec<Segment> {
    let mut sentences: Vec<Vec<u64>> = vec![vec![]];
    for word in words {
        if word.breaks {
            sentences.push(vec![]);
        }
        sentences.last_mut().unwrap().push(word.hash);
    }
    let mut kept: Vec<Segment> = Vec::new();
    for words in sentences.iter().filter(|words| words.len() >= 3) {
        let segment = Segment { hash: sequence(words), words: words.len() as u32 };
        if !kept.contains(&segment) {
            kept.push(segment);
        }
        if kept.len() > 32 {
            kept.remove(16);
        }
    }
    kept
}

/// Pieces of one message by one role.
fn turns(pieces: &[Piece]) -> Vec<&[Piece]> {
    let mut turns = Vec::new();
    let mut start = 0;
    for end in 1..=pieces.len() {
        let goes_on = pieces.get(end).is_some_and(|p| (p.turn, p.role) == (pieces[start].turn, pieces[start].role));
        if !goes_on {
            turns.push(&pieces[start..end]);
            start = end;
        }
    }
    turns
}

/// The first 32 words of a turn, as far as they end in the opening of its normal form.
fn turn_words(body: &[u8], turn: &[Piece], budget: &mut usize, secrets: &[u64; 4]) -> Vec<u64> {
    let mut text = Vec::new();
    let mut left = TURN_BYTES.min(*budget);
    for piece in turn {
        if text.len() > OPENING || left == 0 {
            break;
        }
        let raw = inside(body, *piece);
        let (normal, read) = normalize(&raw[..next_safe(raw, left)], piece.escaped, OPENING + 1 - text.len());
        text.extend(normal);
        text.push(b'\n');
        left = left.saturating_sub(read);
        *budget = budget.saturating_sub(if piece.escaped { read / 3 } else { read });
    }
    opening(&text, secrets)
}

fn opening(text: &[u8], secrets: &[u64; 4]) -> Vec<u64> {
    words::words(text, secrets).iter().filter(|word| word.end < OPENING).take(32).map(|word| word.hash).collect()
}

/// The last eight turns of the model, and what the user said last before each; the latest first, as far as the budget
/// goes.
fn answers(body: &[u8], turns: &[&[Piece]], mut budget: usize, secrets: &[u64; 4]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (place, turn) in turns.iter().enumerate().rev().filter(|(_, turn)| turn[0].role == Role::Assistant).take(8) {
        let asked = turns[..place].iter().rev().find(|turn| turn[0].role == Role::User);
        let words = turn_words(body, turn, &mut budget, secrets);
        let mut link = asked.map_or(vec![], |turn| turn_words(body, turn, &mut budget, secrets));
        if budget == 0 {
            break;
        }
        link.push(sequence(&words));
        answers.insert(0, Answer { hash: sequence(&words), link: sequence(&link), words: words.len() as u32 });
    }
    answers
}

/// The answer that a text will be when it comes back.
pub fn answer(text: &[u8], seed: [u64; 2]) -> Answer {
    let words = opening(&words::normal(&text[..next_safe(text, TURN_BYTES)]), &words::secrets(seed));
    Answer { hash: sequence(&words), link: 0, words: words.len() as u32 }
}

/// Each word adds its sign in its dimension; then the vector gets length 127, in steps of 2⁻¹⁶ and rounded.
fn features(words: &[u64]) -> [i8; 128] {
    let sum_of = |dimension: u64| {
        let here = words.iter().filter(|word| (*word >> 32) % 128 == dimension);
        here.map(|word| if word >> 63 == 0 { 1 } else { -1 }).sum::<i64>()
    };
    let sums: [i64; 128] = std::array::from_fn(|dimension| sum_of(dimension as u64));
    let squares: i64 = sums.iter().map(|sum| sum * sum).sum();
    // In steps of 1/256.
    let root = (squares as f64 * 65_536.0).sqrt().floor().max(1.0) as i64;
    sums.map(|sum| (sum * (127 * 65_536 * 256 / root) + 32_768).div_euclid(65_536) as i8)
}

/// Each notion that has a word near an end of a text gives its points; the first capability with the most wins.
fn capability(texts: [Vec<u64>; 2], tools: u32, secrets: &[u64; 4]) -> Capability {
    let read: Vec<u64> =
        texts.iter().flat_map(|text| text.iter().take(ENDS).chain(text.iter().rev().take(ENDS))).copied().collect();
    let is_met = |line: &str| {
        words::words(&words::normal(line.as_bytes()), secrets).iter().any(|word| read.contains(&word.hash))
    };
    let met: Vec<_> = LEXICON.iter().filter(|(_, _, line)| is_met(line)).collect();
    let points = |capability: Capability| {
        let declared = if capability == Capability::Tools && tools > 0 { ENOUGH } else { 0 };
        let counted = met.iter().filter(|(counts_for, ..)| counts_for.contains(&capability));
        declared + counted.map(|(_, points, _)| points).sum::<u32>()
    };
    let most = Capability::ALL.map(points).into_iter().max().unwrap();
    Capability::ALL.into_iter().find(|capability| most >= ENOUGH && points(*capability) == most).unwrap_or_default()
}
