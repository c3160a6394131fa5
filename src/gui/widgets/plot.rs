//! A plot area that the histograms draw into: scaling, axes, bars and texts, snapped to pixels.

use egui::emath::GuiRounding as _;
use egui::{
    Align2, Color32, FontId, Mesh, Painter, Pos2, Rect, Response, Shape, Stroke, Ui, WidgetInfo,
    pos2,
};

use crate::gui::fonts;
use crate::gui::theme::Theme;
use crate::gui::view::axis::Ticks;

/// A rectangle whose left to right stands for `x` and whose height for 0..1.
pub struct Plot<'a> {
    /// Where to paint.
    pub painter: Painter,
    /// Colours.
    pub theme: &'a Theme,
    /// The data area, without axes.
    pub area: Rect,
    /// Values at its left and right edge.
    pub x: (f64, f64),
}

impl Plot<'_> {
    /// Where a value stands, on a whole pixel; far outside the area it is cut off just beyond it.
    pub fn at(&self, x: f64) -> f32 {
        let share = (x - self.x.0) / (self.x.1 - self.x.0);
        let share = if share.is_nan() {
            0.0
        } else {
            share.clamp(-0.2, 1.2)
        };
        let at = self.area.left() + share as f32 * self.area.width();
        at.round_to_pixels(self.painter.pixels_per_point())
    }

    /// How many points wide a difference of values is.
    pub fn points(&self, difference: f64) -> f32 {
        (difference / (self.x.1 - self.x.0)) as f32 * self.area.width()
    }

    /// Where a height 0..1 stands.
    pub fn height(&self, height: f32) -> f32 {
        let at = self.area.bottom() - height.clamp(0.0, 1.0) * self.area.height();
        at.round_to_pixels(self.painter.pixels_per_point())
    }

    /// The value under a point.
    pub fn value(&self, at: f32) -> f64 {
        let share = f64::from((at - self.area.left()) / self.area.width().max(1.0));
        self.x.0 + share * (self.x.1 - self.x.0)
    }

    /// One mesh of bars from the bottom, each `(from, to, height 0..1)`; neighbours are kept apart where there is room.
    pub fn bars(&self, bars: impl Iterator<Item = (f64, f64, f32)>, color: Color32) {
        let pixel = 1.0 / self.painter.pixels_per_point();
        let mut mesh = Mesh::default();
        for (from, to, height) in bars.filter(|b| b.2 > 0.0) {
            let (left, mut right) = (self.at(from), self.at(to));
            // Decided by the exact width: gaps in only some of equal bars would look like data.
            if self.points(to - from) >= 4.0 * pixel {
                right -= pixel;
            }
            let top = self.height(height).min(self.area.bottom() - pixel);
            let rect = Rect::from_min_max(
                pos2(left, top),
                pos2(right.max(left + pixel), self.area.bottom()),
            );
            mesh.add_colored_rect(rect.intersect(self.area), color);
        }
        self.painter.add(Shape::mesh(mesh));
    }

    /// Figures below the area; those that would leave the area's sides keep inside `limits`.
    pub fn x_axis(&self, ticks: &Ticks) {
        for (x, text) in &ticks.marks {
            let at = pos2(self.at(*x), self.area.bottom() + 4.0);
            self.caption(at, Align2::CENTER_TOP, text, self.theme.text3);
        }
    }

    /// Figures left of the area and grid lines through it; `height` says how high a figure stands.
    pub fn y_axis(&self, ticks: &Ticks, height: impl Fn(f64) -> f32) {
        for (y, text) in &ticks.marks {
            let at = self.height(height(*y));
            if *y != 0.0 {
                self.painter
                    .hline(self.area.x_range(), at, Stroke::new(1.0, self.theme.grid));
            }
            let left = pos2(self.area.left() - 8.0, at);
            self.caption(left, Align2::RIGHT_CENTER, text, self.theme.text3);
        }
    }

    /// The line the bars stand on.
    pub fn base_line(&self) {
        let stroke = Stroke::new(1.0, self.theme.line_strong);
        self.painter
            .hline(self.area.x_range(), self.area.bottom(), stroke);
    }

    /// A text in the smallest size.
    pub fn caption(&self, at: Pos2, align: Align2, text: &str, color: Color32) -> Rect {
        self.painter.text(at, align, text, fonts::caption(), color)
    }

    /// A dashed vertical line through the whole area.
    pub fn dashed(&self, x: f64, color: Color32) {
        let x = self.at(x);
        let line = [pos2(x, self.area.top()), pos2(x, self.area.bottom())];
        self.painter
            .extend(Shape::dashed_line(&line, Stroke::new(1.0, color), 3.0, 3.0));
    }

    /// The part of the area between two values, filled.
    pub fn tint(&self, from: f64, to: f64, color: Color32) -> Rect {
        let rect = Rect::from_x_y_ranges(self.at(from)..=self.at(to), self.area.y_range());
        let rect = rect.intersect(self.area);
        if rect.is_positive() {
            self.painter.rect_filled(rect, 0.0, color);
        }
        rect
    }

    /// The part of the area between two values, hatched at 45°.
    pub fn hatch(&self, from: f64, to: f64, color: Color32) {
        let rect = self.tint(from, to, color.gamma_multiply(0.12));
        if !rect.is_positive() {
            return;
        }
        let inside = self
            .painter
            .with_clip_rect(self.painter.clip_rect().intersect(rect));
        let stroke = Stroke::new(1.0, color.gamma_multiply(0.5));
        let mut x = rect.left() - rect.height();
        while x < rect.right() {
            inside.line_segment(
                [pos2(x, rect.bottom()), pos2(x + rect.height(), rect.top())],
                stroke,
            );
            x += 5.0;
        }
    }
}

/// Width of a text in one line.
pub fn text_width(painter: &Painter, text: &str, font: FontId) -> f32 {
    painter
        .layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER)
        .size()
        .x
}

/// Room that the figures of a y axis need left of the area.
pub fn y_axis_room(painter: &Painter, ticks: &Ticks) -> f32 {
    let width = |text: &str| text_width(painter, text, fonts::caption());
    let widest = ticks.marks.iter().map(|m| width(&m.1)).fold(0.0, f32::max);
    (widest + 12.0).max(30.0)
}

/// Gives a plot its name and its one-sentence summary, for those who cannot see it.
pub fn describe(response: &Response, summary: impl Fn() -> String) {
    let role = egui::accesskit::Role::Image;
    response.widget_info(|| WidgetInfo::labeled(role, true, summary()));
}

/// Room for a plot across the whole width.
pub fn room(ui: &mut Ui, height: f32, sense: egui::Sense) -> (Rect, Response) {
    let width = ui.available_width().max(40.0);
    ui.allocate_exact_size(egui::vec2(width, height), sense)
}
