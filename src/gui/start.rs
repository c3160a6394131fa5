//! Opens the native window, and says what the system lacks when it cannot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use eframe::UserEvent;
use winit::event_loop::EventLoop;

use super::App;
use super::pacing::Paced;
use crate::workbench::{Command, Layout};

/// What a bare Debian needs to show a window.
const PACKAGES: &str = "apt-get install --no-install-recommends libxkbcommon-x11-0 libx11-xcb1 libxcursor1 libxi6 libgl1";

/// How winit says that it could not load a library that it only needs at run time.
const MISSING_LIBRARY: &str = "could not be loaded";

/// Opens the window and returns when it is closed; with a model, opens that first.
///
/// # Errors
/// One message that says what the system lacks to show a window.
pub fn run(model: Option<PathBuf>) -> Result<(), String> {
    let kept_in = configuration().map(|folder| folder.join("layout.json"));
    let layout = kept_in.as_deref().map(Layout::load).unwrap_or_default();
    let options = eframe::NativeOptions {
        renderer: eframe::Renderer::Glow,
        // All fills are flat, so it has nothing to smooth; without a GPU it makes every pixel dearer.
        dithering: false,
        viewport: egui::ViewportBuilder::default()
            .with_title("Zeropoint")
            .with_app_id("zeropoint")
            .with_inner_size(layout.size.map_or([1440.0, 900.0], |(w, h)| [w, h]))
            .with_min_inner_size([1024.0, 640.0]),
        ..Default::default()
    };
    let create: eframe::AppCreator<'_> = Box::new(|cc| {
        let mut app = App::new(&cc.egui_ctx);
        if let Some(folder) = configuration() {
            app.bench.remember_recent_in(&folder.join("recent.json"));
            // A model that was asked for comes before the session of last time.
            app.bench
                .keep_session_in(&folder.join("sessions"), model.is_none());
        }
        app.kept.file = kept_in;
        let App {
            bench, state, kept, ..
        } = &mut app;
        kept.take_up(layout, &cc.egui_ctx, bench, state);
        if let Some(path) = model {
            app.bench.apply(Command::OpenModel(path));
        }
        Ok(Box::new(app))
    });
    // A missing libxkbcommon-x11 is a panic in winit: it becomes our one message instead of a backtrace.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !panic_text(info.payload()).contains(MISSING_LIBRARY) {
            report(info);
        }
    }));
    let opened = catch_unwind(AssertUnwindSafe(|| open(options, create)));
    match opened {
        Ok(Ok(())) => Ok(()),
        Ok(Err(cause)) => Err(explain(&cause)),
        Err(panic) => Err(explain(panic_text(panic.as_ref()))),
    }
}

/// Runs the window until it is closed.
fn open(options: eframe::NativeOptions, create: eframe::AppCreator<'_>) -> Result<(), String> {
    let complaints = Complaints::default();
    // Fails where somebody else collects already: then a window that does not open has no cause to tell.
    let _ = log::set_boxed_logger(Box::new(complaints.clone()));
    log::set_max_level(log::LevelFilter::Error);
    let events = EventLoop::<UserEvent>::with_user_event()
        .build()
        .map_err(|e| e.to_string())?;
    let opened = Arc::new(Mutex::new(false));
    let create = {
        let opened = opened.clone();
        Box::new(move |cc: &eframe::CreationContext<'_>| {
            *opened.lock().unwrap_or_else(PoisonError::into_inner) = true;
            create(cc)
        })
    };
    let app = eframe::create_native("Zeropoint", options, create, &events);
    events
        .run_app(&mut Paced::new(app))
        .map_err(|e| e.to_string())?;
    match *opened.lock().unwrap_or_else(PoisonError::into_inner) {
        true => Ok(()),
        false => Err(complaints.last()),
    }
}

/// What eframe logs as an error: it tells nobody else why a window did not open.
#[derive(Clone, Default)]
struct Complaints(Arc<Mutex<String>>);

impl Complaints {
    fn last(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl log::Log for Complaints {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() == log::Level::Error
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = record.args().to_string();
        }
    }

    fn flush(&self) {}
}

/// What a panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the window stopped")
}

/// What the user can do about a window that did not open.
fn explain(cause: &str) -> String {
    if !cfg!(target_os = "linux") {
        return format!("The window could not be opened: {cause}");
    }
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()));
    explain_on_linux(cause, has_display)
}

fn explain_on_linux(cause: &str, has_display: bool) -> String {
    // winit tells the line of its source before the reason.
    let cause = match cause.rsplit_once(".rs:") {
        Some((_, reason)) => reason
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == ':')
            .trim(),
        None => cause,
    };
    let by_command = "The command line needs no window: see zeropoint --help";
    if !has_display {
        return format!(
            "There is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set). {by_command}"
        );
    }
    let cause = if cause.contains("glutin config") {
        "no OpenGL found"
    } else {
        cause
    };
    let lacks_library = [
        MISSING_LIBRARY,
        "LibraryOpenError",
        "shared librar",
        "shared object",
        "no OpenGL",
    ]
    .iter()
    .any(|sign| cause.contains(sign));
    if lacks_library {
        format!(
            "The window needs system libraries that are missing here ({cause}). On Debian or Ubuntu: {PACKAGES}. {by_command}"
        )
    } else if ["XOpenDisplayFailed", "X server", "compositor"]
        .iter()
        .any(|sign| cause.contains(sign))
    {
        format!("The display cannot be reached ({cause}). {by_command}")
    } else {
        format!(
            "The window could not be opened ({cause}). If libraries are missing: {PACKAGES}. {by_command}"
        )
    }
}

/// Where recent files and the layout are remembered: our part of the user's configuration folder, if the system names one.
fn configuration() -> Option<PathBuf> {
    let of = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let folder = if cfg!(target_os = "windows") {
        of("APPDATA")
    } else if cfg!(target_os = "macos") {
        of("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        of("XDG_CONFIG_HOME").or_else(|| of("HOME").map(|home| home.join(".config")))
    };
    folder.map(|f| f.join("zeropoint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_names_the_packages() {
        for cause in [
            "Library libxkbcommon-x11.so could not be loaded.",
            "Failed to load one of xlib's shared libraries",
            "no OpenGL found",
        ] {
            let text = explain_on_linux(cause, true);
            assert!(
                text.contains("libxkbcommon-x11-0") && text.contains(cause),
                "{text}"
            );
        }
    }

    #[test]
    fn a_display_that_does_not_answer_is_named_without_source_lines() {
        let cause = "winit EventLoopError: os error at /x/linux/mod.rs:788: Failed to open connection to X server";
        let text = explain_on_linux(cause, true);
        assert!(
            text.starts_with(
                "The display cannot be reached (Failed to open connection to X server)."
            ),
            "{text}"
        );
    }

    #[test]
    fn a_machine_without_opengl_is_told_so() {
        let cause = "Found no glutin configs matching the template: ConfigTemplate { .. }. Error: not found";
        let text = explain_on_linux(cause, true);
        assert!(
            text.contains("(no OpenGL found)") && text.contains("libgl1"),
            "{text}"
        );
    }

    #[test]
    fn a_missing_display_points_at_the_command_line() {
        let text = explain_on_linux("WinitEventLoop(..)", false);
        assert!(text.contains("DISPLAY") && text.contains("--help") && !text.contains("apt-get"));
    }
}
