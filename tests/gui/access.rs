//! For those who see or point little: every control has a name and is reached by keyboard, every word explains itself, jobs are told.

use std::collections::BTreeSet;

use egui::accesskit::{Action as Can, Live};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use zeropoint::gui::panels::{data, operators, palette, usage};
use zeropoint::gui::view::words::Word;
use zeropoint::gui::{Ask, Tab};
use zeropoint::quantize::{Io, Mode};
use zeropoint::workbench::{Command, Role};

use crate::flow::{demo, idle};
use crate::harness::{Window, dark, picture, window};

/// A control as a screen reader meets it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Control {
    name: String,
    role: String,
    /// Corner and size, rounded, to tell equal names apart.
    place: [i32; 4],
}

impl Control {
    fn of(node: &egui_kittest::Node<'_>) -> Self {
        let inner = node.accesskit_node();
        let place = inner
            .bounding_box()
            .map_or([0.0; 4], |r| [r.x0, r.y0, r.width(), r.height()]);
        Self {
            name: inner.label().or_else(|| inner.value()).unwrap_or_default(),
            role: format!("{:?}", inner.role()),
            place: place.map(|x| x as i32),
        }
    }
}

/// Everything that can be clicked or focused and is enabled, with whether the keyboard can rest on it.
fn controls(window: &Window) -> Vec<(Control, bool)> {
    let nodes = window.root().children_recursive();
    nodes
        .filter_map(|node| {
            let inner = node.accesskit_node();
            let can = |action| inner.data().supports_action(action);
            let (click, focus) = (can(Can::Click), can(Can::Focus));
            let control = Control::of(&node);
            let there = !inner.is_disabled() && control.place[2] > 0 && control.place[3] > 0;
            (there && (click || focus)).then_some((control, focus))
        })
        .collect()
}

/// What has the keyboard.
fn focused(window: &Window) -> Option<Control> {
    let mut nodes = window.root().children_recursive();
    let node = nodes.find(|n| n.accesskit_node().is_focused_in_tree())?;
    Some(Control::of(&node))
}

/// Every control has a name; `Tab` comes to each that was not there `before`, by name (places move as the keyboard scrolls).
fn check(window: &mut Window, state: &str, before: &BTreeSet<String>) {
    window.run_ok();
    let all = controls(window);
    // A scroll bar is named by its role, and what it scrolls follows the keyboard.
    let nameless: Vec<_> = all
        .iter()
        .filter(|(c, _)| c.name.trim().is_empty() && c.role != "ScrollBar")
        .collect();
    assert!(
        nameless.is_empty(),
        "{state}: without a name: {nameless:#?}"
    );
    let mut wanted: BTreeSet<String> = all
        .iter()
        .filter(|(_, focus)| *focus)
        .map(|(c, _)| c.name.clone())
        .filter(|name| !before.contains(name))
        .collect();
    let most = all.len() * 2 + 40;
    for _ in 0..most {
        if wanted.is_empty() {
            break;
        }
        window.key_press(Key::Tab);
        window.step();
        if let Some(control) = focused(window) {
            wanted.remove(&control.name);
        }
    }
    assert!(
        wanted.is_empty(),
        "{state}: not reached by Tab: {wanted:#?}"
    );
}

fn names(window: &Window) -> BTreeSet<String> {
    controls(window).into_iter().map(|(c, _)| c.name).collect()
}

/// The demo, run in two modes.
fn run(mut window: Window) -> Window {
    window = demo(window);
    let bench = &mut window.state_mut().bench;
    for mode in [Mode::Float16, Mode::Dynamic, Mode::Int16x8] {
        bench.apply(Command::SetMode(mode, false));
    }
    bench.apply(Command::SetIo(Mode::Int8, Io::Uint8, true));
    bench.apply(Command::Run);
    idle(&mut window);
    window
}

#[test]
fn every_control_of_every_tab_has_a_name_and_is_reached_by_keyboard() {
    let none = BTreeSet::new();
    let mut start = dark();
    check(&mut start, "start", &none);
    let mut window = run(dark());
    for tab in Tab::ALL {
        window.state_mut().state.tab = tab;
        idle(&mut window);
        check(&mut window, tab.name(), &none);
    }
    window.state_mut().state.tab = Tab::Compare;
    window.state_mut().state.jobs_open = true;
    window.state_mut().state.open_mode = Some(Mode::Int8);
    let id = window.state().bench.experiments[1].id;
    window.state_mut().state.selected = Some(id);
    check(&mut window, "Compare, jobs and options open", &none);
    let ask = Ask::Report("r.html".into());
    let typing = zeropoint::gui::Typing::new(ask, None, true);
    window.state_mut().state.typing = Some(typing);
    check(&mut window, "Compare, typing a path", &none);
}

#[test]
fn every_control_of_narrow_windows_has_a_name_and_is_reached_by_keyboard() {
    let none = BTreeSet::new();
    let mut window = run(window([1024.0, 640.0], egui::Theme::Light));
    for tab in Tab::ALL {
        window.state_mut().state.tab = tab;
        idle(&mut window);
        check(&mut window, tab.name(), &none);
    }
}

#[test]
fn every_dialog_and_menu_has_names_and_is_reached_by_keyboard() {
    let mut window = run(dark());
    let before = names(&window);
    let id = window.state().bench.experiments[1].id;
    type Open = fn(&mut zeropoint::gui::App, zeropoint::workbench::ExperimentId);
    let dialogs: [(&str, Open); 5] = [
        ("help", |app, _| app.state.help = true),
        ("palette", |app, _| {
            app.state.palette = Some(palette::State::default());
        }),
        ("usage", |app, id| {
            app.state.usage = Some(usage::Of::Experiment(id));
        }),
        ("operators", |app, _| {
            app.state.operators = Some(operators::State::new());
        }),
        ("data", |app, _| {
            app.state.data = Some(data::State::of(Role::Evaluation));
        }),
    ];
    for (name, open) in dialogs {
        open(window.state_mut(), id);
        idle(&mut window);
        check(&mut window, name, &before);
        picture(&mut window);
        window.key_press(Key::Escape);
        window.run();
        // A field gives up the keyboard first.
        window.key_press(Key::Escape);
        window.run();
    }
    for opener in [
        "Open model…",
        "Choose evaluation data…",
        "More for int8",
        "Picture of Bars",
    ] {
        window.get_by_label(opener).click();
        window.run();
        check(&mut window, opener, &before);
        window.key_press(Key::Escape);
        window.run();
    }
}

#[test]
fn f6_goes_from_part_to_part() {
    let mut window = run(dark());
    let mut seen = vec![];
    for _ in 0..6 {
        window.key_press(Key::F6);
        window.run();
        seen.push(focused(&window).expect("something has the keyboard").place);
    }
    // Top bar, side panel, tabs, the tab, jobs, and round again.
    assert!(seen[0][1] < 44, "{seen:?}");
    assert!(seen[1][0] < 296 && seen[1][1] >= 44, "{seen:?}");
    assert!(seen[2][0] > 296 && seen[2][1] < 90, "{seen:?}");
    assert!(seen[3][0] > 296 && seen[3][1] > 84, "{seen:?}");
    assert!(seen[4][1] > 850, "{seen:?}");
    assert_eq!(seen[5], seen[0]);
    window.key_press_modifiers(Modifiers::SHIFT, Key::F6);
    window.run();
    assert_eq!(focused(&window).map(|c| c.place), Some(seen[4]));
}

#[test]
fn f1_shows_the_tooltip_of_what_has_the_keyboard_else_help() {
    let mut window = run(dark());
    window.key_press(Key::F1);
    window.run();
    window.get_by_label("In three steps");
    for word in Word::ALL {
        window.get_by_label(word.meaning());
    }
    window.get_by_label("Ctrl+E");
    window.key_press(Key::Escape);
    window.run();
    assert!(window.query_by_label("In three steps").is_none());

    window.get_by_label("Sort by Agreement").focus();
    window.run();
    window.key_press(Key::F1);
    window.step();
    for _ in 0..60 {
        window.step();
    }
    window.get_by_label(Word::Agreement.meaning());
    assert!(window.query_by_label("In three steps").is_none());
}

/// Where each word is explained in place: the tab, and the label that the pointer rests on.
fn place(word: Word) -> Option<(Tab, &'static str)> {
    Some(match word {
        Word::Scale => (Tab::Tensors, "Scale"),
        Word::ZeroPoint => (Tab::Tensors, "Zero point"),
        Word::ScaleError => (Tab::Tensors, "What is Scale error?"),
        Word::ZeroPointError => (Tab::Tensors, "What is Zero-point error?"),
        Word::StepError => (Tab::Tensors, "What is Step error?"),
        Word::PerChannel => (Tab::Tensors, "What is Scale per channel?"),
        Word::Clipped => (Tab::Tensors, "Clipped"),
        Word::LocalCumulative => (Tab::Tensors, "Sort by Local"),
        Word::Sqnr => (Tab::Compare, "Sort by SQNR"),
        Word::Agreement => (Tab::Compare, "Sort by Agreement"),
        Word::P95 => (Tab::Compare, "Sort by p95"),
        Word::Interval => (Tab::Compare, "Sort by 95 % int."),
        Word::Pareto => (Tab::Compare, "Trade-off chart"),
        Word::Calibration | Word::Representative => (Tab::Compare, "train-"),
        // In the dialog that says how to use a file.
        Word::Step => return None,
        // Only beside samples on which variants differ, which few samples need not have.
        Word::Margin => return None,
    })
}

#[test]
fn every_word_is_explained_where_it_stands() {
    let mut window = run(dark());
    for word in Word::ALL {
        let Some((tab, label)) = place(word) else {
            continue;
        };
        window.state_mut().state.tab = tab;
        window.run();
        if tab == Tab::Tensors {
            window
                .get_by_label_contains("dense_1/MatMul, int8, int8 weights")
                .click();
            window.run();
        }
        // The same word may stand in several places; one of them explains it.
        let exact: Vec<_> = window.query_all_by_label(label).map(|n| n.rect()).collect();
        let places = match exact.is_empty() {
            true => {
                let parts = window.query_all_by_label_contains(label);
                parts.map(|n| n.rect()).collect()
            }
            false => exact,
        };
        let told = places.into_iter().any(|rect| {
            window.hover_at(rect.center());
            for _ in 0..60 {
                window.step();
            }
            window.query_all_by_label_contains(word.meaning()).count() > 0
        });
        assert!(told, "{word:?} is not explained at {label}");
        window.remove_cursor();
        window.run();
    }
    let id = window.state().bench.experiments[2].id;
    window.state_mut().state.usage = Some(usage::Of::Experiment(id));
    window.run();
    let scale = window.query_all_by_label_contains("Scale 0.").next();
    let at = scale.expect("the file takes integers").rect().center();
    window.hover_at(at);
    for _ in 0..60 {
        window.step();
    }
    window.get_by_label_contains(Word::Step.meaning());
}

#[test]
fn jobs_are_announced() {
    let mut window = demo(dark());
    let told = |w: &Window| -> Vec<String> {
        let nodes = w.root().children_recursive();
        nodes
            .filter(|n| n.accesskit_node().data().live() == Some(Live::Polite))
            .filter_map(|n| n.accesskit_node().value())
            .collect()
    };
    let bench = &mut window.state_mut().bench;
    for mode in [Mode::Float16, Mode::Dynamic, Mode::Int8, Mode::Int16x8] {
        bench.apply(Command::SetMode(mode, false));
    }
    bench.latency_seconds = 3600.0;
    bench.apply(Command::Run);
    window.step();
    crate::harness::step_until(
        &mut window,
        "the job is half done",
        std::time::Duration::from_secs(120),
        |w| told(w) == ["float32 half done"],
    );
    window.state_mut().bench.apply(Command::CancelAll);
    idle(&mut window);
    assert_eq!(told(&window), ["float32: Cancelled, earlier results kept"]);
    window.state_mut().bench.latency_seconds = 0.02;
    window.state_mut().bench.apply(Command::Run);
    idle(&mut window);
    assert!(
        told(&window)[0].starts_with("1 done in "),
        "{:?}",
        told(&window)
    );
}
