//! WAV files: PCM and float sound as a mono row of samples in −1..1.

use std::io::{Cursor, Read};

use hound::{SampleFormat, WavReader};

use super::array::{Array, Column};
use super::resample::resample;
use super::spec::InputSpec;
use super::words::count;
use crate::error::{Error, Result};
use crate::graph::DType;
use crate::{invalid, malformed, unsupported};

/// First bytes of a RIFF file; `WAVE` follows four bytes later.
pub(super) const MAGIC: [u8; 4] = *b"RIFF";
/// Rates that sound has.
const RATES: std::ops::RangeInclusive<u32> = 100..=1_000_000;
/// Float samples beyond are of another scale than −1..1.
const LOUDEST: f32 = 16.0;
/// Samples of rate conversion that lie beyond the sound that is asked for, for each step of the rate.
const BEYOND: u64 = 64;

/// Format tags of the `fmt ` chunk.
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;

/// What a file says of its sound, checked against what it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Format {
    /// Samples a second.
    pub(super) rate: u32,
    /// Samples of each channel.
    pub(super) frames: usize,
    channels: u16,
    bits: u16,
    float: bool,
}

impl Format {
    /// How long the sound is.
    pub(super) fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.rate)
    }

    /// Samples of a channel at `rate`.
    pub(super) fn frames_at(&self, rate: u32) -> usize {
        let frames = (self.frames as u64).saturating_mul(rate.into());
        frames.div_ceil(self.rate.into()) as usize
    }
}

/// Whether these bytes begin as a WAV file.
pub(super) fn is_wav(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) && bytes.get(8..12) == Some(b"WAVE")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let pair = bytes.get(at..at + 2).and_then(|b| b.try_into().ok());
    pair.map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    four.map_or(0, u32::from_le_bytes)
}

/// Finds format and samples, and checks all that the header says.
pub(super) fn open<'a>(name: &str, bytes: &'a [u8]) -> Result<(Format, &'a [u8])> {
    if bytes.starts_with(b"RF64") || bytes.starts_with(b"RIFX") {
        return unsupported!(
            "{name} is of the {} kind of WAV; save it as plain WAV",
            String::from_utf8_lossy(&bytes[..4])
        );
    }
    if !is_wav(bytes) {
        return malformed!("{name} is not a WAV file: it does not begin as one");
    }
    let mut format = None;
    let mut rest = bytes.get(12..).unwrap_or_default();
    while rest.len() >= 8 {
        let (head, body) = rest.split_at(8);
        let size = u32_at(head, 4) as usize;
        let held = body.len();
        match &head[..4] {
            b"data" => {
                let Some(format) = format else {
                    return malformed!("{name} does not say how its samples are stored");
                };
                let Some(samples) = body.get(..size) else {
                    return malformed!(
                        "{name} declares {} bytes of sound, it holds {}; it is truncated or was never finished",
                        count(size),
                        count(held)
                    );
                };
                return Ok((whole(name, format, samples.len())?, samples));
            }
            b"fmt " => {
                let Some(fields) = body.get(..size).filter(|f| f.len() >= 16) else {
                    return malformed!("{name} ends within its header");
                };
                format = Some(fields);
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = body
            .get(size.saturating_add(size % 2)..)
            .unwrap_or_default();
    }
    malformed!("{name} holds no sound: its samples are missing")
}

/// The format of `size` bytes of samples.
fn whole(name: &str, fields: &[u8], size: usize) -> Result<Format> {
    let [mut tag, channels, block, bits] = [0, 2, 12, 14].map(|at| u16_at(fields, at));
    let rate = u32_at(fields, 4);
    if tag == EXTENSIBLE {
        // The first two bytes of the sub-format.
        tag = u16_at(fields, 24);
    }
    if channels == 0 {
        return malformed!("{name} declares 0 channels");
    }
    if !RATES.contains(&rate) {
        return malformed!(
            "{name} declares {} samples a second; sound has {} to {}",
            count(rate as usize),
            RATES.start(),
            count(*RATES.end() as usize)
        );
    }
    let float = match (tag, bits) {
        (PCM, 8 | 16 | 24 | 32) => false,
        (FLOAT, 32) => true,
        (PCM | FLOAT, _) => {
            let kind = if tag == FLOAT { "float" } else { "integer" };
            return unsupported!(
                "{name} holds {bits}-bit {kind} samples; WAV can be read with integers of 8, 16, 24 or 32 bits and floats of 32"
            );
        }
        _ => {
            return unsupported!(
                "{name} holds compressed sound (WAV format 0x{tag:04x}); save it as PCM"
            );
        }
    };
    let frame = usize::from(channels) * usize::from(bits / 8);
    if usize::from(block) != frame || !size.is_multiple_of(frame) {
        return malformed!(
            "{name} contradicts itself: {channels} channels of {bits} bits take {frame} bytes, it declares {block} in {} bytes of sound",
            count(size)
        );
    }
    if size == 0 {
        return invalid!("{name} holds no sound: it is 0 samples long");
    }
    Ok(Format {
        rate,
        frames: size / frame,
        channels,
        bits,
        float,
    })
}

/// The sound of a WAV file, its channels' mean, at `rate` (its own without) and of `length` samples: cut, or padded with zeros.
/// Integers of n bits count as value / 2^(n − 1); the result is limited to −1..1. Decodes no more than that takes.
///
/// # Errors
/// No WAV, a header that lies or declares what no sound has, compressed sound, floats that are not finite or beyond ±16.
pub(super) fn read(
    name: &str,
    bytes: &[u8],
    rate: Option<u32>,
    length: usize,
) -> Result<(Vec<f32>, Format)> {
    let (format, samples) = open(name, bytes)?;
    let rate = rate.unwrap_or(format.rate);
    if !RATES.contains(&rate) {
        return invalid!(
            "A sound rate of {} was asked for; sound has {} to {} samples a second",
            count(rate as usize),
            RATES.start(),
            count(*RATES.end() as usize)
        );
    }
    let (own, wanted) = (u64::from(format.rate), u64::from(rate));
    let needed = (length as u64)
        .saturating_mul(own)
        .div_ceil(wanted)
        .saturating_add(BEYOND.saturating_mul(own.div_ceil(wanted)));
    let frames = format
        .frames
        .min(usize::try_from(needed).unwrap_or(usize::MAX));
    let mono = decode(name, format, samples, frames)?;
    let mut out = match rate == format.rate {
        true => mono,
        false => resample(&mono, format.rate, rate, length),
    };
    out.resize(length, 0.0);
    out.iter_mut().for_each(|x| *x = x.clamp(-1.0, 1.0));
    Ok((out, format))
}

/// The first `frames` frames as mono.
fn decode(name: &str, format: Format, samples: &[u8], frames: usize) -> Result<Vec<f32>> {
    let Format {
        channels,
        bits,
        float,
        ..
    } = format;
    let frame = u32::from(channels) * u32::from(bits / 8);
    // A plain header for what the file says in many ways; all of it was checked.
    let mut header = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    header.extend(if float { FLOAT } else { PCM }.to_le_bytes());
    header.extend(channels.to_le_bytes());
    // The rate plays no part in decoding.
    header.extend(1u32.to_le_bytes());
    header.extend(frame.to_le_bytes());
    header.extend((frame as u16).to_le_bytes());
    header.extend(bits.to_le_bytes());
    header.extend(b"data");
    header.extend((samples.len() as u32).to_le_bytes());
    let damaged = |e: hound::Error| Error::Malformed(format!("{name} cannot be decoded: {e}"));
    let mut reader = WavReader::new(Cursor::new(header).chain(samples)).map_err(damaged)?;
    let share = 1.0 / f64::from(channels);
    let full = match reader.spec().sample_format {
        SampleFormat::Float => 1.0,
        SampleFormat::Int => 2f64.powi(i32::from(bits) - 1),
    };
    let mut mono = Vec::with_capacity(frames);
    for _ in 0..frames {
        let mut sum = 0.0;
        for _ in 0..channels {
            sum += match float {
                true => loudness(name, reader.samples::<f32>().next(), mono.len())?,
                false => match reader.samples::<i32>().next() {
                    Some(x) => f64::from(x.map_err(damaged)?),
                    None => 0.0,
                },
            };
        }
        mono.push((sum / full * share) as f32);
    }
    Ok(mono)
}

/// A float sample, if it is one of −1..1 or a little beyond.
fn loudness(name: &str, sample: Option<hound::Result<f32>>, frame: usize) -> Result<f64> {
    match sample {
        Some(Ok(x)) if x.abs() <= LOUDEST => Ok(x.into()),
        Some(Ok(x)) if x.is_finite() => malformed!(
            "{name} holds {x} at sample {}; float samples of WAV lie in -1..1",
            count(frame)
        ),
        Some(Ok(_)) => malformed!("{name} holds NaN or infinity at sample {}", count(frame)),
        Some(Err(e)) => malformed!("{name} cannot be decoded: {e}"),
        None => Ok(0.0),
    }
}

/// A WAV file as the one sample of a model input, at `rate` (its own without).
///
/// # Errors
/// Those of [`read`] and [`row_length`].
pub(super) fn column(
    name: &str,
    bytes: &[u8],
    spec: &InputSpec,
    rate: Option<u32>,
) -> Result<Column> {
    let (sound, _) = read(name, bytes, rate, row_length(name, spec)?)?;
    let (dtype, bytes): (DType, Vec<u8>) = match spec.is_real() {
        true => (DType::Float32, bytemuck::pod_collect_to_vec(&sound)),
        false => {
            let whole = sound.iter().flat_map(|&x| pcm(x).to_le_bytes());
            (DType::Int16, whole.collect())
        }
    };
    let array = Array {
        dtype,
        shape: [&[1], spec.sample_shape()].concat(),
        bytes: bytes.into(),
        pixels: false,
    };
    Column::new(array, spec, name, "sounds")
}

/// A value of −1..1 as 16-bit PCM, full scale 32,768.
pub(super) fn pcm(x: f32) -> i16 {
    // A float-to-integer cast saturates.
    (x * 32768.0).round() as i16
}

/// Samples that a model input takes of a sound: its one extent that is not 1.
///
/// # Errors
/// An input that is no single row of reals or 16-bit integers.
pub(super) fn row_length(what: &str, spec: &InputSpec) -> Result<usize> {
    let long = |d: &&usize| **d != 1;
    let mut extents = spec.sample_shape().iter().filter(long);
    let length = match (extents.next(), extents.next()) {
        (None, _) => 1,
        (Some(&n), None) if n > 0 => n,
        _ => {
            return invalid!(
                "{what}: a sound is a single row of samples, the model's input '{}' takes {}",
                spec.short_name(),
                spec.sample_text()
            );
        }
    };
    if spec.is_real() || spec.dtype == DType::Int16 {
        return Ok(length);
    }
    invalid!(
        "{what}: a sound holds values in -1..1, the model's input '{}' takes {}",
        spec.short_name(),
        spec.dtype
    )
}
