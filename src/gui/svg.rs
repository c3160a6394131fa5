//! What was painted in a rectangle as an SVG picture: lines and areas as paths, text as text.

use std::fmt::Write as _;

use egui::epaint::{
    CircleShape, ClippedShape, ColorMode, Mesh, PathShape, RectShape, Shape, TextShape, WHITE_UV,
};
use egui::{Color32, FontFamily, LayerId, Pos2, Rect, Stroke, StrokeKind};

/// The picture of what stands in `rect` on this layer so far in this frame; `title` is what it shows.
pub fn picture(ctx: &egui::Context, layer: LayerId, rect: Rect, title: &str) -> String {
    let shapes: Vec<ClippedShape> = ctx.graphics(|g| {
        let list = g.get(layer).into_iter().flat_map(|list| list.all_entries());
        list.filter(|s| s.clip_rect.intersects(rect))
            .cloned()
            .collect()
    });
    let mut svg = Svg {
        out: String::new(),
        rect,
        clips: 0,
    };
    for shape in &shapes {
        svg.clipped(shape);
    }
    let (w, h) = (figure(rect.width()), figure(rect.height()));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\">\
         <title>{}</title>{}</svg>\n",
        escape(title),
        svg.out
    )
}

struct Svg {
    out: String,
    /// What the picture shows.
    rect: Rect,
    /// Clip paths so far.
    clips: usize,
}

impl Svg {
    /// Writing to a string cannot fail.
    fn add(&mut self, markup: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(markup);
    }

    /// A coordinate pair of the picture.
    fn at(&self, p: Pos2) -> (String, String) {
        (
            figure(p.x - self.rect.left()),
            figure(p.y - self.rect.top()),
        )
    }

    fn clipped(&mut self, shape: &ClippedShape) {
        let bounds = shape.shape.visual_bounding_rect();
        let seen = bounds.intersect(shape.clip_rect);
        if !bounds.is_finite() || !seen.intersects(self.rect) || bounds.is_negative() {
            return;
        }
        if shape.clip_rect.contains_rect(bounds.intersect(self.rect)) {
            return self.shape(&shape.shape);
        }
        self.clips += 1;
        let (n, clip) = (self.clips, shape.clip_rect.intersect(self.rect));
        let (x, y) = self.at(clip.min);
        let (w, h) = (figure(clip.width()), figure(clip.height()));
        self.add(format_args!(
            "<clipPath id=\"c{n}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/></clipPath><g clip-path=\"url(#c{n})\">"
        ));
        self.shape(&shape.shape);
        self.add(format_args!("</g>"));
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Noop => {}
            Shape::Vec(shapes) => shapes.iter().for_each(|s| self.shape(s)),
            Shape::Circle(c) => self.circle(c),
            Shape::LineSegment { points, stroke } => self.line(points, false, None, *stroke),
            Shape::Path(path) => self.path(path),
            Shape::Rect(r) => self.rectangle(r),
            Shape::Text(t) => self.text(t),
            Shape::Mesh(mesh) => self.mesh(mesh),
            // Nothing in the window paints these.
            Shape::Ellipse(_)
            | Shape::Band(_)
            | Shape::QuadraticBezier(_)
            | Shape::CubicBezier(_)
            | Shape::Callback(_) => {}
        }
    }

    fn circle(&mut self, c: &CircleShape) {
        let (x, y) = self.at(c.center);
        let (fill, stroke) = (fill(c.fill), outline(c.stroke));
        let r = figure(c.radius);
        self.add(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"{fill}{stroke}/>"
        ));
    }

    fn line(&mut self, points: &[Pos2], closed: bool, inside: Option<Color32>, stroke: Stroke) {
        let mut d = String::new();
        for (i, p) in points.iter().enumerate() {
            let (x, y) = self.at(*p);
            let _ = write!(d, "{}{x} {y}", if i == 0 { "M" } else { "L" });
        }
        if closed {
            d.push('Z');
        }
        let (fill, stroke) = (fill(inside.unwrap_or_default()), outline(stroke));
        self.add(format_args!("<path d=\"{d}\"{fill}{stroke}/>"));
    }

    fn path(&mut self, path: &PathShape) {
        let color = match path.stroke.color {
            ColorMode::Solid(color) => color,
            // Nothing in the window paints gradients.
            ColorMode::UV(_) => Color32::TRANSPARENT,
        };
        let stroke = Stroke::new(path.stroke.width, color);
        self.line(&path.points, path.closed, Some(path.fill), stroke);
    }

    fn rectangle(&mut self, r: &RectShape) {
        if r.brush.is_some() {
            // A picture of samples, which has no place in a plot.
            return;
        }
        let away = match r.stroke_kind {
            StrokeKind::Inside => -r.stroke.width / 2.0,
            StrokeKind::Middle => 0.0,
            StrokeKind::Outside => r.stroke.width / 2.0,
        };
        let rect = if r.stroke.is_empty() {
            r.rect
        } else {
            r.rect.expand(away)
        };
        let (x, y) = self.at(rect.min);
        let (w, h) = (
            figure(rect.width().max(0.0)),
            figure(rect.height().max(0.0)),
        );
        let (fill, stroke) = (fill(r.fill), outline(r.stroke));
        let round = figure(f32::from(r.corner_radius.nw));
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{round}\"{fill}{stroke}/>"
        ));
    }

    fn text(&mut self, text: &TextShape) {
        let Some(section) = text.galley.job.sections.first() else {
            return;
        };
        let font = &section.format.font_id;
        let (family, weight) = match &font.family {
            FontFamily::Proportional => ("'IBM Plex Sans', Helvetica, Arial, sans-serif", 400),
            FontFamily::Monospace => ("'IBM Plex Mono', Menlo, monospace", 400),
            FontFamily::Name(_) => ("'IBM Plex Sans', Helvetica, Arial, sans-serif", 600),
        };
        for placed in &text.galley.rows {
            let row = &placed.row;
            let words: String = row.glyphs.iter().map(|g| g.chr).collect();
            let (Some(first), false) = (row.glyphs.first(), words.trim().is_empty()) else {
                continue;
            };
            let vertex = row.visuals.mesh.vertices.get(first.first_vertex as usize);
            let own = vertex.map_or(Color32::PLACEHOLDER, |v| v.color);
            let own = text.override_text_color.unwrap_or(own);
            let own = match own == Color32::PLACEHOLDER {
                true => text.fallback_color,
                false => own,
            };
            let fill = fill(own.gamma_multiply(text.opacity_factor));
            let (x, y) = self.at(text.pos + placed.pos.to_vec2() + first.pos.to_vec2());
            let turn = match text.angle == 0.0 {
                true => String::new(),
                false => {
                    let (cx, cy) = self.at(text.pos);
                    let degrees = figure(text.angle.to_degrees());
                    format!(" transform=\"rotate({degrees} {cx} {cy})\"")
                }
            };
            let width: f32 = row.glyphs.iter().map(|g| g.advance_width).sum();
            let (size, width, words) = (figure(font.size), figure(width), escape(&words));
            self.add(format_args!(
                "<text x=\"{x}\" y=\"{y}\" font-family=\"{family}\" font-weight=\"{weight}\" font-size=\"{size}\" \
                 textLength=\"{width}\" xml:space=\"preserve\"{fill}{turn}>{words}</text>"
            ));
        }
    }

    /// Triangles of one colour each; those of a texture have no place in a plot.
    fn mesh(&mut self, mesh: &Mesh) {
        for corners in mesh.indices.chunks_exact(3) {
            let vertex = |i: &u32| mesh.vertices.get(*i as usize);
            let corners: Vec<_> = corners.iter().filter_map(vertex).collect();
            let plain = corners.iter().all(|v| v.uv == WHITE_UV);
            if let (true, Some(first)) = (plain && corners.len() == 3, corners.first()) {
                let points: Vec<Pos2> = corners.iter().map(|v| v.pos).collect();
                // Without it, seams would show between neighbours.
                let seam = Stroke::new(0.1, first.color);
                self.line(&points, true, Some(first.color), seam);
            }
        }
    }
}

/// A length with at most two decimals.
fn figure(x: f32) -> String {
    let text = format!("{x:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".into()
    } else {
        text.to_owned()
    }
}

/// `#rrggbb`, and how opaque, 0 to 1.
fn paint(color: Color32) -> (String, f32) {
    let [r, g, b, a] = color.to_srgba_unmultiplied();
    (format!("#{r:02x}{g:02x}{b:02x}"), f32::from(a) / 255.0)
}

fn fill(color: Color32) -> String {
    match paint(color) {
        (_, 0.0) => " fill=\"none\"".into(),
        (hex, 1.0) => format!(" fill=\"{hex}\""),
        (hex, opacity) => format!(" fill=\"{hex}\" fill-opacity=\"{}\"", figure(opacity)),
    }
}

fn outline(stroke: Stroke) -> String {
    match (paint(stroke.color), stroke.width > 0.0) {
        ((_, 0.0), _) | (_, false) => String::new(),
        ((hex, opacity), true) => format!(
            " stroke=\"{hex}\" stroke-opacity=\"{}\" stroke-width=\"{}\"",
            figure(opacity),
            figure(stroke.width)
        ),
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        out
    })
}
