//! A small vector that says what a prompt is about, roughly.

/// Dimensions.
pub const FEATURES: usize = 128;

/// Each word adds or takes one in a dimension of its own (Weinberger and others, 2009); then the vector is scaled to
/// length 127, whatever the length of the text. Zero without words.
#[inline(always)]
pub fn features(words: &[u64]) -> [i8; FEATURES] {
    let mut sums = [0i32; FEATURES];
    for &word in words {
        let sign = 1 - 2 * (word >> 63) as i32;
        sums[(word >> 32) as usize % FEATURES] += sign;
    }
    let mut squares = 0;
    for &sum in &sums {
        squares += i64::from(sum) * i64::from(sum);
    }
    // Eight bits of fraction in the root and sixteen in the scale; no sum is greater than the root, so no product
    // exceeds 127 << 16.
    let scale = (i64::from(i8::MAX) << 24) / (squares << 16).isqrt().max(1);
    let mut features = [0; FEATURES];
    for (feature, &sum) in features.iter_mut().zip(&sums) {
        *feature = ((sum * scale as i32 + (1 << 15)) >> 16) as i8;
    }
    features
}
