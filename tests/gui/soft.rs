//! Paints egui's triangles on the CPU, so that pictures need neither a display nor a GPU library.

use std::collections::HashMap;

use egui::epaint::{ImageData, ImageDelta, Primitive, Vertex};
use egui::{Color32, Rect, TextureFilter, TextureId, TexturesDelta};
use egui_kittest::TestRenderer;
use image::RgbaImage;
use zeropoint::gui::theme::Theme;

/// Vertices are snapped to this part of a pixel: edges become exact, so neighbouring triangles neither overlap nor leave gaps.
const SUBPIXEL: i64 = 256;

/// The renderer, with the textures that it was given so far.
#[derive(Default)]
pub struct Soft {
    textures: HashMap<TextureId, Texture>,
}

struct Texture {
    size: [usize; 2],
    /// Premultiplied alpha, row by row.
    pixels: Vec<Color32>,
    nearest: bool,
}

impl TestRenderer for Soft {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, changes) in delta.set.drain() {
            for change in changes {
                self.change(id, &change);
            }
        }
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }

    fn render(
        &mut self,
        ctx: &egui::Context,
        output: &egui::FullOutput,
    ) -> Result<RgbaImage, String> {
        let scale = ctx.pixels_per_point();
        let size = ctx.content_rect().size() * scale;
        let size = (size.x.round() as usize, size.y.round() as usize);
        let mut canvas = Canvas::new(size.0, size.1, Theme::of(ctx).bg);
        for part in ctx.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = part.primitive else {
                return Err("a paint callback cannot be drawn on the CPU".into());
            };
            let texture = self
                .textures
                .get(&mesh.texture_id)
                .ok_or("a mesh names a texture that is gone")?;
            canvas.clip_to(part.clip_rect * scale);
            for corners in mesh.indices.chunks_exact(3) {
                canvas.triangle(
                    [0, 1, 2].map(|i| mesh.vertices[corners[i] as usize]),
                    scale,
                    texture,
                );
            }
        }
        canvas.into_image()
    }
}

impl Soft {
    fn change(&mut self, id: TextureId, delta: &ImageDelta) {
        let ImageData::Color(image) = &delta.image;
        let Some([left, top]) = delta.pos else {
            let texture = Texture {
                size: image.size,
                pixels: image.pixels.clone(),
                nearest: delta.options.magnification == TextureFilter::Nearest,
            };
            self.textures.insert(id, texture);
            return;
        };
        if let Some(texture) = self.textures.get_mut(&id) {
            for (y, row) in image.pixels.chunks_exact(image.size[0]).enumerate() {
                let at = (top + y) * texture.size[0] + left;
                texture.pixels[at..at + row.len()].copy_from_slice(row);
            }
        }
    }
}

impl Texture {
    fn texel(&self, x: i32, y: i32) -> [f32; 4] {
        let x = x.clamp(0, self.size[0] as i32 - 1) as usize;
        let y = y.clamp(0, self.size[1] as i32 - 1) as usize;
        floats(self.pixels[y * self.size[0] + x])
    }

    /// Colour (0..255) at texture coordinates 0..1.
    fn sample(&self, u: f32, v: f32) -> [f32; 4] {
        let (x, y) = (u * self.size[0] as f32, v * self.size[1] as f32);
        if self.nearest {
            return self.texel(x.floor() as i32, y.floor() as i32);
        }
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let (left, top) = (left as i32, top as i32);
        // Glyphs lie on whole pixels: one texel is all it takes.
        if fx < 1e-3 && fy < 1e-3 {
            return self.texel(left, top);
        }
        let above = mix(self.texel(left, top), self.texel(left + 1, top), fx);
        let below = mix(self.texel(left, top + 1), self.texel(left + 1, top + 1), fx);
        mix(above, below, fy)
    }
}

/// The picture while it is painted, premultiplied alpha in gamma space like egui's own back ends.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
    /// Left, top, right, bottom in pixels, within the picture.
    clip: [i64; 4],
}

impl Canvas {
    /// A picture of that size, cleared as the window is.
    fn new(width: usize, height: usize, background: Color32) -> Self {
        Self {
            width,
            height,
            pixels: vec![background.to_array(); width * height],
            clip: [0, 0, width as i64, height as i64],
        }
    }

    fn clip_to(&mut self, pixels: Rect) {
        let (width, height) = (self.width as f32, self.height as f32);
        self.clip = [
            pixels.min.x.round().clamp(0.0, width) as i64,
            pixels.min.y.round().clamp(0.0, height) as i64,
            pixels.max.x.round().clamp(0.0, width) as i64,
            pixels.max.y.round().clamp(0.0, height) as i64,
        ];
    }

    /// Fills the pixels whose centres lie in the triangle; a centre on an edge belongs to it only if the edge is a top or left one.
    fn triangle(&mut self, mut corners: [Vertex; 3], scale: f32, texture: &Texture) {
        let snap = |v: &Vertex| {
            let fixed = |c: f32| (f64::from(c * scale) * SUBPIXEL as f64).round() as i64;
            (fixed(v.pos.x), fixed(v.pos.y))
        };
        let [mut a, mut b, c] = [snap(&corners[0]), snap(&corners[1]), snap(&corners[2])];
        let area = (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0);
        if area == 0 {
            return;
        }
        if area < 0 {
            corners.swap(0, 1);
            (a, b) = (b, a);
        }
        let edges = [Edge::new(a, b), Edge::new(b, c), Edge::new(c, a)];
        let top = a.1.min(b.1).min(c.1).div_euclid(SUBPIXEL).max(self.clip[1]);
        let bottom = (a.1.max(b.1).max(c.1).div_euclid(SUBPIXEL) + 1).min(self.clip[3]);
        let (mut paint, start) = (Paint::new(&corners, [a, b, c], texture), self.clip[0]);
        for y in top..bottom {
            let (mut left, mut right) = (start, self.clip[2]);
            for edge in &edges {
                edge.narrow(y, &mut left, &mut right);
            }
            if left < right {
                let row = y as usize * self.width;
                let span = &mut self.pixels[row + left as usize..row + right as usize];
                paint.span(span, left as f32 + 0.5, y as f32 + 0.5);
            }
        }
    }

    fn into_image(self) -> Result<RgbaImage, String> {
        let bytes = self.pixels.into_flattened();
        RgbaImage::from_raw(self.width as u32, self.height as u32, bytes)
            .ok_or_else(|| "the picture has no size".into())
    }
}

/// One side of a triangle whose inside lies where the edge function is positive.
struct Edge {
    from: (i64, i64),
    dx: i64,
    dy: i64,
    /// Smallest value of the edge function that is inside: 0 for top and left edges, else 1.
    least: i64,
}

impl Edge {
    fn new(from: (i64, i64), to: (i64, i64)) -> Self {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let top_left = dy < 0 || (dy == 0 && dx > 0);
        Self {
            from,
            dx,
            dy,
            least: i64::from(!top_left),
        }
    }

    /// Leaves of the pixels `left..right` of row `y` those whose centres are inside.
    fn narrow(&self, y: i64, left: &mut i64, right: &mut i64) {
        let half = SUBPIXEL / 2;
        let first = self.dx * (y * SUBPIXEL + half - self.from.1) - self.dy * (half - self.from.0);
        let (room, step) = (first - self.least, self.dy * SUBPIXEL);
        if step > 0 {
            *right = (*right).min(room.div_euclid(step) + 1);
        } else if step < 0 {
            *left = (*left).max(-room.div_euclid(-step));
        } else if room < 0 {
            *right = *left;
        }
    }
}

/// How a triangle colours its pixels.
enum Paint<'a> {
    /// One colour everywhere.
    Flat([f32; 4]),
    /// Colours that change from corner to corner (egui's soft edges), times one texel.
    Shaded { color: Plane<4>, texel: [f32; 4] },
    /// A texture times one colour.
    Textured {
        texture: &'a Texture,
        uv: Plane<2>,
        color: [f32; 4],
    },
    /// A texture times changing colours.
    Both {
        texture: &'a Texture,
        uv: Plane<2>,
        color: Plane<4>,
    },
}

impl<'a> Paint<'a> {
    fn new(v: &[Vertex; 3], at: [(i64, i64); 3], texture: &'a Texture) -> Self {
        let colors = [floats(v[0].color), floats(v[1].color), floats(v[2].color)];
        let one_color = v[0].color == v[1].color && v[1].color == v[2].color;
        let one_texel = v[0].uv == v[1].uv && v[1].uv == v[2].uv;
        let uv = || Plane::new(at, [0, 1, 2].map(|i| [v[i].uv.x, v[i].uv.y]));
        match (one_color, one_texel) {
            (_, true) => {
                let texel = texture.sample(v[0].uv.x, v[0].uv.y);
                if one_color {
                    Paint::Flat(times(colors[0], texel))
                } else {
                    Paint::Shaded {
                        color: Plane::new(at, colors),
                        texel,
                    }
                }
            }
            (true, false) => Paint::Textured {
                texture,
                uv: uv(),
                color: colors[0],
            },
            (false, false) => Paint::Both {
                texture,
                uv: uv(),
                color: Plane::new(at, colors),
            },
        }
    }

    /// Paints the pixels from the one whose centre is (x, y) on.
    fn span(&mut self, pixels: &mut [[u8; 4]], x: f32, y: f32) {
        match self {
            Paint::Flat(color) if color[3] >= 254.5 => pixels.fill(bytes(*color)),
            Paint::Flat(color) if color.iter().all(|&c| c < 0.5) => {}
            Paint::Flat(color) => pixels.iter_mut().for_each(|p| blend(p, *color)),
            Paint::Shaded { color, texel } => {
                let mut at = color.at(x, y);
                for pixel in pixels {
                    blend(pixel, times(at, *texel));
                    color.right(&mut at);
                }
            }
            Paint::Textured { texture, uv, color } => {
                let mut at = uv.at(x, y);
                for pixel in pixels {
                    let texel = texture.sample(at[0], at[1]);
                    if texel[3] > 0.0 || texel[0] > 0.0 {
                        blend(pixel, times(*color, texel));
                    }
                    uv.right(&mut at);
                }
            }
            Paint::Both { texture, uv, color } => {
                let (mut at, mut tint) = (uv.at(x, y), color.at(x, y));
                for pixel in pixels {
                    blend(pixel, times(tint, texture.sample(at[0], at[1])));
                    uv.right(&mut at);
                    color.right(&mut tint);
                }
            }
        }
    }
}

/// `N` values that change linearly over the picture.
struct Plane<const N: usize> {
    origin: [f32; 2],
    value: [f32; N],
    dx: [f32; N],
    dy: [f32; N],
}

impl<const N: usize> Plane<N> {
    /// Through the values at three corners (in subpixels, not in one line).
    fn new(at: [(i64, i64); 3], v: [[f32; N]; 3]) -> Self {
        let pixel = |c: i64| c as f32 / SUBPIXEL as f32;
        let (x1, y1) = (pixel(at[1].0 - at[0].0), pixel(at[1].1 - at[0].1));
        let (x2, y2) = (pixel(at[2].0 - at[0].0), pixel(at[2].1 - at[0].1));
        let area = x1 * y2 - x2 * y1;
        let (mut dx, mut dy) = ([0.0; N], [0.0; N]);
        for i in 0..N {
            let (d1, d2) = (v[1][i] - v[0][i], v[2][i] - v[0][i]);
            dx[i] = (d1 * y2 - d2 * y1) / area;
            dy[i] = (d2 * x1 - d1 * x2) / area;
        }
        Self {
            origin: [pixel(at[0].0), pixel(at[0].1)],
            value: v[0],
            dx,
            dy,
        }
    }

    fn at(&self, x: f32, y: f32) -> [f32; N] {
        let (x, y) = (x - self.origin[0], y - self.origin[1]);
        std::array::from_fn(|i| self.value[i] + self.dx[i] * x + self.dy[i] * y)
    }

    /// One pixel further to the right.
    fn right(&self, values: &mut [f32; N]) {
        for (value, dx) in values.iter_mut().zip(self.dx) {
            *value += dx;
        }
    }
}

fn floats(color: Color32) -> [f32; 4] {
    color.to_array().map(f32::from)
}

fn bytes(color: [f32; 4]) -> [u8; 4] {
    color.map(|c| (c + 0.5) as u8)
}

/// The product of two colours whose channels go from 0 to 255.
fn times(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
    std::array::from_fn(|i| a[i] * b[i] * (1.0 / 255.0))
}

fn mix(a: [f32; 4], b: [f32; 4], share: f32) -> [f32; 4] {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
}

/// Lays a premultiplied colour over a pixel.
fn blend(pixel: &mut [u8; 4], color: [f32; 4]) {
    let rest = 1.0 - color[3] * (1.0 / 255.0);
    for i in 0..4 {
        pixel[i] = (color[i] + f32::from(pixel[i]) * rest + 0.5) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{Pos2, pos2, vec2};

    fn white() -> Texture {
        Texture {
            size: [1, 1],
            pixels: vec![Color32::WHITE],
            nearest: false,
        }
    }

    fn corner(pos: Pos2, color: Color32) -> Vertex {
        Vertex {
            pos,
            uv: pos2(0.5, 0.5),
            color,
        }
    }

    /// A translucent fan round a point off the pixel grid: every pixel of the square must be painted once, not twice and not never.
    #[test]
    fn triangles_that_share_edges_cover_each_pixel_once() {
        let color = Color32::from_rgba_premultiplied(100, 100, 100, 100);
        let mut canvas = Canvas::new(20, 20, Color32::TRANSPARENT);
        let rim = [
            (2.0, 2.0),
            (11.3, 2.0),
            (18.0, 2.0),
            (18.0, 7.7),
            (18.0, 18.0),
            (5.5, 18.0),
            (2.0, 18.0),
            (2.0, 9.1),
        ];
        let rim = rim.map(|(x, y)| pos2(x, y));
        for (i, &from) in rim.iter().enumerate() {
            let fan = [pos2(9.37, 8.61), from, rim[(i + 1) % rim.len()]];
            canvas.triangle(fan.map(|p| corner(p, color)), 1.0, &white());
        }
        for y in 0..20 {
            for x in 0..20 {
                let inside = (2..18).contains(&x) && (2..18).contains(&y);
                let expected = if inside { [100; 4] } else { [0; 4] };
                assert_eq!(canvas.pixels[y * 20 + x], expected, "pixel {x}, {y}");
            }
        }
    }

    #[test]
    fn colours_run_linearly_between_corners_and_the_clip_holds() {
        let mut canvas = Canvas::new(10, 2, Color32::TRANSPARENT);
        canvas.clip_to(Rect::from_min_size(pos2(0.0, 0.0), vec2(8.0, 1.0)));
        let (black, white_) = (Color32::BLACK, Color32::WHITE);
        let (a, b, c, d) = (
            pos2(0.0, 0.0),
            pos2(10.0, 0.0),
            pos2(10.0, 2.0),
            pos2(0.0, 2.0),
        );
        canvas.triangle(
            [corner(a, black), corner(b, white_), corner(c, white_)],
            1.0,
            &white(),
        );
        canvas.triangle(
            [corner(a, black), corner(c, white_), corner(d, black)],
            1.0,
            &white(),
        );
        let row: Vec<u8> = canvas.pixels[..10].iter().map(|p| p[0]).collect();
        assert_eq!(row, [13, 38, 64, 89, 115, 140, 166, 191, 0, 0]);
        assert!(canvas.pixels[10..].iter().all(|&p| p == [0; 4]));
    }

    #[test]
    fn textures_are_interpolated_between_texel_centres() {
        let gray = |v| Color32::from_gray(v);
        let texture = Texture {
            size: [2, 1],
            pixels: vec![gray(0), gray(200)],
            nearest: false,
        };
        let sampled: Vec<f32> = [0.0, 0.25, 0.5, 0.75, 1.0]
            .iter()
            .map(|&u| texture.sample(u, 0.5)[0])
            .collect();
        assert_eq!(sampled, [0.0, 0.0, 100.0, 200.0, 200.0]);
        let nearest = Texture {
            nearest: true,
            ..texture
        };
        assert_eq!(nearest.sample(0.49, 0.5)[0], 0.0);
        assert_eq!(nearest.sample(0.51, 0.5)[0], 200.0);
    }
}
