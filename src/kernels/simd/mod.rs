//! The only hand-written unsafe code: micro-kernels and epilogues per instruction set, and the choice among them.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use super::gemm::Tile;
use super::isa::{Isa, Proven};
use super::portable;
use super::rescale::{FixedPart, WidePart};

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
    /// `k` × `panels` × 16.
    pub b: &'a [f32],
    pub panels: usize,
    /// What the sums begin with (whole panels); `None`: what the output holds.
    pub bias: Option<&'a [f32]>,
    /// Applied at the end; `None`: more of k follows.
    pub clamp: Option<(f32, f32)>,
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

/// Whether int8 products take unsigned input bytes in groups of four ([`dot_u8i8`]); else 16-bit pairs ([`dot_i16`]).
pub(crate) fn has_byte_dot(isa: Proven) -> bool {
    isa.isa() == Isa::Avx512
}

/// `tile` = products of `rows` rows of `groups` × 4 unsigned bytes, `lda` apart, with a block of weights.
/// Only where [`has_byte_dot`]; elsewhere the tile is left as it is.
#[allow(clippy::too_many_arguments)] // a micro-kernel's operands
pub(crate) fn dot_u8i8(
    isa: Proven,
    groups: usize,
    a: &[u8],
    lda: usize,
    rows: usize,
    b: &[i8],
    panels: usize,
    tile: &mut Tile,
) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::dot_u8i8(groups, a, lda, rows, b, panels, tile),
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
        _ => portable::dot_i16(pairs, a, lda, rows, b, panels, tile),
    }
}

/// Float products, straight into the output.
pub(crate) fn dot_f32(isa: Proven, t: &F32Tile, out: &mut [f32]) {
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::dot_f32(t, out),
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
        Isa::Avx512 => avx512::scale_f32(tile, rows, p, out, ldc, columns),
        _ => portable::scale_f32(tile, rows, p, out, ldc, columns),
    }
}
