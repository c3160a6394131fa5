//! The Tensors tab: choose, filter, sort, and see histograms.

use egui_kittest::kittest::Queryable as _;
use zeropoint::gui::Tab;
use zeropoint::quantize::Mode;

use crate::fixture;
use crate::harness::{self, Window};

fn with_tensors() -> Window {
    let mut window = harness::dark();
    let app = window.state_mut();
    app.state.tab = Tab::Tensors;
    app.bench.experiments = vec![
        fixture::experiment(1, Mode::Int8, fixture::int8_tensors()),
        fixture::experiment(2, Mode::Int16x8, fixture::int16_tensors()),
    ];
    window.run();
    window
}

#[test]
fn picture_of_made_up_tensors() {
    let mut window = with_tensors();
    let start = std::time::Instant::now();
    harness::screenshot(&mut window, "scratch-tensors");
    eprintln!("{:?}", start.elapsed());
}
