//! Histograms as small as a word: each is painted once into a texture that all share, then costs one rectangle a frame.

use std::collections::HashMap;

use egui::emath::GuiRounding as _;
use egui::{
    Color32, ColorImage, Mesh, Painter, Rect, Shape, TextureHandle, TextureOptions, Vec2, pos2,
    vec2,
};

/// Side of the shared texture in pixels: room for some hundred histograms at scale 1.
const SIDE: usize = 1024;

/// The histograms painted so far. Within a frame: [`show`](Self::show) each, then [`paint`](Self::paint).
#[derive(Default)]
pub struct Thumbnails {
    sheet: Option<Sheet>,
    /// What this frame shows so far.
    mesh: Mesh,
}

/// The texture, filled in rows from the top.
struct Sheet {
    texture: TextureHandle,
    /// Where the picture of these columns stands: its left upper pixel.
    places: HashMap<Columns, [usize; 2]>,
    /// Where the next goes, and how high its row is.
    next: [usize; 2],
    row: usize,
}

/// How many pixels each column of a picture fills from the bottom; what it looks like, white on nothing.
#[derive(PartialEq, Eq, Hash)]
struct Columns {
    height: usize,
    filled: Vec<u16>,
}

impl std::fmt::Debug for Thumbnails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.sheet.as_ref().map_or(0, |s| s.places.len());
        write!(f, "Thumbnails({known})")
    }
}

impl Thumbnails {
    /// A histogram with bars of these heights, 0..1, that fill `rect`.
    pub fn show(&mut self, painter: &Painter, rect: Rect, heights: &[f32], color: Color32) {
        let scale = painter.pixels_per_point();
        let rect = rect.round_to_pixels(scale);
        let columns = Columns::of(rect.size() * scale, heights);
        let size = columns.size();
        let sheet = self.sheet.get_or_insert_with(|| Sheet::new(painter.ctx()));
        match sheet.place(columns) {
            Some(at) => {
                let side = SIDE as f32;
                let uv = |p: [usize; 2]| pos2(p[0] as f32 / side, p[1] as f32 / side);
                let uv = Rect::from_min_max(uv(at), uv([at[0] + size[0], at[1] + size[1]]));
                self.mesh.texture_id = sheet.texture.id();
                self.mesh.add_rect_with_uv(rect, uv, color);
            }
            // More than the texture holds: this one is left out of it.
            None => bars(painter, rect, heights, color),
        }
    }

    /// Paints what was shown since the last call.
    pub fn paint(&mut self, painter: &Painter) {
        painter.add(Shape::mesh(std::mem::take(&mut self.mesh)));
        // Once it is full, the next frame begins with those in sight.
        if self.sheet.as_ref().is_some_and(Sheet::is_full) {
            self.sheet = None;
        }
    }
}

impl Columns {
    fn of(pixels: Vec2, heights: &[f32]) -> Self {
        let whole = |x: f32| (x.round().max(1.0) as usize).min(SIDE);
        let (width, height) = (whole(pixels.x), whole(pixels.y));
        let column = |x: usize| {
            let bar = heights.get(x * heights.len() / width).copied();
            let filled = bar.unwrap_or(0.0).clamp(0.0, 1.0) * height as f32;
            // The line that the bars stand on.
            (filled.round() as u16).max(1)
        };
        Self {
            height,
            filled: (0..width).map(column).collect(),
        }
    }

    fn size(&self) -> [usize; 2] {
        [self.filled.len(), self.height]
    }

    fn image(&self) -> ColorImage {
        let mut image = ColorImage::filled(self.size(), Color32::TRANSPARENT);
        for (x, &filled) in self.filled.iter().enumerate() {
            for y in self.height - usize::from(filled).min(self.height)..self.height {
                image[(x, y)] = Color32::WHITE;
            }
        }
        image
    }
}

impl Sheet {
    fn new(ctx: &egui::Context) -> Self {
        let empty = ColorImage::filled([SIDE, SIDE], Color32::TRANSPARENT);
        Self {
            texture: ctx.load_texture("thumbnails", empty, TextureOptions::NEAREST),
            places: HashMap::new(),
            next: [0, 0],
            row: 0,
        }
    }

    /// Where the picture of these columns stands, painted now if it was not; `None` without room.
    fn place(&mut self, columns: Columns) -> Option<[usize; 2]> {
        if let Some(&at) = self.places.get(&columns) {
            return Some(at);
        }
        let [width, height] = columns.size();
        if self.next[0] + width > SIDE {
            self.next = [0, self.next[1] + self.row];
            self.row = 0;
        }
        self.row = self.row.max(height);
        if self.next[1] + self.row > SIDE {
            return None;
        }
        let at = self.next;
        self.next[0] += width;
        (self.texture).set_partial(at, columns.image(), TextureOptions::NEAREST);
        self.places.insert(columns, at);
        Some(at)
    }

    fn is_full(&self) -> bool {
        self.next[1] + self.row > SIDE
    }
}

/// The bars themselves, in one mesh.
fn bars(painter: &Painter, rect: Rect, heights: &[f32], color: Color32) {
    let width = rect.width() / heights.len().max(1) as f32;
    let mut mesh = Mesh::default();
    for (i, &height) in heights.iter().enumerate() {
        let left = rect.left() + i as f32 * width;
        let size = vec2(width, (height * rect.height()).max(1.0));
        let corner = pos2(left, rect.bottom() - size.y);
        mesh.add_colored_rect(Rect::from_min_size(corner, size), color);
    }
    painter.add(Shape::mesh(mesh));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_whole_columns_on_a_base_line() {
        let columns = Columns::of(vec2(4.0, 8.0), &[0.0, 1.0]);
        assert_eq!(columns.filled, [1, 1, 8, 8]);
        let image = columns.image();
        let white = |x, y| image[(x, y)] == Color32::WHITE;
        assert!(white(0, 7) && !white(0, 6) && white(3, 0));
        // More bars than pixels, none, and what is no height at all.
        assert_eq!(Columns::of(vec2(2.0, 4.0), &[0.5; 9]).filled, [2, 2]);
        assert_eq!(Columns::of(vec2(2.0, 4.0), &[]).filled, [1, 1]);
        assert_eq!(Columns::of(vec2(2.0, 4.0), &[f32::NAN, 7.0]).filled, [1, 4]);
    }

    #[test]
    fn equal_histograms_share_a_place_and_a_full_sheet_says_so() {
        let ctx = egui::Context::default();
        let mut sheet = Sheet::new(&ctx);
        let columns = |n: u16| Columns {
            height: SIDE / 2,
            filled: vec![n; SIDE / 2],
        };
        let first = sheet.place(columns(1));
        assert_eq!((first, sheet.place(columns(1))), (Some([0, 0]), first));
        let more = [2, 3, 4, 5].map(|n| sheet.place(columns(n)));
        let half = SIDE / 2;
        assert_eq!(
            more,
            [Some([half, 0]), Some([0, half]), Some([half, half]), None]
        );
        assert!(sheet.is_full());
    }
}
