//! int16 × int8 convolution and fully connected layer, packed: int32 runs that cannot overflow, widened to int64.

use std::ops::Range;

use super::Conv2dShape;
use super::gather::{Gather, Geometry};
use super::gemm::{
    PANEL, PackedWeights, Split, TILE_COLS, TILE_ROWS, Tile, block_panels, check_bias, panel_rows,
    tile_rows,
};
use super::isa::{Isa, Proven};
use super::portable;
use super::reference::conv::Quantized;
use super::rescale::{Bounds, Factors, Real, Wide};
use super::scratch::Scratch;
use super::simd;
use crate::error::Result;

/// Multiply–adds that are worth a thread.
const GRAIN: usize = 600_000;

/// CONV_2D (any groups) or FULLY_CONNECTED with int16 activations (zero point 0) and int8 weights, prepared.
#[derive(Debug, Clone)]
pub struct ConvI16 {
    isa: Proven,
    geometry: Geometry,
    groups: Vec<Group>,
}

#[derive(Debug, Clone)]
struct Group {
    weights: PackedWeights<i16>,
    /// Ends of the runs, in pairs along k: whatever the input, no int32 sum overflows within one.
    runs: Vec<usize>,
    epilogue: Epilogue,
}

#[derive(Debug, Clone)]
enum Epilogue {
    Wide(Wide),
    Real(Real),
}

impl ConvI16 {
    /// Packs `weights` `[out_c, k_h, k_w, in_c / groups]` (zero point 0); `bias` has one value per output channel or is absent.
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
        let isa = isa.proven();
        let geometry = Geometry::new(shape, weights.len())?;
        check_bias(bias, shape.out_c)?;
        let bounds = Bounds::new(q, -32768, 32767)?;
        if q.input_zero_point != 0 {
            return crate::invalid!(
                "the input zero point of an int16 operator is {}; it must be 0",
                q.input_zero_point
            );
        }
        let factors = Factors::new(q.rescale, shape.out_c, 14)?;
        let (n, k) = (geometry.group_out, geometry.k());
        let groups = weights
            .chunks(n * k)
            .enumerate()
            .map(|(g, weights)| {
                let of = g * n..(g + 1) * n;
                Group {
                    weights: PackedWeights::new(isa, n, k, 2, |c, i| weights[c * k + i].into()),
                    runs: runs(weights, n, k),
                    epilogue: {
                        let bias = of.clone().map(|c| bias.map_or(0, |b| b[c]));
                        match &factors {
                            Factors::Fixed(f) => Epilogue::Wide(Wide::new(&f[of], bias, bounds)),
                            Factors::Real(f) => Epilogue::Real(Real::new(&f[of], bias, bounds)),
                        }
                    },
                }
            })
            .collect();
        Ok(Self {
            isa,
            geometry,
            groups,
        })
    }

    /// The same operator on another batch size or image size.
    ///
    /// # Errors
    /// `Invalid` if the filter's part of the shape differs.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        self.geometry = self.geometry.reshape(shape)?;
        Ok(())
    }

    /// Multiply–adds of a run.
    pub fn macs(&self) -> usize {
        self.geometry.macs()
    }

    /// Makes `scratch` large enough for [`ConvI16::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        self.split(threads).reserve::<i16>(scratch, 0);
    }

    fn split(&self, threads: usize) -> Split {
        let prepares = !self.is_plain();
        self.geometry
            .split(self.isa, threads, GRAIN, self.lane_bytes(), 2, prepares)
    }

    /// Whether rows of the input serve as they lie there: whole pairs only, or a kernel would read past the last.
    fn is_plain(&self) -> bool {
        self.geometry.is_plain() && self.geometry.k().is_multiple_of(2)
    }

    fn row_len(&self) -> usize {
        self.geometry.k().next_multiple_of(2)
    }

    fn panel_rows(&self) -> usize {
        let tile = tile_rows(self.isa, block_panels(self.isa));
        panel_rows(self.geometry.rows(), tile, self.row_len() * 2)
    }

    fn panel_bytes(&self) -> usize {
        if self.is_plain() {
            0
        } else {
            (self.panel_rows() * self.row_len() * 2).next_multiple_of(8)
        }
    }

    fn lane_bytes(&self) -> usize {
        self.panel_bytes() + TILE_ROWS * TILE_COLS * 8
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
        let geometry = &self.geometry;
        geometry.check(input.len(), output.len())?;
        let split = self.split(threads);
        let (lanes, _) = split.lanes::<i16>(scratch, 0);
        split.run(lanes, output, |rows, columns, out, lane| {
            self.part(input, rows, columns, out, lane);
        });
        Ok(())
    }

    fn part(
        &self,
        input: &[i16],
        rows: Range<usize>,
        columns: Range<usize>,
        out: &mut [i16],
        lane: &mut [u64],
    ) {
        let geometry = &self.geometry;
        let lda = self.row_len();
        let ldc = columns.len();
        let step = self.panel_rows();
        let (panel, sums) = lane.split_at_mut(self.panel_bytes() / 8);
        let sums: &mut [i64] = &mut bytemuck::cast_slice_mut(sums)[..TILE_ROWS * TILE_COLS];
        for first in rows.clone().step_by(step) {
            let here = first..(first + step).min(rows.end);
            for (g, group) in self.groups.iter().enumerate() {
                let a = if self.is_plain() {
                    &input[here.start * lda..here.end * lda]
                } else {
                    let panel: &mut [i16] = bytemuck::cast_slice_mut(panel);
                    let panel = &mut panel[..here.len() * lda];
                    let gather = Gather {
                        geometry,
                        group: g,
                        rows: here.clone(),
                        input,
                        pad: |_| 0,
                        value: |x| x,
                        panel: &mut *panel,
                        row_len: lda,
                    };
                    simd::vectorized(self.isa, gather);
                    panel
                };
                let (at, columns) = if geometry.groups == 1 {
                    (0, columns.clone())
                } else {
                    (g * geometry.group_out, 0..geometry.group_out)
                };
                let out = &mut out[(here.start - rows.start) * ldc + at..];
                self.product(group, columns, a, here.len(), out, ldc, sums);
            }
        }
    }

    /// `rows` rows of `a` times the columns `columns` of a group's weights, into `out`.
    #[allow(clippy::too_many_arguments)] // the body of a loop
    fn product(
        &self,
        group: &Group,
        columns: Range<usize>,
        a: &[i16],
        rows: usize,
        out: &mut [i16],
        ldc: usize,
        sums: &mut [i64],
    ) {
        let lda = self.row_len();
        let mut tile = Tile::new();
        for block in group.weights.blocks(columns.clone()) {
            let step = tile_rows(self.isa, block.panels);
            for row in (0..rows).step_by(step) {
                let n = step.min(rows - row);
                let mut start = 0;
                for (i, &end) in group.runs.iter().enumerate() {
                    if i > 0 {
                        portable::widen(&tile, sums, i == 1);
                    }
                    simd::dot_i16(
                        self.isa,
                        end - start,
                        &a[row * lda + 2 * start..],
                        lda,
                        n,
                        &block.data[start * block.panels * PANEL * 2..],
                        block.panels,
                        &mut tile,
                    );
                    start = end;
                }
                let before = (group.runs.len() > 1).then_some(&*sums);
                let out = &mut out[row * ldc + block.first - columns.start..];
                match &group.epilogue {
                    Epilogue::Wide(wide) => {
                        let wide = wide.from(block.first);
                        simd::requant_i16(
                            self.isa,
                            &tile,
                            before,
                            n,
                            &wide,
                            out,
                            ldc,
                            block.columns,
                        );
                    }
                    Epilogue::Real(p) => {
                        let first = block.first;
                        portable::real_i16(&tile, before, n, p, first, out, ldc, block.columns);
                    }
                }
            }
        }
    }
}

/// Most that the magnitudes of the weights of a run may sum to in a column.
const MOST: u32 = 65_535;

/// Ends, in pairs along k, of the longest runs in which no column's int32 sum can overflow: Σ|w| ≤ 65,535, so that
/// Σ|w| · 32,768 < 2^31.
fn runs(weights: &[i8], n: usize, k: usize) -> Vec<usize> {
    /// Weights that are summed in one go.
    const PIECE: usize = 64;
    let size = |w: &[i8]| w.iter().map(|w| u32::from(w.unsigned_abs())).sum::<u32>();
    let mut ends = vec![];
    let mut start = 0;
    while start < k {
        // The end by the columns so far, in weights.
        let mut end = k;
        for column in weights.chunks_exact(k).take(n) {
            let (mut at, mut sum) = (start, 0);
            while at < end {
                let piece = &column[at..(at + PIECE).min(end)];
                let more = size(piece);
                if sum + more > MOST {
                    let pairs = piece.chunks(2).map(|pair| {
                        sum += size(pair);
                        sum
                    });
                    end = at + 2 * pairs.take_while(|&sum| sum <= MOST).count();
                    break;
                }
                sum += more;
                at += piece.len();
            }
        }
        start = end;
        ends.push(end.div_ceil(2));
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_before_a_sum_can_overflow() {
        // 255 pairs of −128 sum to 65,280; the next would exceed 65,535.
        assert_eq!(runs(&[-128; 1030], 1, 1030), [255, 510, 515]);
        assert_eq!(runs(&[1; 1030], 1, 1030), [515]);
        assert_eq!(runs(&[0; 3], 3, 1), [1]);
        // Pair by pair over all columns, as the text says it.
        for (n, k) in [(1, 4000), (3, 2777), (7, 1501)] {
            let weights: Vec<i8> = (0..n * k).map(|i| ((i * i) % 257) as u8 as i8).collect();
            let mut sums = vec![0; n];
            let mut ends = vec![];
            for pair in 0..k.div_ceil(2) {
                let of = |c: usize| {
                    let w = &weights[c * k + 2 * pair..(c * k + 2 * pair + 2).min((c + 1) * k)];
                    w.iter().map(|&w| i32::from(w).unsigned_abs()).sum::<u32>()
                };
                if (0..n).any(|c| sums[c] + of(c) > MOST) {
                    ends.push(pair);
                    sums.fill(0);
                }
                (0..n).for_each(|c| sums[c] += of(c));
            }
            ends.push(k.div_ceil(2));
            assert_eq!(runs(&weights, n, k), ends);
            assert!(ends.len() > 1, "{n} {k}");
        }
    }
}
