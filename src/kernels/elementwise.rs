//! Element by element, vectorised: ADD, SUB, MUL, QUANTIZE, DEQUANTIZE, rescaling and table lookup.
//!
//! Operands of two-operand functions have as many elements as the output, or a divisor of it and then repeat (a scalar, or the
//! channels of an NHWC tensor); other broadcasts belong to `reference::arithmetic`. Integer results are those of
//! [`reference`](super::reference) to the bit.

use super::fixed_point::Multiplier;
use super::gemm::worth;
use super::isa::{Isa, Proven};
use super::parallel;
use super::pool::Element;
use super::quantize::QuantInt;
use super::rescale::{Bounds, rescale};
use super::row_quantize::round_within;
use super::simd::{self, ByteSum, RoomyFactor, Vectorized};
use crate::error::Result;

/// Bytes of output that are worth a thread.
const GRAIN: usize = 65_536;
/// Elements computed at once.
const LANES: usize = 32;

/// A function of one element.
trait Unary: Copy + Sync {
    type In: Copy + Sync;
    type Out: Copy + Send;
    fn apply(self, v: Self::In) -> Self::Out;
}

struct Each<'a, F: Unary> {
    f: F,
    input: &'a [F::In],
    out: &'a mut [F::Out],
}

impl<F: Unary> Vectorized for Each<'_, F> {
    #[inline(always)]
    fn run(self) {
        for (out, &v) in self.out.iter_mut().zip(self.input) {
            *out = self.f.apply(v);
        }
    }
}

fn each<F: Unary>(
    isa: Isa,
    f: F,
    input: &[F::In],
    out: &mut [F::Out],
    threads: usize,
) -> Result<()> {
    if input.len() != out.len() {
        return crate::invalid!("{} inputs for {} outputs", input.len(), out.len());
    }
    let isa = isa.proven();
    let threads = worth(threads, size_of_val(out), GRAIN);
    if threads == 1 {
        simd::vectorized(isa, Each { f, input, out });
    } else {
        let step = out.len().div_ceil(threads);
        parallel::chunks(out, step, &|i, out: &mut [F::Out]| {
            let input = &input[i * step..][..out.len()];
            simd::vectorized(isa, Each { f, input, out });
        });
    }
    Ok(())
}

/// A function of two elements.
trait Binary: Copy + Sync {
    type In: Copy + Send + Sync;
    type Out: Copy + Send + Sync;
    fn apply(self, a: Self::In, b: Self::In) -> Self::Out;

    /// Computes all of `out` from as many values of `a` and `b` by a kernel of its own; whether there is one.
    fn by_kernel(self, _: Proven, _: &[Self::In], _: &[Self::In], _: &mut [Self::Out]) -> bool {
        false
    }
}

/// `out` = f(a, b), where an operand of one element serves for all.
fn pairs_part<F: Binary>(isa: Proven, f: F, a: &[F::In], b: &[F::In], out: &mut [F::Out]) {
    let alike = a.len() == out.len() && b.len() == out.len();
    if !(alike && f.by_kernel(isa, a, b, out)) {
        simd::vectorized(isa, Pairs { f, a, b, out });
    }
}

struct Pairs<'a, F: Binary> {
    f: F,
    a: &'a [F::In],
    b: &'a [F::In],
    out: &'a mut [F::Out],
}

impl<F: Binary> Vectorized for Pairs<'_, F> {
    #[inline(always)]
    fn run(self) {
        let Self { f, a, b, out } = self;
        match (a, b) {
            (&[a], b) => {
                for (out, &b) in out.iter_mut().zip(b) {
                    *out = f.apply(a, b);
                }
            }
            (a, &[b]) => {
                for (out, &a) in out.iter_mut().zip(a) {
                    *out = f.apply(a, b);
                }
            }
            (a, b) => {
                let (outs, out_rest) = out.as_chunks_mut::<LANES>();
                let (a_chunks, a_rest) = a.as_chunks::<LANES>();
                let (b_chunks, b_rest) = b.as_chunks::<LANES>();
                for ((out, a), b) in outs.iter_mut().zip(a_chunks).zip(b_chunks) {
                    for j in 0..LANES {
                        out[j] = f.apply(a[j], b[j]);
                    }
                }
                for ((out, &a), &b) in out_rest.iter_mut().zip(a_rest).zip(b_rest) {
                    *out = f.apply(a, b);
                }
            }
        }
    }
}

/// `out` = f(a, b), operands repeated as the module says.
fn pairs<F: Binary>(
    isa: Isa,
    f: F,
    a: &[F::In],
    b: &[F::In],
    out: &mut [F::Out],
    threads: usize,
) -> Result<()> {
    let n = out.len();
    if n == 0 {
        return Ok(());
    }
    let fits = |len: usize| len > 0 && n.is_multiple_of(len);
    let period = match (a.len(), b.len()) {
        (1, len) | (len, 1) => len,
        (one, other) => one.min(other),
    };
    let whole = |len: usize| len == 1 || len == period || len == n;
    if !fits(a.len()) || !fits(b.len()) || !whole(a.len()) || !whole(b.len()) {
        return crate::invalid!("operands of {} and {} elements for {n}", a.len(), b.len());
    }
    let isa = isa.proven();
    let threads = worth(threads, size_of_val(out), GRAIN);
    let part = |operand: &'_ [F::In], at: usize, len: usize| match operand.len() {
        1 => 0..1,
        l if l == n => at..at + len,
        _ => 0..len,
    };
    let run = |first: usize, out: &mut [F::Out]| {
        for (i, out) in out.chunks_mut(period.max(1)).enumerate() {
            let at = first + i * period;
            let (a, b) = (&a[part(a, at, out.len())], &b[part(b, at, out.len())]);
            pairs_part(isa, f, a, b, out);
        }
    };
    if threads == 1 {
        run(0, out);
    } else if period == n {
        // Nothing repeats but scalars: parts of any size.
        let step = n.div_ceil(threads);
        parallel::chunks(out, step, &|i, out: &mut [F::Out]| {
            let (a, b) = (
                &a[part(a, i * step, out.len())],
                &b[part(b, i * step, out.len())],
            );
            pairs_part(isa, f, a, b, out);
        });
    } else {
        let step = (n / period).div_ceil(threads) * period;
        parallel::chunks(out, step, &|i, out: &mut [F::Out]| run(i * step, out));
    }
    Ok(())
}

/// A closure as a function of one element or of two.
struct Closure<'a, F, A, B>(&'a F, std::marker::PhantomData<fn(A) -> B>);

impl<F, A, B> Clone for Closure<'_, F, A, B> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<F, A, B> Copy for Closure<'_, F, A, B> {}

impl<F: Fn(A) -> B + Sync, A: Copy + Sync, B: Copy + Send> Unary for Closure<'_, F, A, B> {
    type In = A;
    type Out = B;
    #[inline(always)]
    fn apply(self, v: A) -> B {
        (self.0)(v)
    }
}

impl<F: Fn(A, A) -> B + Sync, A: Copy + Send + Sync, B: Copy + Send + Sync> Binary
    for Closure<'_, F, A, B>
{
    type In = A;
    type Out = B;
    #[inline(always)]
    fn apply(self, a: A, b: A) -> B {
        (self.0)(a, b)
    }
}

/// Stores `f(v)` for each element; on up to `threads` threads of the current rayon pool.
///
/// # Errors
/// `Invalid` if the lengths differ.
pub fn map<A: Copy + Sync, B: Copy + Send>(
    isa: Isa,
    f: impl Fn(A) -> B + Sync,
    input: &[A],
    out: &mut [B],
    threads: usize,
) -> Result<()> {
    each(
        isa,
        Closure(&f, std::marker::PhantomData),
        input,
        out,
        threads,
    )
}

/// Stores `f(a, b)` for each element, operands repeated as the module says; on up to `threads` threads of the current rayon pool.
///
/// # Errors
/// `Invalid` if the lengths do not fit each other.
pub fn zip<A: Copy + Send + Sync, B: Copy + Send + Sync>(
    isa: Isa,
    f: impl Fn(A, A) -> B + Sync,
    a: &[A],
    b: &[A],
    out: &mut [B],
    threads: usize,
) -> Result<()> {
    pairs(
        isa,
        Closure(&f, std::marker::PhantomData),
        a,
        b,
        out,
        threads,
    )
}

/// What two floats are joined by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a · b.
    Mul,
}

#[derive(Clone, Copy)]
struct AddF32(f32, f32);
#[derive(Clone, Copy)]
struct SubF32(f32, f32);
#[derive(Clone, Copy)]
struct MulF32(f32, f32);

macro_rules! float_binary {
    ($($name:ident $op:tt),*) => { $(impl Binary for $name {
        type In = f32;
        type Out = f32;
        #[inline(always)]
        fn apply(self, a: f32, b: f32) -> f32 { super::portable::clamp(a $op b, self.0, self.1) }
    })* };
}
float_binary!(AddF32 +, SubF32 -, MulF32 *);

/// ADD, SUB or MUL of floats, clamped; on up to `threads` threads of the current rayon pool.
///
/// # Errors
/// `Invalid` if the lengths do not fit each other.
pub fn arithmetic_f32(
    isa: Isa,
    how: Arithmetic,
    a: &[f32],
    b: &[f32],
    (low, high): (f32, f32),
    out: &mut [f32],
    threads: usize,
) -> Result<()> {
    match how {
        Arithmetic::Add => pairs(isa, AddF32(low, high), a, b, out, threads),
        Arithmetic::Sub => pairs(isa, SubF32(low, high), a, b, out, threads),
        Arithmetic::Mul => pairs(isa, MulF32(low, high), a, b, out, threads),
    }
}

/// A fixed-point factor with the shift parted into left and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Factor {
    mantissa: i32,
    left: i32,
    right: i32,
}

impl Factor {
    fn new(m: Multiplier) -> Result<Self> {
        if m.mantissa < 0 || !(-31..=30).contains(&m.shift) {
            return crate::invalid!(
                "the scales ask for a factor of {}·2^{}, which fixed-point arithmetic does not hold",
                m.mantissa,
                m.shift - 31
            );
        }
        Ok(Self {
            mantissa: m.mantissa,
            left: m.shift.max(0),
            right: (-m.shift).max(0),
        })
    }

    fn roomy(self) -> RoomyFactor {
        RoomyFactor {
            multiplier: self.mantissa,
            left: self.left,
            right: self.right,
        }
    }

    #[inline(always)]
    fn apply(self, x: i32) -> i32 {
        rescale(x, self.mantissa, self.left, self.right)
    }
}

/// Bounds of an output less its zero point, and the zero point; see `rescale::Bounds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Output {
    zero_point: i32,
    low: i32,
    high: i32,
}

impl Output {
    fn new<T: QuantInt>(zero_point: i32, (low, high): (i32, i32)) -> Result<Self> {
        let all = T::MIN..=T::MAX;
        if !all.contains(&zero_point) || low > high || high < T::MIN || low > T::MAX {
            return crate::invalid!(
                "outputs in {low} to {high} around zero point {zero_point}: the type holds {} to {}",
                T::MIN,
                T::MAX
            );
        }
        Ok(Self {
            zero_point,
            low: low.max(T::MIN) - zero_point,
            high: high.min(T::MAX) - zero_point,
        })
    }

    #[inline(always)]
    fn finish<T: Element>(self, v: i32) -> T {
        T::narrow(v.max(self.low).min(self.high) + self.zero_point)
    }
}

/// ADD or SUB of int8 or int16 (scales that are no powers of two), prepared; as
/// [`reference::arithmetic::Sum`](super::reference::arithmetic::Sum).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumInt<T> {
    spare: u32,
    zero_points: [i32; 2],
    left: Factor,
    right: Factor,
    factor: Factor,
    output: Output,
    subtract: bool,
    /// The same for [`simd::sum_i8`], where no value comes near the ends of int32.
    bytes: Option<ByteSum>,
    of: std::marker::PhantomData<T>,
}

#[allow(private_bounds)] // closed to int8, uint8 and int16
impl<T: Element> SumInt<T> {
    /// For scales and zero points of left, right and output; outputs are clamped to `clamp` (steps).
    ///
    /// # Errors
    /// `Invalid` if the scales or zero points are out of range.
    pub fn new(
        scales: [f32; 3],
        zero_points: [i32; 3],
        clamp: (i32, i32),
        subtract: bool,
    ) -> Result<Self> {
        let spare = if size_of::<T>() == 2 { 15 } else { 20 };
        let [left, right, output] = scales.map(f64::from);
        let twice_max = 2.0 * left.max(right);
        let factor = |real| Factor::new(Multiplier::from_real(real));
        for zero_point in &zero_points[..2] {
            if !(T::MIN..=T::MAX).contains(zero_point) {
                return crate::invalid!(
                    "an input zero point is {zero_point}, which its type does not hold"
                );
            }
        }
        let (left_factor, right_factor) = (factor(left / twice_max)?, factor(right / twice_max)?);
        let total = factor(twice_max / (f64::from(1u32 << spare) * output))?;
        let output = Output::new::<T>(zero_points[2], clamp)?;
        // An operand has 9 bits and is halved at least, so the sum stays below 2^29.
        let roomy = size_of::<T>() == 1
            && (left_factor.left, right_factor.left) == (0, 0)
            && total.left == 0
            && [left_factor, right_factor, total]
                .iter()
                .all(|f| f.right <= 30);
        let shifted = |f: Factor| RoomyFactor {
            left: spare as i32,
            ..f.roomy()
        };
        let bytes = roomy.then(|| ByteSum {
            zero_points: [zero_points[0], zero_points[1]],
            left: shifted(left_factor),
            right: shifted(right_factor),
            total: total.roomy(),
            bounds: Bounds {
                zero_point: output.zero_point,
                low: output.low,
                high: output.high,
            },
            subtract,
        });
        Ok(Self {
            spare,
            zero_points: [zero_points[0], zero_points[1]],
            left: left_factor,
            right: right_factor,
            factor: total,
            output,
            subtract,
            bytes,
            of: std::marker::PhantomData,
        })
    }

    /// Computes `out`; on up to `threads` threads of the current rayon pool.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit each other.
    pub fn run(&self, isa: Isa, a: &[T], b: &[T], out: &mut [T], threads: usize) -> Result<()> {
        pairs(isa, *self, a, b, out, threads)
    }
}

impl<T: Element> Binary for SumInt<T> {
    type In = T;
    type Out = T;
    #[inline(always)]
    fn apply(self, a: T, b: T) -> T {
        let a = (a.to_i32() - self.zero_points[0]).wrapping_shl(self.spare);
        let b = (b.to_i32() - self.zero_points[1]).wrapping_shl(self.spare);
        let (a, b) = (self.left.apply(a), self.right.apply(b));
        let sum = if self.subtract {
            a.wrapping_sub(b)
        } else {
            a.wrapping_add(b)
        };
        self.output.finish(self.factor.apply(sum))
    }

    fn by_kernel(self, isa: Proven, a: &[T], b: &[T], out: &mut [T]) -> bool {
        match (&self.bytes, T::bytes(a), T::bytes(b), T::bytes_mut(out)) {
            (Some(sum), Some(a), Some(b), Some(out)) => simd::sum_i8(isa, sum, a, b, out),
            _ => false,
        }
    }
}

/// MUL of int8 or int16, prepared; as [`reference::arithmetic::Product`](super::reference::arithmetic::Product).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductInt<T> {
    zero_points: [i32; 2],
    factor: Factor,
    output: Output,
    of: std::marker::PhantomData<T>,
}

#[allow(private_bounds)] // closed to int8, uint8 and int16
impl<T: Element> ProductInt<T> {
    /// For zero points of left, right and output; `multiplier` is left scale · right scale / output scale.
    ///
    /// # Errors
    /// `Invalid` if the factor or the zero points are out of range.
    pub fn new(zero_points: [i32; 3], multiplier: Multiplier, clamp: (i32, i32)) -> Result<Self> {
        Ok(Self {
            zero_points: [zero_points[0], zero_points[1]],
            factor: Factor::new(multiplier)?,
            output: Output::new::<T>(zero_points[2], clamp)?,
            of: std::marker::PhantomData,
        })
    }

    /// Computes `out`; on up to `threads` threads of the current rayon pool.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit each other.
    pub fn run(&self, isa: Isa, a: &[T], b: &[T], out: &mut [T], threads: usize) -> Result<()> {
        pairs(isa, *self, a, b, out, threads)
    }
}

impl<T: Element> Binary for ProductInt<T> {
    type In = T;
    type Out = T;
    #[inline(always)]
    fn apply(self, a: T, b: T) -> T {
        let a = a.to_i32().wrapping_sub(self.zero_points[0]);
        let b = b.to_i32().wrapping_sub(self.zero_points[1]);
        self.output.finish(self.factor.apply(a.wrapping_mul(b)))
    }
}

#[derive(Clone, Copy)]
struct Rescaled<T, O> {
    zero_point: i32,
    factor: Factor,
    output: Output,
    of: std::marker::PhantomData<(T, O)>,
}

impl<T: Element, O: Element> Unary for Rescaled<T, O> {
    type In = T;
    type Out = O;
    #[inline(always)]
    fn apply(self, v: T) -> O {
        let v = self.factor.apply(v.to_i32().wrapping_sub(self.zero_point));
        self.output.finish(v)
    }
}

/// Steps of one quantization to steps of another (RELU, RELU6, QUANTIZE of integers), clamped to `clamp` (output steps);
/// `multiplier` is input scale / output scale.
///
/// # Errors
/// `Invalid` if the lengths differ, or the factor or a zero point is out of range.
#[allow(private_bounds)] // closed to int8, uint8 and int16
#[allow(clippy::too_many_arguments)] // as many as the reference has
pub fn rescale_int<T: Element, O: Element>(
    isa: Isa,
    input: &[T],
    multiplier: Multiplier,
    input_zero_point: i32,
    output_zero_point: i32,
    clamp: (i32, i32),
    out: &mut [O],
    threads: usize,
) -> Result<()> {
    let f = Rescaled {
        zero_point: input_zero_point,
        factor: Factor::new(multiplier)?,
        output: Output::new::<O>(output_zero_point, clamp)?,
        of: std::marker::PhantomData,
    };
    each(isa, f, input, out, threads)
}

#[derive(Clone, Copy)]
struct Quantize<T> {
    scale: f32,
    zero_point: i32,
    low: f32,
    high: f32,
    of: std::marker::PhantomData<T>,
}

impl<T: Element> Unary for Quantize<T> {
    type In = f32;
    type Out = T;
    #[inline(always)]
    fn apply(self, v: f32) -> T {
        T::narrow(round_within(v / self.scale, self.low, self.high) + self.zero_point)
    }
}

/// QUANTIZE of floats over the whole range of the type; as [`quantize::quantize`](super::quantize::quantize).
///
/// # Errors
/// `Invalid` if the lengths differ or the type does not hold the zero point.
#[allow(private_bounds)] // closed to int8, uint8 and int16
pub fn quantize<T: Element>(
    isa: Isa,
    x: &[f32],
    scale: f32,
    zero_point: i32,
    out: &mut [T],
    threads: usize,
) -> Result<()> {
    let output = Output::new::<T>(zero_point, (T::MIN, T::MAX))?;
    let f = Quantize {
        scale,
        zero_point,
        low: output.low as f32,
        high: output.high as f32,
        of: std::marker::PhantomData,
    };
    each(isa, f, x, out, threads)
}

#[derive(Clone, Copy)]
struct Dequantize<T> {
    scale: f64,
    zero_point: i32,
    of: std::marker::PhantomData<T>,
}

impl<T: Element> Unary for Dequantize<T> {
    type In = T;
    type Out = f32;
    #[inline(always)]
    fn apply(self, q: T) -> f32 {
        (self.scale * f64::from(q.to_i32() - self.zero_point)) as f32
    }
}

/// DEQUANTIZE to floats; as [`quantize::dequantize`](super::quantize::dequantize).
///
/// # Errors
/// `Invalid` if the lengths differ or the type does not hold the zero point.
#[allow(private_bounds)] // closed to int8, uint8 and int16
pub fn dequantize<T: Element>(
    isa: Isa,
    q: &[T],
    scale: f32,
    zero_point: i32,
    out: &mut [f32],
    threads: usize,
) -> Result<()> {
    Output::new::<T>(zero_point, (T::MIN, T::MAX))?;
    let f = Dequantize {
        scale: scale.into(),
        zero_point,
        of: std::marker::PhantomData,
    };
    each(isa, f, q, out, threads)
}

#[derive(Clone, Copy)]
struct Clamp(f32, f32);

impl Unary for Clamp {
    type In = f32;
    type Out = f32;
    #[inline(always)]
    fn apply(self, v: f32) -> f32 {
        super::portable::clamp(v, self.0, self.1)
    }
}

/// RELU and its kin of floats: `input` clamped to `low..=high`.
///
/// # Errors
/// `Invalid` if the lengths differ.
pub fn clamp_f32(
    isa: Isa,
    input: &[f32],
    (low, high): (f32, f32),
    out: &mut [f32],
    threads: usize,
) -> Result<()> {
    each(isa, Clamp(low, high), input, out, threads)
}

#[derive(Clone, Copy)]
struct Lookup<'a, T: QuantInt>(&'a [T; 256]);

impl<T: Element> Unary for Lookup<'_, T> {
    type In = T;
    type Out = T;
    #[inline(always)]
    fn apply(self, v: T) -> T {
        self.0[(v.to_i32() - T::MIN) as usize & 0xff]
    }
}

/// Every 8-bit step by a table of outputs, the one of the smallest step first
/// ([`reference::activation::table_8bit`](super::reference::activation::table_8bit)): LOGISTIC, TANH, HARD_SWISH.
///
/// # Errors
/// `Invalid` if the lengths differ.
#[allow(private_bounds)] // closed to int8, uint8 and int16
pub fn lookup<T: Element>(
    isa: Isa,
    input: &[T],
    table: &[T; 256],
    out: &mut [T],
    threads: usize,
) -> Result<()> {
    each(isa, Lookup(table), input, out, threads)
}
