//! What a folder's files are, and how one of them becomes one sample of a model's input.

use std::sync::Mutex;

use super::image::{self, Pixels};
use super::resize::{self, Fitted};
use super::{Entry, Listing};
use crate::data::preprocess::{Colour, Preprocess};
use crate::data::preview::ImageShape;
use crate::data::wav;
use crate::data::words::{count, extents};
use crate::data::{InputSpec, Original};
use crate::error::Result;
use crate::graph::{DType, Data, Value};
use crate::{invalid, unsupported};

/// Kinds of files that a folder is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// PNG, JPEG, BMP, WebP, GIF.
    Image,
    /// WAV.
    Sound,
}

impl FileKind {
    /// By the name's ending; `None` for what is neither.
    pub fn of(path: &str) -> Option<Self> {
        match ending(path)?.as_str() {
            "png" | "jpg" | "jpeg" | "jpe" | "bmp" | "webp" | "gif" => Some(FileKind::Image),
            "wav" => Some(FileKind::Sound),
            _ => None,
        }
    }

    /// `images` or `sounds`.
    pub fn noun(self) -> &'static str {
        match self {
            FileKind::Image => "images",
            FileKind::Sound => "sounds",
        }
    }
}

/// What follows the last dot of a file's name, in lower case.
fn ending(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let (stem, ending) = name.rsplit_once('.')?;
    (!stem.is_empty()).then(|| ending.to_ascii_lowercase())
}

/// The one kind that a folder's files are of.
///
/// # Errors
/// No files, none of a kind that can be read, or two kinds.
pub(super) fn kind_of_folder(name: &str, listing: &Listing) -> Result<FileKind> {
    let of = |kind| {
        let files = listing.files.iter();
        files
            .filter(|f| FileKind::of(&f.path) == Some(kind))
            .count()
    };
    match (of(FileKind::Image), of(FileKind::Sound)) {
        (0, 0) => {}
        (_, 0) => return Ok(FileKind::Image),
        (0, _) => return Ok(FileKind::Sound),
        (images, sounds) => {
            return invalid!(
                "{name} holds {} images and {} sounds: choose a folder of one kind",
                count(images),
                count(sounds)
            );
        }
    }
    if let Some(deep) = &listing.too_deep {
        return invalid!(
            "{name} nests its sub-folders too deep ({deep}): choose the folder whose sub-folders are the classes"
        );
    }
    if listing.files.is_empty() {
        return match listing.folders.len() {
            0 => invalid!("The folder {name} is empty; choose one with images or sounds"),
            n => invalid!(
                "The folder {name} holds only empty sub-folders ({}); choose one with images or sounds",
                count(n)
            ),
        };
    }
    invalid!(
        "{name} holds no images (PNG, JPEG, BMP, WebP, GIF) or sounds (WAV), but {}",
        endings(&listing.files)
    )
}

/// `12 .txt and 3 .pdf files`, most frequent first.
fn endings(files: &[Entry]) -> String {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for file in files {
        let ending = ending(&file.path).map_or("nameless".into(), |e| format!(".{e}"));
        *counts.entry(ending).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let more = counts.len() > 3;
    let mut shown: Vec<String> = counts
        .into_iter()
        .take(3)
        .map(|(ending, n)| format!("{} {ending}", count(n)))
        .collect();
    if more {
        shown.push("other".into());
    }
    let last = shown.pop().unwrap_or_default();
    match shown.is_empty() {
        true => format!("{last} files"),
        false => format!("{} and {last} files", shown.join(", ")),
    }
}

/// One decoded file, before its levels are scaled.
pub(super) enum Sample {
    /// Grey levels as they were in the file.
    Bytes(Vec<u8>),
    /// Reals: levels between them, or a sound's samples.
    Reals(Vec<f32>),
}

impl Sample {
    /// Bytes of memory it takes.
    pub(super) fn memory(&self) -> usize {
        match self {
            Sample::Bytes(x) => x.len(),
            Sample::Reals(x) => 4 * x.len(),
        }
    }
}

/// Makes samples of one kind of file for one model input.
pub(super) struct Decoder {
    what: What,
    /// The input's element type where it takes plain integers; `None` for reals.
    plain: Option<DType>,
    /// Shape of one sample.
    shape: Vec<usize>,
}

enum What {
    Image(Images),
    Sound {
        /// Samples of one input.
        length: usize,
        /// Samples a second.
        rate: Option<u32>,
    },
}

struct Images {
    preprocess: Preprocess,
    shape: ImageShape,
    /// Mean and deviation of each channel.
    lines: Vec<(f64, f64)>,
    /// For each channel, what each level becomes.
    tables: Vec<[f32; 256]>,
    /// Held by the one thread that decodes a large picture.
    large: Mutex<()>,
}

impl Decoder {
    /// For files of `kind` and one model input.
    ///
    /// # Errors
    /// An input that is no image, or one of more channels than the preprocessing has figures for.
    pub(super) fn new(kind: FileKind, spec: &InputSpec, preprocess: &Preprocess) -> Result<Self> {
        let what = match kind {
            FileKind::Image => What::Image(Images::new(spec, preprocess)?),
            FileKind::Sound => What::Sound {
                length: wav::row_length("The folder", spec)?,
                rate: preprocess.sound.rate,
            },
        };
        let plain = match spec.dtype {
            _ if spec.is_real() => None,
            DType::Int8 | DType::UInt8 | DType::Int16 | DType::UInt16 | DType::Int32 => {
                Some(spec.dtype)
            }
            other => {
                return unsupported!(
                    "The model's input '{}' takes {other}, which no {} give",
                    spec.name,
                    kind.noun()
                );
            }
        };
        Ok(Self {
            what,
            plain,
            shape: spec.sample_shape().to_vec(),
        })
    }

    /// One file's sample and what the file held; `Err` is the reason in a few words.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<(Sample, Original), String> {
        match &self.what {
            What::Image(images) => images.decode(bytes),
            What::Sound { length, rate } => {
                let read = wav::read("", bytes, *rate, *length);
                let (sound, format) = read.map_err(|e| e.to_string().trim_start().to_owned())?;
                let original = Original::Sound {
                    rate: format.rate,
                    seconds: format.seconds(),
                };
                Ok((Sample::Reals(sound), original))
            }
        }
    }

    /// The sample of a picture that is decoded already; fails with `Invalid` for sounds.
    pub(super) fn sample(&self, pixels: Pixels) -> Result<Sample> {
        match &self.what {
            What::Image(images) => Ok(images.fitted(pixels)),
            What::Sound { .. } => invalid!("A picture is no sound"),
        }
    }

    /// Elements of one sample.
    pub(super) fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// Samples as one array, the samples along axis 0: what [`crate::data::Dataset::batch`] hands out.
    pub(super) fn batch<'a>(&self, samples: impl Iterator<Item = &'a Sample>) -> Result<Value> {
        let mut reals = vec![];
        let mut rows = 0;
        for sample in samples {
            match &self.what {
                What::Image(images) => images.scale(sample, &mut reals),
                What::Sound { .. } => {
                    if let Sample::Reals(sound) = sample {
                        // 16-bit integers are asked for at their full scale.
                        let scale = if self.plain.is_some() { 32768.0 } else { 1.0 };
                        reals.extend(sound.iter().map(|x| x * scale));
                    }
                }
            }
            rows += 1;
        }
        let mut shape = vec![rows];
        shape.extend_from_slice(&self.shape);
        let data = match self.plain {
            None => Data::F32(reals),
            Some(dtype) => rounded(&reals, dtype)?,
        };
        Value::new(shape, data)
    }
}

/// Reals as whole numbers, clamped to the type.
fn rounded(reals: &[f32], dtype: DType) -> Result<Data> {
    // The casts saturate.
    let all = reals.iter().map(|x| x.round());
    Ok(match dtype {
        DType::Int8 => Data::I8(all.map(|x| x as i8).collect()),
        DType::UInt8 => Data::U8(all.map(|x| x as u8).collect()),
        DType::Int16 => Data::I16(all.map(|x| x as i16).collect()),
        DType::UInt16 => Data::U16(all.map(|x| x as u16).collect()),
        DType::Int32 => Data::I32(all.map(|x| x as i32).collect()),
        other => return unsupported!("Inputs of {other} cannot be fed from files"),
    })
}

impl Images {
    fn new(spec: &InputSpec, preprocess: &Preprocess) -> Result<Self> {
        let Some(shape) = ImageShape::of(spec.sample_shape()) else {
            return invalid!(
                "The model's input '{}' takes samples of {}, which are no images: rows × pixels, with 1 or 3 channels",
                spec.name,
                extents(spec.sample_shape())
            );
        };
        let lines = preprocess.lines(shape.channels)?;
        let table = |&(mean, deviation): &(f64, f64)| {
            std::array::from_fn(|level| ((level as f64 - mean) / deviation) as f32)
        };
        Ok(Self {
            preprocess: preprocess.clone(),
            shape,
            tables: lines.iter().map(table).collect(),
            lines,
            large: Mutex::default(),
        })
    }

    fn decode(&self, bytes: &[u8]) -> Result<(Sample, Original), String> {
        let pixels = image::decode(bytes, &self.large)?;
        let original = Original::Image {
            width: pixels.width as u32,
            height: pixels.height as u32,
        };
        Ok((self.fitted(pixels), original))
    }

    /// Pixels in the model's colours and size.
    fn fitted(&self, pixels: Pixels) -> Sample {
        let pixels = coloured(pixels, self.preprocess.colour, self.shape.channels);
        let size = (self.shape.width, self.shape.height);
        let fitted = resize::fit(&pixels, size, self.preprocess.resize, self.preprocess.fit);
        match fitted {
            Fitted::Bytes(x) => Sample::Bytes(x),
            Fitted::Reals(x) => Sample::Reals(x),
        }
    }

    /// Appends the sample's levels, scaled, in the input's layout.
    fn scale(&self, sample: &Sample, out: &mut Vec<f32>) {
        let channels = self.shape.channels;
        let order: Vec<usize> = (0..channels).collect();
        // Channel by channel where they come first, else pixel by pixel.
        let passes: Vec<&[usize]> = match self.shape.channels_first {
            true => order.chunks(1).collect(),
            false => vec![&order],
        };
        for pass in passes {
            match sample {
                Sample::Bytes(levels) => {
                    for pixel in levels.chunks_exact(channels) {
                        out.extend(pass.iter().filter_map(|&c| {
                            let level = usize::from(*pixel.get(c)?);
                            self.tables.get(c)?.get(level).copied()
                        }));
                    }
                }
                Sample::Reals(levels) => {
                    for pixel in levels.chunks_exact(channels) {
                        out.extend(pass.iter().filter_map(|&c| {
                            let (mean, deviation) = self.lines.get(c)?;
                            Some(((f64::from(*pixel.get(c)?) - mean) / deviation) as f32)
                        }));
                    }
                }
            }
        }
    }
}

/// Pixels in the channels that the model sees.
fn coloured(pixels: Pixels, colour: Colour, channels: usize) -> Pixels {
    // ITU-R 601-2 luma in PIL's 16-bit fixed point.
    let luma = |p: &[u8]| match *p {
        [r, g, b] => {
            let sum = u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471;
            ((sum + 0x8000) >> 16) as u8
        }
        _ => p.first().copied().unwrap_or(0),
    };
    let data = match (pixels.channels, channels, colour) {
        (1, 1, _) | (3, 3, Colour::Auto | Colour::Rgb) => return pixels,
        (1, _, _) => pixels.data.iter().flat_map(|&x| [x; 3]).collect(),
        (_, 1, _) => pixels.data.chunks_exact(3).map(luma).collect(),
        (_, _, Colour::Grey) => pixels
            .data
            .chunks_exact(3)
            .flat_map(|p| [luma(p); 3])
            .collect(),
        (_, _, Colour::Auto | Colour::Rgb | Colour::Bgr) => {
            let mut data = pixels.data;
            data.chunks_exact_mut(3).for_each(<[u8]>::reverse);
            data
        }
    };
    Pixels {
        channels,
        data,
        ..pixels
    }
}
