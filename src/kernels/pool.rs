//! MAX_POOL_2D and AVERAGE_POOL_2D, vectorised over channels; padding is left out of both.

use std::ops::Range;

use super::Pool2dShape;
use super::gather::product;
use super::gemm::worth;
use super::isa::Isa;
use super::parallel;
use super::quantize::QuantInt;
use super::simd::{self, Vectorized};
use crate::error::Result;

/// Elements read that are worth a thread.
const GRAIN: usize = 400_000;

/// One kind of pooling: how values are folded, and what becomes of the fold of a window.
trait Pooling: Copy + Sync {
    type Value: Copy + Send + Sync;
    type Fold: Copy;
    fn start(self) -> Self::Fold;
    fn fold(self, acc: Self::Fold, v: Self::Value) -> Self::Fold;
    fn finish(self, acc: Self::Fold, elements: usize) -> Self::Value;
}

/// Rows of output pixels, from the first of one line to the last of another.
struct Lines<'a, P: Pooling> {
    pooling: P,
    shape: &'a Pool2dShape,
    input: &'a [P::Value],
    /// Lines of all batches.
    lines: Range<usize>,
    out: &'a mut [P::Value],
}

impl<P: Pooling> Vectorized for Lines<'_, P> {
    #[inline(always)]
    fn run(self) {
        let Self {
            pooling,
            shape: s,
            input,
            ..
        } = self;
        let c = s.channels;
        let mut at_pixel = 0;
        for line in self.lines {
            let (batch, y) = (line / s.out_h, line % s.out_h);
            let rows = window(y * s.stride_h, s.k_h, s.pad_top, s.in_h);
            for x in 0..s.out_w {
                let Some(out) = self.out.get_mut(at_pixel..) else {
                    return;
                };
                at_pixel += c;
                let columns = window(x * s.stride_w, s.k_w, s.pad_left, s.in_w);
                if c <= 16 && few(pooling, s, input, (batch, &rows, &columns), out) {
                    continue;
                }
                let Some(out) = out.get_mut(..c) else { return };
                let mut at = 0;
                at = block::<P, 32>(pooling, s, input, (batch, &rows, &columns), at, out);
                at = block::<P, 8>(pooling, s, input, (batch, &rows, &columns), at, out);
                if (8..c).contains(&at) {
                    // The last channels with some that are done already.
                    at = c - 8;
                    at = block::<P, 8>(pooling, s, input, (batch, &rows, &columns), at, out);
                }
                block::<P, 1>(pooling, s, input, (batch, &rows, &columns), at, out);
            }
        }
    }
}

/// Pools one window of at most 16 channels as if there were 16, if input and output go on for so long: what is too much the next
/// pixels of the output write over. Whether it was done.
#[inline(always)]
fn few<P: Pooling>(
    pooling: P,
    s: &Pool2dShape,
    input: &[P::Value],
    (batch, rows, columns): (usize, &Range<usize>, &Range<usize>),
    out: &mut [P::Value],
) -> bool {
    let first = |row: usize| ((batch * s.in_h + row) * s.in_w + columns.start) * s.channels;
    let Some(out) = out.first_chunk_mut::<16>() else {
        return false;
    };
    if rows.is_empty() || first(rows.end - 1) + columns.len() * s.channels + 16 > input.len() {
        return false;
    }
    let mut acc = [pooling.start(); 16];
    for row in rows.clone() {
        let line = &input[first(row)..];
        for column in 0..columns.len() {
            let Some(v) = line[column * s.channels..].first_chunk::<16>() else {
                return false;
            };
            for j in 0..16 {
                acc[j] = pooling.fold(acc[j], v[j]);
            }
        }
    }
    let elements = rows.len() * columns.len();
    for j in 0..16 {
        out[j] = pooling.finish(acc[j], elements);
    }
    true
}

/// Pools one window, `N` channels at a time from `at` on as long as there are as many; where that ends.
#[inline(always)]
fn block<P: Pooling, const N: usize>(
    pooling: P,
    s: &Pool2dShape,
    input: &[P::Value],
    (batch, rows, columns): (usize, &Range<usize>, &Range<usize>),
    mut at: usize,
    out: &mut [P::Value],
) -> usize {
    let c = s.channels;
    let elements = rows.len() * columns.len();
    while at + N <= c {
        let mut acc = [pooling.start(); N];
        for row in rows.clone() {
            for column in columns.clone() {
                let from = ((batch * s.in_h + row) * s.in_w + column) * c + at;
                let v: &[P::Value; N] = input[from..].first_chunk().expect("a pixel");
                for j in 0..N {
                    acc[j] = pooling.fold(acc[j], v[j]);
                }
            }
        }
        for j in 0..N {
            out[at + j] = pooling.finish(acc[j], elements);
        }
        at += N;
    }
    at
}

/// The part of a window that lies inside an axis.
#[inline(always)]
fn window(start: usize, size: usize, pad: usize, extent: usize) -> Range<usize> {
    let end = (start + size).saturating_sub(pad).min(extent);
    start.saturating_sub(pad).min(end)..end
}

fn pool<P: Pooling>(
    isa: Isa,
    pooling: P,
    s: &Pool2dShape,
    input: &[P::Value],
    out: &mut [P::Value],
    threads: usize,
) -> Result<()> {
    let ins = product(&[s.batches, s.in_h, s.in_w, s.channels])?;
    let outs = product(&[s.batches, s.out_h, s.out_w, s.channels])?;
    product(&[s.out_h, s.stride_h])?;
    product(&[s.out_w, s.stride_w])?;
    let window = product(&[s.k_h, s.k_w])?;
    if (ins, outs) != (input.len(), out.len()) {
        return crate::invalid!(
            "pooling of {ins} inputs and {outs} outputs got {} and {}",
            input.len(),
            out.len()
        );
    }
    let isa = isa.proven();
    let lines = s.batches * s.out_h;
    let line = s.out_w * s.channels;
    if line == 0 || lines == 0 {
        return Ok(());
    }
    let threads = worth(threads, outs.saturating_mul(window), GRAIN);
    let run = |lines: Range<usize>, out: &mut [P::Value]| {
        simd::vectorized(
            isa,
            Lines {
                pooling,
                shape: s,
                input,
                lines,
                out,
            },
        );
    };
    if threads == 1 {
        run(0..lines, out);
    } else {
        let step = lines.div_ceil(threads);
        parallel::chunks(out, step * line, &|i, out: &mut [P::Value]| {
            run(i * step..i * step + out.len() / line, out);
        });
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct MaxF32((f32, f32));

impl Pooling for MaxF32 {
    type Value = f32;
    type Fold = f32;
    #[inline(always)]
    fn start(self) -> f32 {
        f32::MIN
    }
    #[inline(always)]
    fn fold(self, acc: f32, v: f32) -> f32 {
        if v > acc { v } else { acc }
    }
    #[inline(always)]
    fn finish(self, acc: f32, _: usize) -> f32 {
        super::portable::clamp(acc, self.0.0, self.0.1)
    }
}

#[derive(Clone, Copy)]
struct MeanF32((f32, f32));

impl Pooling for MeanF32 {
    type Value = f32;
    type Fold = f32;
    #[inline(always)]
    fn start(self) -> f32 {
        0.0
    }
    #[inline(always)]
    fn fold(self, acc: f32, v: f32) -> f32 {
        acc + v
    }
    #[inline(always)]
    fn finish(self, acc: f32, elements: usize) -> f32 {
        super::portable::clamp(acc / elements.max(1) as f32, self.0.0, self.0.1)
    }
}

#[derive(Clone, Copy)]
struct MaxInt<T>(T, T);

impl<T: QuantInt + Ord> Pooling for MaxInt<T> {
    type Value = T;
    type Fold = T;
    #[inline(always)]
    fn start(self) -> T {
        self.0
    }
    #[inline(always)]
    fn fold(self, acc: T, v: T) -> T {
        acc.max(v)
    }
    #[inline(always)]
    fn finish(self, acc: T, _: usize) -> T {
        acc.min(self.1)
    }
}

#[derive(Clone, Copy)]
struct MeanInt<T>(i32, i32, std::marker::PhantomData<T>);

impl<T: Element> Pooling for MeanInt<T> {
    type Value = T;
    type Fold = i32;
    #[inline(always)]
    fn start(self) -> i32 {
        0
    }
    #[inline(always)]
    fn fold(self, acc: i32, v: T) -> i32 {
        acc + v.to_i32()
    }
    #[inline(always)]
    fn finish(self, sum: i32, elements: usize) -> T {
        let n = elements.max(1) as i32;
        let half = if sum > 0 { n / 2 } else { -(n / 2) };
        // The quotient is exact enough: below 2^31, and no nearer than 2^-16 to an integer it does not reach.
        let mean = (f64::from(sum + half) / f64::from(n)) as i32;
        T::narrow(mean.max(self.0).min(self.1))
    }
}

/// An integer type that kernels compute on by way of int32.
pub(crate) trait Element: QuantInt + Ord {
    /// The low bits.
    fn narrow(v: i32) -> Self;

    /// The same values, if they are int8.
    fn bytes(_: &[Self]) -> Option<&[i8]> {
        None
    }

    /// The same values to change, if they are int8.
    fn bytes_mut(_: &mut [Self]) -> Option<&mut [i8]> {
        None
    }
}

macro_rules! element {
    ($($t:ty),*) => { $(impl Element for $t {
        #[inline(always)]
        fn narrow(v: i32) -> Self { v as $t }
    })* };
}
element!(u8, i16);

impl Element for i8 {
    #[inline(always)]
    fn narrow(v: i32) -> Self {
        v as i8
    }

    fn bytes(x: &[Self]) -> Option<&[i8]> {
        Some(x)
    }

    fn bytes_mut(x: &mut [Self]) -> Option<&mut [i8]> {
        Some(x)
    }
}

/// Float maximum, clamped; on up to `threads` threads of the current rayon pool.
///
/// # Errors
/// `Invalid` if the lengths do not fit the shape.
pub fn max_pool_f32(
    isa: Isa,
    s: &Pool2dShape,
    input: &[f32],
    clamp: (f32, f32),
    out: &mut [f32],
    threads: usize,
) -> Result<()> {
    pool(isa, MaxF32(clamp), s, input, out, threads)
}

/// Float mean, clamped; 0 for a window without elements.
///
/// # Errors
/// `Invalid` if the lengths do not fit the shape.
pub fn average_pool_f32(
    isa: Isa,
    s: &Pool2dShape,
    input: &[f32],
    clamp: (f32, f32),
    out: &mut [f32],
    threads: usize,
) -> Result<()> {
    pool(isa, MeanF32(clamp), s, input, out, threads)
}

/// Integer maximum of int8, uint8 or int16, clamped; input and output share scale and zero point.
///
/// # Errors
/// `Invalid` if the lengths do not fit the shape.
#[allow(private_bounds)] // closed to the three types
pub fn max_pool<T: Element>(
    isa: Isa,
    s: &Pool2dShape,
    input: &[T],
    clamp: (i32, i32),
    out: &mut [T],
    threads: usize,
) -> Result<()> {
    let end = |v: i32| T::narrow(v.clamp(T::MIN, T::MAX));
    pool(
        isa,
        MaxInt(end(clamp.0), end(clamp.1)),
        s,
        input,
        out,
        threads,
    )
}

/// Integer mean of int8, uint8 or int16, rounded half away from zero, clamped; input and output share scale and zero point.
///
/// # Errors
/// `Invalid` if the lengths do not fit the shape, or the window has more than 65,535 elements.
#[allow(private_bounds)] // closed to the three types
pub fn average_pool<T: Element>(
    isa: Isa,
    s: &Pool2dShape,
    input: &[T],
    clamp: (i32, i32),
    out: &mut [T],
    threads: usize,
) -> Result<()> {
    if product(&[s.k_h, s.k_w])? > 65_535 {
        return crate::invalid!("a pooling window of {}×{} is too large", s.k_h, s.k_w);
    }
    let end = |v: i32| v.clamp(T::MIN, T::MAX);
    let mean = MeanInt(end(clamp.0), end(clamp.1), std::marker::PhantomData);
    pool(isa, mean, s, input, out, threads)
}
