//! Counters at a server (Redis, Valkey): how questions are put to the script that decides there, and what it answers.
//!
//! A [`Program`] collects the questions of many callers; the script answers all of them at one instant, in one round
//! trip. It is an array of numbers in MessagePack, because a server's Lua reads that in C. The script and this module
//! are two halves of one thing: what each number means stands in `decide.lua`.

pub mod answer;
pub mod policies;
pub mod program;

pub use answer::{Answered, Receipt, Reply};
pub use policies::{Policies, TAGS};
pub use program::{Call, Due, Gate, Program};
