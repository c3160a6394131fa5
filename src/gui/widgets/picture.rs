//! What the model sees of a sample: an image from a texture that is uploaded once, or a curve.

use egui::{
    ColorImage, Painter, Pos2, Rect, Shape, Stroke, TextureHandle, TextureOptions, Vec2, pos2, vec2,
};

use crate::data::{Picture, Preview, Thumbnail};
use crate::gui::theme::Theme;

/// The textures of one preview; uploaded when another preview is shown, never per frame.
#[derive(Default)]
pub struct Pictures {
    key: Option<u64>,
    handles: Vec<Option<TextureHandle>>,
}

impl std::fmt::Debug for Pictures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pictures({:?}, {})", self.key, self.handles.len())
    }
}

impl Pictures {
    /// Makes sure that these are the pictures of `preview`; `key` changes whenever the preview does.
    pub fn show(&mut self, ctx: &egui::Context, key: u64, preview: &Preview) {
        if self.key == Some(key) {
            return;
        }
        let upload = |(i, sample): (usize, &crate::data::PreviewSample)| match &sample.picture {
            Picture::Image(thumbnail) => Some(upload(ctx, &format!("sample {i}"), thumbnail)),
            Picture::Curve(_) => None,
        };
        self.handles = preview.samples.iter().enumerate().map(upload).collect();
        self.key = Some(key);
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Paints sample `at` as large as it fits into `rect`, on black where it has other proportions.
    pub fn paint(
        &self,
        painter: &Painter,
        rect: Rect,
        at: usize,
        picture: &Picture,
        theme: &Theme,
    ) {
        match (picture, self.handles.get(at)) {
            (Picture::Image(_), Some(Some(handle))) => paint_texture(painter, rect, handle),
            (Picture::Curve(parts), _) => curve(painter, rect, parts, theme),
            (Picture::Image(_), _) => {}
        }
    }
}

/// Uploads one thumbnail: few pixels keep their edges, many are smoothed.
pub fn upload(ctx: &egui::Context, name: &str, thumbnail: &Thumbnail) -> TextureHandle {
    let size = [thumbnail.width, thumbnail.height];
    let fits = thumbnail.rgb.len() == size[0] * size[1] * 3;
    let image = match fits {
        true => ColorImage::from_rgb(size, &thumbnail.rgb),
        // Never made so; a grey pixel is better than a panic.
        false => ColorImage::from_rgb([1, 1], &[128; 3]),
    };
    let options = match size[0].max(size[1]) {
        ..=64 => TextureOptions::NEAREST,
        _ => TextureOptions::LINEAR,
    };
    ctx.load_texture(name, image, options)
}

/// Paints a texture as large as it fits into `rect`.
pub fn paint_texture(painter: &Painter, rect: Rect, texture: &TextureHandle) {
    let size = texture.size_vec2();
    let scale = (rect.width() / size.x).min(rect.height() / size.y);
    let shown = Rect::from_center_size(rect.center(), size * scale);
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
    if (shown.size() - rect.size()).abs().max_elem() > 1.0 {
        painter.rect_filled(rect, 0.0, egui::Color32::BLACK);
    }
    painter.image(texture.id(), shown, whole, egui::Color32::WHITE);
}

/// Smallest and largest value of each part as an upright line, zero in the middle where there are both signs.
fn curve(painter: &Painter, rect: Rect, parts: &[(f32, f32)], theme: &Theme) {
    painter.rect_filled(rect, 0.0, theme.bg);
    let (low, high) = parts.iter().fold((0.0f32, 0.0f32), |(low, high), part| {
        (low.min(part.0), high.max(part.1))
    });
    let span = (high - low).max(f32::MIN_POSITIVE);
    let inside = rect.shrink2(Vec2::new(0.0, 4.0));
    let y = |value: f32| inside.bottom() - (value - low) / span * inside.height();
    let step = rect.width() / parts.len().max(1) as f32;
    let zero = y(0.0);
    painter.hline(rect.x_range(), zero, Stroke::new(1.0, theme.grid));
    let stroke = Stroke::new(step.clamp(1.0, 3.0), theme.text2);
    let lines = parts.iter().enumerate().map(|(i, &(low, high))| {
        let x = rect.left() + (i as f32 + 0.5) * step;
        let (top, bottom) = (y(high), y(low));
        // A part without extent is a dot.
        let bottom = bottom.max(top + 1.0);
        Shape::line_segment([pos2(x, top), pos2(x, bottom)], stroke)
    });
    painter.extend(lines);
}

/// Extents of `count` cells of at least `least` wide in `width`, with gaps: columns, and the width of one.
pub fn columns(width: f32, least: f32, gap: f32) -> (usize, f32) {
    let columns = ((width + gap) / (least + gap)).floor().max(1.0);
    (columns as usize, vec2((width + gap) / columns - gap, 0.0).x)
}
