//! The only hand-written unsafe code: micro-kernels and epilogues per instruction set, and the choice among them.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod depthwise_avx2;
#[cfg(target_arch = "x86_64")]
mod depthwise_avx512;
#[cfg(target_arch = "x86_64")]
mod float_avx512;
#[cfg(target_arch = "x86_64")]
mod hybrid_avx512;
#[cfg(target_arch = "x86_64")]
mod sse2;

use std::ops::Range;

use super::depthwise::OUTSIDE;
use super::gemm::Tile;
use super::isa::{Isa, Proven};
use super::portable;
use super::rescale::{Bounds, FixedPart, WidePart};
use super::row_quantize::{RoundPart, Rounding};

/// Plain Rust that is worth compiling once for each instruction set; `run` must be `#[inline(always)]`.
pub(crate) trait Vectorized {
    fn run(self);
}

/// Runs code that the compiler vectorised for `isa`.
pub(crate) fn vectorized(isa: Proven, code: impl Vectorized) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::vectorized(code),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::vectorized(code),
        _ => code.run(),
    }
}

/// One call of a float micro-kernel: `rows` × `k` by `k` × `panels`.
#[derive(Clone, Copy)]
pub(crate) struct F32Tile<'a> {
    pub rows: usize,
    pub k: usize,
    /// Rows `lda` apart.
    pub a: &'a [f32],
    pub lda: usize,
    /// A row is as many runs of equal length; 1 where not [`takes_runs`].
    pub runs: usize,
    /// From a run of a row to the next.
    pub run_step: usize,
    /// `k` × `panels` × 16.
    pub b: &'a [f32],
    /// Weights that are wanted soon; a hint.
    pub ahead: &'a [f32],
    pub panels: usize,
    /// What the sums begin with (whole panels); `None`: what the output holds.
    pub bias: Option<&'a [f32]>,
    /// Applied at the end; `None`: more of k follows.
    pub clamp: Option<(f32, f32)>,
    /// Whether every product is rounded before it is added, in the order of k, and the bias added last, as the reference does
    /// it; k is then whole.
    pub in_order: bool,
    /// Rows of the output are this far apart.
    pub ldc: usize,
    /// Columns to write.
    pub columns: usize,
}

/// Parameters of a hybrid epilogue: those of columns hold whole panels, those of rows the rows of the tile.
#[derive(Clone, Copy)]
pub(crate) struct HybridPart<'a> {
    /// Sums of the weights of each column.
    pub weight_sums: &'a [i32],
    /// Scales of the weights.
    pub scales: &'a [f32],
    pub bias: &'a [f32],
    /// Scale of the quantized input of each row.
    pub row_scales: &'a [f32],
    /// Zero point of the quantized input of each row, plus what the kernel added to the input.
    pub row_offsets: &'a [i32],
    /// Whether the two scales are multiplied with each other first (else the weights' scale with the accumulator).
    pub joint: bool,
    pub low: f32,
    pub high: f32,
}

/// Rounds as many values as `out` has to bytes, as [`RoundPart`] does.
pub(crate) fn round_row(isa: Proven, how: &Rounding, values: &[f32], flip: u8, out: &mut [u8]) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if how.inverse.is_finite() => {
            hybrid_avx512::round_row(how, values, flip, out);
        }
        _ => vectorized(
            isa,
            RoundPart {
                how,
                values,
                flip,
                out,
            },
        ),
    }
}

/// Whether int8 products take unsigned input bytes in groups of four ([`dot_u8i8`]); else 16-bit pairs ([`dot_i16`]).
pub(crate) fn has_byte_dot(isa: Proven) -> bool {
    isa.isa() == Isa::Avx512
}

/// One call of a byte micro-kernel: `rows` rows of `groups` × 4 unsigned bytes, `lda` apart, by a block of weights.
#[derive(Clone, Copy)]
pub(crate) struct ByteTile<'a> {
    pub groups: usize,
    pub a: &'a [u8],
    pub lda: usize,
    /// As in [`F32Tile`].
    pub runs: usize,
    pub run_step: usize,
    pub rows: usize,
    pub b: &'a [i8],
    /// Weights that are wanted soon; a hint.
    pub ahead: &'a [i8],
    pub panels: usize,
}

/// Whether the rows of an [`F32Tile`] or a [`ByteTile`] may be several runs.
pub(crate) fn takes_runs(isa: Proven) -> bool {
    match isa.isa() {
        Isa::Avx512 => true,
        Isa::Avx2 | Isa::Portable => false,
    }
}

/// `tile` = products. Only where [`has_byte_dot`]; elsewhere the tile is left as it is.
pub(crate) fn dot_u8i8(isa: Proven, t: &ByteTile, tile: &mut Tile) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::dot_u8i8(t, tile),
        _ => debug_assert!(false, "no byte products on {isa:?}"),
    }
}

/// Products as floats, rows `ldc` apart; all rows share scale and offset, those of the first. Only where [`has_byte_dot`];
/// elsewhere nothing is written.
pub(crate) fn dot_hybrid(
    isa: Proven,
    t: &ByteTile,
    p: &HybridPart,
    out: &mut [f32],
    ldc: usize,
    columns: usize,
) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => hybrid_avx512::dot_hybrid(t, p, out, ldc, columns),
        _ => debug_assert!(false, "no byte products on {isa:?}"),
    }
}

/// `tile` = products of `rows` rows of `pairs` × 2 values, `lda` apart, with a block of weights; sums wrap.
#[allow(clippy::too_many_arguments)] // a micro-kernel's operands
pub(crate) fn dot_i16(
    isa: Proven,
    pairs: usize,
    a: &[i16],
    lda: usize,
    rows: usize,
    b: &[i16],
    panels: usize,
    tile: &mut Tile,
) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::dot_i16(pairs, a, lda, rows, b, panels, tile),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::dot_i16(pairs, a, lda, rows, b, panels, tile),
        #[cfg(target_arch = "x86_64")]
        Isa::Portable => sse2::dot_i16(pairs, a, lda, rows, b, panels, tile),
        #[cfg(not(target_arch = "x86_64"))]
        _ => portable::dot_i16(pairs, a, lda, rows, b, panels, tile),
    }
}

/// Float products, straight into the output.
pub(crate) fn dot_f32(isa: Proven, t: &F32Tile, out: &mut [f32]) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => float_avx512::dot_f32(t, out),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::dot_f32(t, out),
        _ => portable::dot_f32(t, out),
    }
}

/// Accumulators to int8 outputs, rows `ldc` apart.
pub(crate) fn requant_i8(
    isa: Proven,
    tile: &Tile,
    rows: usize,
    p: &FixedPart,
    out: &mut [i8],
    ldc: usize,
    columns: usize,
) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::requant_i8(tile, rows, p, out, ldc, columns),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::requant_i8(tile, rows, p, out, ldc, columns),
        _ => portable::requant_i8(tile, rows, p, out, ldc, columns),
    }
}

/// Accumulators, plus the 64-bit sums of the runs before where there were any, to int16 outputs.
#[allow(clippy::too_many_arguments)] // an epilogue's operands
pub(crate) fn requant_i16(
    isa: Proven,
    tile: &Tile,
    before: Option<&[i64]>,
    rows: usize,
    p: &WidePart,
    out: &mut [i16],
    ldc: usize,
    columns: usize,
) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::requant_i16(tile, before, rows, p, out, ldc, columns),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::requant_i16(tile, before, rows, p, out, ldc, columns),
        _ => portable::requant_i16(tile, before, rows, p, out, ldc, columns),
    }
}

/// Accumulators of the hybrid mode to floats.
pub(crate) fn scale_f32(
    isa: Proven,
    tile: &Tile,
    rows: usize,
    p: &HybridPart,
    out: &mut [f32],
    ldc: usize,
    columns: usize,
) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => hybrid_avx512::scale_f32(tile, rows, p, out, ldc, columns),
        _ => portable::scale_f32(tile, rows, p, out, ldc, columns),
    }
}

/// A factor that is applied to values far enough from the ends of int32, as `Fixed::roomy` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoomyFactor {
    pub multiplier: i32,
    pub left: i32,
    pub right: i32,
}

impl RoomyFactor {
    /// Whether it is one half of a value shifted left, as that of the operand with the larger scale is.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // for kernels
    fn is_half(self) -> bool {
        self.multiplier == 1 << 30 && self.right == 0 && self.left > 0
    }
}

/// ADD or SUB of int8: each operand less its zero point is rescaled, then their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSum {
    pub zero_points: [i32; 2],
    pub left: RoomyFactor,
    pub right: RoomyFactor,
    pub total: RoomyFactor,
    pub bounds: Bounds,
    pub subtract: bool,
}

/// Sums (or differences) of as many values of `a` and `b` as `out` has; whether there is such a kernel.
pub(crate) fn sum_i8(isa: Proven, s: &ByteSum, a: &[i8], b: &[i8], out: &mut [i8]) -> bool {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::sum_i8(s, a, b, out),
        _ => return false,
    }
    true
}

/// An integer type of depthwise inputs: one or two bytes.
pub(crate) trait Tap: Copy + Default + Into<i32> {}
impl Tap for i8 {}
impl Tap for i16 {}

/// One call of an integer depthwise kernel: a few pixels, and channels of one tile. No int32 sum may overflow.
pub(crate) struct IntTaps<'a, T> {
    pub input: &'a [T],
    /// Stands for taps outside of the image; one value per channel.
    pub pad: &'a [T],
    /// As [`pack_taps`] made them.
    pub weights: &'a [i16],
    pub taps: usize,
    /// Begins a multiple of 64.
    pub channels: Range<usize>,
    /// Of the taps of each pixel.
    pub offsets: &'a [usize],
}

/// Channels that the integer depthwise kernel computes together; `None` where there is no such kernel.
pub(crate) fn tap_group(isa: Proven) -> Option<usize> {
    match isa.isa() {
        Isa::Avx512 => Some(32),
        Isa::Avx2 => Some(16),
        Isa::Portable => None,
    }
}

/// Weights (one row of channels per tap) in the order in which unpacking leaves pairs of taps: by groups of channels, pairs of
/// taps, low and high halves of 128-bit lanes.
pub(crate) fn pack_taps(group: usize, weights: &[i8], channels: usize) -> Vec<i16> {
    let taps = weights.len() / channels.max(1);
    let pairs = taps.div_ceil(2);
    let mut out = Vec::with_capacity(channels.next_multiple_of(group) * pairs * 2);
    for first in (0..channels).step_by(group) {
        for pair in 0..pairs {
            for i in 0..2 * group {
                // Half, then lane, then channel within the half lane, then tap of the pair.
                let (half, rest) = (i / group, i % group);
                let channel = first + rest / 8 * 8 + half * 4 + rest % 8 / 2;
                let tap = 2 * pair + rest % 2;
                let real = channel < channels && tap < taps;
                out.push(if real {
                    weights[tap * channels + channel].into()
                } else {
                    0
                });
            }
        }
    }
    out
}

/// Sums over the taps into rows of a tile; for how many of the channels, the rest is left to the caller.
pub(crate) fn int_taps<T: Tap>(isa: Proven, t: &IntTaps<T>, tile: &mut Tile) -> usize {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            depthwise_avx512::int_taps(t, &mut tile.0);
            t.channels.len()
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            depthwise_avx2::int_taps(t, &mut tile.0);
            t.channels.len() / 16 * 16
        }
        _ => 0,
    }
}

/// Neighbouring output pixels of a depthwise convolution, as [`runs`](super::depthwise::runs) parts them.
#[derive(Clone)]
pub(crate) struct Run<'a, T> {
    pub input: &'a [T],
    /// Stands for taps outside of the image; one value per channel.
    pub pad: &'a [T],
    /// Where the taps of the first pixel begin.
    pub offsets: &'a [usize],
    /// From a tap of a pixel to the same of the next.
    pub step: usize,
    pub pixels: usize,
    /// The channels to compute; a few at a time stay in the first-level cache with their weights from line to line.
    pub channels: Range<usize>,
    /// All channels.
    pub stride: usize,
}

impl<T> Run<'_, T> {
    /// Where a tap of the first pixel begins, and how far the next pixel's is from it; the values up to the end of `channels`
    /// of every pixel can be read there.
    ///
    /// # Panics
    /// If they could not.
    #[inline(always)]
    pub fn tap(&self, n: usize) -> (&[T], usize) {
        let (from, offset, step) = match self.offsets[n] {
            OUTSIDE => (self.pad, 0, 0),
            offset => (self.input, offset, self.step),
        };
        (
            &from[offset..][..(self.pixels - 1) * step + self.channels.end],
            step,
        )
    }
}

/// What a float depthwise kernel multiplies and adds.
#[derive(Clone, Copy)]
pub(crate) struct FloatWeights<'a> {
    /// One row of channels per tap.
    pub weights: &'a [f32],
    pub bias: &'a [f32],
    pub clamp: (f32, f32),
    /// As in [`F32Tile`].
    pub in_order: bool,
}

/// Outputs of a run of pixels, one row of all channels each.
pub(crate) fn float_run(isa: Proven, run: &Run<f32>, w: &FloatWeights, out: &mut [f32]) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => depthwise_avx512::float_run(run, w, out),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => depthwise_avx2::float_run(run, w, out),
        _ => portable::float_run(run, w, out),
    }
}

/// Channels that the byte depthwise kernel computes together.
pub(crate) const QUAD_CHANNELS: usize = 64;

/// The channel whose sum comes as number `i` from the byte depthwise kernel: unpacking leaves those of four registers in turn.
pub(crate) fn quad_channel(i: usize) -> usize {
    let (block, i) = (i / QUAD_CHANNELS, i % QUAD_CHANNELS);
    let (register, lane, dword) = (i / 16, i / 4 % 4, i % 4);
    block * QUAD_CHANNELS + lane * 16 + register * 4 + dword
}

/// Weights (one row of channels per tap) as [`byte_run`] multiplies them: by blocks of channels, then by four taps, in the
/// order of [`quad_channel`], the four taps of a channel together.
pub(crate) fn pack_quads(weights: &[i8], channels: usize) -> Vec<i8> {
    let taps = weights.len() / channels.max(1);
    let mut out = vec![];
    for block in (0..channels.next_multiple_of(QUAD_CHANNELS)).step_by(QUAD_CHANNELS) {
        for first in (0..taps).step_by(4) {
            for i in block..block + QUAD_CHANNELS {
                let channel = quad_channel(i);
                out.extend((first..first + 4).map(|tap| {
                    let real = channel < channels && tap < taps;
                    if real {
                        weights[tap * channels + channel]
                    } else {
                        0
                    }
                }));
            }
        }
    }
    out
}

/// Float outputs of a run of pixels, one row of all channels each, from bytes and weights as [`pack_quads`] made them; `p` holds
/// whole blocks of [`QUAD_CHANNELS`] and one row, whose offset counts that input bytes are 128 greater.
/// Only where [`has_byte_dot`]; elsewhere nothing is written.
pub(crate) fn hybrid_run(
    isa: Proven,
    run: &Run<i8>,
    weights: &[i8],
    p: &HybridPart,
    out: &mut [f32],
) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => depthwise_avx512::hybrid_run(run, weights, p, out),
        _ => debug_assert!(false, "no byte products on {isa:?}"),
    }
}

/// Outputs of a run of pixels, one row of all channels each; the channels begin a multiple of [`QUAD_CHANNELS`], `weights` as [`pack_quads`] made them, the parameters of `p` (which is
/// roomy) in the order of [`quad_channel`], for the sums of input bytes that are 128 greater.
/// Only where [`has_byte_dot`]; elsewhere nothing is written.
pub(crate) fn byte_run(isa: Proven, run: &Run<i8>, weights: &[i8], p: &FixedPart, out: &mut [i8]) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => depthwise_avx512::byte_run(run, weights, p, out),
        _ => debug_assert!(false, "no byte products on {isa:?}"),
    }
}
