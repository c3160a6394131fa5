//! The scales of a per-channel tensor as bars, the worst channel marked.

use egui::{Align2, Color32, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::export;
use super::plot::{Plot, describe, room, text_width, y_axis_room};
use crate::evaluate::ChannelReport;
use crate::gui::fonts;
use crate::gui::theme::Theme;
use crate::gui::view::axis::ticks;
use crate::gui::view::{figures, format, tensors as view};

/// The scale of each channel as bars; the worst channel is marked, a click chooses one. Returns the channel that was clicked.
pub fn scales(
    ui: &mut Ui,
    height: f32,
    channels: &[ChannelReport],
    chosen: Option<usize>,
    hue: Color32,
) -> Option<usize> {
    let theme = Theme::of(ui.ctx());
    let (rect, response) = room(ui, height, Sense::click());
    let finite = |c: &ChannelReport| Some(f64::from(c.scale)).filter(|s| s.is_finite() && *s > 0.0);
    let most = channels.iter().filter_map(finite).fold(0.0, f64::max);
    let most = if most > 0.0 { most } else { 1.0 };
    let figures_left = ticks(0.0, most, 3);
    let left = y_axis_room(ui.painter(), &figures_left);
    let area = Rect::from_min_max(rect.min + vec2(left, 26.0), rect.max - vec2(4.0, 38.0));
    let worst = view::worst_channel(channels);
    describe(&response, || scales_summary(channels, worst));
    if !ui.is_rect_visible(rect) || area.width() < 40.0 || channels.is_empty() {
        return None;
    }
    let n = channels.len();
    let plot = Plot {
        painter: ui.painter_at(rect),
        theme,
        area,
        x: (-0.5, n as f64 - 0.5),
    };
    let share = |s: f64| (s / most / 1.05) as f32;
    plot.y_axis(&figures_left, share);
    let bar = |i: usize| {
        let height = finite(&channels[i]).map_or(0.0, share);
        let gap = if area.width() / n as f32 > 6.0 {
            0.12
        } else {
            0.0
        };
        (i as f64 - 0.5 + gap, i as f64 + 0.5 - gap, height)
    };
    plot.bars((0..n).map(bar), hue.gamma_multiply(0.6));
    for marked in [worst, chosen].into_iter().flatten().filter(|&i| i < n) {
        plot.bars(std::iter::once(bar(marked)), hue);
    }
    plot.base_line();
    if let Some(i) = worst {
        mark_worst(&plot, i, plot.height(bar(i).2), &channels[i]);
    }
    let widest = text_width(&plot.painter, &format::count(n - 1), fonts::caption()) + 7.0;
    let every = (n as f32 * widest / area.width()).ceil().max(1.0) as usize;
    let every = if every > 2 {
        every.next_multiple_of(5)
    } else {
        every
    };
    for i in (0..n).step_by(every) {
        let (font, color) = if Some(i) == worst || Some(i) == chosen {
            (fonts::small_strong(), theme.text)
        } else {
            (fonts::caption(), theme.text3)
        };
        let at = pos2(plot.at(i as f64), area.bottom() + 4.0);
        plot.painter
            .text(at, Align2::CENTER_TOP, format::count(i), font, color);
    }
    plot.caption(
        pos2(area.center().x, rect.bottom()),
        Align2::CENTER_BOTTOM,
        "Output channel",
        theme.text2,
    );
    export::offer(ui, rect, "Scale per channel");
    let under = response
        .hover_pos()
        .filter(|p| area.expand2(vec2(0.0, 20.0)).contains(*p));
    let under = under.map(|p| (plot.value(p.x).round().max(0.0) as usize).min(n - 1));
    let clicked = response.clicked().then_some(under).flatten();
    if let Some(i) = under {
        response.on_hover_text_at_pointer(channel_text(i, &channels[i]));
    }
    clicked
}

/// `Channel 5: scale 0.00871, scale error +0.04, SQNR 35.5 dB`.
pub fn channel_text(i: usize, c: &ChannelReport) -> String {
    let scale = format::significant(c.scale.into());
    let error = figures::or_none(c.scale_error, |e| format::signed(e, 2));
    let sqnr = figures::or_none(c.sqnr_db, format::decibel);
    format!(
        "Channel {}: scale {scale}, scale error {error}, SQNR {sqnr}",
        format::count(i)
    )
}

fn scales_summary(channels: &[ChannelReport], worst: Option<usize>) -> String {
    let worst = worst.map_or_else(String::new, |i| {
        format!(", worst is {}", channel_text(i, &channels[i]))
    });
    format!(
        "Scale per channel: {} channels{worst}",
        format::count(channels.len())
    )
}

fn mark_worst(plot: &Plot<'_>, i: usize, top: f32, channel: &ChannelReport) {
    let (theme, x) = (plot.theme, plot.at(i as f64));
    let tip = pos2(x, top - 3.0);
    let triangle = vec![tip, tip + vec2(-4.0, -6.0), tip + vec2(4.0, -6.0)];
    plot.painter.add(Shape::convex_polygon(
        triangle,
        theme.damage_fill,
        Stroke::NONE,
    ));
    let text = format!(
        "worst, {}",
        figures::or_none(channel.sqnr_db, format::decibel)
    );
    let width = text_width(&plot.painter, &text, fonts::caption());
    let fits_right = x + 8.0 + width < plot.painter.clip_rect().right();
    let (at, align) = if fits_right {
        (x - 4.0, Align2::LEFT_CENTER)
    } else {
        (x + 4.0, Align2::RIGHT_CENTER)
    };
    // Above all bars, so that it crosses none.
    plot.caption(pos2(at, plot.area.top() - 8.0), align, &text, theme.damage);
}
