//! What the elected process of a host does while another host judges: it hands observations on and tells what it is told.

use crate::file;
use crate::intake::Intake;
use crate::journal::Journal;
use crate::leader::{Hand, journal_path};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::live::exchange::{Verdicts, batch};
use ratelimit_guard_core::live::record::is_own;
use ratelimit_guard_core::live::saved::State;
use std::sync::atomic::Ordering::SeqCst;

/// Observations on their way: as bytes, how many, and where in the ring they end.
pub type Taken = (Vec<u8>, usize, u64);

impl Hand {
    /// What waits in the ring, in a batch of at most so many bytes, or one record; `None` when nothing does, or this
    /// process is not the one to hand it on. It waits on until it was [`sent`](Self::sent).
    pub fn take(&self, most: usize) -> Result<Option<Taken>, Error> {
        let Some(mut intake) = self.intake() else { return Ok(None) };
        let (area, mut records, mut bytes) = (&self.post().area, Vec::new(), 0);
        let start = area.ring().read_up_to();
        if intake.position != start {
            *intake = Intake::at(start);
        }
        let mut end = start;
        while let Some((next, words)) = intake.next(area.ring()) {
            // What the correlator before it, of this host, had read is in the stream.
            if is_own(&words) {
                bytes += 8 * words.len() + 4;
                if bytes > most && !records.is_empty() {
                    break;
                }
                records.push(words);
            }
            end = next;
        }
        if records.is_empty() {
            // Past gaps, if any.
            area.ring().advance(intake.position);
            return Ok(None);
        }
        Ok(Some((batch(area.seed(), &records)?, records.len(), end)))
    }

    /// What was taken up to there is in other hands: it may be written over.
    pub fn sent(&self, end: u64) {
        if let Some(_intake) = self.intake() {
            self.post().area.ring().advance(end);
            self.post().area.saved_up_to().store(end, SeqCst);
        }
    }

    /// Tell what the host that judges tells, and nothing else. False when this process is not the one to do it.
    pub fn learn(&self, verdicts: &[u8]) -> Result<bool, Error> {
        let verdicts = Verdicts::read(self.post().area.seed(), verdicts)?;
        let Some(_intake) = self.intake() else { return Ok(false) };
        verdicts.tell(&self.post().area);
        Ok(true)
    }

    /// Begin with another host's state when this process folds next. False when the state is this area's own, which
    /// knows as much or more; `None` when this process is not the one to do it.
    pub fn adopt(&self, state: &[u8]) -> Result<Option<bool>, Error> {
        let (area, path) = (&self.post().area, &self.post().state);
        let mark = State::read(state)?.mark;
        if mark.secret != area.seed().0 {
            return Err(Error::store("another host's state was kept under another secret"));
        }
        let Some(_intake) = self.intake() else { return Ok(None) };
        if mark.area == area.id() {
            return Ok(Some(false));
        }
        file::replace(path, state)?;
        // What it holds is of this host alone, and older.
        Journal::open(&journal_path(path), area.id(), |_, _| {})?.clear()?;
        Ok(Some(true))
    }
}
