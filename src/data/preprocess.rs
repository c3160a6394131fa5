//! Preprocessing as data: how a file's picture or sound becomes the numbers that a model takes.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::invalid;

/// How pictures and sounds become model inputs. Saved with the recipe; what a JSON file leaves out has its default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preprocess {
    /// How a picture is resampled to the input's size.
    pub resize: Resize,
    /// What becomes of a picture with other proportions than the input.
    pub fit: Fit,
    /// Which channels the model sees, in which order.
    pub colour: Colour,
    /// How grey levels 0..255 become reals.
    pub scale: Scale,
    /// Rows and columns of a picture, where the model leaves them open.
    pub size: Option<[usize; 2]>,
    /// What concerns sounds only.
    pub sound: Sound,
}

/// How a picture is resampled; each equals `tf.image.resize` of that name with antialias off (half-pixel centres).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Between the four nearest pixels.
    #[default]
    Bilinear,
    /// The nearest pixel.
    Nearest,
    /// The mean of the pixels that a pixel of the result covers.
    Area,
}

/// What becomes of a picture with other proportions than the model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Stretched to the input's proportions.
    #[default]
    Stretch,
    /// Cut to the input's proportions around its centre, then resized (Keras' `crop_to_aspect_ratio`).
    CentreCrop,
    /// Resized to fit inside, the rest black (`tf.image.resize_with_pad`).
    Letterbox,
}

/// Which channels the model sees, in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// RGB for three channels, grey for one.
    #[default]
    Auto,
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// Luma (ITU-R 601-2, as PIL's `convert('L')`); repeated where the input has three channels.
    Grey,
}

/// How a grey level x in 0..255 becomes the real that the model takes: (x − mean) / deviation of its channel.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// 0..1: mean 0, deviation 255.
    #[default]
    Unit,
    /// −1..1: mean and deviation 127.5 (Keras' mode `tf`).
    Signed,
    /// 0..255 as they are.
    Raw,
    /// Mean 0.485, 0.456, 0.406 and deviation 0.229, 0.224, 0.225 of red, green, blue in 0..1 (Keras' mode `torch`).
    Imagenet,
    /// Own figures in grey levels, one for all channels or one a channel, in the order that the model sees them. Keras' mode
    /// `caffe` is colour `bgr` with mean 103.939, 116.779, 123.68 and deviation 1.
    Own {
        /// What is subtracted.
        mean: Vec<f64>,
        /// What is then divided by; above 0.
        deviation: Vec<f64>,
    },
}

/// What concerns sounds only.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sound {
    /// Samples a second that the model takes; a file of another rate is resampled. `None` takes every file as it is.
    pub rate: Option<u32>,
    /// Samples of one input, where the model leaves that open.
    pub length: Option<usize>,
}

/// Names of the presets of [`Scale`], as the command line takes them.
pub const PRESETS: [&str; 4] = ["unit", "signed", "raw", "imagenet"];

/// Mean and deviation of ImageNet's red, green and blue, in 0..1.
const IMAGENET: ([f64; 3], [f64; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

impl Preprocess {
    /// The defaults with the scale preset of that name; `None` for any other name.
    pub fn preset(name: &str) -> Option<Self> {
        let scale = match name {
            "unit" => Scale::Unit,
            "signed" => Scale::Signed,
            "raw" => Scale::Raw,
            "imagenet" => Scale::Imagenet,
            _ => return None,
        };
        Some(Self {
            scale,
            ..Self::default()
        })
    }

    /// Reads JSON such as `{"scale": "signed", "fit": "centre-crop"}`.
    ///
    /// # Errors
    /// No JSON, unknown keys or words, a mean or deviation that is no number to compute with.
    pub fn from_json(text: &str) -> Result<Self> {
        let read: Self = serde_json::from_str(text)
            .map_err(|e| Error::Malformed(format!("no preprocessing that can be read: {e}")))?;
        if let Scale::Own { mean, deviation } = &read.scale {
            let channels = mean.len().max(deviation.len()).max(1);
            own(mean, deviation, channels)?;
        }
        Ok(read)
    }

    /// It as JSON, every field written.
    pub fn to_json(&self) -> serde_json::Value {
        // Plain fields of numbers and words cannot fail; an error would leave null.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Mean and deviation of each of `channels` channels, in grey levels, in the order that the model sees them.
    ///
    /// # Errors
    /// Figures of another number of channels, or a deviation that is not above 0.
    pub fn lines(&self, channels: usize) -> Result<Vec<(f64, f64)>> {
        match &self.scale {
            Scale::Unit => Ok(vec![(0.0, 255.0); channels]),
            Scale::Signed => Ok(vec![(127.5, 127.5); channels]),
            Scale::Raw => Ok(vec![(0.0, 1.0); channels]),
            Scale::Imagenet => {
                if channels != 3 {
                    return invalid!(
                        "The scale imagenet is for 3 channels, the model's input has {channels}; give an own mean and deviation"
                    );
                }
                let (mean, deviation) = IMAGENET;
                let pairs = mean.iter().zip(deviation);
                let mut lines: Vec<_> = pairs.map(|(m, d)| (m * 255.0, d * 255.0)).collect();
                if self.colour == Colour::Bgr {
                    lines.reverse();
                }
                Ok(lines)
            }
            Scale::Own { mean, deviation } => own(mean, deviation, channels),
        }
    }

    /// `unit`, `imagenet`, or `own mean and deviation`.
    pub fn scale_name(&self) -> &'static str {
        match self.scale {
            Scale::Unit => "unit",
            Scale::Signed => "signed",
            Scale::Raw => "raw",
            Scale::Imagenet => "imagenet",
            Scale::Own { .. } => "own mean and deviation",
        }
    }
}

fn own(mean: &[f64], deviation: &[f64], channels: usize) -> Result<Vec<(f64, f64)>> {
    for (what, figures) in [("mean", mean), ("deviation", deviation)] {
        if figures.len() != 1 && figures.len() != channels {
            return invalid!(
                "The preprocessing gives {} figures as {what}, the model's input has {channels} channels; give one, or one a channel",
                figures.len()
            );
        }
        if let Some(odd) = figures.iter().find(|x| !x.is_finite() || x.abs() > 1e6) {
            return invalid!("The preprocessing's {what} of {odd} is beyond reason");
        }
    }
    if let Some(odd) = deviation.iter().find(|&&d| d < 1e-6) {
        return invalid!("The preprocessing's deviation of {odd} is not above 0");
    }
    let of = |figures: &[f64], i: usize| figures.get(i).or(figures.first()).copied();
    let line = |i| Some((of(mean, i)?, of(deviation, i)?));
    Ok((0..channels).filter_map(line).collect())
}
