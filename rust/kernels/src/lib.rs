//! Plain arithmetic, compiled a second time for wide vectors and run that way where the processor has them.
//!
//! Rules: what runs is one and the same Rust code. It adds in the order in which it is written (the compiler neither
//! reorders floats nor fuses a product with a sum) and calls no function of the platform, so both ways give the same
//! bits, and no decision depends on how wide a machine's vectors are. Nothing else of covey is unsafe but the allocator
//! that counts in this crate's tests, and this crate does nothing else.

/// Arithmetic that gains from wide vectors: loops over fixed lanes. `run` is marked `#[inline(always)]` where it is
/// written, or it is compiled for the baseline only.
pub trait Work {
    /// What it gives.
    type Out;

    /// Do it.
    fn run(self) -> Self::Out;
}

/// Run `work` with the widest vectors that are worth it: AVX2 on x86-64 that has it, else what the target always has
/// (SSE2, or NEON on 64-bit ARM). Compiled for AVX-512 too, the same work took as long, or longer.
#[inline]
pub fn widest<W: Work>(work: W) -> W::Out {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the only thing `avx2` asks of its caller is a processor with AVX2, which the line above found.
        return unsafe { avx2(work) };
    }
    work.run()
}

/// Run the same work in every way that this machine has, the plain one first: tests compare what comes of it.
pub fn every_way<W: Work>(work: impl Fn() -> W) -> Vec<W::Out> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the only thing `avx2` asks of its caller is a processor with AVX2, which the line above found.
        return vec![work().run(), unsafe { avx2(work()) }];
    }
    vec![work().run()]
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<W: Work>(work: W) -> W::Out {
    work.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum<'a>(&'a [[f64; 8]]);

    impl Work for Sum<'_> {
        type Out = [f64; 8];

        #[inline(always)]
        #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
        fn run(self) -> [f64; 8] {
            let mut sums = [0.0; 8];
            for row in self.0 {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value * 0.1;
                }
            }
            sums
        }
    }

    #[test]
    fn wide_and_plain_give_the_same_bits() {
        let mut state = 1_u64;
        let mut number = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 33).unwrap_or_default()) / 3.0 - 1e9
        };
        for rows in 0..70 {
            let rows: Vec<[f64; 8]> = (0..rows).map(|_| std::array::from_fn(|_| number())).collect();
            let plain = Sum(&rows).run().map(f64::to_bits);
            assert_eq!(widest(Sum(&rows)).map(f64::to_bits), plain);
            assert!(every_way(|| Sum(&rows)).iter().all(|sums| sums.map(f64::to_bits) == plain));
        }
    }
}
