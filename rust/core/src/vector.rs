//! The same code for two kinds of processor.
//!
//! Loops over fixed-size arrays become vector instructions. The default build of x86-64 may only use those of 2003,
//! which lack a 32-bit multiplication and minimum; [`wide`] compiles what it is given a second time for AVX2 and picks
//! at run time. It is one source, and integer arithmetic, so both give the same bits.

/// Run `work`, compiled for AVX2 where the processor has it. `work` and what it calls must be `#[inline(always)]`, or
/// it runs as it is. Cost: one load and one branch.
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
#[allow(unsafe_code)]
#[inline(always)]
pub fn wide<T>(work: impl FnOnce() -> T) -> T {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn on_avx2<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("bmi2") {
        // SAFETY: the processor has just said that it has AVX2 and BMI2; every one that does has the other three.
        return unsafe { on_avx2(work) };
    }
    work()
}

/// Run `work` as it is: another processor, or a build that is to behave like one.
#[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
#[inline(always)]
pub fn wide<T>(work: impl FnOnce() -> T) -> T {
    work()
}
