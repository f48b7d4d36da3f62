//! The facts of a prompt: hashes, counts and sketches; no text.

use super::capability::{Capability, capability};
use super::features::{FEATURES, features};
use super::fields::{Fields, Piece, Role};
use super::history::{Answer, History, MAX_ANSWERS, history, opening};
use super::keys::{PREFIXES, keys, prefixes, suffix};
use super::part;
use super::segment::{MAX_SEGMENTS, Segment, segments};
use super::sequence::Sequence;
use super::shingle::shingles;
use super::template::template;
use super::text::Scratch;
use super::words::Keys;
use crate::sketch::minhash::{MinHash, NUM_PERM};
use crate::vector::wide;
use arrayvec::ArrayVec;

/// Bytes of system and user text that are read: about 4,500 tokens, and less than a tenth of a millisecond. Of longer
/// ones head and tail.
pub const MAX_TEXT: usize = 18 << 10;
/// Bytes of these that the system text may take however long the user's is.
const SYSTEM_SHARE: usize = MAX_TEXT / 4;

/// Words that are read, of more the first and the last: a text of 18 KiB has more only when its words are shorter than
/// those of most languages.
pub const MAX_WORDS: usize = 3 << 10;
/// Words of these that the system text may take.
const MAX_SYSTEM_WORDS: usize = MAX_WORDS * 3 / 4;

/// What is known about one prompt: its system text, the user's last turn, and the conversation before. About 2 KiB.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Words of system text and last turn.
    pub words: u32,
    /// Bytes of them that were left out, see [`MAX_TEXT`], and words, see [`MAX_WORDS`], each of which has at least
    /// one.
    pub left_out: u32,
    /// Hash of all these words in order.
    pub digest: u64,
    /// Hash of the system text's words; 0 without any.
    pub system: u64,
    /// Hash of the words with runs of slots (numbers, quotations, long words) as one mark.
    pub template: u64,
    /// Hash of the user's first turn; 0 without any.
    pub conversation: u64,
    /// Messages of the user.
    pub user_turns: u32,
    /// Messages of the model.
    pub assistant_turns: u32,
    /// Signature of the word 3-shingles.
    pub sketch: MinHash,
    /// Sampled hashes of word 5-grams, digits masked, in rising order.
    pub keys: Vec<u64>,
    /// Of each key the number of the line or sentence that it stands in.
    pub places: Vec<u8>,
    /// The number of the one that the user's turn begins with, and the prefixes.
    pub user_place: u8,
    /// Hashes of the first words of the user's turn, as many as [`PREFIXES`] says and it has.
    pub prefixes: ArrayVec<u64, { PREFIXES.len() }>,
    /// Hash of its last four words, digits masked as in the prefixes; 0 when it has fewer.
    pub suffix: u64,
    /// Different lines and sentences of the user's turn.
    pub segments: ArrayVec<Segment, MAX_SEGMENTS>,
    /// The last answers of the conversation, in order.
    pub answers: ArrayVec<Answer, MAX_ANSWERS>,
    /// What the words are about.
    pub features: [i8; FEATURES],
    /// What they ask the model to do.
    pub capability: Capability,
}

/// The facts of a scanned body. Cost with AVX2: about 3 ns per byte up to [`MAX_TEXT`], whatever the body holds beyond.
pub fn facts(body: &[u8], fields: &Fields, keys: &Keys, scratch: &mut Scratch) -> Box<Facts> {
    wide(
        #[inline(always)]
        || {
            let history = history(body, &fields.pieces, keys, scratch);
            let last_turn = cut_last_turn(body, &fields.pieces, keys, scratch);
            let mut facts = derive(history, last_turn, fields.tools > 0, keys, scratch);
            compare(&mut facts, &last_turn, scratch);
            facts
        },
    )
}

/// Only the facts that accounts and campaigns are judged by: sketch, template and features, by which prompts compare
/// with each other, stay empty. Cost: two thirds of [`facts`].
pub fn judged(body: &[u8], fields: &Fields, keys: &Keys, scratch: &mut Scratch) -> Box<Facts> {
    wide(
        #[inline(always)]
        || {
            let history = history(body, &fields.pieces, keys, scratch);
            let last_turn = cut_last_turn(body, &fields.pieces, keys, scratch);
            derive(history, last_turn, fields.tools > 0, keys, scratch)
        },
    )
}

/// Where in the words the user's last turn begins, how many of its words are its opening, and how many bytes were left
/// out.
#[derive(Clone, Copy)]
struct LastTurn {
    boundary: usize,
    in_opening: usize,
    left_out: usize,
}

/// Cut system text and the user's last turn into words.
#[inline(always)]
fn cut_last_turn(body: &[u8], pieces: &[Piece], keys: &Keys, scratch: &mut Scratch) -> LastTurn {
    let last = pieces.iter().rev().find(|piece| piece.role == Role::User).map(|piece| piece.turn);
    let system = pieces.iter().copied().filter(|piece| piece.role == Role::System);
    let user = pieces.iter().copied().filter(|piece| piece.role == Role::User && Some(piece.turn) == last);
    let system_budget = MAX_TEXT - part::length(body, user.clone()).min(MAX_TEXT - SYSTEM_SHARE);
    let user_budget = MAX_TEXT - part::length(body, system.clone()).min(system_budget);

    scratch.clear();
    let mut left_out = part::read(body, system, system_budget, &mut scratch.text);
    scratch.words.cut::<true>(&mut scratch.text, keys);
    left_out += scratch.words.keep_ends(0, MAX_SYSTEM_WORDS);
    let boundary = scratch.words.hashes().len();
    scratch.text.clear();
    left_out += part::read(body, user, user_budget, &mut scratch.text);
    let in_opening = scratch.words.cut::<true>(&mut scratch.text, keys);
    left_out += scratch.words.keep_ends(boundary, MAX_WORDS - boundary);
    LastTurn { boundary, in_opening, left_out }
}

#[inline(always)]
fn derive(history: History, last_turn: LastTurn, has_tools: bool, secret: &Keys, scratch: &mut Scratch) -> Box<Facts> {
    let (words, masked, flags) = (scratch.words.hashes(), scratch.words.masked(), scratch.words.flags());
    let boundary = last_turn.boundary;
    let (system, user) = words.split_at(boundary);
    let opening = opening(user, last_turn.in_opening);
    let keys = keys(masked, flags, boundary);
    Box::new(Facts {
        words: words.len() as u32,
        left_out: last_turn.left_out as u32,
        digest: Sequence::of(words),
        system: Sequence::of(system),
        template: 0,
        conversation: if history.user_turns == 1 { opening.hash() } else { history.conversation },
        user_turns: history.user_turns,
        assistant_turns: history.assistant_turns,
        sketch: MinHash::new(NUM_PERM),
        keys: keys.hashes,
        places: keys.places,
        user_place: keys.boundary,
        prefixes: prefixes(&masked[boundary..]),
        suffix: suffix(&masked[boundary..]),
        segments: segments(user, &flags[boundary..]),
        answers: history.answers,
        features: [0; FEATURES],
        capability: capability(system, user, has_tools, secret.lexicon()),
    })
}

/// What compares prompts.
#[inline(always)]
fn compare(facts: &mut Facts, last_turn: &LastTurn, scratch: &mut Scratch) {
    let words = scratch.words.hashes();
    let (system, user) = words.split_at(last_turn.boundary);
    shingles(system, &mut scratch.shingles);
    shingles(user, &mut scratch.shingles);
    facts.sketch.add_here(&scratch.shingles);
    facts.template = template(words, scratch.words.flags());
    facts.features = features(words);
}
