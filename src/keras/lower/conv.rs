//! Convolutions in two dimensions: plain, depthwise and separable.

use super::super::config::Config;
use super::super::hdf5::Array;
use super::super::weights::Weights;
use super::activation;
use super::builder::{Builder, Dim};
use crate::error::Result;
use crate::graph::{Activation, Conv2d, DepthwiseConv2d, Op, Padding, TensorId};
use crate::{malformed, unsupported};

/// Refuses what is stored with channels in front.
pub(super) fn channels_last(c: &Config) -> Result<()> {
    match c.text("data_format") {
        None | Some("channels_last") => Ok(()),
        Some(other) => unsupported!(
            "its data_format is {other}; build the model with channels_last (the weights fit as they are) and save it again"
        ),
    }
}

/// `valid` or `same`.
pub(super) fn padding(c: &Config) -> Result<Padding> {
    match c.text("padding").unwrap_or("valid") {
        "valid" => Ok(Padding::Valid),
        "same" => Ok(Padding::Same),
        other => unsupported!("its padding is '{other}'; 'valid' and 'same' are known"),
    }
}

/// Extent after a window has passed over it.
pub(super) fn window(
    extent: Dim,
    padding: Padding,
    size: i32,
    stride: i32,
    dilation: i32,
) -> Result<Dim> {
    let Some(extent) = extent else {
        return Ok(None);
    };
    let (size, stride) = (i64::from(size), i64::from(stride));
    let span = (size - 1) * i64::from(dilation) + 1;
    let extent = extent as i64;
    let out = match padding {
        Padding::Same => (extent + stride - 1) / stride,
        Padding::Valid if extent >= span => (extent - span) / stride + 1,
        Padding::Valid => {
            return malformed!("its window of {span} does not fit into an extent of {extent}");
        }
    };
    Ok(Some(out as usize))
}

/// The four extents of an image; `c` known.
pub(super) fn image(b: &Builder, x: TensorId) -> Result<([Dim; 3], usize)> {
    match *b.shape(x) {
        [n, h, w, Some(c)] => Ok(([n, h, w], c)),
        ref other => malformed!(
            "it takes [batch, height, width, channels], but is given {} axes",
            other.len()
        ),
    }
}

/// Takes the next array off `arrays` and checks its shape.
pub(super) fn take(
    arrays: &mut std::vec::IntoIter<Array>,
    what: &str,
    shape: &[usize],
) -> Result<Vec<f32>> {
    match arrays.next() {
        Some(array) if array.shape == shape => Ok(array.data),
        Some(array) => malformed!(
            "its {what} has the shape {:?} in the file, but its configuration asks for {shape:?}",
            array.shape
        ),
        None => malformed!("its {what} is missing from the file's weights"),
    }
}

/// A bias if the layer has one, zeros otherwise.
pub(super) fn bias(
    c: &Config,
    arrays: &mut std::vec::IntoIter<Array>,
    channels: usize,
) -> Result<Vec<f32>> {
    if c.flag("use_bias", true) {
        take(arrays, "bias", &[channels])
    } else {
        Ok(vec![0.0; channels])
    }
}

/// Geometry that all convolutions share; one along a line is one over an image of height 1.
pub(super) struct Geometry {
    padding: Padding,
    kernel: [i32; 2],
    stride: [i32; 2],
    dilation: [i32; 2],
    /// Whether kernels are stored with one axis instead of two.
    line: bool,
}

impl Geometry {
    /// Of a layer over images.
    fn of(c: &Config) -> Result<Self> {
        channels_last(c)?;
        Ok(Self {
            padding: padding(c)?,
            kernel: c.sizes("kernel_size", None)?,
            stride: c.sizes("strides", Some([1, 1]))?,
            dilation: c.sizes("dilation_rate", Some([1, 1]))?,
            line: false,
        })
    }

    /// Of a layer along a line, whose padding is found already.
    pub fn of_line(c: &Config, padding: Padding) -> Result<Self> {
        channels_last(c)?;
        let wide = |[n]: [i32; 1]| [1, n];
        Ok(Self {
            padding,
            kernel: wide(c.sizes("kernel_size", None)?),
            stride: wide(c.sizes("strides", Some([1]))?),
            dilation: wide(c.sizes("dilation_rate", Some([1]))?),
            line: true,
        })
    }

    fn kernel_shape(&self) -> [usize; 2] {
        self.kernel.map(|k| k as usize)
    }

    /// Shape of a kernel in the file.
    fn stored(&self, [h, w]: [usize; 2], inputs: usize, outputs: usize) -> Vec<usize> {
        match self.line {
            true => vec![w, inputs, outputs],
            false => vec![h, w, inputs, outputs],
        }
    }

    fn output(&self, [n, h, w]: [Dim; 3], channels: usize) -> Result<Vec<Dim>> {
        let along = |extent, i: usize| {
            window(
                extent,
                self.padding,
                self.kernel[i],
                self.stride[i],
                self.dilation[i],
            )
        };
        Ok(vec![n, along(h, 0)?, along(w, 1)?, Some(channels)])
    }
}

/// Number of elements of a shape the configuration asks for.
///
/// # Errors
/// Malformed if it overflows.
pub(super) fn elements(shape: &[usize]) -> Result<usize> {
    match shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) {
        Some(n) => Ok(n),
        None => malformed!("its kernel has the impossible shape {shape:?}"),
    }
}

/// Keras' HWIO kernel as the OHWI of TensorFlow Lite.
pub(super) fn output_first(kernel: &[f32], outputs: usize) -> Vec<f32> {
    let rest = kernel.len() / outputs.max(1);
    let mut out = Vec::with_capacity(kernel.len());
    for o in 0..outputs {
        out.extend((0..rest).map(|i| kernel[i * outputs + o]));
    }
    out
}

/// Conv2D, grouped ones included.
pub(super) fn conv2d(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    conv(b, c, weights, &Geometry::of(c)?, x)
}

/// A convolution over an image.
pub(super) fn conv(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    g: &Geometry,
    x: TensorId,
) -> Result<TensorId> {
    let (extents, channels) = image(b, x)?;
    let filters = c.size("filters", 1)?;
    let groups = c.integer("groups")?.unwrap_or(1).max(1) as usize;
    if channels % groups != 0 || filters % groups != 0 {
        return malformed!(
            "its {groups} groups divide neither {channels} channels nor {filters} filters"
        );
    }
    let [h, w] = g.kernel_shape();
    let inputs = channels / groups;
    let mut arrays = weights.arrays(&[])?.into_iter();
    let kernel = take(&mut arrays, "kernel", &g.stored([h, w], inputs, filters))?;
    let bias = bias(c, &mut arrays, filters)?;
    let kernel = output_first(&kernel, filters);
    let y = conv_node(
        b,
        g,
        x,
        ("kernel", &kernel, [filters, h, w, inputs]),
        &bias,
        extents,
    )?;
    activation::of_config(b, c, y)
}

fn conv_node(
    b: &mut Builder,
    g: &Geometry,
    x: TensorId,
    (name, kernel, shape): (&str, &[f32], [usize; 4]),
    bias: &[f32],
    extents: [Dim; 3],
) -> Result<TensorId> {
    let kernel = b.f32s(name, &shape, kernel);
    let bias = b.f32s("bias", &[bias.len()], bias);
    let out = g.output(extents, shape[0])?;
    let op = Op::Conv2d(Conv2d {
        padding: g.padding,
        stride: g.stride,
        dilation: g.dilation,
        activation: Activation::None,
        quantized_bias: None,
    });
    Ok(b.node(op, &[x, kernel, bias], out))
}

/// The depthwise part of a layer: kernel [h, w, channels, multiplier].
fn depthwise(
    b: &mut Builder,
    g: &Geometry,
    x: TensorId,
    (kernel, multiplier): (&[f32], usize),
    bias: &[f32],
) -> Result<TensorId> {
    let (extents, channels) = image(b, x)?;
    let [h, w] = g.kernel_shape();
    let outputs = elements(&[channels, multiplier])?;
    let kernel = b.f32s("depthwise_kernel", &[1, h, w, outputs], kernel);
    let bias = b.f32s("depthwise_bias", &[outputs], bias);
    let out = g.output(extents, outputs)?;
    let op = Op::DepthwiseConv2d(DepthwiseConv2d {
        padding: g.padding,
        stride: g.stride,
        dilation: g.dilation,
        activation: Activation::None,
        depth_multiplier: i32::try_from(multiplier).unwrap_or(i32::MAX),
    });
    Ok(b.node(op, &[x, kernel, bias], out))
}

fn multiplier(c: &Config) -> Result<usize> {
    match c.get("depth_multiplier") {
        None => Ok(1),
        Some(_) => c.size("depth_multiplier", 1),
    }
}

/// DepthwiseConv2D. Old files carry a `groups` that means nothing here.
pub(super) fn depthwise_conv2d(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    depthwise_conv(b, c, weights, &Geometry::of(c)?, x)
}

/// A depthwise convolution over an image.
pub(super) fn depthwise_conv(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    g: &Geometry,
    x: TensorId,
) -> Result<TensorId> {
    let (_, channels) = image(b, x)?;
    let multiplier = multiplier(c)?;
    let mut arrays = weights.arrays(&[])?.into_iter();
    let shape = g.stored(g.kernel_shape(), channels, multiplier);
    let kernel = take(&mut arrays, "kernel", &shape)?;
    let bias = bias(c, &mut arrays, elements(&[channels, multiplier])?)?;
    let y = depthwise(b, g, x, (&kernel, multiplier), &bias)?;
    activation::of_config(b, c, y)
}

/// SeparableConv2D: a depthwise convolution, then one of 1×1.
pub(super) fn separable_conv2d(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    separable_conv(b, c, weights, &Geometry::of(c)?, x)
}

/// A separable convolution over an image.
pub(super) fn separable_conv(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    g: &Geometry,
    x: TensorId,
) -> Result<TensorId> {
    let (_, channels) = image(b, x)?;
    let multiplier = multiplier(c)?;
    let filters = c.size("filters", 1)?;
    let between = elements(&[channels, multiplier])?;
    let mut arrays = weights.arrays(&[])?.into_iter();
    let kernel = take(
        &mut arrays,
        "depthwise_kernel",
        &g.stored(g.kernel_shape(), channels, multiplier),
    )?;
    let pointwise = take(
        &mut arrays,
        "pointwise_kernel",
        &g.stored([1, 1], between, filters),
    )?;
    let bias = bias(c, &mut arrays, filters)?;
    let y = depthwise(b, g, x, (&kernel, multiplier), &vec![0.0; between])?;
    let point = Geometry {
        padding: Padding::Valid,
        kernel: [1, 1],
        stride: [1, 1],
        dilation: [1, 1],
        line: false,
    };
    let (extents, _) = image(b, y)?;
    let pointwise = output_first(&pointwise, filters);
    let shape = [filters, 1, 1, between];
    let y = conv_node(
        b,
        &point,
        y,
        ("pointwise_kernel", &pointwise, shape),
        &bias,
        extents,
    )?;
    activation::of_config(b, c, y)
}
