//! The histogram of an error over all tensors, stacked by experiment; a click on a bar chooses its tensors.

use egui::accesskit::Role;
use egui::{Align2, Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::export;
use super::plot::{Plot, describe, room, text_width, y_axis_room};
use crate::gui::fonts;
use crate::gui::icons::Look;
use crate::gui::theme::{FADED, Theme};
use crate::gui::view::axis::{count_ticks, signed_ticks};
use crate::gui::view::tensors::{ErrorHistogram, Outlier, Span};
use crate::gui::view::{figures, format};

/// Height of an outlier's two lines.
const NAMED: f32 = 34.0;

/// What an error histogram says beside its bars.
pub struct Words {
    /// What is counted, for names of bars: `Scale error`.
    pub name: &'static str,
    /// Below the axis.
    pub axis: &'static str,
    /// Over the middle: `ideal`, `rounding`.
    pub middle: &'static str,
    /// Over the left and the right side, where there is something to say.
    pub sides: Option<(&'static str, &'static str)>,
    /// Decimals of an edge.
    pub decimals: usize,
}

/// How one source is painted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Series {
    /// Hue and texture.
    pub look: Look,
    /// Whether another one is under the pointer.
    pub faded: bool,
}

/// Paints the histogram and returns the bar that was clicked, as the values it stands for. `chosen` are those the table is filtered
/// by now; `series` has one entry for each source of the histogram.
pub fn error_plot(
    ui: &mut Ui,
    height: f32,
    words: &Words,
    histogram: &ErrorHistogram,
    series: &[Series],
    chosen: Option<Span>,
) -> Option<Span> {
    let theme = Theme::of(ui.ctx());
    let (rect, response) = room(ui, height, Sense::hover());
    let most = u64::from(histogram.highest()).max(1);
    let counts = count_ticks(most, 2);
    let left = y_axis_room(ui.painter(), &counts);
    let area = Rect::from_min_max(rect.min + vec2(left, 22.0), rect.max - vec2(4.0, 34.0));
    describe(&response, || summary(words, histogram));
    if !ui.is_rect_visible(rect) || area.width() < 40.0 {
        return None;
    }
    let plot = Plot {
        painter: ui.painter_at(rect),
        theme,
        area,
        x: (histogram.start, histogram.end()),
    };
    // The bars below a name leave room for it.
    let named = histogram
        .outliers
        .first()
        .map(|o| Named::place(&plot, histogram, o));
    let below_name = named.as_ref().map_or(0, |n| n.below);
    let room = f64::from(area.height() / (area.height() - NAMED).max(1.0));
    let top = (most as f64).max(f64::from(below_name) * room);
    let share = |n: f64| (n / top) as f32;
    plot.y_axis(&counts, share);
    sides(&plot, words);
    let clicked = bars(ui, &plot, words, histogram, series, chosen, &share);
    plot.base_line();
    plot.x_axis(&signed_ticks(
        plot.x.0,
        plot.x.1,
        ((area.width() / 56.0) as usize).max(4),
    ));
    let below = pos2(area.center().x, rect.bottom());
    plot.caption(below, Align2::CENTER_BOTTOM, words.axis, theme.text2);
    if let Some(named) = named {
        let bottom = plot.height(share(f64::from(named.below))) - 4.0;
        let line = |above: f32, text: &str, color| {
            plot.caption(
                pos2(named.left, bottom - above),
                Align2::LEFT_BOTTOM,
                text,
                color,
            );
        };
        let ground = Rect::from_min_max(
            pos2(named.left, bottom - 26.0),
            pos2(named.left + named.width, bottom),
        );
        plot.painter.rect_filled(ground, 0.0, theme.raised);
        line(13.0, &named.title, theme.damage);
        line(0.0, &named.cost, theme.text2);
    }
    export::offer(ui, rect, words.name);
    clicked
}

fn summary(words: &Words, h: &ErrorHistogram) -> String {
    let middle: u32 = h.bins.get(h.bins.len() / 2).map_or(0, |b| b.iter().sum());
    let near = format!(
        "{} of {} in the middle bin",
        format::count(middle as usize),
        format::count(h.total)
    );
    let worst = h.outliers.first().map_or_else(String::new, |o| {
        format!(
            ", farthest is {} with {}",
            o.name,
            format::signed(o.error, 1)
        )
    });
    format!("{} histogram: {near}{worst}", words.name)
}

fn sides(plot: &Plot<'_>, words: &Words) {
    let (theme, area) = (plot.theme, plot.area);
    let top = area.top() - 20.0;
    let middle = plot.at(0.0);
    plot.caption(
        pos2(middle, top),
        Align2::CENTER_TOP,
        words.middle,
        theme.text2,
    );
    if let Some((left, right)) = words.sides {
        plot.caption(pos2(area.left(), top), Align2::LEFT_TOP, left, theme.text2);
        plot.caption(
            pos2(area.right(), top),
            Align2::RIGHT_TOP,
            right,
            theme.text2,
        );
    }
    let line = [pos2(middle, area.top() - 5.0), pos2(middle, area.bottom())];
    plot.painter.extend(egui::Shape::dashed_line(
        &line,
        Stroke::new(1.0, theme.control),
        2.0,
        3.0,
    ));
}

#[allow(clippy::too_many_arguments)] // the parts of one plot
fn bars(
    ui: &Ui,
    plot: &Plot<'_>,
    words: &Words,
    h: &ErrorHistogram,
    series: &[Series],
    chosen: Option<Span>,
    share: &dyn Fn(f64) -> f32,
) -> Option<Span> {
    let theme = plot.theme;
    let mut clicked = None;
    for (i, bin) in h.bins.iter().enumerate() {
        let total: u32 = bin.iter().sum();
        if total == 0 {
            continue;
        }
        let span = h.span(i);
        let (left, right) = (plot.at(span.from), plot.at(span.to));
        let right = if right - left >= 4.0 {
            right - 1.0
        } else {
            right
        };
        let whole = Rect::from_x_y_ranges(left..=right, plot.area.y_range());
        let name = format!(
            "{} {} to {}, {}",
            words.name,
            format::signed(span.from, words.decimals),
            format::signed(span.to, words.decimals),
            format::count(total as usize)
        );
        let response = ui.interact(whole, ui.scope_id().with((words.name, i)), Sense::click());
        let is_chosen = chosen.is_some_and(|c| c.from == span.from);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_chosen, &name));
        if response.hovered() || is_chosen {
            plot.painter.rect_filled(whole, 0.0, theme.hover);
        }
        if response.has_focus() {
            plot.painter.rect_stroke(
                whole,
                0.0,
                Stroke::new(2.0, theme.focus),
                egui::StrokeKind::Outside,
            );
        }
        let mut below = 0;
        for (&n, series) in bin.iter().zip(series).filter(|(n, _)| **n > 0) {
            let bottom = plot.height(share(f64::from(below)));
            let top = plot.height(share(f64::from(below + n)));
            let gap = if below > 0 && bottom - top >= 3.0 {
                1.0
            } else {
                0.0
            };
            let rect = Rect::from_x_y_ranges(left..=right, top.min(bottom - 1.0)..=bottom - gap);
            let dim = series.faded || (chosen.is_some() && !is_chosen);
            let hue = theme.mode(series.look.mode);
            let hue = if dim { hue.gamma_multiply(FADED) } else { hue };
            series.look.paint_bar(&plot.painter, rect, hue);
            below += n;
        }
        if response.clicked() {
            clicked = Some(span);
        }
        response.on_hover_text(name);
    }
    clicked
}

/// Name, error and cost of the farthest tensor, and where they stand.
struct Named {
    title: String,
    cost: String,
    left: f32,
    width: f32,
    /// Height of the highest stack below the text.
    below: u32,
}

impl Named {
    fn place(plot: &Plot<'_>, h: &ErrorHistogram, outlier: &Outlier) -> Self {
        let name = figures::elide(&outlier.name, 22);
        let title = format!("{name} {}", format::signed(outlier.error, 1));
        let cost = format!("{} in real units", format::significant(outlier.real.abs()));
        let width = [&title, &cost].map(|t| text_width(&plot.painter, t, fonts::caption()));
        let width = width[0].max(width[1]);
        let bar = h.span(h.bin_of(outlier.error));
        let left = plot.at((bar.from + bar.to) / 2.0) - width / 2.0;
        let left = left.min(plot.area.right() - width).max(plot.area.left());
        let covered = (plot.value(left - 4.0), plot.value(left + width + 4.0));
        let below = (h.bin_of(covered.0)..=h.bin_of(covered.1)).map(|i| h.bins[i].iter().sum());
        Self {
            title,
            cost,
            left,
            width,
            below: below.max().unwrap_or(0),
        }
    }
}
