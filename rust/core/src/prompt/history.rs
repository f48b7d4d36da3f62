//! The conversation before the last turn: what the model is said to have answered.

use super::fields::{Piece, Role};
use super::json::inside;
use super::normalize::normalize;
use super::part::boundary;
use super::sequence::Sequence;
use super::text::Scratch;
use super::words::{Keys, OPENING};
use arrayvec::ArrayVec;

/// Answers that are hashed, counted from the end of the conversation.
pub const MAX_ANSWERS: usize = 8;
/// Words that stand for a turn, if they end in its first [`OPENING`] bytes: a stream need not be kept longer to be
/// recognised when it comes back.
pub const TURN_WORDS: usize = 32;

/// Bytes of the body that may be read for one turn: characters without ink would else be read without end, and an
/// opening that is all escapes (six bytes a letter) still fits.
const TURN_BYTES: usize = 6 * OPENING;
/// The same for all turns together.
const HISTORY_BYTES: usize = 24 << 10;

/// A turn of the model that came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Hash of its first [`TURN_WORDS`] words.
    pub hash: u64,
    /// Hash of them and of the user's turn before.
    pub link: u64,
    /// Words hashed.
    pub words: u32,
}

/// The turns of a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Hash of the user's first turn; 0 without any, and when the last one is the only one, which is read anyway.
    pub conversation: u64,
    /// Messages of the user.
    pub user_turns: u32,
    /// Messages of the model.
    pub assistant_turns: u32,
    /// The last answers, in order.
    pub answers: ArrayVec<Answer, MAX_ANSWERS>,
}

/// Hash the user's first turn, the last answers and the turns before these.
#[inline(always)]
pub fn history(body: &[u8], pieces: &[Piece], keys: &Keys, scratch: &mut Scratch) -> History {
    let mut history = History::default();
    let (mut first, mut user): (&[Piece], &[Piece]) = (&[], &[]);
    let mut answers: ArrayVec<(&[Piece], &[Piece]), MAX_ANSWERS> = ArrayVec::new();
    for turn in pieces.chunk_by(|one, next| one.turn == next.turn && one.role == next.role) {
        match turn[0].role {
            Role::User => {
                user = turn;
                first = if history.user_turns == 0 { turn } else { first };
                history.user_turns += 1;
            }
            Role::Assistant => {
                if answers.is_full() {
                    answers.remove(0);
                }
                answers.push((user, turn));
                history.assistant_turns += 1;
            }
            Role::System | Role::Tool => {}
        }
    }
    let mut budget = HISTORY_BYTES;
    if history.user_turns > 1 {
        history.conversation = turn(body, first, keys, &mut budget, scratch).hash();
    }
    for (asked, answered) in answers.into_iter().rev() {
        let answer = turn(body, answered, keys, &mut budget, scratch);
        let mut link = turn(body, asked, keys, &mut budget, scratch);
        if budget == 0 {
            break;
        }
        link.push(answer.hash());
        history.answers.push(Answer { hash: answer.hash(), link: link.hash(), words: answer.words() });
    }
    history.answers.reverse();
    history
}

/// The hash of a text as if it came back as a turn of the model: what [`Answer::hash`] will be.
pub fn answer(text: &[u8], keys: &Keys, scratch: &mut Scratch) -> Answer {
    scratch.clear();
    normalize(&text[..boundary(text, TURN_BYTES)], false, OPENING + 1, &mut scratch.text);
    let turn = cut(keys, scratch);
    Answer { hash: turn.hash(), link: 0, words: turn.words() }
}

/// The first answer in a response of which `pieces` were found, as [`answer`] has it.
pub fn first_answer(body: &[u8], pieces: &[Piece], keys: &Keys, scratch: &mut Scratch) -> Option<Answer> {
    let turn = pieces.chunk_by(|one, next| one.turn == next.turn).next()?;
    let sequence = self::turn(body, turn, keys, &mut HISTORY_BYTES.clone(), scratch);
    Some(Answer { hash: sequence.hash(), link: 0, words: sequence.words() })
}

/// The words that stand for a turn, of all its words and how many of these end in its opening.
#[inline(always)]
pub fn opening(words: &[u64], in_opening: usize) -> Sequence {
    let mut sequence = Sequence::default();
    for &word in &words[..in_opening.min(TURN_WORDS)] {
        sequence.push(word);
    }
    sequence
}

fn turn(body: &[u8], pieces: &[Piece], keys: &Keys, budget: &mut usize, scratch: &mut Scratch) -> Sequence {
    scratch.clear();
    let mut left = TURN_BYTES.min(*budget);
    for &piece in pieces {
        let most = (OPENING + 1).saturating_sub(scratch.text.len());
        if most == 0 || left == 0 {
            break;
        }
        let raw = inside(body, piece.span);
        let read = normalize(&raw[..boundary(raw, left)], piece.escaped, most, &mut scratch.text);
        scratch.text.push(b'\n');
        left = left.saturating_sub(read);
        // An escape is six bytes and no more work than the three of a character.
        *budget = budget.saturating_sub(if piece.escaped { read / 3 } else { read });
    }
    cut(keys, scratch)
}

fn cut(keys: &Keys, scratch: &mut Scratch) -> Sequence {
    let in_opening = scratch.words.cut::<false>(&mut scratch.text, keys);
    opening(scratch.words.hashes(), in_opening)
}
