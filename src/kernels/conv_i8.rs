//! int8 convolution and fully connected layer, packed, with the fixed-point rescale fused.

use super::Conv2dShape;
use super::byte_product::{ByteProduct, Sink, Source};
use super::gemm::check_bias;
use super::isa::Isa;
use super::portable;
use super::reference::conv::Quantized;
use super::rescale::{Bounds, Factors, Fixed, Real};
use super::scratch::Scratch;
use super::simd;
use crate::error::Result;

/// CONV_2D (any groups) or FULLY_CONNECTED in int8, prepared: weights packed, zero point folded into the bias, rescale and
/// activation fused.
#[derive(Debug, Clone)]
pub struct ConvI8 {
    product: ByteProduct,
    input_zero_point: i32,
    /// One per group.
    finish: Vec<Finish>,
}

#[derive(Debug, Clone)]
enum Finish {
    Fixed(Fixed),
    Real(Real),
}

impl ConvI8 {
    /// Packs `weights` `[out_c, k_h, k_w, in_c / groups]` (zero point 0); `bias` has one value per output channel or is absent.
    /// Padding counts as the input zero point.
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
        let product = ByteProduct::new(isa, shape, weights)?;
        check_bias(bias, shape.out_c)?;
        let bounds = Bounds::new(q, -128, 127)?;
        if i8::try_from(q.input_zero_point).is_err() {
            return crate::invalid!(
                "the input zero point of an int8 operator is {}; it must be −128 to 127",
                q.input_zero_point
            );
        }
        let factors = Factors::new(q.rescale, shape.out_c, 30)?;
        let n = product.geometry.group_out;
        let offset = q.input_zero_point + product.added();
        let finish = product
            .groups
            .iter()
            .enumerate()
            .map(|(g, group)| {
                let bias = group.sums.iter().enumerate().map(|(c, &sum)| {
                    bias.map_or(0, |b| b[g * n + c])
                        .wrapping_sub(offset.wrapping_mul(sum))
                });
                match &factors {
                    Factors::Fixed(f) => {
                        let f = &f[g * n..(g + 1) * n];
                        Finish::Fixed(Fixed::new(f, bias, group.most.iter().copied(), bounds))
                    }
                    Factors::Real(f) => Finish::Real(Real::new(
                        &f[g * n..(g + 1) * n],
                        bias.map(i64::from),
                        bounds,
                    )),
                }
            })
            .collect();
        Ok(Self {
            product,
            input_zero_point: q.input_zero_point,
            finish,
        })
    }

    /// The same operator on another batch size or image size.
    ///
    /// # Errors
    /// `Invalid` if the filter's part of the shape differs.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        self.product.reshape(shape)
    }

    /// Multiply–adds of a run.
    pub fn macs(&self) -> usize {
        self.product.geometry.macs()
    }

    /// Makes `scratch` large enough for [`ConvI8::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        self.product.split(threads, 1).reserve::<i8>(scratch, 0);
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
        let product = &self.product;
        product.geometry.check(input.len(), output.len())?;
        let split = product.split(threads, 1);
        let (lanes, _) = split.lanes::<i8>(scratch, 0);
        let pad = self.input_zero_point as i8;
        product.run_in(
            lanes,
            Source::Bytes(input),
            |_| pad,
            output,
            &split,
            |sink| {
                sink.sum(product.isa);
                let rows = sink.rows.len();
                let &mut Sink {
                    ref mut tile,
                    ref mut out,
                    ldc,
                    columns,
                    first,
                    ..
                } = sink;
                match &self.finish[sink.group] {
                    Finish::Fixed(p) => {
                        let p = p.from(first);
                        simd::requant_i8(product.isa, tile, rows, &p, out, ldc, columns);
                    }
                    Finish::Real(p) => portable::real_i8(tile, rows, p, first, out, ldc, columns),
                }
            },
            |_| (),
        );
        Ok(())
    }
}
