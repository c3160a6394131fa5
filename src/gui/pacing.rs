//! When the window paints: for the user at once, for itself only so often.
//!
//! egui paints two or three equal frames after every event. Without a GPU each takes 10 ms and more, and a click that
//! falls into one waits for its end; so the frames that nobody asked for stand back for a moment.

use std::time::{Duration, Instant};

use eframe::{EframeWinitApplication, UserEvent};
use winit::application::ApplicationHandler;
use winit::event::{DeviceEvent, DeviceId, StartCause, WindowEvent};
use winit::event_loop::ActiveEventLoop;
use winit::window::WindowId;

/// After a frame that answered the user: how long frames that only settle it wait.
const AFTER_INPUT: Duration = Duration::from_millis(32);

/// From the beginning of one frame that nobody asked for to that of the next: 60 in a second.
const BETWEEN: Duration = Duration::from_millis(16);

/// The application, with the repaints that it asks for itself held back until the screen is due.
pub struct Paced<'a> {
    app: EframeWinitApplication<'a>,
    pace: Pace,
}

impl<'a> Paced<'a> {
    /// Paces that application.
    pub fn new(app: EframeWinitApplication<'a>) -> Self {
        Self {
            app,
            pace: Pace {
                user_acted: false,
                due: Instant::now(),
            },
        }
    }
}

/// When the next frame that nobody asked for may begin.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Whether input came in since the last frame.
    user_acted: bool,
    due: Instant,
}

impl Pace {
    /// A frame was painted from `begun` to `ended`.
    fn painted(&mut self, begun: Instant, ended: Instant) {
        self.due = match std::mem::take(&mut self.user_acted) {
            true => ended + AFTER_INPUT,
            false => begun + BETWEEN,
        };
    }

    /// When a repaint that is asked for `when` may happen.
    fn allow(&self, when: Instant) -> Instant {
        when.max(self.due)
    }
}

impl ApplicationHandler<UserEvent> for Paced<'_> {
    fn window_event(&mut self, at: &ActiveEventLoop, window: WindowId, event: WindowEvent) {
        let frame = matches!(event, WindowEvent::RedrawRequested);
        let begun = Instant::now();
        self.app.window_event(at, window, event);
        match frame {
            true => self.pace.painted(begun, Instant::now()),
            false => self.pace.user_acted = true,
        }
    }

    fn user_event(&mut self, at: &ActiveEventLoop, mut event: UserEvent) {
        match &mut event {
            UserEvent::RequestRepaint { when, .. } => *when = self.pace.allow(*when),
            UserEvent::AccessKitActionRequest(_) => self.pace.user_acted = true,
        }
        self.app.user_event(at, event);
    }

    fn device_event(&mut self, at: &ActiveEventLoop, device: DeviceId, event: DeviceEvent) {
        self.app.device_event(at, device, event);
    }

    fn resumed(&mut self, at: &ActiveEventLoop) {
        self.app.resumed(at);
    }

    fn new_events(&mut self, at: &ActiveEventLoop, cause: StartCause) {
        self.app.new_events(at, cause);
    }

    fn about_to_wait(&mut self, at: &ActiveEventLoop) {
        self.app.about_to_wait(at);
    }

    fn suspended(&mut self, at: &ActiveEventLoop) {
        self.app.suspended(at);
    }

    fn exiting(&mut self, at: &ActiveEventLoop) {
        self.app.exiting(at);
    }

    fn memory_warning(&mut self, at: &ActiveEventLoop) {
        self.app.memory_warning(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_settles_an_answer_stands_back_and_what_comes_later_does_not() {
        let begun = Instant::now();
        let ended = begun + Duration::from_millis(10);
        let mut pace = Pace {
            user_acted: true,
            due: begun,
        };
        pace.painted(begun, ended);
        assert_eq!(pace.allow(ended), ended + AFTER_INPUT);
        let later = ended + 2 * AFTER_INPUT;
        assert_eq!(pace.allow(later), later);
    }

    #[test]
    fn frames_without_input_are_sixty_a_second() {
        let begun = Instant::now();
        let mut pace = Pace {
            user_acted: false,
            due: begun,
        };
        pace.painted(begun, begun + Duration::from_millis(1));
        assert_eq!(pace.allow(begun), begun + BETWEEN);
        let slow = Duration::from_millis(40);
        pace.painted(begun, begun + slow);
        assert_eq!(pace.allow(begun + slow), begun + slow);
    }
}
