//! The table of operators in the window.

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use zeropoint::gui::panels::operators::State;

use crate::harness::{self, Window};

fn rows(window: &Window) -> Vec<String> {
    let label = |node: egui_kittest::Node<'_>| node.accesskit_node().label().unwrap_or_default();
    window.query_all_by_role(Role::Row).map(label).collect()
}

#[test]
fn it_opens_from_the_bar_filters_and_closes() {
    let mut window = harness::dark();
    window.run();
    window.get_by_label("Operators").click();
    window.run();
    assert!(
        rows(&window)
            .iter()
            .any(|r| r.starts_with("ABS: runs in float32")),
        "{:?}",
        rows(&window)
    );
    harness::screenshot(&mut window, "operators");
    window.state_mut().state.operators = Some(State {
        filter: "hard_swish".into(),
        ..State::new()
    });
    window.run();
    assert_eq!(
        rows(&window),
        ["HARD_SWISH: runs in float32, int8; quantized in int8"]
    );
    window.get_by_label("Close the table").click();
    window.run();
    assert!(window.state().state.operators.is_none());
}
