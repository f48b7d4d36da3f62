//! Exact rate limiting over a table of atomic words that threads and processes share.
//!
//! This crate has no clock and no I/O: memory and time are arguments. Decisions take no locks; the only `unsafe` line
//! is in [`vector`], which picks code for the processor.
//!
//! **The way of a decision.** [`limiter`] hashes the key ([`hash`]) and asks each policy's [`counter`], which finds or
//! claims a [`cell`] in the [`table`] and lets the quota's [`rule`] charge it: [`window`] arithmetic or [`gcra`]. One
//! compare-and-swap of the cell's head decides; [`word`] says what its bits mean, [`layout`] where everything lies,
//! [`registry`] which quota a cell was written under.
//!
//! **A call of a model** holds a [`reservation`] while it runs: tokens charged by slices, slots, and at the end the real
//! usage. What it holds is listed in a ledger of [`lease`]s, from which others give it back when its process dies.
//!
//! **Beside the limits**, [`prompt`] reads what a request asks for, [`sketch`] summarises it, [`detector`] judges what
//! an account asks in the long run, [`campaign`] which accounts act as one, and [`audit`] does so over recorded traffic.
//! [`tokens`] counts what a call of a model uses.
//! [`saved`] makes bytes of what they remember, for a process that takes over.
//!
//! ```
//! use ratelimit_guard_core::{hash::Seed, layout::words_for, limiter::*, quota::Quota, sync::AtomicU64, table::Table, time::Nanos};
//! use std::sync::Arc;
//!
//! let words: Box<[AtomicU64]> = (0..words_for(1000)).map(|_| AtomicU64::new(0)).collect();
//! let table = Arc::new(Table::format(words, 1000, Seed([1, 2]))?);
//! let policies = [("calls".to_string(), Quota::parse("2/minute")?)];
//! let limiter = Limiter::new(table, "", &policies, OnFull::Refuse)?;
//! let now = || Nanos(5_000_000_000);
//! assert!(limiter.acquire(b"alice", 1, true, &now)?.answer().allowed);
//! assert!(limiter.acquire(b"alice", 1, true, &now)?.answer().allowed);
//! assert!(!limiter.acquire(b"alice", 1, true, &now)?.answer().allowed);
//! # Ok::<(), ratelimit_guard_core::error::Error>(())
//! ```

pub mod audit;
pub mod bounded;
pub mod campaign;
pub mod cell;
pub mod counter;
pub mod detector;
pub mod error;
pub mod gcra;
pub mod hash;
pub mod layout;
pub mod lease;
pub mod limiter;
pub mod live;
pub mod prompt;
pub mod quota;
pub mod registry;
pub mod remote;
pub mod reservation;
pub mod rule;
pub mod saved;
pub mod sketch;
pub mod sync;
pub mod table;
pub mod time;
pub mod tokens;
pub mod vector;
pub mod window;
pub mod word;
