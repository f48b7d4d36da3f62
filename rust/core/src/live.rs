//! The detector while requests come: what workers tell and what they are told, over shared memory.
//!
//! **The way of an observation.** A worker looks at the prompt ([`look`]): does it hold pieces of a convicted campaign,
//! and how does its account stand? Both stand in [`book`]s that one process writes and all read. Once the request is
//! answered, the worker appends it as a [`record`] to the [`ring`]. The elected process takes records out and lets
//! [`fold`] add them to the same [`Judge`](crate::audit::judge::Judge) that reads logs; what changed for others goes
//! back into the books. The [`ladder`] says how far to go.
//!
//! Nothing here waits, and nothing is lost when a process dies at any instruction but what it had in hand: a record
//! counts once its header is written, an entry of a book once its check fits.

pub mod area;
pub mod book;
pub mod exchange;
pub mod fold;
pub mod ladder;
pub mod look;
pub mod record;
pub mod reference;
pub mod ring;
pub mod saved;
