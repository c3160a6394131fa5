//! The one way to start the window in a test, to wait for it and to take its picture.

use std::path::Path;
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use image::RgbaImage;
use zeropoint::gui::App;

use crate::soft::Soft;

/// The window of a test.
pub type Window = Harness<'static, App>;

/// A window of this size in points, without display, cursor or GPU.
pub fn window(size: [f32; 2], theme: egui::Theme) -> Window {
    Harness::builder()
        .with_size(size)
        .with_theme(theme)
        .with_max_steps(20)
        .with_step_dt(1.0 / 60.0)
        .with_render_cursor(false)
        .renderer(Soft::default())
        .build_eframe(|cc| App::new(&cc.egui_ctx))
}

/// The window that most tests drive.
pub fn dark() -> Window {
    window([1440.0, 900.0], egui::Theme::Dark)
}

/// Steps the window until the predicate holds; says what it waited for if that does not happen in time.
pub fn step_until(
    window: &mut Window,
    description: &str,
    timeout: Duration,
    mut predicate: impl FnMut(&Window) -> bool,
) {
    let start = Instant::now();
    window.step();
    while !predicate(window) {
        assert!(
            start.elapsed() < timeout,
            "waited {timeout:?} in vain: {description}"
        );
        std::thread::sleep(Duration::from_millis(5));
        window.step();
    }
}

/// The window as it looks now; it must have its size and must not be blank. Where `PICTURES` names a folder, it is written there,
/// numbered within its test, to be looked at.
pub fn picture(window: &mut Window) -> RgbaImage {
    let size = window.ctx.content_rect().size() * window.ctx.pixels_per_point();
    let picture = window
        .render()
        .expect("the CPU renderer paints every frame");
    assert_eq!(
        (picture.width(), picture.height()),
        (size.x as u32, size.y as u32)
    );
    let mut colors: Vec<_> = picture.pixels().collect();
    colors.sort_unstable_by_key(|p| p.0);
    colors.dedup();
    assert!(
        colors.len() > 50,
        "a picture of {} colours is blank",
        colors.len()
    );
    assert!(
        picture.pixels().all(|p| p.0[3] == 255),
        "the window does not cover its area"
    );
    if let Some(folder) = std::env::var_os("PICTURES") {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("test").replace("::", "-");
        let file = |n: usize| Path::new(&folder).join(format!("{test}-{n}.png"));
        let free = (1..1000).map(file).find(|f| !f.exists());
        let file = free.expect("fewer than a thousand pictures");
        picture.save(file).expect("the picture can be written");
    }
    picture
}

/// Whether this run writes pictures: `UPDATE_SCREENSHOTS=1` those of the README, over all images, for which the program should be
/// optimised and the machine idle; `UPDATE_SCREENSHOTS=few` the same for a quick look.
pub fn updates_screenshots() -> bool {
    std::env::var_os("UPDATE_SCREENSHOTS").is_some_and(|v| v == "1" || v == "few")
}

/// Whether the pictures of this run are meant for the README.
pub fn is_for_readme() -> bool {
    std::env::var_os("UPDATE_SCREENSHOTS").is_some_and(|v| v == "1")
}

/// Takes a picture for the README; written into `screenshots/` when [`updates_screenshots`].
pub fn screenshot(window: &mut Window, name: &str) {
    // Nothing under the pointer: pictures show the state, not the way there.
    window.remove_cursor();
    window.run_ok();
    let picture = picture(window);
    if updates_screenshots() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
        std::fs::create_dir_all(&folder).expect("screenshots/ can be made");
        let file = folder.join(format!("{name}.png"));
        picture.save(file).expect("the picture can be written");
    }
}
