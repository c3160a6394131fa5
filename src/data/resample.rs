//! Changes the sampling rate of a sound with a windowed sinc.

/// Zero crossings of the sinc on each side.
const ZEROS: usize = 32;
/// Points of the filter's table between two zero crossings; between points it is interpolated linearly.
const POINTS: usize = 512;
/// Cut-off as a share of the lower rate's half.
const ROLLOFF: f64 = 0.95;
/// Shape of the Kaiser window, some −100 dB beyond the cut-off.
const BETA: f64 = 10.0;

/// A sound of rate `from` at rate `to`: at most `length` samples, fewer where the sound ends before. Sample n of the result is the
/// band-limited sound at the time n / `to`: Σ x\[k\] · c · sinc(c · (t − k)) · w(c · (t − k) / 32), with t = n · from / to,
/// c = 0.95 · min(1, to / from) and w the Kaiser window of β = 10 (Smith, "Digital Audio Resampling"); beyond its ends the
/// sound is 0. Rates must be above 0.
pub(super) fn resample(x: &[f32], from: u32, to: u32, length: usize) -> Vec<f32> {
    let table = table();
    let cut = ROLLOFF * (f64::from(to) / f64::from(from)).min(1.0);
    let reach = ZEROS as f64 / cut;
    let (from, to) = (u64::from(from), u64::from(to));
    let ends = (x.len() as u64).saturating_mul(to).div_ceil(from);
    let length = length.min(usize::try_from(ends).unwrap_or(usize::MAX));
    let sample = |n: usize| {
        let at = n as u64 * from;
        // The whole part apart, so that long sounds lose no digits.
        let (whole, part) = (at / to, (at % to) as f64 / to as f64);
        let t = whole as f64 + part;
        let first = (t - reach).ceil().max(0.0) as usize;
        let last = ((t + reach).floor() as usize + 1).min(x.len());
        let taps = x.get(first..last).unwrap_or_default();
        let mut sum = 0.0;
        for (i, &x) in taps.iter().enumerate() {
            let away = (((first + i) as f64 - whole as f64) - part).abs() * cut * POINTS as f64;
            let (point, between) = (away as usize, away.fract());
            if let Some(&[a, b]) = table.get(point..point + 2) {
                sum += f64::from(x) * (a + (b - a) * between);
            }
        }
        (sum * cut) as f32
    };
    (0..length).map(sample).collect()
}

/// sinc(z) · w(z / ZEROS) at z = 0, 1 / POINTS, … ZEROS.
fn table() -> Vec<f64> {
    let peak = bessel(BETA);
    let point = |i: usize| {
        let z = i as f64 / POINTS as f64;
        let angle = std::f64::consts::PI * z;
        let sinc = if i == 0 { 1.0 } else { angle.sin() / angle };
        let inside = (1.0 - (z / ZEROS as f64).powi(2)).max(0.0);
        sinc * bessel(BETA * inside.sqrt()) / peak
    };
    (0..=ZEROS * POINTS).map(point).collect()
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..64 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f64, rate: u32, samples: usize) -> Vec<f32> {
        let angle = |n: usize| std::f64::consts::TAU * hertz * n as f64 / f64::from(rate);
        (0..samples).map(|n| angle(n).sin() as f32).collect()
    }

    /// Largest difference away from the ends, where the sound is cut.
    fn apart(a: &[f32], b: &[f32], edge: usize) -> f32 {
        assert_eq!(a.len(), b.len());
        let middle = edge..a.len() - edge;
        let pairs = a[middle.clone()].iter().zip(&b[middle]);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_sine_stays_the_same_sine_at_every_rate() {
        for (from, to) in [
            (44_100, 16_000),
            (48_000, 16_000),
            (8_000, 16_000),
            (22_050, 44_100),
            (16_000, 15_999),
        ] {
            for hertz in [50.0, 440.0, 3000.0] {
                let x = sine(hertz, from, from as usize / 2);
                let y = resample(&x, from, to, to as usize / 2);
                let far = apart(&y, &sine(hertz, to, to as usize / 2), 300);
                assert!(far < 1e-4, "{hertz} Hz from {from} to {to}: {far}");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_vanishes() {
        let x = sine(10_000.0, 48_000, 48_000);
        let y = resample(&x, 48_000, 16_000, 16_000);
        let far = apart(&y, &vec![0.0; 16_000], 300);
        assert!(far < 1e-4, "{far}");
    }

    #[test]
    fn the_length_follows_the_time_and_the_limit() {
        assert_eq!(resample(&[0.5; 441], 44_100, 16_000, 1_000).len(), 160);
        assert_eq!(resample(&[0.5; 441], 44_100, 16_000, 100).len(), 100);
        assert_eq!(resample(&[], 44_100, 16_000, 100).len(), 0);
        let loud = resample(&[1.0; 4_000], 1_000_000, 100, 100);
        assert_eq!(loud.len(), 1);
    }
}
