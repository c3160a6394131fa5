//! Fast pooling and element-wise kernels against the naive reference, on every ISA of this machine.

use zeropoint::kernels::elementwise::{self, Arithmetic, ProductInt, SumInt};
use zeropoint::kernels::fixed_point::Multiplier;
use zeropoint::kernels::pool as fast_pool;
use zeropoint::kernels::quantize::{self, QuantInt};
use zeropoint::kernels::reference::arithmetic::{Broadcast, Product, Sum};
use zeropoint::kernels::reference::{activation, pool, requantize};
use zeropoint::kernels::{Isa, Pool2dShape};

use super::kernels_fast::{FILLS, Random, Wrong, fill};

fn pools() -> Vec<Pool2dShape> {
    let base = Pool2dShape {
        batches: 2,
        in_h: 7,
        in_w: 6,
        channels: 5,
        out_h: 4,
        out_w: 3,
        k_h: 2,
        k_w: 2,
        stride_h: 2,
        stride_w: 2,
        pad_top: 0,
        pad_left: 0,
    };
    let mut all: Vec<_> = [1, 31, 32, 33, 64, 70]
        .map(|channels| Pool2dShape { channels, ..base })
        .to_vec();
    all.extend([
        base,
        Pool2dShape { batches: 0, ..base },
        Pool2dShape {
            out_h: 7,
            out_w: 6,
            k_h: 3,
            k_w: 3,
            stride_h: 1,
            stride_w: 1,
            pad_top: 1,
            pad_left: 1,
            ..base
        },
        // The whole image, as a global pooling.
        Pool2dShape {
            out_h: 1,
            out_w: 1,
            k_h: 7,
            k_w: 6,
            ..base
        },
        // Worth two threads.
        Pool2dShape {
            in_h: 90,
            in_w: 90,
            channels: 64,
            out_h: 45,
            out_w: 45,
            ..base
        },
    ]);
    all
}

#[test]
fn pooling() {
    let mut wrong = Wrong::default();
    for (i, s) in pools().into_iter().enumerate() {
        let ins = s.batches * s.in_h * s.in_w * s.channels;
        let outs = s.batches * s.out_h * s.out_w * s.channels;
        let mut random = Random::new(i as u64);
        let x = random.f32s(ins);
        for clamp in [(f32::MIN, f32::MAX), (0.0, 0.5)] {
            let (mut max, mut mean) = (vec![0.0; outs], vec![0.0; outs]);
            pool::max_pool_f32(&s, &x, clamp, &mut max);
            pool::average_pool_f32(&s, &x, clamp, &mut mean);
            for isa in Isa::available() {
                for threads in [1, 2] {
                    let mut got = vec![f32::NAN; outs];
                    fast_pool::max_pool_f32(isa, &s, &x, clamp, &mut got, threads).unwrap();
                    wrong.check(format!("{isa:?} max {s:?}"), &got, &max);
                    fast_pool::average_pool_f32(isa, &s, &x, clamp, &mut got, threads).unwrap();
                    wrong.check(format!("{isa:?} mean {s:?}"), &got, &mean);
                }
            }
        }
        for how in FILLS {
            let x8 = fill(how, random.i8s(ins), -128, 127);
            let x16 = fill(how, random.i16s(ins), -32768, 32767);
            integer_pools(&mut wrong, &s, &x8, [(-128, 127), (-3, 60)][i % 2]);
            integer_pools(&mut wrong, &s, &x16, [(-32768, 32767), (0, 900)][i % 2]);
        }
    }
    wrong.finish();
}

/// Both poolings of one integer type; a macro would say the same less plainly.
fn integer_pools<T>(wrong: &mut Wrong, s: &Pool2dShape, x: &[T], clamp: (i32, i32))
where
    T: IntegerPools + super::kernels_fast::Compare + std::fmt::Debug,
{
    let outs = s.batches * s.out_h * s.out_w * s.channels;
    let (mut max, mut mean) = (vec![T::default(); outs], vec![T::default(); outs]);
    pool::max_pool(s, x, clamp, &mut max);
    pool::average_pool(s, x, clamp, &mut mean);
    for isa in Isa::available() {
        for threads in [1, 2] {
            let mut got = vec![T::saturate(99); outs];
            T::max(isa, s, x, clamp, &mut got, threads);
            wrong.check(format!("{isa:?} max {s:?}"), &got, &max);
            T::mean(isa, s, x, clamp, &mut got, threads);
            wrong.check(format!("{isa:?} mean {s:?}"), &got, &mean);
        }
    }
}

trait IntegerPools: QuantInt {
    fn max(isa: Isa, s: &Pool2dShape, x: &[Self], clamp: (i32, i32), out: &mut [Self], n: usize);
    fn mean(isa: Isa, s: &Pool2dShape, x: &[Self], clamp: (i32, i32), out: &mut [Self], n: usize);
}

macro_rules! integer_pools {
    ($($t:ty),*) => { $(impl IntegerPools for $t {
        fn max(isa: Isa, s: &Pool2dShape, x: &[$t], clamp: (i32, i32), out: &mut [$t], n: usize) {
            fast_pool::max_pool(isa, s, x, clamp, out, n).unwrap();
        }
        fn mean(isa: Isa, s: &Pool2dShape, x: &[$t], clamp: (i32, i32), out: &mut [$t], n: usize) {
            fast_pool::average_pool(isa, s, x, clamp, out, n).unwrap();
        }
    })* };
}
integer_pools!(i8, i16);

/// Lengths of two operands and of the result, as shapes.
fn operands() -> Vec<[Vec<usize>; 2]> {
    let mut all = vec![];
    for n in [0, 1, 7, 8, 31, 32, 33, 64, 100] {
        all.push([vec![n], vec![n]]);
        all.push([vec![n], vec![1]]);
        all.push([vec![1], vec![n]]);
        all.push([vec![3, n], vec![n]]);
        all.push([vec![n], vec![3, n]]);
    }
    all.push([vec![700, 500], vec![700, 500]]);
    all.push([vec![700, 500], vec![1]]);
    all.push([vec![7000, 50], vec![50]]);
    all
}

#[test]
fn float_arithmetic() {
    let mut wrong = Wrong::default();
    for (i, [l, r]) in operands().into_iter().enumerate() {
        let walk = Broadcast::new(&l, &r).unwrap();
        let n: usize = Broadcast::shape(&l, &r).unwrap().iter().product();
        let mut random = Random::new(i as u64);
        let a = random.f32s(l.iter().product());
        let b = random.f32s(r.iter().product());
        let (low, high) = [(f32::MIN, f32::MAX), (0.0, 0.7)][i % 2];
        for how in [Arithmetic::Add, Arithmetic::Sub, Arithmetic::Mul] {
            let mut want = vec![0.0; n];
            walk.apply(&a, &b, &mut want, |a, b| {
                let v: f32 = match how {
                    Arithmetic::Add => a + b,
                    Arithmetic::Sub => a - b,
                    Arithmetic::Mul => a * b,
                };
                v.max(low).min(high)
            });
            for isa in Isa::available() {
                for threads in [1, 2] {
                    let mut got = vec![f32::NAN; n];
                    let clamp = (low, high);
                    elementwise::arithmetic_f32(isa, how, &a, &b, clamp, &mut got, threads)
                        .unwrap();
                    wrong.check(format!("{isa:?} {how:?} {l:?} {r:?}"), &got, &want);
                }
            }
        }
    }
    wrong.finish();
}

#[test]
fn integer_arithmetic() {
    let mut wrong = Wrong::default();
    for (i, [l, r]) in operands().into_iter().enumerate() {
        let walk = Broadcast::new(&l, &r).unwrap();
        let n: usize = Broadcast::shape(&l, &r).unwrap().iter().product();
        for how in FILLS {
            let mut random = Random::new(i as u64);
            let (nl, nr) = (l.iter().product(), r.iter().product());
            let scales = [[0.02, 0.05, 0.06], [0.9, 0.001, 0.5], [0.01, 0.01, 0.5]][i % 3];
            let factor = Multiplier::from_real([0.004, 0.3, 1.7][i % 3]);
            let a = fill(how, random.i8s(nl), -128, 127);
            let b = fill(how, random.i8s(nr), -128, 127);
            let zero_points = [[3, -128, 7], [127, 0, -128]][i % 2];
            let clamp = [(-128, 127), (-20, 90)][i % 2];
            for subtract in [false, true] {
                let sum = Sum::new(scales, zero_points, 8, clamp);
                let mut want = vec![0i8; n];
                walk.apply(&a, &b, &mut want, |a, b| sum.apply(a, b, subtract));
                let fast = SumInt::new(scales, zero_points, clamp, subtract).unwrap();
                for (isa, threads) in runs() {
                    let mut got = vec![99; n];
                    fast.run(isa, &a, &b, &mut got, threads).unwrap();
                    wrong.check(format!("{isa:?} int8 sum {how:?} {l:?} {r:?}"), &got, &want);
                }
            }
            let product = Product {
                zero_points,
                multiplier: factor,
                clamp,
            };
            let mut want = vec![0i8; n];
            walk.apply(&a, &b, &mut want, |a, b| product.apply(a, b));
            let fast = ProductInt::new(zero_points, factor, clamp).unwrap();
            for (isa, threads) in runs() {
                let mut got = vec![99; n];
                fast.run(isa, &a, &b, &mut got, threads).unwrap();
                wrong.check(
                    format!("{isa:?} int8 product {how:?} {l:?} {r:?}"),
                    &got,
                    &want,
                );
            }
            let a = fill(how, random.i16s(nl), -32768, 32767);
            let b = fill(how, random.i16s(nr), -32768, 32767);
            let clamp = [(-32768, 32767), (0, 9000)][i % 2];
            let sum = Sum::new(scales, [0; 3], 16, clamp);
            let mut want = vec![0i16; n];
            walk.apply(&a, &b, &mut want, |a, b| sum.apply(a, b, i % 2 == 0));
            let fast = SumInt::new(scales, [0; 3], clamp, i % 2 == 0).unwrap();
            for (isa, threads) in runs() {
                let mut got = vec![99; n];
                fast.run(isa, &a, &b, &mut got, threads).unwrap();
                wrong.check(
                    format!("{isa:?} int16 sum {how:?} {l:?} {r:?}"),
                    &got,
                    &want,
                );
            }
            let product = Product {
                zero_points: [0; 3],
                multiplier: factor,
                clamp,
            };
            let mut want = vec![0i16; n];
            walk.apply(&a, &b, &mut want, |a, b| product.apply(a, b));
            let fast = ProductInt::new([0; 3], factor, clamp).unwrap();
            for (isa, threads) in runs() {
                let mut got = vec![99; n];
                fast.run(isa, &a, &b, &mut got, threads).unwrap();
                wrong.check(
                    format!("{isa:?} int16 product {how:?} {l:?} {r:?}"),
                    &got,
                    &want,
                );
            }
        }
    }
    wrong.finish();
}

fn runs() -> Vec<(Isa, usize)> {
    let isas = Isa::available().into_iter();
    isas.flat_map(|isa| [(isa, 1), (isa, 2)]).collect()
}

#[test]
fn conversions() {
    let mut wrong = Wrong::default();
    for (i, n) in [0, 1, 15, 16, 17, 31, 32, 33, 1000, 400_000]
        .into_iter()
        .enumerate()
    {
        let mut random = Random::new(i as u64);
        let mut x = random.f32s(n);
        // Halves, ends and what is no number.
        let special = [
            0.5,
            -0.5,
            1.5,
            -2.5,
            1e30,
            -1e30,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ];
        for (x, s) in x.iter_mut().zip(special) {
            *x = s;
        }
        for (scale, zero_point) in [(1.0f32, 0), (0.007, -128), (3e-5, 127), (0.01, 5)] {
            let (mut want8, mut want16) = (vec![0i8; n], vec![0i16; n]);
            quantize::quantize(&x, scale, zero_point, &mut want8);
            quantize::quantize(&x, scale, 0, &mut want16);
            let (mut back8, mut back16) = (vec![0.0; n], vec![0.0; n]);
            quantize::dequantize(&want8, scale, zero_point, &mut back8);
            quantize::dequantize(&want16, scale, 0, &mut back16);
            for (isa, threads) in runs() {
                let what = format!("{isa:?} {n} {scale} {zero_point}");
                let (mut got8, mut got16) = (vec![99i8; n], vec![99i16; n]);
                elementwise::quantize(isa, &x, scale, zero_point, &mut got8, threads).unwrap();
                wrong.check(format!("int8 {what}"), &got8, &want8);
                elementwise::quantize(isa, &x, scale, 0, &mut got16, threads).unwrap();
                wrong.check(format!("int16 {what}"), &got16, &want16);
                let mut got = vec![f32::NAN; n];
                elementwise::dequantize(isa, &got8, scale, zero_point, &mut got, threads).unwrap();
                assert_eq!(got, back8, "{what}");
                elementwise::dequantize(isa, &got16, scale, 0, &mut got, threads).unwrap();
                assert_eq!(got, back16, "{what}");
            }
        }
        let x8 = random.i8s(n);
        let table: [i8; 256] =
            activation::table_8bit((0.1, 3), (1.0 / 256.0, -128), activation::logistic);
        let factor = Multiplier::from_real(0.73);
        let (mut looked, mut relu) = (vec![0i8; n], vec![0i8; n]);
        let mut widened = vec![0i16; n];
        activation::lookup_8bit(&x8, &table, &mut looked);
        activation::relu(&x8, factor, -3, 5, (5, 100), &mut relu);
        requantize::requantize(&x8, factor, 7, -2, &mut widened);
        for (isa, threads) in runs() {
            let mut got = vec![99i8; n];
            elementwise::lookup(isa, &x8, &table, &mut got, threads).unwrap();
            wrong.check(format!("{isa:?} lookup {n}"), &got, &looked);
            elementwise::rescale_int(isa, &x8, factor, -3, 5, (5, 100), &mut got, threads).unwrap();
            wrong.check(format!("{isa:?} relu {n}"), &got, &relu);
            let mut got = vec![99i16; n];
            let all = (i16::MIN.into(), i16::MAX.into());
            elementwise::rescale_int(isa, &x8, factor, 7, -2, all, &mut got, threads).unwrap();
            wrong.check(format!("{isa:?} requantize {n}"), &got, &widened);
            let mut got = vec![f32::NAN; n];
            let mut want = vec![0.0; n];
            let y = Random::new(3).f32s(n);
            activation::relu_f32(&y, (0.0, 0.6), &mut want);
            elementwise::clamp_f32(isa, &y, (0.0, 0.6), &mut got, threads).unwrap();
            wrong.check(format!("{isa:?} float relu {n}"), &got, &want);
        }
    }
    wrong.finish();
}

#[test]
fn what_does_not_fit_is_refused() {
    let isa = Isa::Portable;
    let add = |a: usize, b: usize, n: usize| {
        let (a, b) = (vec![0.0; a], vec![0.0; b]);
        let clamp = (f32::MIN, f32::MAX);
        elementwise::arithmetic_f32(isa, Arithmetic::Add, &a, &b, clamp, &mut vec![0.0; n], 1)
    };
    assert!(add(6, 3, 6).is_ok());
    assert!(add(6, 4, 6).is_err());
    assert!(add(3, 2, 6).is_err());
    assert!(add(0, 6, 6).is_err());
    assert!(elementwise::quantize(isa, &[0.0; 3], 1.0, 0, &mut [0i8; 2], 1).is_err());
    assert!(elementwise::quantize(isa, &[0.0; 2], 1.0, 200, &mut [0i8; 2], 1).is_err());
    assert!(SumInt::<i8>::new([1.0, 1.0, 1e-30], [0; 3], (-128, 127), false).is_err());
    assert!(SumInt::<i8>::new([1.0; 3], [0, 300, 0], (-128, 127), false).is_err());
}
