//! Experiments as a list: duplicated, changed, renamed, deleted, and all of it taken back.

use zeropoint::quantize::{Io, Mode, Recipe};
use zeropoint::workbench::{Command, ExperimentId, State, Workbench};

use crate::workbench_commands::{settle, small_demo};

/// The demo after a run of these modes.
fn run(modes: &[Mode]) -> Workbench {
    let mut w = small_demo();
    for mode in Mode::ALL {
        w.apply(Command::SetMode(mode, modes.contains(&mode)));
    }
    w.apply(Command::Run);
    settle(&mut w);
    w
}

fn names(w: &Workbench) -> Vec<String> {
    w.experiments.iter().map(|e| e.name()).collect()
}

fn id(w: &Workbench, name: &str) -> ExperimentId {
    let found = w.experiments.iter().find(|e| e.name() == name);
    found
        .unwrap_or_else(|| panic!("{name} of {:?}", names(w)))
        .id
}

#[test]
fn a_duplicate_has_the_figures_until_its_recipe_changes() {
    let mut w = run(&[Mode::Float32, Mode::Int8]);
    let int8 = id(&w, "int8");
    w.apply(Command::Duplicate(int8));
    assert_eq!(names(&w), ["float32", "int8", "int8, copy"]);
    let copy = id(&w, "int8, copy");
    let (a, b) = (w.experiment(int8).unwrap(), w.experiment(copy).unwrap());
    assert!(b.reused && b.state == State::Done && b.evaluation == a.evaluation);
    assert_ne!(a.intent.rank, b.intent.rank, "they must look different");
    assert_eq!(w.new_work(), 0);

    let recipe = Recipe {
        bias_correction: false,
        ..b.intent.recipe.clone()
    };
    w.apply(Command::SetRecipe(copy, Box::new(recipe.clone())));
    assert_eq!(names(&w)[2], "int8, biases not corrected");
    assert!(w.experiment(copy).unwrap().is_stale());
    assert_eq!(w.new_work(), 1);
    w.apply(Command::Run);
    settle(&mut w);
    let (a, b) = (w.experiment(int8).unwrap(), w.experiment(copy).unwrap());
    assert!(a.reused && !b.reused && !b.is_stale());
    let plan = &b.file.as_ref().unwrap().plan;
    assert!(plan.corrections.is_empty() && plan.recipe == recipe);
    assert_ne!(
        a.file.as_ref().unwrap().bytes,
        b.file.as_ref().unwrap().bytes
    );

    // The recipe of before: another one has the figures.
    let before = a.intent.recipe.clone();
    w.apply(Command::SetRecipe(copy, Box::new(before)));
    w.apply(Command::Run);
    settle(&mut w);
    let (a, b) = (w.experiment(int8).unwrap(), w.experiment(copy).unwrap());
    assert!(b.reused && b.evaluation == a.evaluation && b.name() == "int8, copy");
}

#[test]
fn an_added_recipe_runs_with_the_modes_and_keeps_its_look() {
    let mut w = run(&[Mode::Float32, Mode::Dynamic]);
    let recipe = Recipe {
        mode: Mode::Dynamic,
        min_weight_elements: 1,
        ..Recipe::default()
    };
    w.apply(Command::Add(Box::new(recipe.clone())));
    assert_eq!(names(&w), ["float32", "dynamic", "dynamic, all weights"]);
    assert_eq!(w.experiments[2].state, State::New);
    assert_eq!(w.experiments[2].intent.rank, 1);
    w.apply(Command::Run);
    settle(&mut w);
    assert_eq!(w.experiments[2].state, State::Done);
    w.apply(Command::Delete(w.experiments[1].id));
    assert_eq!(
        w.experiments[1].intent.rank, 1,
        "its look stays when others go"
    );

    let impossible = Recipe {
        io: Io::Int16,
        ..recipe
    };
    w.apply(Command::Add(Box::new(impossible)));
    assert_eq!(w.experiments.len(), 2);
    assert!(w.notices.last().unwrap().text.contains("cannot have int16"));
}

#[test]
fn deltas_follow_the_chosen_baseline() {
    let mut w = run(&[Mode::Float32, Mode::Float16, Mode::Dynamic]);
    assert_eq!(w.baseline().unwrap().mode(), Mode::Float32);
    let dynamic = id(&w, "dynamic");
    w.apply(Command::SetBaseline(Some(dynamic)));
    assert_eq!(w.baseline().unwrap().id, dynamic);
    assert_eq!(w.float().unwrap().mode(), Mode::Float32);
    w.apply(Command::Delete(dynamic));
    assert_eq!(w.baseline().unwrap().mode(), Mode::Float32);
    w.apply(Command::Undo);
    assert_eq!(w.baseline().unwrap().id, dynamic);
    w.apply(Command::SetBaseline(None));
    assert_eq!(w.baseline().unwrap().mode(), Mode::Float32);
}

#[test]
fn everything_that_shapes_the_list_can_be_taken_back_and_made_again() {
    let mut w = run(&[Mode::Float32, Mode::Int8]);
    let int8 = id(&w, "int8");
    let original = w.experiment(int8).unwrap().clone();
    let strange = Recipe {
        bias_correction: false,
        ..original.intent.recipe.clone()
    };
    let changes = [
        Command::Rename(int8, "  for the \n phone ".into()),
        Command::Pin(int8, true),
        Command::SetBaseline(Some(int8)),
        Command::SetRecipe(int8, Box::new(strange)),
        Command::Duplicate(int8),
        Command::Delete(int8),
        Command::SetMode(Mode::Float16, true),
        Command::SetIo(Mode::Int8, Io::Uint8, true),
        Command::SetStrict(true),
    ];
    let state = |w: &Workbench| {
        let list: Vec<_> = w
            .experiments
            .iter()
            .map(|e| (e.id, e.intent.clone()))
            .collect();
        (list, w.modes.clone(), w.strict, w.chosen_baseline)
    };
    // Choosing the modes of the run above can be taken back, too.
    let mut states = vec![state(&w)];
    for change in changes {
        w.apply(change.clone());
        assert_ne!(
            &state(&w),
            states.last().unwrap(),
            "{change:?} changed nothing"
        );
        states.push(state(&w));
    }
    assert!(w.experiment(int8).is_none(), "it is deleted");
    assert_eq!(w.undo_name().as_deref(), Some("strictness"));
    for was in states.iter().rev().skip(1) {
        w.apply(Command::Undo);
        assert_eq!(state(&w), *was);
    }
    let back = w.experiment(int8).unwrap();
    assert_eq!(back.evaluation, original.evaluation);
    assert!(!back.is_stale() && back.name() == "int8");
    for then in &states[1..] {
        w.apply(Command::Redo);
        assert_eq!(state(&w), *then);
    }
    assert_eq!(w.redo_name(), None);
    w.apply(Command::Undo);
    w.apply(Command::SetStrict(true));
    assert_eq!(
        w.redo_name(),
        None,
        "a new change ends what could be made again"
    );
    // What changes nothing is no change.
    let last = w.undo_name();
    w.apply(Command::Pin(id(&w, "float32"), false));
    assert_eq!(w.undo_name(), last);
}

#[test]
fn what_run_made_is_not_taken_back() {
    let mut w = run(&[Mode::Float32]);
    w.apply(Command::SetMode(Mode::Float16, true));
    w.apply(Command::Run);
    settle(&mut w);
    w.apply(Command::Undo);
    assert!(!w.modes[1].chosen);
    assert_eq!(names(&w), ["float32", "float16"]);
    // A deleted one that was running is cancelled, and comes back so.
    w.apply(Command::Rerun(id(&w, "float16")));
    w.apply(Command::Delete(id(&w, "float16")));
    settle(&mut w);
    w.apply(Command::Undo);
    let e = w.experiment(id(&w, "float16")).unwrap();
    assert_eq!(e.state, State::Cancelled);
    assert!(e.evaluation.is_some(), "its earlier figures are there");
}

#[test]
fn a_rerun_measures_again() {
    let mut w = run(&[Mode::Float32, Mode::Dynamic]);
    let dynamic = id(&w, "dynamic");
    let before = w.experiment(dynamic).unwrap().evaluation.clone().unwrap();
    w.apply(Command::Rerun(dynamic));
    assert!(w.experiment(dynamic).unwrap().is_pending());
    settle(&mut w);
    let e = w.experiment(dynamic).unwrap();
    let after = e.evaluation.clone().unwrap();
    assert!(e.state == State::Done && !e.reused);
    assert!(!std::sync::Arc::ptr_eq(&before, &after));
    assert_eq!((before.top1, &before.answers), (after.top1, &after.answers));
}
