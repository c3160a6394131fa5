//! A few samples as the model will see them, with their values' range: shown before anything runs.

use super::{Colour, Dataset, InputSpec, Original, Preprocess};
use crate::error::Result;
use crate::graph::{Data, Value};

/// Samples of a preview.
const SAMPLES: usize = 12;
/// Most pixels a side of a thumbnail.
const SIDE: usize = 256;
/// Most points of a curve.
const POINTS: usize = 256;

/// A few samples as the model will see them, evenly spaced over the data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Preview {
    /// At most 12.
    pub samples: Vec<PreviewSample>,
    /// Values of all of them together.
    pub values: ValueRange,
}

/// One sample of a preview; of several inputs, the first.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviewSample {
    /// Which sample.
    pub sample: usize,
    /// Its file within the folder; `None` where the data is one file.
    pub file: Option<String>,
    /// What that file held before preprocessing.
    pub original: Option<Original>,
    /// Its class, where there are labels.
    pub label: Option<u32>,
    /// What the model sees of it.
    pub picture: Picture,
    /// Values that go into the model.
    pub values: ValueRange,
}

/// What the model sees of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// An image.
    Image(Thumbnail),
    /// A row of numbers or a sound: smallest and largest value of each of up to 256 equal parts.
    Curve(Vec<(f32, f32)>),
}

/// Pixels for the eye: what the model sees with its scale undone (BGR shown as RGB), reduced to at most 256 pixels a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue of each pixel, row by row.
    pub rgb: Vec<u8>,
}

/// Extent of some values.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct ValueRange {
    /// Smallest.
    pub min: f32,
    /// Largest.
    pub max: f32,
    /// Arithmetic mean.
    pub mean: f32,
}

/// Extents of an image in an input's layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImageShape {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// Whether the channels come before the rows.
    pub(super) channels_first: bool,
}

impl ImageShape {
    /// Of one sample: rows × pixels, rows × pixels × channels or channels × rows × pixels, with 1 or 3 channels.
    pub(super) fn of(sample: &[usize]) -> Option<Self> {
        let (height, width, channels, channels_first) = match *sample {
            [height, width] => (height, width, 1, false),
            [height, width, channels @ (1 | 3)] => (height, width, channels, false),
            [channels @ (1 | 3), height, width] => (height, width, channels, true),
            _ => return None,
        };
        (height > 0 && width > 0).then_some(Self {
            height,
            width,
            channels,
            channels_first,
        })
    }

    /// Where channel `c` of pixel (`x`, `y`) lies within a sample.
    fn at(self, x: usize, y: usize, c: usize) -> usize {
        if self.channels_first {
            (c * self.height + y) * self.width + x
        } else {
            (y * self.width + x) * self.channels + c
        }
    }
}

/// A preview of `dataset` for the model inputs `specs`. `preprocess` says how to undo the scale; without it, pixels are spread
/// between a sample's smallest and largest value.
///
/// # Errors
/// Those of reading the samples.
pub fn preview(
    dataset: &dyn Dataset,
    specs: &[InputSpec],
    preprocess: Option<&Preprocess>,
) -> Result<Preview> {
    let shown = SAMPLES.min(dataset.len());
    let spaced: Vec<usize> = (0..shown).map(|i| i * dataset.len() / shown).collect();
    preview_of(dataset, specs, preprocess, &spaced)
}

/// [`preview`] of these samples.
pub fn preview_of(
    dataset: &dyn Dataset,
    specs: &[InputSpec],
    preprocess: Option<&Preprocess>,
    which: &[usize],
) -> Result<Preview> {
    let shown = which.len();
    let mut samples = vec![];
    for &sample in which {
        let batch = dataset.batch(sample..sample + 1)?;
        let values = batch.first().map(reals).unwrap_or_default();
        let shape = specs.first().and_then(|s| ImageShape::of(s.sample_shape()));
        let range = ValueRange::of(&values);
        let origin = dataset.origin(sample);
        samples.push(PreviewSample {
            sample,
            label: dataset.labels().and_then(|l| l.get(sample).copied()),
            picture: match shape {
                Some(shape) if shape.height > 1 && shape.width > 1 => {
                    Picture::Image(thumbnail(&values, shape, range, preprocess))
                }
                _ => Picture::Curve(curve(&values)),
            },
            values: range,
            original: origin.as_ref().map(|o| o.original),
            file: origin.map(|o| o.file),
        });
    }
    let fold = |of: fn(&ValueRange) -> f32, by: fn(f32, f32) -> f32, first: f32| {
        samples.iter().map(|s| of(&s.values)).fold(first, by)
    };
    let values = ValueRange {
        min: fold(|v| v.min, f32::min, f32::INFINITY),
        max: fold(|v| v.max, f32::max, f32::NEG_INFINITY),
        // Samples are of equal size, so the mean of means is the mean.
        mean: fold(|v| v.mean, |a, b| a + b, 0.0) / shown.max(1) as f32,
    };
    Ok(Preview { samples, values })
}

impl ValueRange {
    /// Of some values; of none, 0 to 0.
    pub(super) fn of(values: &[f32]) -> Self {
        if values.is_empty() {
            let (min, max, mean) = (0.0, 0.0, 0.0);
            return Self { min, max, mean };
        }
        let sum: f64 = values.iter().map(|&x| f64::from(x)).sum();
        Self {
            min: values.iter().copied().fold(f32::INFINITY, f32::min),
            max: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            mean: (sum / values.len() as f64) as f32,
        }
    }
}

/// Every element as a real.
fn reals(value: &Value) -> Vec<f32> {
    macro_rules! cast {
        ($x:expr) => {
            $x.iter().map(|&x| x as f32).collect()
        };
    }
    match &value.data {
        Data::F32(x) => x.clone(),
        Data::F16(x) => x.iter().map(|x| x.to_f32()).collect(),
        Data::F64(x) => cast!(x),
        Data::I8(x) => cast!(x),
        Data::I16(x) => cast!(x),
        Data::I32(x) => cast!(x),
        Data::I64(x) => cast!(x),
        Data::U8(x) => cast!(x),
        Data::U16(x) => cast!(x),
        Data::U32(x) => cast!(x),
        Data::U64(x) => cast!(x),
        Data::Bool(x) => x.iter().map(|&x| f32::from(u8::from(x))).collect(),
    }
}

fn thumbnail(
    values: &[f32],
    shape: ImageShape,
    range: ValueRange,
    preprocess: Option<&Preprocess>,
) -> Thumbnail {
    let known = preprocess.and_then(|p| p.lines(shape.channels).ok());
    let swapped = preprocess.is_some_and(|p| p.colour == Colour::Bgr);
    let level = |c: usize, value: f32| -> u8 {
        let value = f64::from(value);
        let grey = match known.as_ref().and_then(|lines| lines.get(c)) {
            Some((mean, deviation)) => value * deviation + mean,
            None => {
                let span = f64::from(range.max) - f64::from(range.min);
                (value - f64::from(range.min)) / span.max(1e-12) * 255.0
            }
        };
        // The cast saturates.
        grey.round() as u8
    };
    let step = shape.height.max(shape.width).div_ceil(SIDE).max(1);
    let (width, height) = (shape.width.div_ceil(step), shape.height.div_ceil(step));
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in (0..shape.height).step_by(step) {
        for x in (0..shape.width).step_by(step) {
            for seen in 0..3 {
                let c = match (shape.channels, swapped) {
                    (1, _) => 0,
                    (_, true) => 2 - seen,
                    (_, false) => seen,
                };
                let value = values.get(shape.at(x, y, c)).copied();
                rgb.push(level(c, value.unwrap_or(0.0)));
            }
        }
    }
    Thumbnail { width, height, rgb }
}

fn curve(values: &[f32]) -> Vec<(f32, f32)> {
    let part = values.len().div_ceil(POINTS).max(1);
    let extremes = |part: &[f32]| {
        let range = ValueRange::of(part);
        (range.min, range.max)
    };
    values.chunks(part).map(extremes).collect()
}
