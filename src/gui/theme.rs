//! Every colour, size and stroke of the window, for dark and light; nothing else in `gui` names a colour.

use egui::{Color32, CornerRadius, FontId, Margin, Shadow, Stroke, TextStyle, Vec2};

use super::fonts;
use crate::quantize::Mode;

/// The colours of one theme. Contrast (WCAG 2, worst surface): text at least 4.5, graphics and control outlines at least 3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Theme {
    /// Whether it is the dark one.
    pub dark: bool,
    /// Behind cards.
    pub bg: Color32,
    /// Frame, side panel, strips.
    pub panel: Color32,
    /// Cards, buttons.
    pub raised: Color32,
    /// Under the pointer.
    pub hover: Color32,
    /// Chosen.
    pub selected: Color32,
    /// Separators.
    pub line: Color32,
    /// Outline of labelled buttons and chips.
    pub line_strong: Color32,
    /// Grid lines inside plots.
    pub grid: Color32,
    /// Checkbox, text field, drop zone, zero line.
    pub control: Color32,
    /// Values, names, headings.
    pub text: Color32,
    /// Derived values, secondary columns, labels on bars.
    pub text2: Color32,
    /// Column heads, axis figures, hints, "–".
    pub text3: Color32,
    /// Fill of the one main button of a view.
    pub primary: Color32,
    /// Its text.
    pub on_primary: Color32,
    /// Keyboard focus ring only.
    pub focus: Color32,
    /// Text about clipping, the worst channel, a lost sample, an error.
    pub damage: Color32,
    /// The same as a fill or stroke.
    pub damage_fill: Color32,
    /// Ground of an error banner.
    pub damage_tint: Color32,
    /// Text beside the warning icon.
    pub warning: Color32,
    /// SQNR ≥ 60, 50, 46, 44, 40 and < 40 dB.
    pub heat: [Color32; 6],
    /// Figure on the last heat step.
    pub on_heat5: Color32,
    /// One hue per mode, in the order of [`Mode::ALL`].
    pub modes: [Color32; 5],
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// The dark theme.
pub const DARK: Theme = Theme {
    dark: true,
    bg: rgb(0x101214),
    panel: rgb(0x16191C),
    raised: rgb(0x1D2125),
    hover: rgb(0x242A2F),
    selected: rgb(0x2A323A),
    line: rgb(0x262B30),
    line_strong: rgb(0x3A424A),
    grid: rgb(0x22272C),
    control: rgb(0x76818C),
    text: rgb(0xE9ECEF),
    text2: rgb(0xB4BBC3),
    text3: rgb(0x959EA8),
    primary: rgb(0xE9ECEF),
    on_primary: rgb(0x16191C),
    focus: rgb(0x6FB7FF),
    damage: rgb(0xFF8A5C),
    damage_fill: rgb(0xE2622B),
    damage_tint: rgb(0x2B1E19),
    warning: rgb(0xE8C547),
    heat: [
        rgb(0x292525),
        rgb(0x442E26),
        rgb(0x643827),
        rgb(0x834328),
        rgb(0xA34D29),
        rgb(0xE2622B),
    ],
    on_heat5: rgb(0x101214),
    modes: [
        rgb(0xDCE1E6),
        rgb(0x56B4E9),
        rgb(0xE69F00),
        rgb(0xCF7FAE),
        rgb(0x0F9D76),
    ],
};

/// The light theme.
pub const LIGHT: Theme = Theme {
    dark: false,
    bg: rgb(0xF4F5F6),
    panel: rgb(0xFAFBFB),
    raised: rgb(0xFFFFFF),
    hover: rgb(0xEEF0F2),
    selected: rgb(0xE3E8ED),
    line: rgb(0xE2E5E8),
    line_strong: rgb(0xC7CDD3),
    grid: rgb(0xECEEF0),
    control: rgb(0x7A838C),
    text: rgb(0x181B1F),
    text2: rgb(0x464E57),
    text3: rgb(0x5B646E),
    primary: rgb(0x1D2125),
    on_primary: rgb(0xFFFFFF),
    focus: rgb(0x0B62C4),
    damage: rgb(0xB3410C),
    damage_fill: rgb(0xD55E00),
    damage_tint: rgb(0xFCEFE8),
    warning: rgb(0x7A5D00),
    heat: [
        rgb(0xFCF5F0),
        rgb(0xF7DFCC),
        rgb(0xF0C5A3),
        rgb(0xE9AB7A),
        rgb(0xE29252),
        rgb(0xDB7524),
    ],
    on_heat5: rgb(0x181B1F),
    modes: [
        rgb(0x3B434B),
        rgb(0x2585C7),
        rgb(0xB27500),
        rgb(0xB5568F),
        rgb(0x006E50),
    ],
};

/// Corner rounding of cards.
pub const ROUND_CARD: CornerRadius = CornerRadius::same(6);
/// Corner rounding of buttons, fields and thumbnails.
pub const ROUND: CornerRadius = CornerRadius::same(4);
/// Corner rounding of a checkbox.
pub const ROUND_CHECK: CornerRadius = CornerRadius::same(3);
/// Corner rounding of heat cells.
pub const ROUND_CELL: CornerRadius = CornerRadius::same(2);
/// Padding of a card: 16 across, 12 down.
pub const CARD_MARGIN: Margin = Margin::symmetric(16, 12);
/// Opacity of what is not under the pointer while something else is.
pub const FADED: f32 = 0.45;

impl Theme {
    /// The theme that the context shows now.
    pub fn of(ctx: &egui::Context) -> &'static Theme {
        Self::dark_or_light(ctx.theme() == egui::Theme::Dark)
    }

    /// The dark theme, or the light one.
    pub fn dark_or_light(dark: bool) -> &'static Theme {
        if dark { &DARK } else { &LIGHT }
    }

    /// The hue of a mode.
    pub fn mode(&self, mode: Mode) -> Color32 {
        let [float32, float16, dynamic, int8, int16x8] = self.modes;
        match mode {
            Mode::Float32 => float32,
            Mode::Float16 => float16,
            Mode::Dynamic => dynamic,
            Mode::Int8 => int8,
            Mode::Int16x8 => int16x8,
        }
    }

    /// Fill and figure colour of a heat cell for this SQNR.
    pub fn heat(&self, sqnr_db: f64) -> (Color32, Color32) {
        let step = [60.0, 50.0, 46.0, 44.0, 40.0]
            .iter()
            .position(|&limit| sqnr_db >= limit)
            .unwrap_or(5);
        let figure = if step == 5 { self.on_heat5 } else { self.text };
        (self.heat[step], figure)
    }

    /// A separator.
    pub fn separator(&self) -> Stroke {
        Stroke::new(1.0, self.line)
    }

    fn visuals(&self) -> egui::Visuals {
        let mut v = if self.dark {
            egui::Visuals::dark()
        } else {
            egui::Visuals::light()
        };
        let state = |fill: Color32, outline: Color32, text: Color32| egui::style::WidgetVisuals {
            bg_fill: fill,
            weak_bg_fill: fill,
            bg_stroke: Stroke::new(1.0, outline),
            corner_radius: ROUND,
            fg_stroke: Stroke::new(1.0, text),
            expansion: 0.0,
        };
        v.widgets = egui::style::Widgets {
            noninteractive: state(self.raised, self.line, self.text),
            inactive: state(self.raised, self.line_strong, self.text),
            hovered: state(self.hover, self.control, self.text),
            active: state(self.selected, self.control, self.text),
            open: state(self.hover, self.control, self.text),
        };
        v.selection.bg_fill = self.selected;
        v.selection.stroke = Stroke::new(2.0, self.focus);
        v.hyperlink_color = self.text;
        v.weak_text_color = Some(self.text3);
        v.warn_fg_color = self.warning;
        v.error_fg_color = self.damage;
        v.faint_bg_color = self.hover;
        v.extreme_bg_color = self.raised;
        v.text_edit_bg_color = Some(self.raised);
        v.code_bg_color = self.hover;
        v.panel_fill = self.panel;
        v.window_fill = self.raised;
        v.window_stroke = Stroke::new(1.0, self.line_strong);
        v.window_shadow = Shadow::NONE;
        v.popup_shadow = Shadow::NONE;
        v.window_corner_radius = ROUND_CARD;
        v.menu_corner_radius = ROUND_CARD;
        // One for both themes: another one would throw away every glyph and text that is laid out, on the frame that shows the click.
        v.text_options.color_transfer_function =
            egui::epaint::FontColorTransferFunction::Gamma(0.75);
        v.text_cursor.blink = false;
        v.text_cursor.stroke = Stroke::new(1.5, self.text);
        v.disabled_alpha = 0.55;
        v
    }
}

/// Gives the context our fonts, sizes and both themes; it follows the system until somebody chooses.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts::definitions());
    for (which, theme) in [(egui::Theme::Dark, &DARK), (egui::Theme::Light, &LIGHT)] {
        ctx.style_mut_of(which, |style| set_style(style, theme));
    }
    ctx.set_theme(egui::ThemePreference::System);
}

fn set_style(style: &mut egui::Style, theme: &Theme) {
    style.text_styles = [
        (TextStyle::Heading, fonts::verdict_strong()),
        (TextStyle::Body, fonts::body()),
        (TextStyle::Button, fonts::body()),
        (TextStyle::Small, fonts::small()),
        (TextStyle::Monospace, fonts::code()),
    ]
    .into_iter()
    .collect::<std::collections::BTreeMap<TextStyle, FontId>>();
    style.drag_value_text_style = TextStyle::Body;
    style.visuals = theme.visuals();
    style.animation_time = 0.0;
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.4;
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::new(8.0, 6.0);
    spacing.button_padding = Vec2::new(12.0, 4.0);
    spacing.interact_size = Vec2::new(28.0, 24.0);
    spacing.window_margin = Margin::same(12);
    spacing.menu_margin = Margin::same(6);
    spacing.tooltip_width = 320.0;
    spacing.scroll.bar_width = 6.0;
    spacing.scroll.floating = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(c: Color32) -> f64 {
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 {
                v / 12.92
            } else {
                ((v + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(c.r()) + 0.7152 * linear(c.g()) + 0.0722 * linear(c.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_graphics_stand_out_from_every_surface() {
        for theme in [&DARK, &LIGHT] {
            let surfaces = [
                theme.bg,
                theme.panel,
                theme.raised,
                theme.hover,
                theme.selected,
            ];
            for surface in surfaces {
                for text in [
                    theme.text,
                    theme.text2,
                    theme.text3,
                    theme.damage,
                    theme.warning,
                ] {
                    assert!(
                        contrast(text, surface) >= 4.5,
                        "{text:?} on {surface:?} of dark = {}",
                        theme.dark
                    );
                }
                for graphic in theme.modes.iter().chain([&theme.control, &theme.focus]) {
                    assert!(
                        contrast(*graphic, surface) >= 3.0,
                        "{graphic:?} on {surface:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn heat_steps_are_those_of_the_legend() {
        let step = |db: f64| DARK.heat.iter().position(|&c| c == DARK.heat(db).0);
        assert_eq!(
            [75.0, 60.0, 59.9, 46.0, 44.0, 40.0, 39.9, f64::NAN].map(step),
            [
                Some(0),
                Some(0),
                Some(1),
                Some(2),
                Some(3),
                Some(4),
                Some(5),
                Some(5)
            ]
        );
    }
}
