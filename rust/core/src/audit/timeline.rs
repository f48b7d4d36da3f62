//! How an account's score went, in a few points however many requests it has.

use crate::saved::ensure;
use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

/// Points kept at most; when they are full every other one goes, and from then on half as many are taken.
pub const MAX_POINTS: usize = 48;
/// Requests before which there is nothing to draw.
const START: u32 = 8;

/// A point.
#[derive(Clone, Copy, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Point {
    /// Seconds since the epoch.
    pub time: f64,
    /// Requests up to it.
    pub requests: u32,
    /// The highest score so far.
    pub score: f32,
}

/// The points, and every how many requests one is taken.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Timeline {
    points: Vec<Point>,
    stride: u32,
    /// The newest, kept or not: a line ends where the account does.
    newest: Option<Point>,
    /// Where the account was flagged, kept whatever else goes.
    mark: Option<Point>,
}

impl Timeline {
    /// Add how the account stands after a request.
    pub fn add(&mut self, point: Point) {
        self.newest = (point.requests >= START).then_some(point);
        self.stride = self.stride.max(1);
        if self.newest.is_none() || !point.requests.is_multiple_of(self.stride) {
            return;
        }
        // More than once where the requests that are judged lie apart.
        while self.points.len() >= MAX_POINTS {
            self.stride *= 2;
            self.points.retain(|point| point.requests.is_multiple_of(self.stride));
        }
        if point.requests.is_multiple_of(self.stride) {
            self.points.push(point);
        }
    }

    /// One that has been saved. Points lie apart by the stride, so that thinning them comes to an end.
    pub(super) fn read<R: Read>(reader: &mut R) -> io::Result<Self> {
        let timeline = Self::deserialize_reader(reader)?;
        let Self { points, stride, .. } = &timeline;
        let is_taken = |point: &Point| point.requests.is_multiple_of(*stride);
        let is_rising = points.windows(2).all(|pair| pair[0].requests < pair[1].requests);
        ensure(points.len() <= MAX_POINTS && is_rising && points.iter().all(is_taken), "timeline")?;
        Ok(timeline)
    }

    /// Keep this point.
    pub fn mark(&mut self, point: Point) {
        self.mark = Some(point);
    }

    /// In order, with the marked and the newest.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        let at = self.mark.map_or(0, |mark| self.points.partition_point(|point| point.requests < mark.requests));
        let (before, after) = self.points.split_at(at);
        let mark = self.mark.filter(|mark| after.first() != Some(mark));
        let last = after.last().copied().or(mark).or(before.last().copied());
        let newest = self.newest.filter(|newest| last != Some(*newest));
        before.iter().copied().chain(mark).chain(after.iter().copied()).chain(newest)
    }
}
