//! Layers that crop or resize images.

use super::super::config::Config;
use super::builder::{Builder, Dim};
use super::conv::{channels_last, image};
use super::line::cropped;
use super::ops::{self, Part};
use super::reshape::borders;
use crate::error::Result;
use crate::graph::{Op, Resize, TensorId};
use crate::{malformed, unsupported};

/// Extents that a layer may ask for; far above any image.
const MAX_EXTENT: usize = 1 << 20;

/// Height and width of an image, both known.
fn extents(b: &Builder, x: TensorId) -> Result<[usize; 2]> {
    match image(b, x)? {
        ([_, Some(h), Some(w)], _) => Ok([h, w]),
        _ => unsupported!(
            "it takes an image of unknown extents; save the model with a fixed input shape"
        ),
    }
}

/// The image in another size; pixels are half a step from the edge, as in Keras.
fn resize(
    b: &mut Builder,
    x: TensorId,
    [h, w]: [usize; 2],
    interpolation: &str,
) -> Result<TensorId> {
    let ([n, ..], channels) = image(b, x)?;
    if h > MAX_EXTENT || w > MAX_EXTENT {
        return malformed!("it makes an image of {h}×{w}");
    }
    let options = Resize {
        align_corners: false,
        half_pixel_centers: true,
    };
    let op = match interpolation {
        "nearest" => Op::ResizeNearestNeighbor(options),
        "bilinear" => Op::ResizeBilinear(options),
        other => {
            return unsupported!(
                "its interpolation is '{}', which TensorFlow Lite does not have; use 'bilinear' or 'nearest'",
                other.escape_debug()
            );
        }
    };
    let size = b.i32s("size", &[2], &[h as i32, w as i32]);
    let shape: Vec<Dim> = vec![n, Some(h), Some(w), Some(channels)];
    Ok(b.node(op, &[x, size], shape))
}

/// A part of an image: first row and column, rows and columns.
fn crop(
    b: &mut Builder,
    x: TensorId,
    [top, left]: [usize; 2],
    [h, w]: [usize; 2],
) -> Result<TensorId> {
    if extents(b, x)? == [h, w] {
        return Ok(x);
    }
    let range = |from: usize, count: usize| Part::range(from as i32, (from + count) as i32);
    Ok(ops::slice(
        b,
        x,
        &[Part::ALL, range(top, h), range(left, w), Part::ALL],
    ))
}

/// Cropping2D.
pub(super) fn cropping(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    channels_last(c)?;
    let ([_, h, w], _) = image(b, x)?;
    let [rows, columns] = borders("cropping", c)?;
    if rows == [0, 0] && columns == [0, 0] {
        return Ok(x);
    }
    let parts = [
        Part::ALL,
        cropped(h, rows)?,
        cropped(w, columns)?,
        Part::ALL,
    ];
    Ok(ops::slice(b, x, &parts))
}

/// UpSampling2D.
pub(super) fn up_sampling(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    channels_last(c)?;
    let [h, w] = extents(b, x)?;
    let [by_h, by_w] = c.sizes("size", Some([2, 2]))?.map(|n| n as usize);
    let size = [h.saturating_mul(by_h), w.saturating_mul(by_w)];
    resize(b, x, size, c.text("interpolation").unwrap_or("nearest"))
}

/// Resizing, with or without cropping to the new aspect ratio first.
pub(super) fn resizing(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    channels_last(c)?;
    if c.flag("pad_to_aspect_ratio", false) {
        return unsupported!(
            "its pad_to_aspect_ratio is not known here; pad with ZeroPadding2D instead"
        );
    }
    let size = [c.size("height", 1)?, c.size("width", 1)?];
    let interpolation = c.text("interpolation").unwrap_or("bilinear");
    match c.flag("crop_to_aspect_ratio", false) {
        true => fill(b, x, size, interpolation),
        false => resize(b, x, size, interpolation),
    }
}

/// The middle of the image with the aspect ratio of `size`, resized to it.
fn fill(b: &mut Builder, x: TensorId, [h, w]: [usize; 2], interpolation: &str) -> Result<TensorId> {
    let [have_h, have_w] = extents(b, x)?;
    // As Keras does: the largest part of the wanted ratio, its corner rounded down.
    let along = |have: usize, other: usize, want: usize, want_other: usize| {
        let ratio = other.saturating_mul(want) / want_other.max(1);
        ratio.min(have).max(1)
    };
    let part = [along(have_h, have_w, h, w), along(have_w, have_h, w, h)];
    let corner = [
        (have_h - part[0].min(have_h)) / 2,
        (have_w - part[1].min(have_w)) / 2,
    ];
    let x = crop(b, x, corner, part)?;
    resize(b, x, [h, w], interpolation)
}

/// CenterCrop: the middle, or the whole resized where the image is smaller than that.
pub(super) fn center_crop(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    channels_last(c)?;
    let [h, w] = extents(b, x)?;
    let size = [c.size("height", 1)?, c.size("width", 1)?];
    if h < size[0] || w < size[1] {
        return fill(b, x, size, "bilinear");
    }
    crop(b, x, [(h - size[0]) / 2, (w - size[1]) / 2], size)
}
