//! Target `pass_answer`.

use crate::bodies::Random;
use ratelimit_guard_core::tokens::filter::UsageFilter;
use ratelimit_guard_core::tokens::meter::Meter;

/// Invariant: whatever the bytes, reading them as an answer, and taking the usage out, never panics and does not depend
/// on where they are cut; what is fed is what is counted; nothing is added to what passes, and its order stays.
pub fn pass_answer(data: &[u8]) {
    let mut random =
        Random(data.iter().fold(1, |seed, byte| (seed ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)) | 1);
    for meter in [Meter::events(true), Meter::document(true)] {
        let whole = read(meter.clone(), &[data]);
        assert_eq!(read(meter, &pieces(data, &mut random)), whole);
    }
    let whole = filtered(&[data]);
    assert_eq!(filtered(&pieces(data, &mut random)), whole);
    let mut rest = data.iter();
    assert!(whole.iter().all(|byte| rest.any(|came| came == byte)));
}

fn pieces<'b>(mut rest: &'b [u8], random: &mut Random) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(1 + random.below(rest.len().min(40)));
        pieces.push(piece);
        rest = more;
    }
    pieces
}

fn read(mut meter: Meter, pieces: &[&[u8]]) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut fed = 0;
    for piece in pieces {
        if let Some(place) = meter.place() {
            let rest = place.rest_of_event(piece);
            assert!(rest <= piece.len() && (rest == 0 || place.in_event()));
        }
        fed += meter.feed(piece);
    }
    fed += meter.finish();
    assert_eq!(fed, meter.estimated());
    (fed, meter.usage(), meter.text())
}

fn filtered(pieces: &[&[u8]]) -> Vec<u8> {
    let mut filter = UsageFilter::default();
    let mut out: Vec<u8> = pieces.iter().flat_map(|piece| filter.feed(piece)).collect();
    out.extend(filter.finish());
    out
}
