//! What an audit keeps of accounts and campaigns, from its bytes.

use super::bodies::{self, Random};
use super::service::{ROOM, Stock, words};
use super::{bytes, copy};
use ratelimit_guard_core::audit::groups::Groups;
use ratelimit_guard_core::audit::judge::Judge;
use ratelimit_guard_core::audit::ledger::Ledger;
use ratelimit_guard_core::audit::record::Column;
use ratelimit_guard_core::audit::totals::Totals;
use ratelimit_guard_core::audit::{Auditor, Format};
use ratelimit_guard_core::campaign::Correlator;
use ratelimit_guard_core::detector::Detector;
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::hash::Seed;
use serde_json::json;

fn auditor() -> Auditor {
    let columns = [(Column::Time, "t"), (Column::Account, "user"), (Column::Id, "id"), (Column::Address, "address")];
    let columns = columns.into_iter().chain([(Column::Request, "request")]);
    let columns: Vec<_> = columns.map(|(column, path)| (column, path.to_string())).collect();
    let format = Format::new(&columns, &bodies::all(), Seed([0x5eed, 0xf00d])).unwrap();
    let detector = Detector::new(Thresholds::new(0.5, Some([0.0; 3])).unwrap(), 1_000);
    Auditor::new(format, detector, Correlator::new(ROOM, None))
}

/// Twenty accounts that draw on a stock, twenty people with one template, and lines that are of no use.
fn log() -> Vec<String> {
    let mut random = Random(99);
    let (stock, template) = (Stock::new(&mut random, 30), words(&mut random, 40));
    let mut line = |number: u64| {
        let user = number % 40;
        let text = match user < 20 {
            true => stock.compose(&mut random, 3),
            false => format!("{template} {}", words(&mut random, 20)),
        };
        let request = json!({"messages": [{"role": "user", "content": text}]});
        let line = json!({"t": 1_700_000_000 + 300 * number, "user": format!("user-{user}"), "id": number.to_string(),
            "address": format!("10.0.{user}.7"), "request": request});
        let broken = if number.is_multiple_of(97) { "[\n{}\n" } else { "" };
        format!("{line}\n{broken}")
    };
    (0..1_200).map(&mut line).collect()
}

fn all(auditor: &Auditor) -> Vec<u8> {
    let Auditor { judge, totals, .. } = auditor;
    let Judge { detector, correlator, ledger, groups, .. } = judge;
    bytes(&(detector, correlator, (ledger, groups, totals)))
}

/// Wherever it is saved, the same is kept in the end.
#[test]
fn an_audit_goes_on() {
    let log = log();
    let mut whole = auditor();
    log.iter().for_each(|line| whole.feed(line.as_bytes()));
    let end = all(&whole);
    let convicted = whole.judge.groups.convicted(&whole.judge.correlator.campaigns);
    assert!(convicted.len() == 1 && !convicted[0].1.examples.is_empty() && whole.totals.skipped[0].0 > 0);
    let tallies = whole.judge.ledger.tallies();
    assert!(tallies.len() == 40 && tallies.iter().any(|tally| tally.flag.is_some() && !tally.examples.is_empty()));
    for place in [0, 1, 39, 300, 900, 1_199] {
        let mut auditor = auditor();
        log[..place].iter().for_each(|line| auditor.feed(line.as_bytes()));
        (auditor.judge.detector, auditor.judge.correlator) =
            (copy(&auditor.judge.detector), copy(&auditor.judge.correlator));
        (auditor.judge.ledger, auditor.judge.groups) = (copy(&auditor.judge.ledger), copy(&auditor.judge.groups));
        auditor.totals = copy(&auditor.totals);
        log[place..].iter().for_each(|line| auditor.feed(line.as_bytes()));
        assert!(all(&auditor) == end, "from {place}");
        assert_eq!(format!("{:?}", auditor.judge.ledger.tallies()), format!("{tallies:?}"));
    }
}

/// Nothing is nearly nothing.
#[test]
fn empty_ones_are_small() {
    copy(&(Ledger::default(), Groups::default()));
    copy(&Totals::default());
    assert!(bytes(&(Ledger::default(), Groups::default(), Totals::default())).len() < 400);
}

/// What is kept of the first lines.
pub fn small() -> (Ledger, Groups, Totals) {
    let mut auditor = auditor();
    log()[..600].iter().for_each(|line| auditor.feed(line.as_bytes()));
    (auditor.judge.ledger, auditor.judge.groups, auditor.totals)
}
