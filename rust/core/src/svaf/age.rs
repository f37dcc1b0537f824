//! What age leaves: the one place of admission that asks for more than the arithmetic and the roots that IEEE 754 fixes.
//!
//! Rules: `exp` is that of `libm`, FreeBSD's written out in sums and products, which is also V8's, and so that of the
//! reference. A platform's own is another on each, and glibc's fuses products with sums on processors that can, so its
//! last bit differs between two machines of one kind. `clippy.toml` refuses the platform's everywhere.

/// What is left of 1 after so many seconds, where `lasting` leave 0.37 of it.
pub(super) fn left(age_seconds: f64, lasting: f64) -> f64 {
    libm::exp(-age_seconds.max(0.0) / lasting)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An age, and what it leaves of 1: bits that every machine must find, and that V8 finds, too. First those from one end
    /// of the range to the other, and where the function takes other steps; then some that glibc computes in two ways.
    const PINNED: [(u64, u64); 53] = [
        (0x0000_0000_0000_0000, 0x3ff0_0000_0000_0000),
        (0x3c30_0000_0000_0000, 0x3ff0_0000_0000_0000),
        (0x3e30_0000_0000_0000, 0x3fef_ffff_fe00_0000),
        (0x3e30_0000_0000_0001, 0x3fef_ffff_fe00_0000),
        (0x3ea2_a42f_961f_79b9, 0x3fef_fffe_d5bd_0c0c),
        (0x3f42_3456_789a_bcdf, 0x3fef_fb73_3d37_a302),
        (0x3fa1_1111_1111_1111, 0x3fee_f36f_2df7_8404),
        (0x3fb9_9999_9999_999a, 0x3fec_f46d_99d5_2b3a),
        (0x3fd0_0000_0000_0000, 0x3fe8_ebef_9eac_820b),
        (0x3fd6_2e42_fefa_39ee, 0x3fe6_a09e_667f_3bcd),
        (0x3fd6_2e42_fefa_39ef, 0x3fe6_a09e_667f_3bcc),
        (0x3fd6_2e42_fefa_39f0, 0x3fe6_a09e_667f_3bcc),
        (0x3fe0_0000_0000_0000, 0x3fe3_68b2_fc6f_960a),
        (0x3fe6_2e42_fefa_39ef, 0x3fe0_0000_0000_0000),
        (0x3ff0_0000_0000_0000, 0x3fd7_8b56_362c_ef38),
        (0x3ff0_a2b2_3f3b_ab72, 0x3fd6_a09e_667f_3bce),
        (0x3ff0_a2b2_3f3b_ab73, 0x3fd6_a09e_667f_3bcd),
        (0x3ff0_a2b2_3f3b_ab74, 0x3fd6_a09e_667f_3bcc),
        (0x3ff8_0000_0000_0000, 0x3fcc_8f87_724b_5c1d),
        (0x4000_0000_0000_0000, 0x3fc1_52aa_a3bf_81cc),
        (0x4009_21fb_5444_2d18, 0x3fa6_2022_7b59_8efa),
        (0x4014_0000_0000_0000, 0x3f7b_993f_e00d_5376),
        (0x401d_3333_3333_3333, 0x3f46_22d4_792b_6a8d),
        (0x4024_0000_0000_0000, 0x3f07_cd79_b564_7c9a),
        (0x402b_a18a_998f_ffa0, 0x3eb0_c6f7_a0b5_ed8f),
        (0x4034_0000_0000_0000, 0x3e21_b486_55f3_7267),
        (0x4042_5999_9999_999a, 0x3ca0_998b_04bd_d190),
        (0x4059_0000_0000_0000, 0x36ea_8c1f_14e2_af5d),
        (0x4072_c000_0000_0000, 0x24e2_4563_9c3a_49f7),
        (0x4086_2000_0000_0000, 0x0017_c8ab_2288_c9ab),
        (0x4086_232b_dd7a_bcd2, 0x0010_0000_0000_007c),
        (0x4086_2333_3333_3333, 0x000f_f15b_469e_df89),
        (0x4086_8000_0000_0000, 0x0000_0009_93b4_dc95),
        (0x4087_4800_0000_0000, 0x0000_0000_0000_0001),
        (0x4087_4910_d52d_3051, 0x0000_0000_0000_0001),
        (0x4087_491e_b851_eb85, 0x0000_0000_0000_0000),
        (0x408f_4000_0000_0000, 0x0000_0000_0000_0000),
        (0x7ff0_0000_0000_0000, 0x0000_0000_0000_0000),
        (0x4034_b49e_db76_c2c0, 0x3e11_7ca9_13b9_53d2),
        (0x403b_4872_d98b_6135, 0x3d78_ea43_105f_060c),
        (0x4042_426c_4312_2185, 0x3ca3_e514_3ac2_9ea6),
        (0x3fd9_3179_4315_61a0, 0x3fe5_9645_9d37_68e4),
        (0x4040_6c34_17ec_1414, 0x3cf8_7dbe_e366_653a),
        (0x4024_4731_cd59_772a, 0x3f04_b670_30cb_ae7c),
        (0x4034_d776_2eff_b1c3, 0x3e0e_8612_cdbf_f3a2),
        (0x4030_4783_695e_9912, 0x3e76_d88d_94e2_f42e),
        (0x4023_88a9_a91a_24da, 0x3f0e_0ce9_15b4_9532),
        (0x4016_4e1f_e667_3b4d, 0x3f6f_0505_9061_8422),
        (0x4039_75dd_fc33_2bfe, 0x3da3_4572_a2c7_6a6a),
        (0x4019_db1b_da8c_c84c, 0x3f59_8933_b959_9d34),
        (0x4040_ff42_6484_f052, 0x3cdf_0de0_2327_48c4),
        (0x402d_3466_da01_92cc, 0x3e9e_8db2_af32_f526),
        (0x4040_68a6_5749_5e77, 0x3cf9_2e41_18e3_e8ca),
    ];

    #[test]
    fn what_age_leaves_has_the_same_bits_on_every_machine() {
        for (age, expected) in PINNED {
            let found = left(f64::from_bits(age), 1.0).to_bits();
            assert_eq!(found, expected, "{age:016x}: {found:016x}");
        }
    }

    #[test]
    fn nothing_is_gained_by_coming_from_the_future_and_all_goes_in_the_end() {
        assert_eq!(left(-5.0, 1_800.0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(left(f64::INFINITY, 1_800.0).to_bits(), 0.0_f64.to_bits());
        assert_eq!(left(f64::NAN, 1_800.0).to_bits(), 1.0_f64.to_bits());
    }

    proptest::proptest! {
        /// Bounds of what held blocks count are found once and hold while time passes, but for rounding.
        #[test]
        fn what_is_older_has_no_more_left(age in 0.0..100_000.0_f64, later in 0.0..2_000.0_f64) {
            proptest::prop_assert!(left(age + later, 1_800.0) <= left(age, 1_800.0) * (1.0 + 4.0 * f64::EPSILON));
        }
    }
}
