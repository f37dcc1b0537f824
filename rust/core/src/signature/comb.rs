//! Multiples of a point that is used again and again, so that a multiplication is additions and no doubling.
//!
//! Everything here is public (keys, signatures, challenges), so time may depend on it: a window is looked up where it
//! stands, and an empty one is left out. What comes out is the same point whichever way it is computed.

use std::sync::OnceLock;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity as _;

/// Bits of one window: 43 additions instead of 256 doublings, in 220 KB. One bit more would save six additions and
/// take twice the memory, which a small machine no longer has in its cache.
const BITS: usize = 6;
/// Windows of a scalar of 253 bits, with a carry.
const WINDOWS: usize = 253_usize.div_ceil(BITS);
/// Digits run from `-HALF` to `HALF`.
const HALF: usize = 1 << (BITS - 1);

/// The multiples of one point: for each window `1..=HALF` times its place value.
pub(super) struct Comb(Box<[[EdwardsPoint; HALF]]>);

impl Comb {
    /// Make the multiples of `point`: about what sixty checks of a signature cost.
    pub(super) fn new(point: &EdwardsPoint) -> Self {
        let mut place = *point;
        let windows = (0..WINDOWS).map(|_| {
            let mut multiples = [place; HALF];
            for index in 1..HALF {
                multiples[index] = multiples[index - 1] + place;
            }
            place = multiples[HALF - 1] + multiples[HALF - 1];
            multiples
        });
        Self(windows.collect())
    }

    /// The multiples of the base point, made at the first use.
    pub(super) fn base() -> &'static Self {
        static BASE: OnceLock<Comb> = OnceLock::new();
        BASE.get_or_init(|| Self::new(&ED25519_BASEPOINT_POINT))
    }

    /// Add `scalar` times the point to `sum`.
    pub(super) fn add_to(&self, sum: EdwardsPoint, scalar: &Scalar) -> EdwardsPoint {
        let mut sum = sum;
        for (multiples, digit) in self.0.iter().zip(digits(scalar)) {
            let magnitude = usize::from(digit.unsigned_abs());
            if digit > 0 {
                sum += &multiples[magnitude - 1];
            } else if digit < 0 {
                sum -= &multiples[magnitude - 1];
            }
        }
        sum
    }
}

/// `[response]B + [challenge]P`, where `of` holds the multiples of `P`.
pub(super) fn double(of: &Comb, challenge: &Scalar, response: &Scalar) -> EdwardsPoint {
    of.add_to(Comb::base().add_to(EdwardsPoint::identity(), response), challenge)
}

/// The digits of a scalar, lowest first, each from `-HALF` to `HALF`.
fn digits(scalar: &Scalar) -> [i8; WINDOWS] {
    /// Place value of the next digit.
    const NEXT: i16 = 1 << BITS;
    let bytes = scalar.as_bytes();
    let (mut digits, mut carry) = ([0_i8; WINDOWS], 0);
    for (index, digit) in digits.iter_mut().enumerate() {
        let (byte, shift) = (index * BITS / 8, index * BITS % 8);
        let pair = u16::from(bytes[byte]) | bytes.get(byte + 1).map_or(0, |next| u16::from(*next) << 8);
        let value = (pair >> shift).cast_signed() & (NEXT - 1);
        // Above one half the digit is negative, and the next one makes up for it. The last is below one half.
        let value = value + carry;
        carry = i16::from(value > NEXT / 2);
        // From -31 to 32, so it fits.
        *digit = i8::try_from(value - carry * NEXT).unwrap_or_default();
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both_ways(point: &EdwardsPoint, scalar: &Scalar) -> (EdwardsPoint, EdwardsPoint) {
        (Comb::new(point).add_to(EdwardsPoint::identity(), scalar), point * scalar)
    }

    #[test]
    fn the_ends_of_the_scalars() {
        let largest = -Scalar::ONE;
        for scalar in
            [Scalar::ZERO, Scalar::ONE, largest, Scalar::from(32_u8), Scalar::from(33_u8), Scalar::from(64_u8)]
        {
            let (comb, plain) = both_ways(&ED25519_BASEPOINT_POINT, &scalar);
            assert_eq!(comb, plain);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_comb_multiplies(bytes in any::<[u8; 64]>(), point in any::<[u8; 64]>()) {
            let point = ED25519_BASEPOINT_POINT * Scalar::from_bytes_mod_order_wide(&point);
            let scalar = Scalar::from_bytes_mod_order_wide(&bytes);
            let (comb, plain) = both_ways(&point, &scalar);
            prop_assert_eq!(comb.compress(), plain.compress());
            let other = Scalar::from_bytes_mod_order_wide(&{ let mut turned = bytes; turned.reverse(); turned });
            let sum = ED25519_BASEPOINT_POINT * other + point * scalar;
            prop_assert_eq!(double(&Comb::new(&point), &scalar, &other), sum);
        }
    }
}
