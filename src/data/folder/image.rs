//! Image files to pixels, as PIL's `convert('RGB')` gives them, within limits on pixels and bytes.

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};

use crate::data::words::count;

/// Most pixels a side, and in all.
const MAX_SIDE: u32 = 32_768;
const MAX_PIXELS: u64 = 64 << 20;
/// Larger pictures are decoded one at a time, so that memory does not grow with the number of threads.
const LARGE: u64 = 16 << 20;
/// Most bytes that decoding may allocate: 16-bit RGBA of the most pixels.
const MAX_ALLOC: u64 = 8 * MAX_PIXELS;

/// Pixels, row by row, 1 or 3 bytes each.
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: usize,
    pub(super) data: Vec<u8>,
}

/// Decodes a PNG, JPEG, BMP, WebP or GIF (its first picture) by what it holds, whatever its name. Alpha is dropped, palettes are looked up,
/// 16-bit colours keep their high byte, and 16-bit grey without alpha is clipped at 255: all as PIL does. EXIF orientation is not
/// applied, as neither PIL nor Keras applies it when loading. Whoever decodes a large picture holds `large`. `Err` is the reason in a
/// few words.
pub(super) fn decode(bytes: &[u8], large: &Mutex<()>) -> Result<Pixels, String> {
    let unknown = || "not a PNG, JPEG, BMP, WebP or GIF file".to_owned();
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|_| unknown())?;
    if reader.format().is_none() {
        return Err(if bytes.is_empty() {
            "it is empty".into()
        } else {
            unknown()
        });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|e| reason(&e))?;
    let (width, height) = decoder.dimensions();
    let all = u64::from(width) * u64::from(height);
    if all > MAX_PIXELS {
        return Err(too_large(width, height));
    }
    let _alone = (all > LARGE).then(|| large.lock().unwrap_or_else(PoisonError::into_inner));
    if width == 0 || height == 0 {
        return Err("it holds no pixels".into());
    }
    let image = DynamicImage::from_decoder(decoder).map_err(|e| reason(&e))?;
    let high = |x: &u16| (x >> 8) as u8;
    let without_alpha = |data: Vec<u8>, channels: usize| -> Vec<u8> {
        data.chunks_exact(channels + 1)
            .flat_map(|p| p.iter().take(channels).copied())
            .collect()
    };
    let without_alpha_16 = |data: &[u16], channels: usize| -> Vec<u8> {
        data.chunks_exact(channels + 1)
            .flat_map(|p| p.iter().take(channels).map(high))
            .collect()
    };
    let (channels, data) = match image {
        DynamicImage::ImageLuma8(x) => (1, x.into_raw()),
        DynamicImage::ImageLumaA8(x) => (1, without_alpha(x.into_raw(), 1)),
        DynamicImage::ImageRgb8(x) => (3, x.into_raw()),
        DynamicImage::ImageRgba8(x) => (3, without_alpha(x.into_raw(), 3)),
        DynamicImage::ImageLuma16(x) => {
            let clipped = x.as_raw().iter().map(|&x| x.min(255) as u8);
            (1, clipped.collect())
        }
        DynamicImage::ImageLumaA16(x) => (1, without_alpha_16(x.as_raw(), 1)),
        DynamicImage::ImageRgb16(x) => (3, x.as_raw().iter().map(high).collect()),
        DynamicImage::ImageRgba16(x) => (3, without_alpha_16(x.as_raw(), 3)),
        // Float pixels come of formats that are not read here; the list of variants is not closed.
        other => (3, other.into_rgb8().into_raw()),
    };
    Ok(Pixels {
        width: width as usize,
        height: height as usize,
        channels,
        data,
    })
}

fn too_large(width: u32, height: u32) -> String {
    format!(
        "too large: {} × {} pixels, {} million are the limit",
        count(width as usize),
        count(height as usize),
        MAX_PIXELS >> 20
    )
}

/// Why a picture could not be decoded, in a few words.
fn reason(error: &ImageError) -> String {
    match error {
        ImageError::Limits(_) => format!(
            "too large: more than {} pixels a side or {} million in all",
            count(MAX_SIDE as usize),
            MAX_PIXELS >> 20
        ),
        ImageError::Unsupported(_) => "a kind of image that cannot be read".into(),
        ImageError::IoError(_) => "truncated".into(),
        ImageError::Decoding(_) | ImageError::Encoding(_) | ImageError::Parameter(_) => {
            "damaged or truncated".into()
        }
    }
}
