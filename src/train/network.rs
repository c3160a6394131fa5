//! The reference network while it learns: its extents from the data, its variables, its forward pass, and what it becomes.

use candle_core::{DType, Device, Tensor, Var};

use super::failed;
use super::features::Features;
use crate::data::{LabelledImages, word};
use crate::error::Result;
use crate::keras::{Array, Layer, Sequential};
use crate::kernels::Isa;
use crate::{invalid, unsupported};

/// Channels that the convolution gives.
pub(super) const FILTERS: usize = 12;
/// Extent of its kernel both ways.
pub(super) const KERNEL: usize = 3;
/// Extent of a pooling window both ways.
pub(super) const POOL: usize = 2;
/// Smallest extent of an image that leaves one pooled value.
const SMALLEST: usize = KERNEL + POOL - 1;
/// More weights than this are a mistake in the data rather than a network of this kind.
const MOST_WEIGHTS: usize = 1 << 26;
/// More classes than this are numbers rather than classes.
const MOST_CLASSES: u32 = 1000;

/// Extents of the images.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Geometry {
    /// Elements of an image.
    pub fn image(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Weights of one filter.
    pub fn taps(&self) -> usize {
        KERNEL * KERNEL * self.channels
    }

    pub fn pooled_height(&self) -> usize {
        (self.height + 1 - KERNEL) / POOL
    }

    pub fn pooled_width(&self) -> usize {
        (self.width + 1 - KERNEL) / POOL
    }

    /// Pooled values of an image, all filters.
    pub fn features(&self) -> usize {
        self.pooled_height() * self.pooled_width() * FILTERS
    }
}

/// The network's variables on the CPU.
pub(super) struct Network {
    geometry: Geometry,
    classes: usize,
    isa: Isa,
    /// `[KERNEL · KERNEL · channels, FILTERS]`
    kernel: Var,
    bias: Var,
    /// `[features, classes]`
    dense: Var,
    dense_bias: Var,
}

impl Network {
    /// For these images: Glorot-uniform weights drawn by the seed, biases 0.
    ///
    /// # Errors
    /// Images too small or too large for the network, or labels that are not at least two classes.
    pub fn new(images: &LabelledImages, seed: u64) -> Result<Self> {
        let [height, width, channels] = images.extents();
        let geometry = Geometry {
            height,
            width,
            channels,
        };
        let name = images.name();
        if height.min(width) < SMALLEST {
            return invalid!(
                "{name} has images of {height} × {width} pixels; the network needs at least {SMALLEST} × {SMALLEST}"
            );
        }
        let classes = images.classes(MOST_CLASSES)?;
        if classes < 2 {
            return invalid!("All labels of {name} are 0; there is nothing to tell apart");
        }
        let area = height.checked_mul(width);
        let weights = area.and_then(|n| n.checked_mul(FILTERS.max(channels) * classes));
        if weights.is_none_or(|n| n > MOST_WEIGHTS) {
            return unsupported!(
                "{name} has images of {height} × {width} pixels in {classes} classes, too large for this small network; scale them down"
            );
        }
        let (taps, features) = (geometry.taps(), geometry.features());
        let (inner, outer) = (
            (taps, FILTERS, KERNEL * KERNEL * FILTERS),
            (features, classes, classes),
        );
        let glorot = |stream: u64, (rows, columns, fan_out): (usize, usize, usize)| {
            let limit = (6.0 / (rows + fan_out) as f64).sqrt();
            let seed = word(seed, stream);
            let values = (0..rows * columns)
                .map(|i| (limit * (2.0 * unit(word(seed, i as u64)) - 1.0)) as f32);
            Var::from_vec(values.collect(), (rows, columns), &Device::Cpu)
        };
        let zeros = |n: usize| Var::zeros(n, DType::F32, &Device::Cpu).map_err(failed);
        Ok(Self {
            geometry,
            classes,
            isa: Isa::best()?,
            kernel: glorot(0, inner).map_err(failed)?,
            bias: zeros(FILTERS)?,
            dense: glorot(1, outer).map_err(failed)?,
            dense_bias: zeros(classes)?,
        })
    }

    /// All that learns.
    pub fn variables(&self) -> Vec<Var> {
        vec![
            self.kernel.clone(),
            self.bias.clone(),
            self.dense.clone(),
            self.dense_bias.clone(),
        ]
    }

    /// Fails unless the network can be tested on these images.
    pub fn check(&self, test: &LabelledImages) -> Result<()> {
        let g = &self.geometry;
        if test.extents() != [g.height, g.width, g.channels] {
            let [h, w, c] = test.extents();
            return invalid!(
                "{} has images of {h} × {w} × {c}, the training images are {} × {} × {}",
                test.name(),
                g.height,
                g.width,
                g.channels
            );
        }
        test.classes(self.classes as u32).map(|_| ())
    }

    /// `[images, classes]` of the images with these numbers.
    pub fn logits(
        &self,
        images: &LabelledImages,
        numbers: &[usize],
    ) -> candle_core::Result<Tensor> {
        let mut batch = Vec::with_capacity(numbers.len() * self.geometry.image());
        numbers.iter().for_each(|&i| images.append(i, &mut batch));
        let features = Features::new(self.geometry, self.isa, batch);
        self.kernel
            .apply_op2(&self.bias, features)?
            .matmul(&self.dense)?
            .broadcast_add(&self.dense_bias)
    }

    /// The network as it stands.
    ///
    /// # Errors
    /// `Invalid` if a variable cannot be read.
    pub fn sequential(&self) -> Result<Sequential> {
        let Geometry {
            height,
            width,
            channels,
        } = self.geometry;
        let array = |var: &Var, shape: Vec<usize>| -> Result<Array> {
            let data = var.flatten_all().and_then(|v| v.to_vec1());
            data.map(|data| Array { shape, data }).map_err(failed)
        };
        let mut layers = vec![];
        let mut input = vec![height, width];
        match channels {
            // Grey images come without an axis for channels.
            1 => layers.push(Layer::Reshape(vec![height, width, 1])),
            _ => input.push(channels),
        }
        layers.extend([
            Layer::Conv2D {
                kernel: array(&self.kernel, vec![KERNEL, KERNEL, channels, FILTERS])?,
                bias: array(&self.bias, vec![FILTERS])?,
            },
            Layer::MaxPooling2D(POOL),
            Layer::Flatten,
            Layer::Dense {
                kernel: array(&self.dense, vec![self.geometry.features(), self.classes])?,
                bias: array(&self.dense_bias, vec![self.classes])?,
            },
        ]);
        Ok(Sequential { input, layers })
    }
}

/// A word as a real from 0 up to, not including, 1.
fn unit(word: u64) -> f64 {
    (word >> 11) as f64 / (1u64 << 53) as f64
}
