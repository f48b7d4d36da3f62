//! The slow twins: lists and fractions, obviously right.
#![allow(dead_code)]

/// What was admitted: (instant, cost), in order.
#[derive(Default)]
pub struct Log(pub Vec<(u64, u64)>);

impl Log {
    pub fn push(&mut self, at: u64, cost: u64) {
        self.0.push((at, cost));
    }

    /// Units admitted after `now - window` and up to `now`.
    pub fn within(&self, window: u64, now: u64) -> u64 {
        self.0.iter().filter(|(at, _)| *at + window > now && *at <= now).map(|(_, cost)| cost).sum()
    }

    /// The most units that any half-open window of this length saw.
    pub fn worst(&self, window: u64) -> u64 {
        self.0.iter().map(|(at, _)| self.within(window, *at)).max().unwrap_or(0)
    }

    /// Does some interval hold more than burst + rate × its length? Exact: compares fractions by multiplying out.
    pub fn beats_bucket(&self, limit: u64, window: u64, burst: u64) -> bool {
        (0..self.0.len()).any(|first| {
            let mut units = 0u128;
            self.0[first..].iter().any(|(at, cost)| {
                units += u128::from(*cost);
                let earned = u128::from(at - self.0[first].0) * u128::from(limit);
                units * u128::from(window) > u128::from(burst) * u128::from(window) + earned
            })
        })
    }

    /// The sliding-window counter by its textbook formula, rounded up.
    pub fn fading(&self, window: u64, now: u64) -> u64 {
        let epoch = now / window;
        let count = |wanted: u64| self.0.iter().filter(|(at, _)| at / window == wanted).map(|(_, c)| c).sum::<u64>();
        let previous = if epoch == 0 { 0 } else { count(epoch - 1) };
        let left = (epoch + 1) * window - now;
        count(epoch) + (u128::from(previous) * u128::from(left)).div_ceil(u128::from(window)) as u64
    }
}
