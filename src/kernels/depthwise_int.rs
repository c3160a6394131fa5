//! int8 and int16×8 depthwise convolution, packed.

use std::ops::Range;

use super::Conv2dShape;
use super::depthwise::{Lines, Taps, Windows, as_offsets, offset_bytes, runs, tiles};
use super::fixed_point::Multiplier;
use super::gemm::{Tile, check_bias};
use super::isa::{Isa, Proven};
use super::portable;
use super::reference::conv::Quantized;
use super::rescale::{Bounds, Factors, Fixed, Real, Wide};
use super::scratch::Scratch;
use super::simd::{self, IntTaps, Tap};
use crate::error::Result;

/// Multiply–adds that are worth a thread.
pub(super) const GRAIN: usize = 100_000;

/// What all integer depthwise operators hold.
#[derive(Debug, Clone)]
pub(super) struct Common {
    pub isa: Proven,
    pub windows: Windows,
    /// As the kernel multiplies them, one row of channels per tap.
    weights: Vec<i16>,
    /// The same as the instruction set's kernel wants them, where it has one.
    packed: Option<Vec<i16>>,
    /// Sum of the weights of each channel.
    pub sums: Vec<i32>,
}

impl Common {
    pub fn new(isa: Isa, shape: Conv2dShape, weights: &[i8]) -> Result<Self> {
        let windows = Windows::new(shape, weights.len())?;
        let mut sums = vec![0i32; shape.out_c];
        for row in weights.chunks(shape.out_c) {
            for (sum, &w) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(w.into());
            }
        }
        let isa = isa.proven();
        Ok(Self {
            isa,
            windows,
            packed: simd::tap_group(isa).map(|group| simd::pack_taps(group, weights, shape.out_c)),
            weights: weights.iter().map(|&w| w.into()).collect(),
            sums,
        })
    }

    /// Calls `finish(sums, pixels, channels)` for the sums of all of `pixels`, a tile at a time; wrong where an
    /// int32 sum can overflow.
    pub fn tiles<T: Tap>(
        &self,
        input: &[T],
        pad: &[T],
        pixels: Range<usize>,
        offsets: &mut [usize],
        mut finish: impl FnMut(&Tile, Range<usize>, Range<usize>),
    ) {
        let mut tile = Tile::new();
        tiles(
            &self.windows,
            pixels,
            offsets,
            |pixels, channels, offsets| {
                self.sum(input, pad, channels.clone(), offsets, &mut tile);
                finish(&tile, pixels, channels);
            },
        );
    }

    /// Sums over the taps of a few pixels; wrong where an int32 sum can overflow.
    fn sum<T: Tap>(
        &self,
        input: &[T],
        pad: &[T],
        channels: Range<usize>,
        offsets: &[usize],
        tile: &mut Tile,
    ) {
        let done = match &self.packed {
            Some(weights) => {
                let taps = IntTaps {
                    input,
                    pad,
                    weights,
                    taps: self.windows.taps(),
                    channels: channels.clone(),
                    offsets,
                };
                simd::int_taps(self.isa, &taps, tile)
            }
            None => 0,
        };
        if done < channels.len() {
            let all = 0..self.windows.taps();
            self.sum_run(input, pad, channels, done, offsets, all, tile);
        }
    }

    /// The same over some of the taps, by plain code, for the channels after the first `skip`.
    #[allow(clippy::too_many_arguments)] // operands of a kernel
    fn sum_run<T: Tap>(
        &self,
        input: &[T],
        pad: &[T],
        channels: Range<usize>,
        skip: usize,
        offsets: &[usize],
        run: Range<usize>,
        tile: &mut Tile,
    ) {
        let stride = self.windows.shape.out_c;
        let taps = Taps {
            input,
            pad,
            weights: &self.weights[run.start * stride..],
            stride,
            channels: channels.start + skip..channels.end,
            offsets,
            taps: self.windows.taps(),
            run,
            sums: &mut tile.0[skip..],
        };
        simd::vectorized(self.isa, taps);
    }
}

/// DEPTHWISE_CONV_2D in int8, prepared: zero point folded into the bias, rescale and activation fused.
#[derive(Debug, Clone)]
pub struct DepthwiseI8 {
    common: Common,
    pad: Vec<i8>,
    finish: Finish<Fixed>,
    /// Instead of the above, where the instruction set has products of bytes and no sum comes near the ends of int32.
    quads: Option<Quads>,
}

/// Weights and parameters of [`simd::byte_run`].
#[derive(Debug, Clone)]
struct Quads {
    weights: Vec<i8>,
    fixed: Fixed,
}

impl Quads {
    fn new(
        common: &Common,
        weights: &[i8],
        factors: &Factors,
        bias: Option<&[i32]>,
        zero_point: i32,
        bounds: Bounds,
    ) -> Option<Self> {
        let Factors::Fixed(factors) = factors else {
            return None;
        };
        if !simd::has_byte_dot(common.isa) {
            return None;
        }
        let channels = common.windows.shape.out_c;
        let order = || (0..channels.next_multiple_of(simd::QUAD_CHANNELS)).map(simd::quad_channel);
        let none = Multiplier {
            mantissa: 0,
            shift: 0,
        };
        let factors: Vec<Multiplier> = order()
            .map(|c| factors.get(c).copied().unwrap_or(none))
            .collect();
        let most = most(weights, channels);
        let bias = order().map(|c| {
            let sum = common.sums.get(c).copied().unwrap_or(0);
            let bias = bias.and_then(|b| b.get(c).copied()).unwrap_or(0);
            // The kernel adds 128 to every input.
            bias.wrapping_sub((zero_point + 128).wrapping_mul(sum))
        });
        let most = order().map(|c| most.get(c).copied().unwrap_or(0));
        let fixed = Fixed::new(&factors, bias, most, bounds);
        fixed.roomy.then(|| Self {
            weights: simd::pack_quads(weights, channels),
            fixed,
        })
    }
}

/// `values` filled up with `filler` to whole blocks of the byte kernel, and so to whole panels.
pub(super) fn whole_quads<T: Copy>(values: impl Iterator<Item = T>, filler: T) -> Vec<T> {
    let mut out: Vec<T> = values.collect();
    out.resize(out.len().next_multiple_of(simd::QUAD_CHANNELS), filler);
    out
}

/// Greatest magnitude of the sum of each channel.
fn most(weights: &[i8], channels: usize) -> Vec<i64> {
    let mut most = vec![0; channels];
    for row in weights.chunks(channels) {
        for (most, w) in most.iter_mut().zip(row) {
            *most += 255 * i64::from(w.unsigned_abs());
        }
    }
    most
}

#[derive(Debug, Clone)]
enum Finish<F> {
    Fixed(F),
    Real(Real),
}

impl DepthwiseI8 {
    /// Takes `weights` `[1, k_h, k_w, out_c]` (zero point 0); `bias` has one value per output channel or is absent. Padding counts
    /// as the input zero point.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape, or a parameter its range.
    pub fn new(
        isa: Isa,
        shape: Conv2dShape,
        weights: &[i8],
        bias: Option<&[i32]>,
        q: &Quantized,
    ) -> Result<Self> {
        let common = Common::new(isa, shape, weights)?;
        check_bias(bias, shape.out_c)?;
        let bounds = Bounds::new(q, -128, 127)?;
        let Ok(zero_point) = i8::try_from(q.input_zero_point) else {
            return crate::invalid!(
                "the input zero point of an int8 operator is {}; it must be −128 to 127",
                q.input_zero_point
            );
        };
        let factors = Factors::new(q.rescale, shape.out_c, 30)?;
        let quads = Quads::new(&common, weights, &factors, bias, zero_point.into(), bounds);
        let bias = common.sums.iter().enumerate().map(|(c, &sum)| {
            bias.map_or(0, |b| b[c])
                .wrapping_sub(q.input_zero_point.wrapping_mul(sum))
        });
        let finish = match factors {
            Factors::Fixed(f) => {
                let most = most(weights, shape.out_c).into_iter();
                Finish::Fixed(Fixed::new(&f, bias, most, bounds))
            }
            Factors::Real(f) => Finish::Real(Real::new(&f, bias.map(i64::from), bounds)),
        };
        Ok(Self {
            common,
            pad: vec![zero_point; shape.out_c],
            finish,
            quads,
        })
    }

    /// The same operator on another batch size or image size.
    ///
    /// # Errors
    /// `Invalid` if the filter's part of the shape differs.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        self.common.windows = self.common.windows.reshape(shape)?;
        Ok(())
    }

    /// Multiply–adds of a run.
    pub fn macs(&self) -> usize {
        self.common.windows.macs()
    }

    /// Makes `scratch` large enough for [`DepthwiseI8::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        let windows = &self.common.windows;
        let split = windows.split(threads, GRAIN, offset_bytes(windows));
        split.reserve::<i8>(scratch, windows.repeated_len());
    }

    /// Computes `output` (NHWC) from `input` (NHWC) on up to `threads` threads of the current rayon pool.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape.
    pub fn run(
        &self,
        input: &[i8],
        output: &mut [i8],
        scratch: &mut Scratch,
        threads: usize,
    ) -> Result<()> {
        let Common { isa, windows, .. } = &self.common;
        windows.check(input.len(), output.len())?;
        let repeated = windows.repeated_len();
        let split = windows.split(threads, GRAIN, offset_bytes(windows));
        let (lanes, shared) = split.lanes::<i8>(scratch, repeated);
        let shared = &mut bytemuck::cast_slice_mut(shared)[..repeated];
        let lines = Lines {
            windows,
            input: windows.repeat(input, shared),
            pad: &self.pad,
        };
        let stride = windows.shape.out_c;
        split.run(lanes, output, |pixels, _, out, lane| {
            let (begin, offsets) = (pixels.start, as_offsets(lane));
            if let Some(quads) = &self.quads {
                let p = quads.fixed.from(0);
                runs(
                    &lines,
                    pixels,
                    0..stride,
                    offsets,
                    (begin, out),
                    |run, out| {
                        simd::byte_run(*isa, run, &quads.weights, &p, out);
                    },
                );
                return;
            }
            let finish = |tile: &Tile, pixels: Range<usize>, channels: Range<usize>| {
                let (first, n) = (channels.start, channels.len());
                let out = &mut out[(pixels.start - begin) * stride + first..];
                match &self.finish {
                    Finish::Fixed(p) => {
                        let p = p.from(first);
                        simd::requant_i8(*isa, tile, pixels.len(), &p, out, stride, n);
                    }
                    Finish::Real(p) => {
                        portable::real_i8(tile, pixels.len(), p, first, out, stride, n);
                    }
                }
            };
            let Lines { input, pad, .. } = lines;
            self.common.tiles(input, pad, pixels, offsets, finish);
        });
        Ok(())
    }
}

/// DEPTHWISE_CONV_2D with int16 activations (zero point 0) and int8 weights, prepared.
#[derive(Debug, Clone)]
pub struct DepthwiseI16 {
    common: Common,
    pad: Vec<i16>,
    finish: Finish<Wide>,
    /// Ends of the runs of taps within which no int32 sum can overflow.
    runs: Vec<usize>,
}

impl DepthwiseI16 {
    /// Takes `weights` `[1, k_h, k_w, out_c]` (zero point 0); `bias` has one value per output channel or is absent.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape, or a parameter its range; the input zero point must be 0.
    pub fn new(
        isa: Isa,
        shape: Conv2dShape,
        weights: &[i8],
        bias: Option<&[i64]>,
        q: &Quantized,
    ) -> Result<Self> {
        let common = Common::new(isa, shape, weights)?;
        check_bias(bias, shape.out_c)?;
        let bounds = Bounds::new(q, -32768, 32767)?;
        if q.input_zero_point != 0 {
            return crate::invalid!(
                "the input zero point of an int16 operator is {}; it must be 0",
                q.input_zero_point
            );
        }
        let bias = (0..shape.out_c).map(|c| bias.map_or(0, |b| b[c]));
        let finish = match Factors::new(q.rescale, shape.out_c, 14)? {
            Factors::Fixed(f) => Finish::Fixed(Wide::new(&f, bias, bounds)),
            Factors::Real(f) => Finish::Real(Real::new(&f, bias, bounds)),
        };
        // 511 products of at most 2^22 stay below 2^31.
        let taps = common.windows.taps();
        let runs = (511..taps).step_by(511).chain([taps]).collect();
        Ok(Self {
            common,
            pad: vec![0; shape.out_c],
            finish,
            runs,
        })
    }

    /// The same operator on another batch size or image size.
    ///
    /// # Errors
    /// `Invalid` if the filter's part of the shape differs.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        self.common.windows = self.common.windows.reshape(shape)?;
        Ok(())
    }

    /// Multiply–adds of a run.
    pub fn macs(&self) -> usize {
        self.common.windows.macs()
    }

    /// Makes `scratch` large enough for [`DepthwiseI16::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        let windows = &self.common.windows;
        let split = windows.split(threads, GRAIN, self.lane_bytes());
        split.reserve::<i16>(scratch, windows.repeated_len() * 2);
    }

    /// Offsets, and the sums of runs before the last where there are any.
    fn lane_bytes(&self) -> usize {
        let sums = if self.runs.len() > 1 {
            size_of::<Tile>() * 2
        } else {
            0
        };
        offset_bytes(&self.common.windows) + sums
    }

    /// Computes `output` (NHWC) from `input` (NHWC) on up to `threads` threads of the current rayon pool.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape.
    pub fn run(
        &self,
        input: &[i16],
        output: &mut [i16],
        scratch: &mut Scratch,
        threads: usize,
    ) -> Result<()> {
        let Common { isa, windows, .. } = &self.common;
        windows.check(input.len(), output.len())?;
        let repeated = windows.repeated_len();
        let split = windows.split(threads, GRAIN, self.lane_bytes());
        let (lanes, shared) = split.lanes::<i16>(scratch, repeated * 2);
        let shared = &mut bytemuck::cast_slice_mut(shared)[..repeated];
        let input = windows.repeat(input, shared);
        let stride = windows.shape.out_c;
        split.run(lanes, output, |pixels, _, out, lane| {
            let mut tile = Tile::new();
            let begin = pixels.start;
            let (offsets, wide) = lane.split_at_mut(offset_bytes(windows) / 8);
            let wide: &mut [i64] = bytemuck::cast_slice_mut(wide);
            tiles(
                windows,
                pixels,
                as_offsets(offsets),
                |pixels, channels, offsets| {
                    let (first, n) = (channels.start, channels.len());
                    let mut start = 0;
                    if self.runs.len() == 1 {
                        self.common
                            .sum(input, &self.pad, channels, offsets, &mut tile);
                    } else {
                        for (i, &end) in self.runs.iter().enumerate() {
                            if i > 0 {
                                portable::widen(&tile, wide, i == 1);
                            }
                            let (pad, channels) = (&self.pad, channels.clone());
                            let run = start..end;
                            self.common
                                .sum_run(input, pad, channels, 0, offsets, run, &mut tile);
                            start = end;
                        }
                    }
                    let before = (self.runs.len() > 1).then_some(&*wide);
                    let out = &mut out[(pixels.start - begin) * stride + first..];
                    let rows = pixels.len();
                    match &self.finish {
                        Finish::Fixed(p) => {
                            let p = p.from(first);
                            simd::requant_i16(*isa, &tile, before, rows, &p, out, stride, n);
                        }
                        Finish::Real(p) => {
                            portable::real_i16(&tile, before, rows, p, first, out, stride, n);
                        }
                    }
                },
            );
        });
        Ok(())
    }
}
