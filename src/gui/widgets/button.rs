//! Buttons: the one main button of a view, labelled ones, bare words, icons, and rows of a menu.

use egui::{
    Align2, Color32, FontId, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, Widget,
    WidgetInfo, pos2, vec2,
};

use super::focus_ring;
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, Theme};

/// How much a button asks to be pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The one main button of a view.
    Primary,
    /// With an outline.
    Labelled,
    /// A word without a frame.
    Bare,
}

/// A button with a label and perhaps an icon before it.
pub struct Button<'a> {
    text: &'a str,
    icon: Option<Icon>,
    kind: Kind,
    height: f32,
    width: Option<f32>,
    strong: bool,
}

impl<'a> Button<'a> {
    /// A labelled button, 28 high.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            icon: None,
            kind: Kind::Labelled,
            height: 28.0,
            width: None,
            strong: false,
        }
    }

    /// The main button, 32 high.
    pub fn primary(text: &'a str) -> Self {
        Self {
            kind: Kind::Primary,
            height: 32.0,
            strong: true,
            ..Self::new(text)
        }
    }

    /// A word that can be pressed, 24 high.
    pub fn bare(text: &'a str) -> Self {
        Self {
            kind: Kind::Bare,
            height: 24.0,
            ..Self::new(text)
        }
    }

    /// With an icon before the label.
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// That wide instead of as wide as its label.
    pub fn width(mut self, width: f32) -> Self {
        self.width = Some(width);
        self
    }

    /// That high.
    pub fn height(mut self, height: f32) -> Self {
        self.height = height;
        self
    }

    /// In semi-bold.
    pub fn strong(mut self) -> Self {
        self.strong = true;
        self
    }

    fn font(&self) -> FontId {
        match (self.strong, self.height < 26.0) {
            (true, false) => fonts::strong(),
            (true, true) => fonts::small_strong(),
            (false, false) => fonts::body(),
            (false, true) => fonts::small(),
        }
    }
}

impl Widget for Button<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let theme = Theme::of(ui.ctx());
        let galley =
            ui.painter()
                .layout_no_wrap(self.text.to_owned(), self.font(), Color32::PLACEHOLDER);
        let icon_width = if self.icon.is_some() { 22.0 } else { 0.0 };
        let padding = if self.kind == Kind::Bare { 4.0 } else { 12.0 };
        let content = galley.size().x + icon_width;
        let width = self.width.unwrap_or(content + 2.0 * padding);
        let (rect, response) = ui.allocate_exact_size(vec2(width, self.height), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), self.text));
        if !ui.is_rect_visible(rect) {
            return response;
        }
        let (fill, outline, ink) = match (self.kind, ui.is_enabled()) {
            (Kind::Primary, true) => (Some(theme.primary), None, theme.on_primary),
            (Kind::Primary, false) => (Some(theme.hover), Some(theme.line), theme.text3),
            (Kind::Labelled, true) => (Some(theme.raised), Some(theme.line_strong), theme.text),
            (Kind::Labelled, false) => (None, Some(theme.line), theme.text3),
            (Kind::Bare, true) => (None, None, theme.text2),
            (Kind::Bare, false) => (None, None, theme.text3),
        };
        let ink = if self.kind == Kind::Bare && response.hovered() {
            theme.text
        } else {
            ink
        };
        let fill = match self.kind {
            _ if !ui.is_enabled() => fill,
            Kind::Primary if response.hovered() => {
                Some(theme.primary.lerp_to_gamma(theme.panel, 0.12))
            }
            Kind::Labelled | Kind::Bare if response.is_pointer_button_down_on() => {
                Some(theme.selected)
            }
            Kind::Labelled | Kind::Bare if response.hovered() => Some(theme.hover),
            _ => fill,
        };
        if let Some(fill) = fill {
            ui.painter().rect_filled(rect, ROUND, fill);
        }
        if let Some(outline) = outline {
            let stroke = Stroke::new(1.0, outline);
            ui.painter()
                .rect_stroke(rect, ROUND, stroke, StrokeKind::Inside);
        }
        let left = rect.center().x - content / 2.0;
        if let Some(icon) = self.icon {
            icon.paint(ui.painter(), pos2(left + 8.0, rect.center().y), ink);
        }
        let at = pos2(left + icon_width, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(at, galley, ink);
        focus_ring(ui, &response, ROUND);
        response
    }
}

/// A button that shows only an icon; its name and tooltip say what it does.
pub fn icon_button(ui: &mut Ui, icon: Icon, name: &str, tooltip: &str) -> Response {
    let theme = Theme::of(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(24.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    paint_icon_button(ui, rect, &response, icon, theme);
    response.on_hover_text(tooltip)
}

fn paint_icon_button(ui: &Ui, rect: Rect, response: &Response, icon: Icon, theme: &Theme) {
    let active = ui.is_enabled() && response.hovered();
    if active {
        ui.painter().rect_filled(rect, ROUND, theme.hover);
    }
    let ink = if active { theme.text } else { theme.text2 };
    icon.paint(ui.painter(), rect.center(), ink);
    focus_ring(ui, response, ROUND);
}

/// A row of a menu; closes the menu when pressed.
pub fn menu_item(ui: &mut Ui, text: &str) -> Response {
    let theme = Theme::of(ui.ctx());
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), fonts::body(), Color32::PLACEHOLDER);
    let width = ui.available_width().max(galley.size().x + 24.0);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 28.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::MenuItem, ui.is_enabled(), text));
    if ui.is_enabled() && (response.hovered() || response.has_focus()) {
        ui.painter().rect_filled(rect, ROUND, theme.hover);
    }
    let ink = if ui.is_enabled() {
        theme.text
    } else {
        theme.text3
    };
    let at = Align2::LEFT_CENTER.anchor_size(rect.left_center() + vec2(10.0, 0.0), galley.size());
    ui.painter().galley(at.min, galley, ink);
    if response.clicked() {
        ui.close();
    }
    response
}
