//! Events: what a request shows, yes or no. Definitions, reasons and limits: `docs/detection.md`.

use super::recall::{Entry, Place};
use super::rows::{Row, Rows};

/// Words of known text around a new piece: phrases that wrap a task are short, retrieved passages are not.
const MAX_WRAP_WORDS: u32 = 60;
/// Words of a frame: a longer one is an application's own prompt.
const MAX_FRAME_WORDS: u32 = 40;
/// Rows of a frame at either end.
const MAX_FRAME_ROWS: usize = 2;
/// Words of what a frame is around.
const MIN_FRAMED_WORDS: u32 = 4;
/// Class of the usual gap, 3 requests and more, from which on a phrase is not one of a form's few options.
const CHANGING: u32 = 2;
/// … 6 requests and more, from which on a frame is one of many.
const ROTATING: u32 = 4;
/// Sources from which on pieces did not come together by one earlier prompt and its follow-up.
const MANY: usize = 3;

/// Both ends of the prompt are known, from different earlier requests. Either one of them stood elsewhere before, or
/// they are changing phrases around something new.
pub fn is_recombination(rows: &Rows, number: u32) -> bool {
    let Some((head, tail)) = known_ends(rows) else { return false };
    let moved = !head.stood(Place::First) || !tail.stood(Place::Last);
    let changing = head.gap_class(number).min(tail.gap_class(number)) >= CHANGING;
    let many = rows.sources() >= MANY;
    moved && (many || changing && !rows.is_soft) || changing && is_wrapped(rows) && (many || !rows.has_constants())
}

fn known_ends(rows: &Rows) -> Option<(Entry, Entry)> {
    let (head, tail) = (rows.rows.first()?.known?, rows.rows.last()?.known?);
    (head.number() != tail.number()).then_some((head, tail))
}

fn is_wrapped(rows: &Rows) -> bool {
    let is_new = |&place: &usize| rows.rows[place].known.is_none();
    let known = rows.rows.iter().filter(|row| row.known.is_some());
    rows.witnesses.iter().any(is_new) && words(known) <= MAX_WRAP_WORDS
}

/// Something new in a short known frame, every row of which is one of many.
pub fn is_rotation(rows: &Rows, number: u32) -> bool {
    let rows = &rows.rows[..];
    let known = |row: &&Row| row.known.is_some();
    let head = rows.iter().take_while(known).count();
    let tail = rows[head..].iter().rev().take_while(known).count();
    let (mut frame, task) = (rows[..head].iter().chain(&rows[rows.len() - tail..]), &rows[head..rows.len() - tail]);
    let rotates = |entry: Entry| entry.gap_class(number) >= ROTATING;
    head + tail > 0
        && head.max(tail) <= MAX_FRAME_ROWS
        && task.iter().all(|row| row.known.is_none())
        && words(task.iter()) >= MIN_FRAMED_WORDS
        && words(frame.clone()) <= MAX_FRAME_WORDS
        && frame.all(|row| row.known.is_some_and(rotates))
}

/// Pieces of several earlier requests together, wherever they stand.
pub fn is_mosaic(rows: &Rows) -> bool {
    rows.sources() >= 2
}

fn words<'a>(rows: impl Iterator<Item = &'a Row>) -> u32 {
    rows.map(|row| row.words).sum()
}
