//! Hybrid logical clocks: one number that is close to the wall clock, and later than everything its writer had seen.
//!
//! The upper 48 bits are milliseconds since 1970, the lower 16 a count. A count that overflows carries into the
//! milliseconds, which is still later.

use crate::error::{Reason, Refusal};
use crate::limits::MAX_STATE_DRIFT_MS;

/// Bits of the count below the milliseconds.
const COUNT_BITS: u32 = 16;
/// Largest number of milliseconds there is room for: the year 10889.
const MAX_MS: u64 = (1 << (64 - COUNT_BITS)) - 1;

/// A reading of a hybrid logical clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc(u64);

impl Hlc {
    /// Take the number as it is.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The number.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Its milliseconds since 1970.
    pub const fn ms(self) -> u64 {
        self.0 >> COUNT_BITS
    }

    /// The next reading: the wall clock's where that is ahead, else one count later than `self`.
    pub fn next(self, now_ms: u64) -> Result<Self, Refusal> {
        let wall = now_ms.min(MAX_MS) << COUNT_BITS;
        if wall > self.0 {
            return Ok(Self(wall));
        }
        let refusal = || Refusal::new(Reason::FutureTimestamp, "hybrid clock: no later reading is left");
        self.0.checked_add(1).map(Self).ok_or_else(refusal)
    }

    /// Refuse a reading further ahead of the wall clock than honest clocks go: it would win every race.
    pub fn check_drift(self, now_ms: u64) -> Result<(), Refusal> {
        let ahead = self.ms().saturating_sub(now_ms);
        if ahead <= MAX_STATE_DRIFT_MS {
            return Ok(());
        }
        let detail = format!("clock: expected at most {MAX_STATE_DRIFT_MS} ms ahead, got {ahead}");
        Err(Refusal::new(Reason::FutureTimestamp, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn drift_is_refused_beyond_the_bound_only() {
        let at = |ms: u64| Hlc::from_bits(ms << 16);
        assert!(at(1_000 + MAX_STATE_DRIFT_MS).check_drift(1_000).is_ok());
        let late = at(1_001 + MAX_STATE_DRIFT_MS).check_drift(1_000).unwrap_err();
        assert_eq!(late.reason, Reason::FutureTimestamp);
        assert!(at(0).check_drift(u64::MAX).is_ok());
        assert!(Hlc::from_bits(u64::MAX).next(0).is_err());
    }

    proptest! {
        #[test]
        fn the_next_reading_is_later_and_not_before_the_wall(bits in 0..u64::MAX, now in 0..MAX_MS) {
            let next = Hlc::from_bits(bits).next(now).unwrap();
            prop_assert!(next > Hlc::from_bits(bits) && next.ms() >= now);
        }
    }
}
