//! References: what a refused caller quotes, and the operator looks up. Nothing is kept for them: who, what and when
//! are in the reference itself, under the area's secret.
//!
//! Two halves of 40 bits go through four rounds of a Feistel network (Luby and Rackoff, 1988), so that nobody can see
//! whether two references belong to one campaign, or make one up that means something.

use crate::hash::{Seed, mix};

const HALF: u64 = (1 << 40) - 1;
const CAMPAIGN_BITS: u32 = 14;
const MINUTE_BITS: u32 = 26;
/// Without the letters that are taken for others (Crockford, 2002).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LETTERS: usize = 16;
const PREFIX: &str = "RG";

/// What a reference stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The upper 40 bits of the account's hash.
    pub account: u64,
    /// Name of the campaign, modulo 16,384; 0 when it is about the account alone.
    pub campaign: u32,
    /// Unix time in whole minutes.
    pub minute: u32,
}

impl Reference {
    /// Of a request of the account with this hash.
    pub fn new(account: u64, campaign: u32, unix_time: f64) -> Self {
        let campaign = campaign & ((1 << CAMPAIGN_BITS) - 1);
        Self { account: account >> 24, campaign, minute: (unix_time / 60.0) as u32 & ((1 << MINUTE_BITS) - 1) }
    }

    /// As it is written: `RG-` and two groups of eight letters and digits.
    pub fn encode(self, seed: Seed) -> String {
        let (mut left, mut right) =
            (self.account & HALF, u64::from(self.campaign) << MINUTE_BITS | u64::from(self.minute));
        for round in 0..4 {
            (left, right) = (right, left ^ mixed(seed, round, right));
        }
        let letter = |half: u64, place: usize| ALPHABET[(half >> (35 - 5 * place)) as usize % 32] as char;
        let group = |half: u64| (0..LETTERS / 2).map(|place| letter(half, place)).collect::<String>();
        format!("{PREFIX}-{}-{}", group(left), group(right))
    }

    /// Read one; case, dashes and blanks do not matter. `None` when it is none. One of another area reads as somebody
    /// whom nobody knows.
    pub fn decode(text: &str, seed: Seed) -> Option<Self> {
        let is_letter = |letter: &char| *letter != '-' && !letter.is_whitespace();
        let letters: String = text.chars().filter(is_letter).map(|letter| letter.to_ascii_uppercase()).collect();
        let (mut halves, mut count) = ([0u64; 2], 0);
        for letter in letters.strip_prefix(PREFIX)?.bytes() {
            let value = ALPHABET.iter().position(|known| *known == letter)? as u64;
            let half = halves.get_mut(count / (LETTERS / 2))?;
            *half = *half << 5 | value;
            count += 1;
        }
        let [mut left, mut right] = halves;
        for round in (0..4).rev() {
            (left, right) = (right ^ mixed(seed, round, left), left);
        }
        let campaign = (right >> MINUTE_BITS) as u32;
        let minute = right as u32 & ((1 << MINUTE_BITS) - 1);
        (count == LETTERS).then_some(Self { account: left, campaign, minute })
    }
}

fn mixed(seed: Seed, round: u64, half: u64) -> u64 {
    mix(seed.0[0] ^ mix(seed.0[1] ^ mix(half << 3 | round))) & HALF
}
