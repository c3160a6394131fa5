//! WAV files: every sample format, mixing, length and rate, and what is refused, word for word.

use std::f32::consts::TAU;
use std::io::Cursor;

use hound::{SampleFormat, WavSpec, WavWriter};
use proptest::prelude::*;
use zeropoint::data::{self, InputSpec};
use zeropoint::error::Result;
use zeropoint::graph::{DType, Data, Value};

use crate::data_files::{real, spec};

/// A WAV file of these integers, channels interleaved.
pub fn wav(channels: u16, rate: u32, bits: u16, samples: &[i32]) -> Vec<u8> {
    let form = WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: bits,
        sample_format: SampleFormat::Int,
    };
    let mut out = Cursor::new(vec![]);
    let mut writer = WavWriter::new(&mut out, form).unwrap();
    samples
        .iter()
        .for_each(|&x| writer.write_sample(x).unwrap());
    writer.finalize().unwrap();
    out.into_inner()
}

fn floats(samples: &[f32]) -> Vec<u8> {
    let form = WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let mut out = Cursor::new(vec![]);
    let mut writer = WavWriter::new(&mut out, form).unwrap();
    samples
        .iter()
        .for_each(|&x| writer.write_sample(x).unwrap());
    writer.finalize().unwrap();
    out.into_inner()
}

/// A WAV file by its fields: format tag, channels, rate, block, bits; then the declared length of the samples.
fn raw(fields: (u16, u16, u32, u16, u16), declared: u32, samples: &[u8]) -> Vec<u8> {
    let (tag, channels, rate, block, bits) = fields;
    let mut out = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0odd\0fmt \x10\0\0\0".to_vec();
    out.extend(tag.to_le_bytes());
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend(rate.wrapping_mul(block.into()).to_le_bytes());
    out.extend(block.to_le_bytes());
    out.extend(bits.to_le_bytes());
    out.extend(b"data");
    out.extend(declared.to_le_bytes());
    out.extend(samples);
    out
}

fn read(bytes: Vec<u8>, specs: &[InputSpec]) -> Result<Value> {
    let set = data::open("s.wav", bytes.into(), None, specs)?;
    assert_eq!(set.len(), 1);
    Ok(set.batch(0..1)?.remove(0))
}

fn values(bytes: Vec<u8>, length: usize) -> Vec<f32> {
    let value = read(bytes, &real(&[1, length])).unwrap();
    value.as_f32().unwrap().to_vec()
}

#[test]
fn every_sample_format_spans_minus_one_to_one() {
    for bits in [8, 16, 24, 32u16] {
        let full = 1i64 << (bits - 1);
        let samples = [-full, full / 2, 0, -full / 4, full - 1].map(|x| x as i32);
        let got = values(wav(1, 8000, bits, &samples), 5);
        let top = ((full - 1) as f64 / full as f64) as f32;
        assert_eq!(got, [-1.0, 0.5, 0.0, -0.25, top], "{bits} bits");
    }
    assert_eq!(values(floats(&[-1.0, 0.3, 1.5]), 3), [-1.0, 0.3, 1.0]);
}

#[test]
fn channels_are_averaged_and_the_length_is_made_to_fit() {
    let stereo = wav(2, 8000, 16, &[16384, 0, -16384, -16384, 8192, 24576]);
    assert_eq!(values(stereo.clone(), 3), [0.25, -0.5, 0.5]);
    assert_eq!(values(stereo.clone(), 2), [0.25, -0.5]);
    assert_eq!(values(stereo.clone(), 5), [0.25, -0.5, 0.5, 0.0, 0.0]);
    // One row of samples, wherever the model puts its axes of 1; 16-bit integers where it asks for them.
    let column = read(stereo.clone(), &real(&[1, 3, 1])).unwrap();
    assert_eq!(column.shape, [1, 3, 1]);
    let whole = read(stereo, &[spec("pcm", DType::Int16, &[1, 4])]).unwrap();
    assert_eq!(whole.data, Data::I16(vec![8192, -16384, 16384, 0]));
}

#[test]
fn odd_chunks_before_the_samples_are_stepped_over() {
    let samples: Vec<u8> = [1i16, -2].iter().flat_map(|x| x.to_le_bytes()).collect();
    let got = values(raw((1, 1, 8000, 2, 16), 4, &samples), 2);
    assert_eq!(got, [1.0 / 32768.0, -2.0 / 32768.0]);
}

#[test]
fn what_is_no_sound_is_named() {
    let some = [0u8; 8];
    for (bytes, want) in [
        (
            raw((1, 1, 8000, 2, 16), 800, &some),
            "s.wav declares 800 bytes of sound, it holds 8; it is truncated or was never finished",
        ),
        (
            raw((1, 1, 8000, 2, 16), u32::MAX, &some),
            "s.wav declares 4,294,967,295 bytes of sound, it holds 8; it is truncated or was never finished",
        ),
        (
            raw((1, 0, 8000, 2, 16), 8, &some),
            "s.wav declares 0 channels",
        ),
        (
            raw((1, 1, 0, 2, 16), 8, &some),
            "s.wav declares 0 samples a second; sound has 100 to 1,000,000",
        ),
        (
            raw((1, 1, u32::MAX, 2, 16), 8, &some),
            "s.wav declares 4,294,967,295 samples a second; sound has 100 to 1,000,000",
        ),
        (
            raw((1, 2, 8000, 2, 16), 8, &some),
            "s.wav contradicts itself: 2 channels of 16 bits take 4 bytes, it declares 2 in 8 bytes of sound",
        ),
        (
            raw((1, 1, 8000, 2, 16), 7, &some),
            "s.wav contradicts itself: 1 channels of 16 bits take 2 bytes, it declares 2 in 7 bytes of sound",
        ),
        (
            raw((1, 1, 8000, 2, 16), 0, &some),
            "s.wav holds no sound: it is 0 samples long",
        ),
        (
            raw((1, 1, 8000, 1, 12), 8, &some),
            "s.wav holds 12-bit integer samples; WAV can be read with integers of 8, 16, 24 or 32 bits and floats of 32",
        ),
        (
            raw((3, 1, 8000, 8, 64), 8, &some),
            "s.wav holds 64-bit float samples; WAV can be read with integers of 8, 16, 24 or 32 bits and floats of 32",
        ),
        (
            raw((7, 1, 8000, 1, 8), 8, &some),
            "s.wav holds compressed sound (WAV format 0x0007); save it as PCM",
        ),
        (
            floats(&[0.0, 20_000.0]),
            "s.wav holds 20000 at sample 1; float samples of WAV lie in -1..1",
        ),
        (
            floats(&[f32::NAN]),
            "s.wav holds NaN or infinity at sample 0",
        ),
        (
            b"RIFF\0\0\0\0WAVE".to_vec(),
            "s.wav holds no sound: its samples are missing",
        ),
        (
            b"RIFF\0\0\0\0WAVEdata\x08\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            "s.wav does not say how its samples are stored",
        ),
        (
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01".to_vec(),
            "s.wav ends within its header",
        ),
        (
            b"RIFF\0\0\0\0AVI ".to_vec(),
            "s.wav is not a WAV file: it does not begin as one",
        ),
    ] {
        let got = read(bytes, &real(&[1, 4])).expect_err(want);
        assert_eq!(got.to_string(), want);
    }
}

#[test]
fn inputs_that_are_no_row_of_samples_are_named() {
    let sound = || wav(1, 8000, 16, &[1, 2, 3]);
    let got = read(sound(), &real(&[1, 49, 40])).unwrap_err();
    assert_eq!(
        got.to_string(),
        "s.wav: a sound is a single row of samples, the model's input 'x' takes 49 × 40"
    );
    let got = read(sound(), &[spec("ids", DType::Int64, &[1, 3])]).unwrap_err();
    assert_eq!(
        got.to_string(),
        "s.wav: a sound holds values in -1..1, the model's input 'ids' takes int64"
    );
}

proptest! {
    /// What is written reads back.
    #[test]
    fn sounds_read_back(
        samples in prop::collection::vec(-32768i32..32768, 1..60),
        more in 0usize..20,
        rate in 100u32..1_000_000,
    ) {
        let got = values(wav(1, rate, 16, &samples), samples.len() + more);
        let mut want: Vec<f32> = samples.iter().map(|&x| x as f32 / 32768.0).collect();
        want.resize(samples.len() + more, 0.0);
        prop_assert_eq!(got, want);
    }

    /// Damaged files give an error or a sound in -1..1, never a panic.
    #[test]
    fn flipped_bytes_do_no_harm(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        bits in prop::sample::select(vec![8u16, 16, 24, 32]),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = wav(2, 16_000, bits, &[7, -7, 100, -100, 0, 1]);
        let mut bytes = whole.clone();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for bytes in [bytes, whole[..cut.index(whole.len())].to_vec()] {
            if let Ok(value) = read(bytes, &real(&[1, 9])) {
                prop_assert!(value.as_f32().unwrap().iter().all(|x| x.abs() <= 1.0));
            }
        }
    }
}

#[test]
fn a_tone_keeps_its_pitch() {
    // 440 Hz for half a second: as many zero crossings as a tone of that pitch has.
    let samples: Vec<i32> = (0..8000)
        .map(|n| ((TAU * 440.0 * n as f32 / 16_000.0).sin() * 30_000.0) as i32)
        .collect();
    let got = values(wav(1, 16_000, 16, &samples), 8000);
    let rises = got.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
    assert_eq!(rises, 219);
}
