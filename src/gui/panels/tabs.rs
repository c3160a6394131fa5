//! The strip of tabs.

use egui::{Align2, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::super::actions::Action;
use super::super::{Context, Tab, fonts};
use crate::gui::theme::ROUND;
use crate::gui::widgets::focus_ring;

/// Shows the strip, 40 high.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let (_, strip) = ui.allocate_space(vec2(ui.available_width(), 40.0));
    context.state.regions.add(strip);
    ui.painter().rect_filled(strip, 0.0, theme.panel);
    ui.painter()
        .hline(strip.x_range(), strip.bottom() - 0.5, theme.separator());
    let mut x = strip.left() + 26.0;
    for tab in Tab::ALL {
        let chosen = context.state.tab == tab;
        let font = if chosen {
            fonts::strong()
        } else {
            fonts::body()
        };
        let color = if chosen { theme.text } else { theme.text2 };
        let galley = ui
            .painter()
            .layout_no_wrap(tab.name().to_owned(), font, color);
        let rect = Rect::from_min_size(
            pos2(x - 8.0, strip.top() + 4.0),
            vec2(galley.size().x + 16.0, 32.0),
        );
        let response = ui.interact(
            rect,
            ui.scope_id().with(("tab", tab.name())),
            Sense::click(),
        );
        response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, tab.name()));
        if response.hovered() && !chosen {
            ui.painter()
                .rect_filled(rect.shrink2(vec2(0.0, 2.0)), ROUND, theme.hover);
        }
        let at = Align2::LEFT_CENTER.anchor_size(pos2(x, strip.center().y), galley.size());
        let width = galley.size().x;
        ui.painter().galley(at.min, galley, color);
        if chosen {
            let line = Stroke::new(2.0, theme.text);
            ui.painter()
                .hline(x..=(x + width), strip.bottom() - 1.0, line);
        }
        focus_ring(ui, &response, ROUND);
        let keys = Action::Tab(tab).keys(ui.ctx());
        if response
            .on_hover_text(format!("{} ({keys})", tab.name()))
            .clicked()
        {
            context.state.tab = tab;
        }
        x += width + 26.0;
    }
    if context.state.tab == Tab::Compare {
        super::limits::ui(ui, context, strip, x);
    }
}
