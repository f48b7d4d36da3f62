//! Takes records out of a ring one after the other, past the gaps that dead writers left.

use ratelimit_guard_core::live::ring::{Next, Ring};
use std::time::{Duration, Instant};

/// A claimed place that stays empty for so long belongs to a process that died, or that can do without its record.
const GAP: Duration = Duration::from_millis(50);

/// Where the reader is.
#[derive(Debug, Default)]
pub struct Intake {
    /// What stands before was taken or given up.
    pub position: u64,
    gap_since: Option<Instant>,
    room: Vec<u64>,
}

impl Intake {
    /// One that begins at a position.
    pub fn at(position: u64) -> Self {
        Self { position, ..Self::default() }
    }

    /// The next record and where it ends; `None` when there is none yet. What stands in the ring stays there.
    pub fn next(&mut self, ring: Ring<'_>) -> Option<(u64, Vec<u64>)> {
        loop {
            match ring.look(self.position, &mut self.room) {
                Next::Record(end) => {
                    (self.position, self.gap_since) = (end, None);
                    return Some((end, self.room.clone()));
                }
                Next::Nothing => return None,
                Next::Unfinished => {
                    let since = *self.gap_since.get_or_insert_with(Instant::now);
                    if since.elapsed() < GAP {
                        return None;
                    }
                    (self.position, self.gap_since) = (ring.skip(self.position, &mut self.room), None);
                }
            }
        }
    }
}
