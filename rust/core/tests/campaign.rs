//! Accounts that act as one: what is remembered of keys, answers and accounts, who is convicted by it, and who never.

#[path = "scan/bodies.rs"]
mod bodies;
#[path = "campaign/bounded.rs"]
mod bounded;
#[path = "campaign/campaigns.rs"]
mod campaigns;
#[path = "campaign/cells.rs"]
mod cells;
#[path = "campaign/constants.rs"]
mod constants;
#[path = "campaign/flood.rs"]
mod flood;
#[path = "campaign/guilty.rs"]
mod guilty;
#[path = "campaign/history.rs"]
mod history;
#[path = "campaign/innocent.rs"]
mod innocent;
#[path = "campaign/limits.rs"]
mod limits;
#[path = "campaign/provenance.rs"]
mod provenance;
#[path = "campaign/rotator.rs"]
mod rotator;
#[path = "campaign/service.rs"]
mod service;
#[path = "campaign/standing.rs"]
mod standing;
#[path = "campaign/units.rs"]
mod units;

use proptest::prelude::ProptestConfig;

/// How many rounds of a kind; `make soak` asks for a hundred times as many.
fn rounds(usual: u64) -> u64 {
    if std::env::var_os("RLG_SOAK").is_some() { 100 * usual } else { usual }
}

/// A failing case is printed, and to be written down as a test of its own.
fn cases(usual: u64) -> ProptestConfig {
    ProptestConfig { cases: rounds(usual) as u32, failure_persistence: None, ..ProptestConfig::default() }
}
