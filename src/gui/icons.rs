//! Icons and experiment markers, painted from one table of paths on a 16-point square.

use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Vec2, pos2, vec2};

pub use super::view::look::{Look, Texture};
use crate::quantize::Mode;

/// What an icon stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each is named after what it shows
pub enum Icon {
    Open,
    Model,
    Data,
    Modes,
    Run,
    ChevronDown,
    ChevronUp,
    ChevronRight,
    Check,
    Close,
    Search,
    Add,
    More,
    Pin,
    Export,
    SortUp,
    SortDown,
    Filter,
    Info,
    Warning,
    Image,
    Erase,
    ThemeDark,
    ThemeLight,
    Panel,
    Logo,
}

/// A stroke or a filled area of an icon, in points of a 16-point square.
enum Part {
    Line(&'static [(f32, f32)]),
    Loop(&'static [(f32, f32)]),
    Fill(&'static [(f32, f32)]),
    Ring((f32, f32), f32),
    Dot((f32, f32), f32),
}

use Part::{Dot, Fill, Line, Loop, Ring};

impl Icon {
    fn parts(self) -> &'static [Part] {
        match self {
            Icon::Open => &[Loop(&[
                (2.0, 3.5),
                (6.2, 3.5),
                (7.8, 5.2),
                (14.0, 5.2),
                (14.0, 12.8),
                (2.0, 12.8),
            ])],
            Icon::Model => &[
                Loop(&[(2.0, 2.5), (7.0, 2.5), (7.0, 7.0), (2.0, 7.0)]),
                Loop(&[(9.0, 9.0), (14.0, 9.0), (14.0, 13.5), (9.0, 13.5)]),
                Line(&[(7.0, 4.7), (11.5, 4.7), (11.5, 9.0)]),
                Line(&[(4.5, 7.0), (4.5, 11.2), (9.0, 11.2)]),
            ],
            Icon::Data => &[
                Loop(&[
                    (2.5, 4.0),
                    (4.2, 2.6),
                    (8.0, 2.0),
                    (11.8, 2.6),
                    (13.5, 4.0),
                    (11.8, 5.4),
                    (8.0, 6.0),
                    (4.2, 5.4),
                ]),
                Line(&[
                    (2.5, 4.0),
                    (2.5, 12.0),
                    (4.2, 13.4),
                    (8.0, 14.0),
                    (11.8, 13.4),
                    (13.5, 12.0),
                    (13.5, 4.0),
                ]),
                Line(&[
                    (2.5, 8.0),
                    (4.2, 9.4),
                    (8.0, 10.0),
                    (11.8, 9.4),
                    (13.5, 8.0),
                ]),
            ],
            Icon::Modes => &[
                Line(&[(2.0, 4.0), (14.0, 4.0)]),
                Line(&[(2.0, 8.0), (10.0, 8.0)]),
                Line(&[(2.0, 12.0), (6.5, 12.0)]),
            ],
            Icon::Run => &[Fill(&[(4.5, 3.2), (13.0, 8.0), (4.5, 12.8)])],
            Icon::ChevronDown => &[Line(&[(5.0, 6.7), (8.0, 9.7), (11.0, 6.7)])],
            Icon::ChevronUp => &[Line(&[(5.0, 9.7), (8.0, 6.7), (11.0, 9.7)])],
            Icon::ChevronRight => &[Line(&[(6.5, 5.0), (9.5, 8.0), (6.5, 11.0)])],
            Icon::Check => &[Line(&[(3.4, 8.4), (6.6, 11.4), (12.6, 4.8)])],
            Icon::Close => &[
                Line(&[(4.8, 4.8), (11.2, 11.2)]),
                Line(&[(11.2, 4.8), (4.8, 11.2)]),
            ],
            Icon::Search => &[Ring((7.0, 7.0), 4.3), Line(&[(10.2, 10.2), (13.6, 13.6)])],
            Icon::Add => &[
                Line(&[(8.0, 4.0), (8.0, 12.0)]),
                Line(&[(4.0, 8.0), (12.0, 8.0)]),
            ],
            Icon::More => &[
                Dot((3.2, 8.0), 1.2),
                Dot((8.0, 8.0), 1.2),
                Dot((12.8, 8.0), 1.2),
            ],
            Icon::Pin => &[
                Line(&[(5.5, 2.5), (10.5, 2.5)]),
                Line(&[
                    (6.2, 2.5),
                    (6.2, 7.5),
                    (4.3, 9.8),
                    (11.7, 9.8),
                    (9.8, 7.5),
                    (9.8, 2.5),
                ]),
                Line(&[(8.0, 9.8), (8.0, 14.0)]),
            ],
            Icon::Export => &[
                Line(&[(8.0, 10.0), (8.0, 2.2)]),
                Line(&[(5.0, 5.0), (8.0, 2.0), (11.0, 5.0)]),
                Line(&[(2.8, 9.5), (2.8, 13.5), (13.2, 13.5), (13.2, 9.5)]),
            ],
            Icon::SortUp => &[
                Line(&[(8.0, 12.5), (8.0, 3.5)]),
                Line(&[(5.0, 6.5), (8.0, 3.5), (11.0, 6.5)]),
            ],
            Icon::SortDown => &[
                Line(&[(8.0, 3.5), (8.0, 12.5)]),
                Line(&[(5.0, 9.5), (8.0, 12.5), (11.0, 9.5)]),
            ],
            Icon::Filter => &[Loop(&[
                (2.5, 3.0),
                (13.5, 3.0),
                (9.6, 8.0),
                (9.6, 13.2),
                (6.4, 11.2),
                (6.4, 8.0),
            ])],
            Icon::Info => &[
                Ring((8.0, 8.0), 6.0),
                Line(&[(8.0, 7.4), (8.0, 11.2)]),
                Dot((8.0, 5.0), 0.9),
            ],
            Icon::Warning => &[
                Loop(&[(8.0, 2.0), (14.4, 13.4), (1.6, 13.4)]),
                Line(&[(8.0, 6.2), (8.0, 9.6)]),
                Dot((8.0, 11.5), 0.9),
            ],
            Icon::Image => &[
                Loop(&[(2.0, 3.0), (14.0, 3.0), (14.0, 13.0), (2.0, 13.0)]),
                Ring((5.4, 6.2), 1.2),
                Line(&[
                    (2.4, 12.2),
                    (6.4, 8.6),
                    (8.6, 10.6),
                    (11.0, 7.8),
                    (13.8, 10.8),
                ]),
            ],
            Icon::Erase => &[
                Loop(&[
                    (9.2, 2.6),
                    (13.6, 7.0),
                    (7.6, 13.0),
                    (5.0, 13.0),
                    (2.4, 10.4),
                    (2.4, 9.4),
                ]),
                Line(&[(5.8, 6.0), (10.2, 10.4)]),
            ],
            // A crescent: the outer arc back along the inner one.
            Icon::ThemeDark => &[Loop(&[
                (7.2, 2.6),
                (4.9, 3.6),
                (3.2, 5.6),
                (2.6, 8.2),
                (3.3, 10.8),
                (5.2, 12.8),
                (7.8, 13.6),
                (10.5, 13.0),
                (12.5, 11.2),
                (13.4, 8.9),
                (11.6, 9.5),
                (9.6, 9.2),
                (7.8, 8.0),
                (6.8, 6.2),
                (6.7, 4.3),
            ])],
            Icon::ThemeLight => &[
                Ring((8.0, 8.0), 3.0),
                Line(&[(8.0, 1.4), (8.0, 3.0)]),
                Line(&[(8.0, 13.0), (8.0, 14.6)]),
                Line(&[(1.4, 8.0), (3.0, 8.0)]),
                Line(&[(13.0, 8.0), (14.6, 8.0)]),
                Line(&[(3.3, 3.3), (4.4, 4.4)]),
                Line(&[(11.6, 11.6), (12.7, 12.7)]),
                Line(&[(3.3, 12.7), (4.4, 11.6)]),
                Line(&[(11.6, 4.4), (12.7, 3.3)]),
            ],
            Icon::Panel => &[
                Loop(&[(2.0, 2.8), (14.0, 2.8), (14.0, 13.2), (2.0, 13.2)]),
                Line(&[(6.4, 2.8), (6.4, 13.2)]),
            ],
            Icon::Logo => &[Ring((8.0, 8.0), 6.6), Dot((8.0, 8.0), 1.8)],
        }
    }

    /// Paints the icon, 16 points square, around `center`.
    pub fn paint(self, painter: &Painter, center: Pos2, color: Color32) {
        self.paint_sized(painter, center, 16.0, color);
    }

    /// Paints the icon around `center`, `size` points square.
    pub fn paint_sized(self, painter: &Painter, center: Pos2, size: f32, color: Color32) {
        let scale = size / 16.0;
        let origin = center - Vec2::splat(size / 2.0);
        let at = |&(x, y): &(f32, f32)| origin + vec2(x, y) * scale;
        let width = if self == Icon::Logo { 2.0 } else { 1.3 };
        let stroke = Stroke::new(width * scale.clamp(0.9, 1.4), color);
        for part in self.parts() {
            painter.add(match part {
                Line(points) => Shape::line(points.iter().map(at).collect(), stroke),
                Loop(points) => Shape::closed_line(points.iter().map(at).collect(), stroke),
                Fill(points) => {
                    Shape::convex_polygon(points.iter().map(at).collect(), color, Stroke::NONE)
                }
                Ring(center, radius) => Shape::circle_stroke(at(center), radius * scale, stroke),
                Dot(center, radius) => Shape::circle_filled(at(center), radius * scale, color),
            });
        }
    }
}

impl Look {
    /// Paints the marker, about 11 points wide, around `center`.
    pub fn paint_marker(self, painter: &Painter, center: Pos2, color: Color32) {
        self.paint_marker_sized(painter, center, 1.0, color);
    }

    /// Paints the marker `scale` times as large.
    pub fn paint_marker_sized(self, painter: &Painter, center: Pos2, scale: f32, color: Color32) {
        let at = |x: f32, y: f32| center + vec2(x, y) * scale;
        let hollow = self.texture != Texture::Solid;
        let (fill, stroke) = if hollow {
            (Color32::TRANSPARENT, Stroke::new(1.5, color))
        } else {
            (color, Stroke::NONE)
        };
        let polygon = |points: Vec<Pos2>| Shape::convex_polygon(points, fill, stroke);
        let shape = match self.mode {
            Mode::Float32 => Shape::Circle(egui::epaint::CircleShape {
                center,
                radius: 5.0 * scale,
                fill,
                stroke,
            }),
            Mode::Float16 => polygon(vec![
                at(-4.5, -4.5),
                at(4.5, -4.5),
                at(4.5, 4.5),
                at(-4.5, 4.5),
            ]),
            Mode::Dynamic => polygon(vec![at(0.0, -5.2), at(5.5, 4.6), at(-5.5, 4.6)]),
            Mode::Int8 => polygon(vec![
                at(0.0, -6.2),
                at(6.2, 0.0),
                at(0.0, 6.2),
                at(-6.2, 0.0),
            ]),
            Mode::Int16x8 => polygon(vec![at(-5.5, -4.6), at(5.5, -4.6), at(0.0, 5.2)]),
        };
        painter.add(shape);
        if self.texture == Texture::Dots {
            painter.circle_filled(at(0.0, 0.0), 1.4 * scale, color);
        }
    }

    /// Paints a bar: solid, hatched at 45° every 5 points over 22 % of the hue, or dotted.
    pub fn paint_bar(self, painter: &Painter, rect: Rect, color: Color32) {
        if rect.width() <= 0.0 || rect.height() <= 0.0 {
            return;
        }
        if self.texture == Texture::Solid {
            painter.rect_filled(rect, 0.0, color);
            return;
        }
        let inside = painter.with_clip_rect(painter.clip_rect().intersect(rect));
        inside.rect_filled(rect, 0.0, color.gamma_multiply(0.22));
        match self.texture {
            Texture::Solid => {}
            Texture::Hatch => {
                let mut x = rect.left() - rect.height();
                while x < rect.right() {
                    let line = [pos2(x, rect.bottom()), pos2(x + rect.height(), rect.top())];
                    inside.line_segment(line, Stroke::new(1.0, color));
                    x += 5.0;
                }
            }
            Texture::Dots => {
                let mut y = rect.top() + 3.0;
                while y < rect.bottom() - 1.0 {
                    let mut x = rect.left() + 3.5;
                    while x < rect.right() - 1.0 {
                        inside.circle_filled(pos2(x, y), 0.8, color);
                        x += 4.0;
                    }
                    y += 4.0;
                }
            }
        }
        painter.rect_stroke(rect, 0.0, Stroke::new(1.0, color), egui::StrokeKind::Inside);
    }
}
