//! A picture that somebody drew, pasted or dropped, as the one sample of a model that takes an image.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::decode::{Decoder, FileKind};
use super::image::{self, Pixels};
use super::resize::{self, Fitted};
use crate::data::preprocess::Preprocess;
use crate::data::preview::ImageShape;
use crate::data::{Dataset, InputSpec};
use crate::error::{Error, Result};
use crate::graph::Value;
use crate::invalid;

/// Most pixels a side of an input that can be drawn on.
const MAX_SIDE: usize = 4096;

/// A picture: red, green and blue, row by row.
#[derive(Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Three bytes a pixel.
    pub rgb: Vec<u8>,
}

impl std::fmt::Debug for Drawing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Drawing({} × {})", self.width, self.height)
    }
}

/// The image that a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageInput {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 for grey, 3 for colour.
    pub channels: usize,
}

impl ImageInput {
    /// That of a model with these inputs.
    ///
    /// # Errors
    /// Several inputs, or one that is no image.
    pub fn of(specs: &[InputSpec]) -> Result<Self> {
        let [spec] = specs else {
            let n = specs.len();
            return invalid!("This model has {n} inputs, the pad needs 1 image");
        };
        let shape = ImageShape::of(spec.sample_shape());
        match shape.filter(|s| s.width > 1 && s.height > 1 && s.width.max(s.height) <= MAX_SIDE) {
            Some(shape) => Ok(Self {
                width: shape.width,
                height: shape.height,
                channels: shape.channels,
            }),
            None => invalid!(
                "This model takes samples of {}, the pad needs 1 image",
                spec.sample_text()
            ),
        }
    }

    /// A black picture of that size.
    pub fn blank(self) -> Drawing {
        Drawing {
            width: self.width,
            height: self.height,
            rgb: vec![0; self.width * self.height * 3],
        }
    }
}

impl Drawing {
    /// A PNG, JPEG, BMP, WebP or GIF. Fails with `Malformed` where it cannot be decoded.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let pixels = image::decode(bytes, &Mutex::default()).map_err(Error::Malformed)?;
        let rgb = match pixels.channels {
            1 => pixels.data.iter().flat_map(|&x| [x; 3]).collect(),
            _ => pixels.data,
        };
        Ok(Self {
            width: pixels.width,
            height: pixels.height,
            rgb,
        })
    }

    fn pixels(&self) -> Result<Pixels> {
        let size = self
            .width
            .checked_mul(self.height)
            .and_then(|n| n.checked_mul(3));
        if size != Some(self.rgb.len()) || self.rgb.is_empty() {
            return invalid!(
                "A picture of {} × {} pixels cannot have {} bytes",
                self.width,
                self.height,
                self.rgb.len()
            );
        }
        Ok(Pixels {
            width: self.width,
            height: self.height,
            channels: 3,
            data: self.rgb.clone(),
        })
    }

    /// The same picture at the size of a model's input, cut or padded as `preprocess` says.
    ///
    /// # Errors
    /// A picture whose bytes do not fill it.
    pub fn fitted(&self, input: ImageInput, preprocess: &Preprocess) -> Result<Self> {
        let size = (input.width, input.height);
        if (self.width, self.height) == size {
            return self.pixels().map(|_| self.clone());
        }
        let fitted = resize::fit(&self.pixels()?, size, preprocess.resize, preprocess.fit);
        let rgb = match fitted {
            Fitted::Bytes(x) => x,
            // The casts saturate.
            Fitted::Reals(x) => x.into_iter().map(|x| x.round() as u8).collect(),
        };
        Ok(Self {
            width: input.width,
            height: input.height,
            rgb,
        })
    }

    /// It as the only sample of a data set for a model with these inputs.
    ///
    /// # Errors
    /// A model that takes no single image, preprocessing for another number of channels.
    pub fn sample(&self, specs: &[InputSpec], preprocess: &Preprocess) -> Result<Arc<dyn Dataset>> {
        ImageInput::of(specs)?;
        let Some(spec) = specs.first() else {
            return invalid!("The model has no inputs");
        };
        let decoder = Decoder::new(FileKind::Image, spec, preprocess)?;
        let sample = decoder.sample(self.pixels()?)?;
        let value = decoder.batch(std::iter::once(&sample))?;
        Ok(Arc::new(One(value)))
    }
}

/// A data set of one sample.
struct One(Value);

impl Dataset for One {
    fn name(&self) -> &str {
        "the drawing"
    }

    fn len(&self) -> usize {
        1
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        match range {
            Range { start: 0, end: 1 } => Ok(vec![self.0.clone()]),
            _ => invalid!("The drawing is 1 sample, {range:?} were asked for"),
        }
    }

    fn labels(&self) -> Option<&[u32]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Open;
    use crate::graph::{DType, Data};

    fn spec(shape: &[usize]) -> InputSpec {
        InputSpec {
            name: "x".into(),
            dtype: DType::Float32,
            shape: shape.to_vec(),
            open: Open::None,
            quantization: None,
        }
    }

    #[test]
    fn only_one_image_can_be_drawn() {
        let of = |shapes: &[&[usize]]| {
            let specs: Vec<_> = shapes.iter().map(|s| spec(s)).collect();
            ImageInput::of(&specs).map_err(|e| e.to_string())
        };
        let image = of(&[&[1, 28, 30]]).unwrap();
        assert_eq!((image.width, image.height, image.channels), (30, 28, 1));
        assert_eq!(of(&[&[1, 3, 8, 8]]).unwrap().channels, 3);
        for (shapes, words) in [
            (&[&[1, 8, 8, 3][..], &[1, 4][..]][..], "has 2 inputs"),
            (&[&[1, 16000][..]][..], "samples of 16000"),
            (&[&[1, 1, 400][..]][..], "needs 1 image"),
            (&[], "has 0 inputs"),
        ] {
            assert!(of(shapes).unwrap_err().contains(words));
        }
    }

    #[test]
    fn a_drawing_becomes_the_numbers_that_the_model_takes() {
        let specs = [spec(&[1, 1, 2, 1]), spec(&[1, 2, 2, 1])];
        let mut drawing = ImageInput::of(&specs[1..]).unwrap().blank();
        drawing.rgb[..3].copy_from_slice(&[255, 255, 255]);
        let values = |preset: &str| {
            let preprocess = Preprocess::preset(preset).unwrap();
            let sample = drawing.sample(&specs[1..], &preprocess).unwrap();
            sample.batch(0..1).unwrap().remove(0)
        };
        let unit = values("unit");
        assert_eq!(unit.shape, [1, 2, 2, 1]);
        assert_eq!(unit.data, Data::F32(vec![1.0, 0.0, 0.0, 0.0]));
        assert_eq!(
            values("signed").data,
            Data::F32(vec![1.0, -1.0, -1.0, -1.0])
        );
        drawing.rgb.pop();
        assert!(drawing.sample(&specs[1..], &Preprocess::default()).is_err());
        assert!(Drawing::decode(b"no picture").is_err());
    }

    #[test]
    fn a_picture_of_another_size_is_fitted() {
        let input = ImageInput {
            width: 2,
            height: 2,
            channels: 1,
        };
        let picture = Drawing {
            width: 4,
            height: 4,
            rgb: vec![200; 48],
        };
        let fitted = picture.fitted(input, &Preprocess::default()).unwrap();
        assert_eq!((fitted.width, fitted.height), (2, 2));
        assert!(fitted.rgb.iter().all(|&x| x == 200) && fitted.rgb.len() == 12);
    }
}
