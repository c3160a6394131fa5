//! e^x in float32, the same on every machine and instruction set, and to the bit what glibc's `expf` gives on a processor with FMA.
//!
//! LiteRT calls that function, and one different last bit of a SOFTMAX or LOGISTIC is enough to quantize another step in the layers
//! behind it. The method is table-driven: x·32/ln 2 = k + r with |r| ≤ 1/2, then e^x = 2^(k/32) · p(r) in float64, rounded once.
//! Table, polynomial and order of operations are those of S. Nagy's `expf` (Arm Optimized Routines, glibc since 2.27).

/// Pieces that an octave is divided into.
const PIECES: u64 = 32;
/// Added to a float64 and taken away again, it rounds to an integer, which stands in the low bits of the sum.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// The coefficients of r³, r² and r of 2^(r/32); that of 1 is 1.
const CUBIC: f64 = 0.055_503_615_593_415_35 / 32.0 / 32.0 / 32.0;
const SQUARE: f64 = 0.240_228_452_244_572_2 / 32.0 / 32.0;
const LINEAR: f64 = 0.693_147_180_691_620_3 / 32.0;

/// 2^(i/32) as bits of a float64.
const POWERS: [u64; PIECES as usize] = [
    0x3ff0000000000000,
    0x3ff059b0d3158574,
    0x3ff0b5586cf9890f,
    0x3ff11301d0125b51,
    0x3ff172b83c7d517b,
    0x3ff1d4873168b9aa,
    0x3ff2387a6e756238,
    0x3ff29e9df51fdee1,
    0x3ff306fe0a31b715,
    0x3ff371a7373aa9cb,
    0x3ff3dea64c123422,
    0x3ff44e086061892d,
    0x3ff4bfdad5362a27,
    0x3ff5342b569d4f82,
    0x3ff5ab07dd485429,
    0x3ff6247eb03a5585,
    0x3ff6a09e667f3bcd,
    0x3ff71f75e8ec5f74,
    0x3ff7a11473eb0187,
    0x3ff82589994cce13,
    0x3ff8ace5422aa0db,
    0x3ff93737b0cdc5e5,
    0x3ff9c49182a3f090,
    0x3ffa5503b23e255d,
    0x3ffae89f995ad3ad,
    0x3ffb7f76f2fb5e47,
    0x3ffc199bdd85529c,
    0x3ffcb720dcef9069,
    0x3ffd5818dcfba487,
    0x3ffdfc97337b9b5f,
    0x3ffea4afa2a490da,
    0x3fff50765b6e4540,
];

/// e^x: within 0.502 units in the last place, 0 and infinity where it leaves the range, NaN for NaN.
#[inline(always)] // so that it is compiled, and vectorised, for the instruction set of its caller
pub fn exp(x: f32) -> f32 {
    // Beyond these ends the result rounds to 0 and infinity, and NaN passes both comparisons.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let x = f64::from(x);
    let per_piece = std::f64::consts::LOG2_E * PIECES as f64;
    let rounded = x.mul_add(per_piece, ROUNDER);
    let k = rounded.to_bits();
    let r = x.mul_add(per_piece, -(rounded - ROUNDER));
    // The table holds k mod 32 in its fraction; the rest of k goes into the exponent.
    let piece = k % PIECES;
    let power = POWERS[piece as usize].wrapping_add((k - piece) << (52 - PIECES.ilog2()));
    let high = r.mul_add(CUBIC, SQUARE);
    let low = r.mul_add(LINEAR, 1.0);
    (high.mul_add(r * r, low) * f64::from_bits(power)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 1,009th float.
    fn some() -> impl Iterator<Item = f32> {
        (0..=u32::MAX).step_by(1009).map(f32::from_bits)
    }

    #[test]
    fn it_is_the_exponential() {
        for x in some().filter(|x| x.abs() < 87.0) {
            let (got, want) = (f64::from(exp(x)), f64::from(x).exp());
            let unit = 2f64.powi(want.log2().floor() as i32 - 23);
            assert!((got - want).abs() <= 0.503 * unit, "exp({x}) = {got}");
        }
        assert_eq!([exp(89.5), exp(-104.5)], [f32::INFINITY, 0.0]);
        assert_eq!(
            [exp(f32::INFINITY), exp(f32::NEG_INFINITY)],
            [f32::INFINITY, 0.0]
        );
        assert_eq!([exp(0.0), exp(-0.0)], [1.0, 1.0]);
        assert!(exp(f32::NAN).is_nan());
    }

    /// A sum over their bits, which glibc 2.36 gives on x86-64 with FMA.
    #[test]
    fn it_is_that_of_the_c_library() {
        let bits = some().map(exp).filter(|y| !y.is_nan()).map(f32::to_bits);
        let sum = bits.fold(0u64, |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
        assert_eq!(sum, 0xf675_c972_e18f_728e);
    }
}
