//! The whole graph as a strip beside its list: one slice an operator, as dark as its error; a click goes there.

use egui::{Mesh, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2};

use crate::gui::theme::Theme;
use crate::gui::view::format;
use crate::gui::view::layers::{Item, Layers, worst};

/// Paints the strip; `seen` is how far the list is scrolled and how much of it shows, both in points of its whole height. Returns
/// the place that was clicked or dragged to, as a share of the whole.
pub fn ui(
    ui: &Ui,
    rect: Rect,
    all: &Layers,
    items: &[Item],
    (seen, whole): ((f32, f32), f32),
    theme: &Theme,
) -> Option<f32> {
    let response = ui.interact(
        rect,
        ui.scope_id().with("overview"),
        Sense::CLICK | Sense::DRAG,
    );
    let figures = || items.iter().map(|&i| worst(all, i));
    response.widget_info(|| {
        let measured = figures().flatten().count();
        let bad = figures().flatten().filter(|db| *db < 40.0).count();
        let words = format!(
            "Overview of {} operators: {} of {} measured below 40 dB",
            format::count(all.layers.len()),
            format::count(bad),
            format::count(measured)
        );
        WidgetInfo::labeled(Role::Slider, true, words)
    });
    let painter = ui.painter();
    painter.rect_filled(rect, 0.0, theme.panel);
    // A slice a point, the worst of what falls into it.
    let slices = (rect.height().max(1.0) as usize).min(items.len().max(1));
    let mut mesh = Mesh::default();
    let height = rect.height() / slices as f32;
    for slice in 0..slices {
        let of = slice * items.len() / slices..(slice + 1) * items.len() / slices;
        let figures = items.get(of).unwrap_or(&[]).iter();
        let Some(db) = figures
            .filter_map(|&i| worst(all, i))
            .min_by(f64::total_cmp)
        else {
            continue;
        };
        let top = rect.top() + slice as f32 * height;
        let corners = (pos2(rect.left(), top), pos2(rect.right(), top + height));
        mesh.add_colored_rect(Rect::from_min_max(corners.0, corners.1), theme.heat(db).0);
    }
    painter.add(Shape::mesh(mesh));
    let at = |y: f32| rect.top() + y / whole.max(1.0) * rect.height();
    let window = rect.with_min_y(at(seen.0)).with_max_y(at(seen.0 + seen.1));
    painter.rect_stroke(
        window,
        0.0,
        Stroke::new(1.0, theme.text),
        StrokeKind::Inside,
    );
    if response.has_focus() {
        let ring = Stroke::new(2.0, theme.focus);
        painter.rect_stroke(rect, 0.0, ring, StrokeKind::Inside);
    }
    let pressed = response.clicked() || response.dragged();
    let pointer = response.interact_pointer_pos().filter(|_| pressed);
    response.on_hover_text("The whole graph, by its error; click to go there");
    pointer.map(|p| ((p.y - rect.top()) / rect.height().max(1.0)).clamp(0.0, 1.0))
}
