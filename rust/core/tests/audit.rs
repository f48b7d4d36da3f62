//! A log in, verdicts out: where columns stand, what they hold, what becomes of lines, and what is kept of accounts.

#[path = "audit/auditor.rs"]
mod auditor;
#[path = "scan/bodies.rs"]
mod bodies;
#[path = "audit/campaigns.rs"]
mod campaigns;
#[path = "audit/chunks.rs"]
mod chunks;
#[path = "audit/groups.rs"]
mod groups;
#[path = "audit/ledger.rs"]
mod ledger;
#[path = "audit/lines.rs"]
mod lines;
#[path = "audit/record.rs"]
mod record;
#[path = "campaign/service.rs"]
mod service;
#[path = "audit/value.rs"]
mod value;

use ratelimit_guard_core::audit::record::Column;
use ratelimit_guard_core::audit::{Auditor, Format};
use ratelimit_guard_core::campaign::{Correlator, Room};
use ratelimit_guard_core::detector::Detector;
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::hash::Seed;

/// How many rounds of a kind; `make soak` asks for a hundred times as many.
fn rounds(usual: u64) -> u64 {
    if std::env::var_os("RLG_SOAK").is_some() { 100 * usual } else { usual }
}

const ROOM: Room = Room { keys: 1 << 12, accounts: 1 << 10, answers: 1 << 10 };

/// An auditor of records as [`lines`] writes them.
fn auditor() -> Auditor {
    let paths = [
        (Column::Time, "t"),
        (Column::Account, "key.id"),
        (Column::Account, "user"),
        (Column::Tenant, "tenant"),
        (Column::Id, "id"),
        (Column::Status, "status"),
        (Column::Path, "path"),
        (Column::AnswerTokens, "usage.out"),
        (Column::Request, "request"),
        (Column::Reply, "reply"),
        (Column::Address, "address"),
    ];
    let paths = paths.map(|(column, path)| (column, path.to_string()));
    let format = Format::new(&paths, &bodies::all(), Seed([0x5eed, 0xf00d])).unwrap();
    // Low, so that a short stream is enough.
    let detector = Detector::new(Thresholds::new(0.5, Some([0.0; 3])).unwrap(), 1_000);
    Auditor::new(format, detector, Correlator::new(ROOM, None))
}

/// An auditor that has read this file.
fn audited(log: &[u8]) -> Auditor {
    let mut auditor = auditor();
    auditor.feed(log);
    auditor.end_file();
    auditor
}
