//! Packed depthwise kernels against the naive reference, on every ISA of this machine.

use zeropoint::kernels::reference::conv::{
    Hybrid, Quantized, depthwise_f32, depthwise_hybrid, depthwise_i8, depthwise_i16,
};
use zeropoint::kernels::{
    Conv2dShape, DepthwiseF32, DepthwiseHybrid, DepthwiseI8, DepthwiseI16, Isa, Scratch,
};

use super::kernels_fast::{FILLS, Fill, Random, Wrong, check_ranged, factors, fill, shape, sums};

fn shapes() -> Vec<Conv2dShape> {
    let mut all = vec![];
    for c in [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 128, 129] {
        all.push(shape([1, 4, 5, c], c, [3, 3], 1, 1, true));
    }
    for (input, out_c, kernel, stride, dilation, same) in [
        ([2, 9, 7, 20], 20, [3, 3], 2, 1, true),
        ([1, 9, 8, 3], 6, [3, 3], 2, 1, true),
        ([2, 8, 9, 5], 15, [3, 2], 1, 2, true),
        ([1, 8, 9, 16], 16, [5, 5], 1, 1, false),
        ([1, 2, 2, 3], 3, [5, 5], 1, 1, true),
        ([1, 1, 1, 3], 3, [3, 3], 1, 3, true),
        ([2, 6, 6, 8], 8, [1, 1], 1, 1, true),
        ([1, 3, 4, 8], 8, [1, 1], 2, 1, true),
        ([0, 6, 5, 4], 4, [3, 3], 1, 1, true),
        // More taps than one int32 run of int16×8 may have.
        ([1, 30, 30, 3], 3, [24, 23], 3, 1, true),
        // Worth two threads.
        ([1, 40, 40, 64], 64, [3, 3], 1, 1, true),
    ] {
        all.push(shape(input, out_c, kernel, stride, dilation, same));
    }
    all
}

/// Lengths of input, weights and output.
fn lengths(s: &Conv2dShape) -> [usize; 3] {
    [
        s.batches * s.in_h * s.in_w * s.in_c,
        s.k_h * s.k_w * s.out_c,
        s.batches * s.out_h * s.out_w * s.out_c,
    ]
}

const THREADS: [usize; 2] = [1, 2];

#[test]
fn float_depthwise() {
    let mut wrong = Wrong::default();
    let mut scratch = Scratch::new();
    for (i, s) in shapes().into_iter().enumerate() {
        let [inputs, weights, outputs] = lengths(&s);
        let mut random = Random::new(i as u64);
        let (input, weights) = (random.f32s(inputs), random.f32s(weights));
        let bias = random.f32s(s.out_c);
        for (bias, clamp) in [(Some(&bias[..]), (f32::MIN, f32::MAX)), (None, (0.0, 6.0))] {
            let mut want = vec![0.0; outputs];
            depthwise_f32(&s, &input, &weights, bias, clamp, &mut want);
            for isa in Isa::available() {
                let conv = DepthwiseF32::new(isa, s, &weights, bias, clamp).unwrap();
                for threads in THREADS {
                    conv.reserve(&mut scratch, threads);
                    let mut got = vec![f32::NAN; outputs];
                    conv.run(&input, &mut got, &mut scratch, threads).unwrap();
                    wrong.check(format!("{isa:?} {threads} threads {s:?}"), &got, &want);
                    let mut exact = vec![f32::NAN; outputs];
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
fn integer_depthwise() {
    let mut wrong = Wrong::default();
    let mut scratch = Scratch::new();
    for (i, s) in shapes().into_iter().enumerate() {
        for how in FILLS {
            let [inputs, weights, outputs] = lengths(&s);
            let mut random = Random::new(i as u64);
            let input = fill(how, random.i8s(inputs), -128, 127);
            let input16 = fill(how, random.i16s(inputs), -32768, 32767);
            let weights = match how {
                Fill::Largest => vec![-128; weights],
                _ => random.i8s(weights),
            };
            let (most, peak) = sums(i);
            let bias: Vec<i32> = (0..s.out_c)
                .map(|_| (random.below(2 * most as usize) as i64 - i64::from(most)) as i32)
                .collect();
            let rescale = factors(&mut random, s.out_c, s.k_h * s.k_w, peak, i % 5 == 0);
            let given = i % 3 > 0;
            let mut q = Quantized {
                input_zero_point: [0, -128, 127, 3][i % 4],
                output_zero_point: [-128, 0, 127, -3][i / 2 % 4],
                rescale: &rescale,
                clamp: [(-128, 127), (-3, 90)][i % 2],
            };
            let bias8 = given.then_some(&bias[..]);
            let mut want = vec![0; outputs];
            depthwise_i8(&s, &input, &weights, bias8, &q, &mut want);
            for isa in Isa::available() {
                let conv = DepthwiseI8::new(isa, s, &weights, bias8, &q).unwrap();
                for threads in THREADS {
                    conv.reserve(&mut scratch, threads);
                    let mut got = vec![99; outputs];
                    conv.run(&input, &mut got, &mut scratch, threads).unwrap();
                    let what = format!("{isa:?} int8 {threads} threads {how:?} {s:?}");
                    wrong.check(what, &got, &want);
                }
            }
            (q.input_zero_point, q.output_zero_point) = (0, 0);
            q.clamp = [(-32768, 32767), (0, 20_000)][i % 2];
            let bias: Vec<i64> = bias.iter().map(|&b| i64::from(b) << 20).collect();
            let bias16 = given.then_some(&bias[..]);
            let mut want = vec![0; outputs];
            depthwise_i16(
                &s,
                &input16,
                &weights,
                zeropoint::kernels::reference::conv::WideBias::I64(bias16),
                &q,
                &mut want,
            );
            for isa in Isa::available() {
                let conv = DepthwiseI16::new(isa, s, &weights, bias16, &q).unwrap();
                for threads in THREADS {
                    conv.reserve(&mut scratch, threads);
                    let mut got = vec![99; outputs];
                    conv.run(&input16, &mut got, &mut scratch, threads).unwrap();
                    let what = format!("{isa:?} int16 {threads} threads {how:?} {s:?}");
                    wrong.check(what, &got, &want);
                }
            }
        }
    }
    wrong.finish();
}

#[test]
fn hybrid_depthwise() {
    let mut wrong = Wrong::default();
    let mut scratch = Scratch::new();
    for (i, s) in shapes().into_iter().enumerate() {
        let [inputs, weights, outputs] = lengths(&s);
        let mut random = Random::new(i as u64);
        let mut input = random.f32s(inputs);
        let batch = (inputs / s.batches.max(1)).max(1);
        for (b, x) in input.chunks_mut(batch).enumerate() {
            x.iter_mut()
                .for_each(|x| *x = (*x + 0.3) * [1.0, 7.0][b % 2]);
        }
        let weights = random.i8s(weights);
        let scales: Vec<f32> = random
            .f32s(s.out_c)
            .iter()
            .map(|s| 0.01 + s.abs())
            .collect();
        let bias = random.f32s(s.out_c);
        let bias = (i % 3 > 0).then_some(&bias[..]);
        let clamp = [(f32::MIN, f32::MAX), (0.0, 6.0)][i % 2];
        for how in [
            Hybrid::Symmetric(0.013),
            Hybrid::Asymmetric(&scales),
            Hybrid::AsymmetricJoint(&scales),
        ] {
            let mut want = vec![0.0; outputs];
            depthwise_hybrid(&s, &input, &weights, bias, how, clamp, &mut want);
            for isa in Isa::available() {
                let conv = DepthwiseHybrid::new(isa, s, &weights, bias, how, clamp).unwrap();
                for threads in THREADS {
                    conv.reserve(&mut scratch, threads);
                    let mut got = vec![f32::NAN; outputs];
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
    }
    wrong.finish();
}

#[test]
fn what_does_not_fit_is_refused() {
    let s = shape([1, 4, 4, 3], 6, [3, 3], 1, 1, true);
    let new = |s, n| DepthwiseF32::new(Isa::Portable, s, &vec![0.0; n], None, (0.0, 1.0));
    assert!(new(s, 54).is_ok());
    assert!(new(s, 53).is_err());
    assert!(new(Conv2dShape { in_c: 4, ..s }, 54).is_err());
    assert!(new(Conv2dShape { stride_h: 0, ..s }, 54).is_err());
    let wide = Conv2dShape {
        dilation_w: usize::MAX / 2,
        ..s
    };
    assert!(new(wide, 54).is_err());
    let mut conv = new(s, 54).unwrap();
    assert!(conv.reshape(Conv2dShape { k_h: 2, ..s }).is_err());
    assert!(
        conv.run(&[0.0; 48], &mut [0.0; 95], &mut Scratch::new(), 1)
            .is_err()
    );
}
