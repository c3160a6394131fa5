//! Transposed convolutions, along a line and over images.

use super::super::config::Config;
use super::super::weights::Weights;
use super::activation;
use super::builder::{Builder, Dim};
use super::conv::{bias, channels_last, elements, image, padding, take};
use super::line::as_image;
use crate::error::Result;
use crate::graph::{Activation, Op, Padding, TensorId, TransposeConv};
use crate::{malformed, unsupported};

struct Geometry {
    padding: Padding,
    kernel: [i32; 2],
    stride: [i32; 2],
    dilation: [i32; 2],
    /// How far the output reaches beyond the least, where the file says so.
    extra: Option<[i32; 2]>,
    line: bool,
}

/// Conv2DTranspose.
pub(super) fn plane(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    let extra = c.integers("output_padding")?;
    let extra = match extra.as_deref() {
        None => None,
        Some(&[n]) => Some([n as i32; 2]),
        Some(&[h, w]) => Some([h as i32, w as i32]),
        Some(other) => return malformed!("its output_padding is {other:?}"),
    };
    let geometry = Geometry {
        padding: padding(c)?,
        kernel: c.sizes("kernel_size", None)?,
        stride: c.sizes("strides", Some([1, 1]))?,
        dilation: c.sizes("dilation_rate", Some([1, 1]))?,
        extra,
        line: false,
    };
    transposed(b, c, weights, &geometry, x)
}

/// Conv1DTranspose.
pub(super) fn line(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    let extra = match c.integers("output_padding")?.as_deref() {
        None => None,
        Some(&[n]) => Some([0, n as i32]),
        Some(other) => return malformed!("its output_padding is {other:?}"),
    };
    let wide = |[n]: [i32; 1]| [1, n];
    let geometry = Geometry {
        padding: padding(c)?,
        kernel: wide(c.sizes("kernel_size", None)?),
        stride: wide(c.sizes("strides", Some([1]))?),
        dilation: wide(c.sizes("dilation_rate", Some([1]))?),
        extra,
        line: true,
    };
    as_image(b, x, |b, x| transposed(b, c, weights, &geometry, x))
}

impl Geometry {
    /// Extent of the output along one axis, as Keras computes it.
    fn extent(&self, extent: usize, i: usize) -> Result<usize> {
        let (extent, kernel, stride) = (
            extent as i64,
            i64::from(self.kernel[i]),
            i64::from(self.stride[i]),
        );
        let out = match (self.extra, self.padding) {
            (None, Padding::Same) => extent.checked_mul(stride),
            (None, Padding::Valid) => extent
                .checked_mul(stride)
                .and_then(|n| n.checked_add((kernel - stride).max(0))),
            (Some(extra), padding) => {
                let pad = if padding == Padding::Same {
                    kernel / 2
                } else {
                    0
                };
                (extent - 1)
                    .checked_mul(stride)
                    .map(|n| n + kernel - 2 * pad + i64::from(extra[i]))
            }
        };
        match out {
            Some(n) if n > 0 && i32::try_from(n).is_ok() => Ok(n as usize),
            _ => malformed!("its output has an impossible extent"),
        }
    }

    /// Whether the runtime, which knows the input and output extents alone, pads as Keras does.
    fn agrees(&self, input: usize, output: usize, i: usize) -> bool {
        let (kernel, stride) = (i64::from(self.kernel[i]), i64::from(self.stride[i]));
        let back = match self.padding {
            Padding::Same => (output as i64 + stride - 1) / stride,
            Padding::Valid => (output as i64 - kernel) / stride + 1,
        };
        back == input as i64
    }
}

fn transposed(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    g: &Geometry,
    x: TensorId,
) -> Result<TensorId> {
    channels_last(c)?;
    let ([n, Some(h), Some(w)], channels) = image(b, x)? else {
        return unsupported!(
            "it takes an image of unknown extents; save the model with a fixed input shape"
        );
    };
    if g.dilation != [1, 1] {
        return unsupported!(
            "its dilation_rate is {:?}, which TensorFlow Lite's TRANSPOSE_CONV does not have; use 1",
            g.dilation
        );
    }
    let filters = c.size("filters", 1)?;
    let [kernel_h, kernel_w] = g.kernel.map(|k| k as usize);
    let stored = match g.line {
        true => vec![kernel_w, filters, channels],
        false => vec![kernel_h, kernel_w, filters, channels],
    };
    let mut arrays = weights.arrays(&[])?.into_iter();
    let kernel = take(&mut arrays, "kernel", &stored)?;
    let bias = bias(c, &mut arrays, filters)?;
    let (height, width) = (g.extent(h, 0)?, g.extent(w, 1)?);
    if !g.agrees(h, height, 0) || !g.agrees(w, width, 1) {
        return unsupported!(
            "its kernel of {kernel_h}×{kernel_w}, its strides and its output_padding make {height}×{width} of {h}×{w}, which TensorFlow Lite's TRANSPOSE_CONV does not"
        );
    }
    // Keras' HWOI to OHWI.
    let size = elements(&[kernel_h, kernel_w])?;
    let mut turned = Vec::with_capacity(kernel.len());
    for o in 0..filters {
        for p in 0..size {
            let at = (p * filters + o) * channels;
            turned.extend_from_slice(&kernel[at..at + channels]);
        }
    }
    let kernel = b.f32s("kernel", &[filters, kernel_h, kernel_w, channels], &turned);
    let bias = b.f32s("bias", &[filters], &bias);
    // The runtime takes the batch from here, so that it is fixed where it was not.
    let shape: Vec<Dim> = vec![
        Some(n.unwrap_or(1)),
        Some(height),
        Some(width),
        Some(filters),
    ];
    let extents: Vec<i32> = shape.iter().map(|d| d.unwrap_or(1) as i32).collect();
    let output = b.i32s("output_shape", &[4], &extents);
    let op = Op::TransposeConv(TransposeConv {
        padding: g.padding,
        stride: g.stride,
        activation: Activation::None,
        quantized_bias: None,
    });
    let dtype = b.dtype(x);
    let inputs = vec![Some(output), Some(kernel), Some(x), Some(bias)];
    let y = b.typed(op, inputs, dtype, shape);
    activation::of_config(b, c, y)
}
