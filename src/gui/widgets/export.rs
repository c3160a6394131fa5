//! Pictures of plots: a small menu on each, by right click or its button, copies it or saves it as PNG or SVG.

use std::sync::Arc;

use egui::{
    ColorImage, Context, Id, LayerId, Popup, Rect, Response, Sense, Ui, WidgetInfo, pos2, vec2,
};

use bytes::Bytes;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::{focus_ring, menu_item};
use crate::gui::Ask;
use crate::gui::icons::Icon;
use crate::gui::svg;
use crate::gui::theme::{ROUND, Theme};

/// What becomes of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Copy,
    SavePng,
    SaveSvg,
}

/// A finished picture.
#[derive(Debug, Clone)]
enum Picture {
    /// To be put on the clipboard.
    Copied(ColorImage),
    /// To be saved as PNG under a name like this.
    Png(String, ColorImage),
    /// To be saved as SVG under a name like this.
    Svg(String, String),
}

/// Pictures on their way, in the context's memory: plots are drawn far from where files are asked for.
#[derive(Debug, Clone, Default)]
struct Desk {
    /// The plot to be painted without its menu in the next frame, and what for.
    wanted: Option<(Id, Use)>,
    done: Vec<Picture>,
}

fn desk<R>(ctx: &Context, change: impl FnOnce(&mut Desk) -> R) -> R {
    ctx.data_mut(|d| change(d.get_temp_mut_or_default(Id::unique("pictures of plots"))))
}

/// Carries out what is ready since the last call: pictures go to the clipboard, or a place to save them is asked for.
pub fn asked(ctx: &Context) -> Vec<Ask> {
    let done = desk(ctx, |d| std::mem::take(&mut d.done));
    done.into_iter()
        .filter_map(|picture| match picture {
            Picture::Copied(image) => {
                ctx.copy_image(image);
                None
            }
            Picture::Png(name, image) => Some(Ask::Picture(name, png(&image)?)),
            Picture::Svg(name, svg) => Some(Ask::Picture(name, svg.into_bytes().into())),
        })
        .collect()
}

/// The image as a PNG file; `None` only where it has no pixels.
fn png(image: &ColorImage) -> Option<Bytes> {
    let [width, height] = image.size.map(|n| u32::try_from(n).ok());
    let mut bytes = vec![];
    PngEncoder::new(&mut bytes)
        .write_image(image.as_raw(), width?, height?, ExtendedColorType::Rgba8)
        .ok()?;
    Some(bytes.into())
}

/// Offers the menu on the plot that was just painted into `rect`. `name` says what it shows, such as `Step error`.
pub fn offer(ui: &mut Ui, rect: Rect, name: &str) {
    let id = ui.scope_id().with(("picture of", name));
    let layer = ui.layer_id();
    if let Some(purpose) = desk(ui.ctx(), |d| d.wanted.take_if(|w| w.0 == id).map(|w| w.1)) {
        take(ui.ctx(), layer, rect, name, purpose);
        return;
    }
    let corner = Rect::from_min_size(
        pos2(rect.right() - 26.0, rect.top() + 2.0),
        vec2(24.0, 24.0),
    );
    let response = ui.interact(corner, id, Sense::click());
    let label = format!("Picture of {name}");
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, ui.is_enabled(), &label));
    let near = ui.rect_contains_pointer(rect);
    let open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(&response));
    if near || open || response.has_focus() {
        paint(ui, corner, &response);
    }
    let response = response.on_hover_text("Copy or save this plot");
    if near && ui.input(|i| i.pointer.secondary_clicked()) {
        Popup::open_id(ui.ctx(), Popup::default_response_id(&response));
    }
    let mut purpose = None;
    Popup::menu(&response).gap(2.0).show(|ui| {
        ui.set_width(150.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        for (words, this) in [
            ("Copy as PNG", Use::Copy),
            ("Save as PNG…", Use::SavePng),
            ("Save as SVG…", Use::SaveSvg),
        ] {
            if menu_item(ui, words).clicked() {
                purpose = Some(this);
            }
        }
    });
    if let Some(purpose) = purpose {
        // Taken in the next frame, when the menu is gone.
        desk(ui.ctx(), |d| d.wanted = Some((id, purpose)));
        ui.ctx().request_repaint();
    }
}

fn paint(ui: &Ui, corner: Rect, response: &Response) {
    let theme = Theme::of(ui.ctx());
    let (fill, ink) = match response.hovered() {
        true => (theme.hover, theme.text),
        false => (theme.raised, theme.text2),
    };
    ui.painter().rect_filled(corner, ROUND, fill);
    Icon::Export.paint_sized(ui.painter(), corner.center(), 14.0, ink);
    focus_ring(ui, response, ROUND);
}

fn take(ctx: &Context, layer: LayerId, rect: Rect, name: &str, purpose: Use) {
    let file = |end: &str| format!("{}.{end}", name.to_lowercase().replace(' ', "_"));
    let finish = |ctx: &Context, picture: Picture| {
        desk(ctx, |d| d.done.push(picture));
        ctx.request_repaint();
    };
    if purpose == Use::SaveSvg {
        let svg = svg::picture(ctx, layer, rect, name);
        return finish(ctx, Picture::Svg(file("svg"), svg));
    }
    let (name, scale) = (file("png"), ctx.pixels_per_point());
    let waker = ctx.clone();
    ctx.request_screenshot(move |window: Arc<ColorImage>| {
        let whole = Rect::from_min_size(
            pos2(0.0, 0.0),
            vec2(window.width() as f32, window.height() as f32) / scale,
        );
        let part = rect.intersect(whole);
        if part.is_positive() {
            let image = window.region(&part, Some(scale));
            let picture = match purpose {
                Use::Copy => Picture::Copied(image),
                Use::SavePng | Use::SaveSvg => Picture::Png(name, image),
            };
            finish(&waker, picture);
        }
    });
}
