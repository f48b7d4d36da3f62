//! Leases: what reservations in flight hold is written down in a ledger of shared words, so that it comes back when a
//! process dies.
//!
//! A line lists only what may be given back for a dead owner: a permit, or the output of the last slice that has not
//! been spent. It is raised after the charge and lowered before the refund, and whoever lowers it by a swap may give
//! back what it listed. So a kill between any two instructions loses at most what was being moved, until its window
//! ends, and nothing is ever given back twice. [`line`](mod@line) says what the words mean, [`ledger`] how they change.

pub mod ledger;
pub mod line;

use crate::time::Nanos;

/// An entry whose owner has not been heard of for so long is taken back, whoever he is: a process of another pid
/// namespace that died, or one that was stopped. Thirty rounds of a keeper: none is late by accident.
pub const LEASE: Nanos = Nanos(30 * Nanos::SECOND.0);
