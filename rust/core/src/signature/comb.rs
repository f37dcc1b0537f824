//! Multiples of a point that is used again and again, so that a multiplication is additions and no doubling.
//!
//! Everything here is public (keys, signatures, challenges), so time may depend on it: a window is looked up where it
//! stands, and an empty one is left out. What comes out is the same point whichever way it is computed.

use std::sync::OnceLock;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity as _;

/// Bits of one window of a key: 43 additions instead of 256 doublings, in 220 KB. One bit more would save six additions
/// and take 380 KB, for each of many authors.
const KEY_BITS: usize = 6;
/// Bits of one window of the base point: 32 additions, in 655 KB that a process makes once, at the first author heard
/// often. One bit more would save three and take twice that.
const BASE_BITS: usize = 8;
/// Bits of a scalar below the group order.
const SCALAR_BITS: usize = 253;

/// The multiples of one point: for each window `1..=2^(bits - 1)` times its place value, one window behind the other.
pub(super) struct Comb {
    bits: usize,
    multiples: Box<[EdwardsPoint]>,
}

impl Comb {
    /// Make the multiples of the point of a key: about what sixty checks of a signature cost.
    pub(super) fn new(point: &EdwardsPoint) -> Self {
        Self::with_windows(KEY_BITS, point)
    }

    /// The multiples of the base point, made at the first use.
    pub(super) fn base() -> &'static Self {
        static BASE: OnceLock<Comb> = OnceLock::new();
        BASE.get_or_init(|| Self::with_windows(BASE_BITS, &ED25519_BASEPOINT_POINT))
    }

    fn with_windows(bits: usize, point: &EdwardsPoint) -> Self {
        let (windows, half) = (SCALAR_BITS.div_ceil(bits), 1 << (bits - 1));
        let mut multiples = Vec::with_capacity(windows * half);
        let mut place = *point;
        for _ in 0..windows {
            let mut multiple = place;
            for _ in 1..half {
                multiples.push(multiple);
                multiple += &place;
            }
            multiples.push(multiple);
            place = multiple + multiple;
        }
        Self { bits, multiples: multiples.into_boxed_slice() }
    }

    /// Add `scalar` times the point to `sum`.
    pub(super) fn add_to(&self, sum: EdwardsPoint, scalar: &Scalar) -> EdwardsPoint {
        let mut sum = sum;
        let half = 1 << (self.bits - 1);
        for (multiples, digit) in self.multiples.chunks_exact(half).zip(digits(scalar, self.bits)) {
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

/// The digits of a scalar in windows of at most eight bits, lowest first, each from `-2^(bits - 1)` to `2^(bits - 1)`.
fn digits(scalar: &Scalar, bits: usize) -> impl Iterator<Item = i16> {
    let next = 1_i16 << bits;
    let (bytes, mut carry) = (scalar.as_bytes(), 0);
    (0..SCALAR_BITS.div_ceil(bits)).map(move |index| {
        let (byte, shift) = (index * bits / 8, index * bits % 8);
        let pair = u16::from(bytes[byte]) | bytes.get(byte + 1).map_or(0, |next| u16::from(*next) << 8);
        let value = (pair >> shift).cast_signed() & (next - 1);
        // Above one half the digit is negative, and the next one makes up for it. The last is below one half.
        let value = value + carry;
        carry = i16::from(value > next / 2);
        value - carry * next
    })
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
        // Where a digit turns negative, in windows of six bits and of eight; and the largest scalar.
        for scalar in [0_u16, 1, 32, 33, 64, 127, 128, 129, 255, 256, 0x8080, 0x8081, 0xffff] {
            for scalar in [Scalar::from(scalar), -Scalar::from(scalar)] {
                let plain = ED25519_BASEPOINT_POINT * scalar;
                assert_eq!(Comb::base().add_to(EdwardsPoint::identity(), &scalar), plain);
                assert_eq!(both_ways(&ED25519_BASEPOINT_POINT, &scalar), (plain, plain));
            }
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
