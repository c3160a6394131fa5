//! Pictures cut, resized and padded to the size of a model's input.

use super::image::Pixels;
use crate::data::preprocess::{Fit, Resize};

/// A picture of the input's size: grey levels, rows × pixels × channels.
pub(super) enum Fitted {
    /// Levels as they were in the file.
    Bytes(Vec<u8>),
    /// Levels between them, 0..255.
    Reals(Vec<f32>),
}

/// Part of a picture.
#[derive(Clone, Copy)]
struct Window<'a> {
    pixels: &'a Pixels,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Window<'_> {
    /// One row's bytes.
    fn row(&self, y: usize) -> &[u8] {
        let c = self.pixels.channels;
        let start = ((self.top + y) * self.pixels.width + self.left) * c;
        self.pixels
            .data
            .get(start..start + self.width * c)
            .unwrap_or(&[])
    }
}

/// `pixels` as `width` × `height`.
pub(super) fn fit(
    pixels: &Pixels,
    (width, height): (usize, usize),
    method: Resize,
    fit: Fit,
) -> Fitted {
    let mut window = Window {
        pixels,
        left: 0,
        top: 0,
        width: pixels.width,
        height: pixels.height,
    };
    match fit {
        Fit::Stretch => resize(window, (width, height), method),
        Fit::CentreCrop => {
            // Keras' smart_resize, rounding included.
            let cut = |own: usize, other: usize, own_target: usize, other_target: usize| {
                let wanted = (other as f64 * own_target as f64) / other_target as f64;
                (wanted as usize).min(own).max(1)
            };
            window.height = cut(pixels.height, pixels.width, height, width);
            window.width = cut(pixels.width, pixels.height, width, height);
            window.top = (pixels.height - window.height) / 2;
            window.left = (pixels.width - window.width) / 2;
            resize(window, (width, height), method)
        }
        Fit::Letterbox => {
            // tf.image.resize_with_pad, in its float32.
            let (w, h) = (pixels.width as f32, pixels.height as f32);
            let ratio = (w / width as f32).max(h / height as f32);
            let inner = |x: f32, most: usize| ((x / ratio) as usize).clamp(1, most);
            let (inner_width, inner_height) = (inner(w, width), inner(h, height));
            let margin = |x: f32, most: usize, inner: usize| {
                let half = ((most as f32 - x / ratio) / 2.0).max(0.0) as usize;
                half.min(most - inner)
            };
            let left = margin(w, width, inner_width);
            let top = margin(h, height, inner_height);
            let c = pixels.channels;
            let place = (left * c, top, inner_width * c, inner_height);
            match resize(window, (inner_width, inner_height), method) {
                Fitted::Bytes(x) => Fitted::Bytes(padded(&x, place, (width * c, height))),
                Fitted::Reals(x) => Fitted::Reals(padded(&x, place, (width * c, height))),
            }
        }
    }
}

/// `inner` at (left, top, width, height) within zeros of (width, height), widths in elements.
fn padded<T: Copy + Default>(
    inner: &[T],
    (left, top, inner_width, inner_height): (usize, usize, usize, usize),
    (width, height): (usize, usize),
) -> Vec<T> {
    let mut out = vec![T::default(); width * height];
    let rows = out.chunks_exact_mut(width).skip(top).take(inner_height);
    for (row, from) in rows.zip(inner.chunks_exact(inner_width)) {
        if let Some(part) = row.get_mut(left..left + inner_width) {
            part.copy_from_slice(from);
        }
    }
    out
}

fn resize(window: Window<'_>, (width, height): (usize, usize), method: Resize) -> Fitted {
    if (window.width, window.height) == (width, height) {
        let rows = (0..height).flat_map(|y| window.row(y).iter().copied());
        return Fitted::Bytes(rows.collect());
    }
    match method {
        Resize::Nearest => Fitted::Bytes(nearest(window, width, height)),
        Resize::Bilinear => Fitted::Reals(bilinear(window, width, height)),
        Resize::Area => Fitted::Reals(area(window, width, height)),
    }
}

/// Pixel floor((i + ½) · in / out) of each axis.
fn nearest(window: Window<'_>, width: usize, height: usize) -> Vec<u8> {
    let pick = |i: usize, from: usize, to: usize| {
        let scale = from as f32 / to as f32;
        (((i as f32 + 0.5) * scale).floor() as usize).min(from - 1)
    };
    let c = window.pixels.channels;
    let columns: Vec<usize> = (0..width)
        .map(|x| pick(x, window.width, width) * c)
        .collect();
    let mut out = Vec::with_capacity(width * height * c);
    for y in 0..height {
        let row = window.row(pick(y, window.height, height));
        for &x in &columns {
            out.extend_from_slice(row.get(x..x + c).unwrap_or(&[]));
        }
    }
    out
}

/// For one axis: the two source positions of each result and how far it lies between them, half-pixel centres.
fn between(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let scale = from as f32 / to as f32;
    let place = |i: usize| {
        let x = (i as f32 + 0.5) * scale - 0.5;
        let low = x.floor();
        let upper = (x.ceil().max(0.0) as usize).min(from - 1);
        ((low.max(0.0) as usize).min(from - 1), upper, x - low)
    };
    (0..to).map(place).collect()
}

fn bilinear(window: Window<'_>, width: usize, height: usize) -> Vec<f32> {
    let c = window.pixels.channels;
    let columns = between(window.width, width);
    let mut out = Vec::with_capacity(width * height * c);
    for (low, high, down) in between(window.height, height) {
        let (above, below) = (window.row(low), window.row(high));
        for &(left, right, along) in &columns {
            let corners = [(above, left), (above, right), (below, left), (below, right)]
                .map(|(row, x)| row.get(x * c..(x + 1) * c).unwrap_or(&[]));
            let [nw, ne, sw, se] = corners;
            for (((&nw, &ne), &sw), &se) in nw.iter().zip(ne).zip(sw).zip(se) {
                let [nw, ne, sw, se] = [nw, ne, sw, se].map(f32::from);
                let top = nw + (ne - nw) * along;
                let bottom = sw + (se - sw) * along;
                out.push(top + (bottom - top) * down);
            }
        }
    }
    out
}

/// For one axis: which source positions each result covers, with the share of each; shares add up to 1.
fn covered(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let scale = from as f64 / to as f64;
    let cover = |i: usize| {
        let (start, end) = (i as f64 * scale, (i + 1) as f64 * scale);
        let first = (start.floor() as usize).min(from - 1);
        let last = (end.ceil() as usize).clamp(first + 1, from);
        let share = |at: usize| {
            let overlap = end.min((at + 1) as f64) - start.max(at as f64);
            (overlap.max(0.0) / scale) as f32
        };
        (first, (first..last).map(share).collect())
    };
    (0..to).map(cover).collect()
}

fn area(window: Window<'_>, width: usize, height: usize) -> Vec<f32> {
    let c = window.pixels.channels;
    let columns = covered(window.width, width);
    let across = |y: usize| -> Vec<f32> {
        let row = window.row(y);
        let mut out = vec![0.0; width * c];
        for ((first, shares), pixel) in columns.iter().zip(out.chunks_exact_mut(c)) {
            let from = row.chunks_exact(c).skip(*first);
            for (from, share) in from.zip(shares) {
                for (sum, &level) in pixel.iter_mut().zip(from) {
                    *sum += f32::from(level) * share;
                }
            }
        }
        out
    };
    let mut out = vec![0.0; width * height * c];
    let rows = out.chunks_exact_mut(width * c);
    for ((first, shares), row) in covered(window.height, height).into_iter().zip(rows) {
        for (i, share) in shares.into_iter().enumerate() {
            for (sum, level) in row.iter_mut().zip(across(first + i)) {
                *sum += level * share;
            }
        }
    }
    out
}
