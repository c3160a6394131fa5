//! Packed convolution and fully connected kernels against the naive reference, on every ISA of this machine.

use zeropoint::kernels::fixed_point::{Multiplier, Rescale};
use zeropoint::kernels::reference::conv::{
    Hybrid, Quantized, conv2d_f32, conv2d_hybrid, conv2d_i8, conv2d_i16,
};
use zeropoint::kernels::reference::fully_connected::{
    WeightScales, clamp_f32, fully_connected_hybrid, fully_connected_i16, fully_connected_int,
};
use zeropoint::kernels::{
    Conv2dShape, ConvF32, ConvHybrid, ConvI8, ConvI16, FloatRange, Isa, Ranges, Scratch,
    fully_connected_shape,
};

/// Numbers that look random and are the same every time.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn i8s(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| self.next() as i8).collect()
    }

    pub fn i16s(&mut self, n: usize) -> Vec<i16> {
        (0..n).map(|_| self.next() as i16).collect()
    }

    pub fn f32s(&mut self, n: usize) -> Vec<f32> {
        (0..n)
            .map(|_| (self.next() & 0xFFFF) as f32 / 32768.0 - 1.0)
            .collect()
    }
}

/// How values are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fill {
    Random,
    Lowest,
    Highest,
    /// Lowest inputs with weights of −128: the largest products there are.
    Largest,
}

pub const FILLS: [Fill; 4] = [Fill::Random, Fill::Lowest, Fill::Highest, Fill::Largest];

pub fn fill<T: Copy>(fill: Fill, values: Vec<T>, lowest: T, highest: T) -> Vec<T> {
    match fill {
        Fill::Random => values,
        Fill::Lowest | Fill::Largest => vec![lowest; values.len()],
        Fill::Highest => vec![highest; values.len()],
    }
}

/// Indices at which the two differ, and whether they do; floats may differ by 1e-5 of the peak.
pub trait Compare: Copy {
    fn differences(got: &[Self], want: &[Self]) -> Vec<usize>;
}

macro_rules! compare_ints {
    ($($t:ty),*) => { $(impl Compare for $t {
        fn differences(got: &[Self], want: &[Self]) -> Vec<usize> {
            (0..want.len()).filter(|&i| got[i] != want[i]).collect()
        }
    })* };
}
compare_ints!(i8, i16, i32);

impl Compare for f32 {
    fn differences(got: &[Self], want: &[Self]) -> Vec<usize> {
        let peak = want.iter().fold(0f32, |m, v| m.max(v.abs()));
        (0..want.len())
            .filter(|&i| got[i].is_nan() || (got[i] - want[i]).abs() > 1e-5 * peak)
            .collect()
    }
}

/// Collects what is wrong, so that one failure shows all of it.
#[derive(Default)]
pub struct Wrong(Vec<String>, usize);

impl Wrong {
    pub fn check<T: Compare + std::fmt::Debug>(&mut self, what: String, got: &[T], want: &[T]) {
        self.1 += 1;
        assert_eq!(got.len(), want.len(), "{what}");
        let at = T::differences(got, want);
        if let Some(&i) = at.first() {
            self.0.push(format!(
                "{what}: {} of {} wrong, first at {i}: {:?} instead of {:?}",
                at.len(),
                want.len(),
                got[i],
                want[i]
            ));
        }
    }

    pub fn finish(self) {
        assert!(self.1 > 0, "nothing was compared");
        let n = self.0.len();
        assert!(n == 0, "{n} of {}:\n{}", self.1, self.0.join("\n"));
    }
}

/// A convolution of these extents: input h, w, c; output channels; kernel; stride; dilation; groups; with padding as SAME has it or none.
pub fn shape(
    [batches, in_h, in_w, in_c]: [usize; 4],
    out_c: usize,
    [k_h, k_w]: [usize; 2],
    stride: usize,
    dilation: usize,
    same: bool,
) -> Conv2dShape {
    let axis = |extent: usize, k: usize| {
        let reach = (k - 1) * dilation + 1;
        if same {
            let out = extent.div_ceil(stride);
            (out, ((out - 1) * stride + reach).saturating_sub(extent) / 2)
        } else {
            ((extent - reach) / stride + 1, 0)
        }
    };
    let (out_h, pad_top) = axis(in_h, k_h);
    let (out_w, pad_left) = axis(in_w, k_w);
    Conv2dShape {
        batches,
        in_h,
        in_w,
        in_c,
        out_h,
        out_w,
        out_c,
        k_h,
        k_w,
        stride_h: stride,
        stride_w: stride,
        dilation_h: dilation,
        dilation_w: dilation,
        pad_top,
        pad_left,
    }
}

/// Geometries with their groups: products around the edges of tiles and panels, and windows of every kind.
fn shapes() -> Vec<(Conv2dShape, usize)> {
    let mut all = vec![];
    for rows in [0, 1, 2, 5, 6, 7, 8, 9, 13] {
        for (k, n) in [(1, 1), (3, 17), (16, 16), (65, 33), (4, 64), (5, 65)] {
            all.push((fully_connected_shape(rows, k, n), 1));
        }
    }
    for k in [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 1023, 1024, 1025] {
        all.push((fully_connected_shape(7, k, 19), 1));
    }
    for n in [
        1, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 79, 80, 81, 127, 128, 129,
    ] {
        all.push((fully_connected_shape(9, 6, n), 1));
    }
    // Long enough for several int32 runs of int16×8, and for two passes of float.
    all.push((fully_connected_shape(3, 2100, 20), 1));
    // Worth two threads: by rows, and by columns.
    all.push((fully_connected_shape(61, 300, 130), 1));
    all.push((fully_connected_shape(1, 2048, 1050), 1));
    // By columns, of several rows.
    all.push((fully_connected_shape(7, 1500, 330), 1));
    for (input, out_c, kernel, stride, dilation, same, groups) in [
        ([1, 28, 28, 1], 8, [3, 3], 2, 1, true, 1),
        ([2, 9, 7, 3], 20, [3, 3], 1, 1, true, 1),
        // Few input channels, for several threads: parts end within a line; lines are copied in several turns.
        ([2, 60, 63, 3], 40, [3, 3], 2, 1, true, 1),
        ([1, 40, 200, 4], 9, [3, 3], 1, 1, true, 1),
        ([3, 28, 28, 1], 12, [3, 3], 1, 1, false, 1),
        ([1, 9, 8, 3], 16, [3, 3], 2, 1, true, 1),
        ([2, 8, 9, 5], 17, [3, 2], 1, 2, true, 1),
        ([1, 8, 9, 5], 17, [5, 4], 1, 1, false, 1),
        ([1, 2, 2, 3], 6, [5, 5], 1, 1, true, 1),
        ([1, 1, 1, 3], 6, [3, 3], 1, 3, true, 1),
        ([2, 6, 6, 8], 12, [1, 1], 1, 1, true, 1),
        ([1, 7, 7, 8], 12, [1, 1], 2, 1, true, 1),
        ([1, 6, 5, 6], 9, [3, 3], 1, 1, true, 3),
        ([2, 6, 5, 8], 34, [3, 3], 2, 1, true, 2),
        ([1, 6, 5, 4], 8, [3, 3], 1, 2, true, 4),
        ([0, 6, 5, 4], 8, [3, 3], 1, 1, true, 1),
        ([1, 40, 40, 16], 24, [3, 3], 1, 1, true, 1),
    ] {
        all.push((shape(input, out_c, kernel, stride, dilation, same), groups));
    }
    all
}

struct Sizes {
    input: usize,
    weights: usize,
    output: usize,
}

fn sizes(s: &Conv2dShape, groups: usize) -> Sizes {
    Sizes {
        input: s.batches * s.in_h * s.in_w * s.in_c,
        weights: s.out_c * s.k_h * s.k_w * s.in_c / groups,
        output: s.batches * s.out_h * s.out_w * s.out_c,
    }
}

/// Factors that bring sums over `k` products of up to `peak` to the range of the output, a little different in each channel.
pub fn factors(random: &mut Random, n: usize, k: usize, peak: f64, real: bool) -> Vec<Rescale> {
    (0..n)
        .map(|_| {
            let spread = 0.2 + random.below(1000) as f64 / 250.0;
            let factor = spread / (peak * (k as f64).sqrt());
            match real {
                true => Rescale::Real(factor),
                false => Rescale::Fixed(Multiplier::from_real(factor)),
            }
        })
        .collect()
}

/// The greatest bias of case `i` and what a sum is divided by, roughly: every fourth time sums come near the ends of int32, where
/// kernels must take care.
pub fn sums(i: usize) -> (i32, f64) {
    match i % 4 {
        1 => (2_000_000_000, 4e6),
        _ => (30_000, 60.0),
    }
}

const THREADS: [usize; 2] = [1, 2];

/// That `run`, told the range of its input or not, gives `want` and the range of that.
pub(crate) fn check_ranged(
    what: &str,
    input: &[f32],
    want: &[f32],
    run: impl Fn(&mut [f32], &mut Ranges),
) {
    let range = |x: &[f32]| FloatRange {
        low: x.iter().fold(0.0, |m, &v| m.min(v)),
        high: x.iter().fold(0.0, |m, &v| m.max(v)),
    };
    for known in [None, Some(range(input))] {
        let mut ranges = Ranges {
            input: known,
            output: None,
        };
        let mut got = vec![f32::NAN; want.len()];
        run(&mut got, &mut ranges);
        assert_eq!(got, want, "{what}, range {known:?}");
        assert_eq!(ranges.output, Some(range(want)), "{what}, range {known:?}");
    }
}

#[test]
fn float_convolution() {
    let mut wrong = Wrong::default();
    let mut scratch = Scratch::new();
    for (i, (s, groups)) in shapes().into_iter().enumerate() {
        let mut random = Random::new(i as u64);
        let size = sizes(&s, groups);
        let (input, weights) = (random.f32s(size.input), random.f32s(size.weights));
        let bias = random.f32s(s.out_c);
        for (bias, clamp) in [(Some(&bias[..]), (f32::MIN, f32::MAX)), (None, (0.0, 6.0))] {
            let mut want = vec![0.0; size.output];
            conv2d_f32(&s, &input, &weights, bias, clamp, &mut want);
            for isa in Isa::available() {
                let conv = ConvF32::new(isa, s, &weights, bias, clamp).unwrap();
                for threads in THREADS {
                    conv.reserve(&mut scratch, threads);
                    let mut got = vec![f32::NAN; size.output];
                    conv.run(&input, &mut got, &mut scratch, threads).unwrap();
                    wrong.check(format!("{isa:?} {threads} threads {s:?}"), &got, &want);
                    let mut exact = vec![f32::NAN; size.output];
                    let conv = conv.clone().in_order(true);
                    conv.run(&input, &mut exact, &mut scratch, threads).unwrap();
                    let what = format!("{isa:?} {threads} threads in order {s:?}");
                    wrong.check(
                        what,
                        bytemuck::cast_slice::<_, i32>(&exact),
                        bytemuck::cast_slice(&want),
                    );
                    check_ranged(&format!("{s:?}"), &input, &exact, |out, ranges| {
                        let mut scratch = Scratch::new();
                        conv.run_ranged(&input, out, &mut scratch, threads, ranges)
                            .unwrap();
                    });
                }
            }
        }
    }
    wrong.finish();
}

#[test]
fn int8_convolution() {
    let mut wrong = Wrong::default();
    let mut scratch = Scratch::new();
    for (i, (s, groups)) in shapes().into_iter().enumerate() {
        for how in FILLS {
            let mut random = Random::new(i as u64);
            let size = sizes(&s, groups);
            let input = fill(how, random.i8s(size.input), -128, 127);
            let weights = random.i8s(size.weights);
            let weights = if how == Fill::Largest {
                vec![-128; size.weights]
            } else {
                weights
            };
            let (most, peak) = sums(i);
            let bias: Vec<i32> = (0..s.out_c)
                .map(|_| (random.below(2 * most as usize) as i64 - i64::from(most)) as i32)
                .collect();
            let k = size.weights / s.out_c;
            let rescale = factors(&mut random, s.out_c, k, peak, false);
            let bias = (i % 3 > 0).then_some(&bias[..]);
            let q = Quantized {
                input_zero_point: [0, -128, 127, 3][i % 4],
                output_zero_point: [-128, 0, 127, -3][i / 2 % 4],
                rescale: &rescale,
                clamp: [(-128, 127), (-3, 90)][i % 2],
            };
            let mut want = vec![0; size.output];
            conv2d_i8(&s, &input, &weights, bias, &q, &mut want);
            for isa in Isa::available() {
                let conv = ConvI8::new(isa, s, &weights, bias, &q).unwrap();
                for threads in THREADS {
                    conv.reserve(&mut scratch, threads);
                    let mut got = vec![99; size.output];
                    conv.run(&input, &mut got, &mut scratch, threads).unwrap();
                    wrong.check(
                        format!("{isa:?} {threads} threads {how:?} {s:?}"),
                        &got,
                        &want,
                    );
                }
            }
        }
    }
    wrong.finish();
}

#[test]
fn int16_convolution() {
    let mut wrong = Wrong::default();
    let mut scratch = Scratch::new();
    for (i, (s, groups)) in shapes().into_iter().enumerate() {
        for how in FILLS {
            let mut random = Random::new(i as u64);
            let size = sizes(&s, groups);
            let input = fill(how, random.i16s(size.input), -32768, 32767);
            let weights = random.i8s(size.weights);
            let weights = if how == Fill::Largest {
                vec![-128; size.weights]
            } else {
                weights
            };
            let bias: Vec<i64> = (0..s.out_c)
                .map(|_| random.next() as i64 % (1 << 36) - (1 << 35))
                .collect();
            let k = size.weights / s.out_c;
            let rescale = factors(&mut random, s.out_c, k, 60.0, false);
            let bias = (i % 3 > 0).then_some(&bias[..]);
            let q = Quantized {
                input_zero_point: 0,
                output_zero_point: 0,
                rescale: &rescale,
                clamp: [(-32768, 32767), (0, 20_000)][i % 2],
            };
            let mut want = vec![0; size.output];
            conv2d_i16(
                &s,
                &input,
                &weights,
                zeropoint::kernels::reference::conv::WideBias::I64(bias),
                &q,
                &mut want,
            );
            for isa in Isa::available() {
                let conv = ConvI16::new(isa, s, &weights, bias, &q).unwrap();
                for threads in THREADS {
                    conv.reserve(&mut scratch, threads);
                    let mut got = vec![99; size.output];
                    conv.run(&input, &mut got, &mut scratch, threads).unwrap();
                    wrong.check(
                        format!("{isa:?} {threads} threads {how:?} {s:?}"),
                        &got,
                        &want,
                    );
                }
            }
        }
    }
    wrong.finish();
}

#[test]
fn fully_connected_rescales_in_float64() {
    let mut wrong = Wrong::default();
    let mut scratch = Scratch::new();
    for (i, (rows, k, n)) in [
        (1, 10, 10),
        (7, 65, 33),
        (9, 1025, 70),
        (0, 3, 3),
        (20, 2100, 17),
    ]
    .into_iter()
    .enumerate()
    {
        for how in FILLS {
            let mut random = Random::new(i as u64);
            let weights = random.i8s(n * k);
            let weights = if how == Fill::Largest {
                vec![-128; n * k]
            } else {
                weights
            };
            let rescale = factors(&mut random, n, k, 60.0, true);
            let mut q = Quantized {
                input_zero_point: [5, -128][i % 2],
                output_zero_point: [-7, 100][i % 2],
                rescale: &rescale,
                clamp: (-128, 127),
            };
            let input = fill(how, random.i8s(rows * k), -128, 127);
            let bias: Vec<i32> = (0..n)
                .map(|_| random.below(60_000) as i32 - 30_000)
                .collect();
            let mut want = vec![0; rows * n];
            fully_connected_int(k, &input, &weights, 0, Some(&bias), &q, &mut want);
            let s = fully_connected_shape(rows, k, n);
            for isa in Isa::available() {
                let fc = ConvI8::new(isa, s, &weights, Some(&bias), &q).unwrap();
                let mut got = vec![99; rows * n];
                fc.run(&input, &mut got, &mut scratch, 2).unwrap();
                wrong.check(format!("{isa:?} int8 {how:?} {rows} {k} {n}"), &got, &want);
            }
            (q.input_zero_point, q.output_zero_point, q.clamp) = (0, 0, (-32768, 32767));
            let input = fill(how, random.i16s(rows * k), -32768, 32767);
            let bias: Vec<i64> = bias.iter().map(|&b| i64::from(b) << 20).collect();
            let mut want = vec![0; rows * n];
            fully_connected_i16(
                k,
                &input,
                &weights,
                0,
                zeropoint::kernels::reference::conv::WideBias::I64(Some(&bias)),
                &q,
                &mut want,
            );
            for isa in Isa::available() {
                let fc = ConvI16::new(isa, s, &weights, Some(&bias), &q).unwrap();
                let mut got = vec![99; rows * n];
                fc.run(&input, &mut got, &mut scratch, 2).unwrap();
                wrong.check(format!("{isa:?} int16 {how:?} {rows} {k} {n}"), &got, &want);
            }
        }
    }
    wrong.finish();
}

#[test]
fn hybrid_convolution() {
    let mut wrong = Wrong::default();
    let mut scratch = Scratch::new();
    for (i, (s, groups)) in shapes().into_iter().enumerate() {
        let mut random = Random::new(i as u64);
        let size = sizes(&s, groups);
        let mut input = random.f32s(size.input);
        // Batches of other ranges, one of them all zero.
        let batch = (size.input / s.batches.max(1)).max(1);
        for (b, x) in input.chunks_mut(batch).enumerate() {
            x.iter_mut()
                .for_each(|x| *x = (*x + 0.3) * [1.0, 7.0, 0.0, 0.01][b % 4]);
        }
        let weights = random.i8s(size.weights);
        let scales: Vec<f32> = random
            .f32s(s.out_c)
            .iter()
            .map(|s| 0.01 + s.abs() / 50.0)
            .collect();
        let bias = random.f32s(s.out_c);
        let bias = (i % 3 > 0).then_some(&bias[..]);
        let clamp = [(f32::MIN, f32::MAX), (0.0, 6.0)][i % 2];
        for how in [
            Hybrid::Symmetric(0.013),
            Hybrid::Asymmetric(&scales),
            Hybrid::AsymmetricJoint(&scales),
        ] {
            let mut want = vec![0.0; size.output];
            conv2d_hybrid(&s, &input, &weights, bias, how, clamp, &mut want);
            for isa in Isa::available() {
                let conv = ConvHybrid::convolution(isa, s, &weights, bias, how, clamp).unwrap();
                for threads in THREADS {
                    conv.reserve(&mut scratch, threads);
                    let mut got = vec![f32::NAN; size.output];
                    conv.run(&input, &mut got, &mut scratch, threads).unwrap();
                    let what = format!("{isa:?} {threads} threads {how:?} {s:?}");
                    check_ranged(&what, &input, &got, |out, ranges| {
                        let mut scratch = Scratch::new();
                        conv.run_ranged(&input, out, &mut scratch, threads, ranges)
                            .unwrap();
                    });
                    wrong.check(what, &got, &want);
                }
            }
        }
        let (k, n) = (s.in_c, s.out_c);
        if size.weights != k * n {
            continue;
        }
        for asymmetric in [false, true] {
            for scales in [
                WeightScales::PerTensor(0.02),
                WeightScales::PerChannel(&scales),
            ] {
                let mut want = vec![0.0; size.output];
                fully_connected_hybrid(k, &input, &weights, scales, asymmetric, bias, &mut want);
                clamp_f32(&mut want, clamp);
                if (s.out_h, s.out_w, s.in_h) != (1, 1, 1) {
                    continue;
                }
                for isa in Isa::available() {
                    let fc = ConvHybrid::fully_connected(
                        isa, s.batches, k, &weights, bias, scales, asymmetric, clamp,
                    )
                    .unwrap();
                    let mut got = vec![f32::NAN; size.output];
                    fc.run(&input, &mut got, &mut scratch, 2).unwrap();
                    wrong.check(format!("{isa:?} FC {scales:?} {s:?}"), &got, &want);
                }
            }
        }
    }
    wrong.finish();
}

#[test]
fn batches_can_change_after_packing() {
    let mut scratch = Scratch::new();
    let one = shape([1, 6, 6, 3], 5, [3, 3], 1, 1, true);
    let many = shape([4, 9, 6, 3], 5, [3, 3], 2, 1, true);
    let mut random = Random::new(1);
    let (weights, input) = (random.f32s(5 * 27), random.f32s(4 * 54 * 3));
    for isa in Isa::available() {
        let mut conv = ConvF32::new(isa, one, &weights, None, (f32::MIN, f32::MAX)).unwrap();
        conv.reshape(many).unwrap();
        let mut want = vec![0.0; sizes(&many, 1).output];
        conv2d_f32(
            &many,
            &input,
            &weights,
            None,
            (f32::MIN, f32::MAX),
            &mut want,
        );
        let mut got = vec![f32::NAN; want.len()];
        conv.run(&input, &mut got, &mut scratch, 1).unwrap();
        let mut wrong = Wrong::default();
        wrong.check(format!("{isa:?}"), &got, &want);
        wrong.finish();
        let other = shape([1, 6, 6, 4], 5, [3, 3], 1, 1, true);
        assert!(conv.reshape(other).is_err());
        assert!(conv.run(&input[1..], &mut got, &mut scratch, 1).is_err());
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let s = fully_connected_shape(1, 4, 2);
    let factor = Rescale::Fixed(Multiplier::from_real(0.01));
    let too_large = Rescale::Fixed(Multiplier {
        mantissa: 1 << 30,
        shift: 31,
    });
    let q = Quantized {
        input_zero_point: 0,
        output_zero_point: 0,
        rescale: &[factor, factor],
        clamp: (-128, 127),
    };
    let new = |weights: &[i8], bias: Option<&[i32]>, q: &Quantized| {
        ConvI8::new(Isa::Portable, s, weights, bias, q).map(|_| ())
    };
    assert!(new(&[1; 8], None, &q).is_ok());
    assert!(new(&[1; 7], None, &q).is_err());
    assert!(new(&[], None, &q).is_err());
    assert!(new(&[1; 8], Some(&[1; 3]), &q).is_err());
    assert!(
        new(
            &[1; 8],
            None,
            &Quantized {
                rescale: &[factor],
                ..q
            }
        )
        .is_err()
    );
    assert!(
        new(
            &[1; 8],
            None,
            &Quantized {
                rescale: &[factor, too_large],
                ..q
            }
        )
        .is_err()
    );
    assert!(
        new(
            &[1; 8],
            None,
            &Quantized {
                rescale: &[factor, Rescale::Real(1.0)],
                ..q
            }
        )
        .is_err()
    );
    assert!(
        new(
            &[1; 8],
            None,
            &Quantized {
                input_zero_point: 128,
                ..q
            }
        )
        .is_err()
    );
    assert!(new(&[1; 8], None, &Quantized { clamp: (3, 2), ..q }).is_err());
    let huge = Conv2dShape {
        in_h: usize::MAX,
        ..s
    };
    assert!(ConvF32::new(Isa::Portable, huge, &[0.0; 8], None, (0.0, 1.0)).is_err());
    let empty = Conv2dShape { out_w: 0, ..s };
    assert!(ConvF32::new(Isa::Portable, empty, &[0.0; 8], None, (0.0, 1.0)).is_err());
}
