//! What needs the machine: mapped memory, the clock, the boot's identity. All `unsafe` but one line of the core is in
//! `mapping.rs`.

pub mod clock;
pub mod exchange;
pub mod file;
pub mod host;
pub mod intake;
pub mod journal;
pub mod keeper;
pub mod leader;
pub mod mapping;
pub mod process;
pub mod store;
