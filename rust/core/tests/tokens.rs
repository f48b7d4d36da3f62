//! Tokens: how many a prompt has, how many have passed, what the upstream says; and all of it wherever a stream is cut.

#[path = "scan/bodies.rs"]
mod bodies;
#[path = "tokens/estimate.rs"]
mod estimate;
#[path = "tokens/filter.rs"]
mod filter;
#[path = "tokens/lines.rs"]
mod lines;
#[path = "tokens/meter.rs"]
mod meter;
#[path = "tokens/naive.rs"]
mod naive;
#[path = "tokens/streams.rs"]
mod streams;
#[path = "tokens/tally.rs"]
mod tally;
#[path = "tokens/usage.rs"]
mod usage;

use bodies::Random;

/// How many cases a property gets; `make soak` asks for a hundred times as many.
fn cases() -> impl Iterator<Item = Random> {
    let cases = if std::env::var_os("RLG_SOAK").is_some() { 200_000 } else { 2_000 };
    (1..=cases).map(|case: u64| Random(case.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
}

/// The same bytes in pieces, single bytes among them.
fn pieces<'b>(bytes: &'b [u8], random: &mut Random) -> Vec<&'b [u8]> {
    let (mut rest, mut pieces) = (bytes, Vec::new());
    while !rest.is_empty() {
        let longest = [1, 3, 40, rest.len()][random.below(4)];
        let (piece, more) = rest.split_at((1 + random.below(longest)).min(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    pieces
}
