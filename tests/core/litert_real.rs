//! LiteRT's own library as a second engine. These tests run wherever it is found; CI installs it and sets ZEROPOINT_LITERT.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use zeropoint::data::{Dataset, demo::demo, input_specs, synthetic};
use zeropoint::error::Error;
use zeropoint::evaluate::{self, Runner};
use zeropoint::litert::Delegate;
use zeropoint::progress::Progress;
use zeropoint::quantize::{Mode, Recipe};
use zeropoint::workbench::litert::{Asked, Engine, Litert, Setup, find, runtime_line};
use zeropoint::workbench::{self, OpenModel, Role, Source, State, Workbench, steps};

/// Where LiteRT is. Without it nothing can be tested here, unless somebody said where it is.
fn setup() -> Option<Setup> {
    match find(None) {
        Ok(found) => Some(Setup {
            program: env!("CARGO_BIN_EXE_zeropoint").into(),
            ..found
        }),
        Err(e) if std::env::var_os("ZEROPOINT_LITERT").is_some() => panic!("{e}"),
        Err(e) => {
            eprintln!("not tested: {e}");
            None
        }
    }
}

const PLAIN: Asked = Asked {
    threads: 1,
    delegate: Delegate::None,
};
const XNNPACK: Asked = Asked {
    threads: 2,
    delegate: Delegate::Xnnpack,
};

fn golden(name: &str) -> OpenModel {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    steps::open_model(&path).unwrap()
}

/// Both engines on `samples` random samples.
fn differences(
    setup: &Setup,
    model: &OpenModel,
    asked: Asked,
    samples: usize,
) -> evaluate::Difference {
    let progress = Progress::new();
    let mut litert = Litert::open(setup, &model.bytes, &model.graph, asked, &progress).unwrap();
    let data = synthetic(&input_specs(&model.graph, 0), samples, 3).unwrap();
    let mut own = evaluate::own_runner(&model.graph, 1, &progress).unwrap();
    let runners: &mut [&mut dyn Runner] = &mut [&mut own, &mut litert];
    let data: &dyn Dataset = data.as_ref();
    let found = evaluate::evaluate_with(&model.graph, data, None, 1, runners, &progress).unwrap();
    for evaluation in found.evaluations {
        evaluation.unwrap();
    }
    found.difference.unwrap()
}

#[test]
fn integer_files_give_the_same_integers() {
    let Some(setup) = setup() else { return };
    for name in ["tflite_mnist_int8.tflite", "tflite_mnist_16x8.tflite"] {
        let d = differences(&setup, &golden(name), PLAIN, 40);
        assert_eq!(d.differing, Some(0.0), "{name}: {d:?}");
        let float = d.max_of_peak.unwrap_or(0.0);
        assert!(
            d.max_steps.unwrap_or(0) == 0 && float < 1e-5,
            "{name}: {d:?}"
        );
    }
}

#[test]
fn the_demo_gives_the_same_answers_in_every_mode() {
    let Some(setup) = setup() else { return };
    let progress = Progress::new();
    let model = steps::open_demo().unwrap();
    let request = steps::DataRequest::of(&Source::Demo, Role::Calibration, &model.graph);
    let loaded = steps::open_data(&request, &progress).unwrap();
    let data = zeropoint::data::take(loaded.dataset, 300).unwrap();
    let data: &dyn Dataset = data.as_ref();
    let calibration = zeropoint::calibrate::calibrate(&model.graph, data, 1, &progress).unwrap();
    for mode in Mode::ALL {
        let recipe = Recipe {
            mode,
            // The type of the mode itself, where it has one.
            io: *mode.ios().get(1).unwrap_or(&mode.ios()[0]),
            ..Recipe::default()
        };
        let file = steps::convert(&model, &recipe, Some(&calibration), 1, &progress).unwrap();
        for asked in [PLAIN, XNNPACK] {
            let mut litert =
                Litert::open(&setup, &file.bytes, &file.graph, asked, &progress).unwrap();
            let mut own = evaluate::own_runner(&file.graph, 1, &progress).unwrap();
            let runners: &mut [&mut dyn Runner] = &mut [&mut own, &mut litert];
            let found =
                evaluate::evaluate_with(&file.graph, data, None, 1, runners, &progress).unwrap();
            let difference = found.difference.unwrap();
            let [ours, theirs] = found.evaluations.try_into().unwrap();
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            let line = runtime_line(litert.runtime());
            assert!(
                (ours.top1.unwrap() - theirs.top1.unwrap()).abs() <= 0.01,
                "{line}"
            );
            assert!(
                difference.differing.unwrap() <= 0.01,
                "{mode:?} {line}: {difference:?}"
            );
            // LiteRT's own int8 kernels round some products differently from its reference kernels, which Zeropoint equals.
            match mode {
                Mode::Float32 | Mode::Float16 => assert!(difference.max_of_peak.unwrap() < 1e-5),
                Mode::Int8 => assert!(difference.max_steps.unwrap() <= 1, "{difference:?}"),
                Mode::Int16x8 => assert_eq!(difference.max_steps, Some(0)),
                Mode::Dynamic => {}
            }
            let inputs = evaluate::latency_inputs(&file.graph).unwrap();
            let latency = litert.latency(&inputs, 0.01).unwrap();
            assert!(latency.runs >= 20 && latency.min_ms > 0.0 && latency.threads == asked.threads);
            assert_eq!(litert.runtime().threads, asked.threads);
            assert!(line.starts_with("LiteRT "), "{line}");
        }
    }
}

#[test]
fn a_broken_file_and_a_killed_process_are_messages() {
    let Some(setup) = setup() else { return };
    let progress = Progress::new();
    let model = steps::open_demo().unwrap();
    for bytes in [
        &model.bytes[..model.bytes.len() / 2],
        &b"TFL3 nothing"[..],
        &[],
    ] {
        let e = Litert::open(&setup, bytes, &model.graph, XNNPACK, &progress).unwrap_err();
        assert!(
            matches!(&e, Error::Unsupported(m) if m.contains("loading the model")),
            "{e}"
        );
    }
    let mut litert = Litert::open(&setup, &model.bytes, &model.graph, XNNPACK, &progress).unwrap();
    let inputs = evaluate::latency_inputs(&model.graph).unwrap();
    assert_eq!(litert.run(&inputs).unwrap()[0].shape, [1, 10]);
    #[cfg(unix)]
    {
        let id = litert.child_id().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-9", &id])
            .status()
            .unwrap();
        assert!(killed.success());
        let e = litert.run(&inputs).unwrap_err().to_string();
        assert!(
            e.contains("signal 9") && e.contains("running the model"),
            "{e}"
        );
    }
}

#[test]
fn cancelling_ends_a_measurement() {
    let Some(setup) = setup() else { return };
    let model = steps::open_demo().unwrap();
    let progress = Progress::new();
    let mut litert = Litert::open(&setup, &model.bytes, &model.graph, XNNPACK, &progress).unwrap();
    let inputs = evaluate::latency_inputs(&model.graph).unwrap();
    let (other, begun) = (progress.clone(), Instant::now());
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        other.cancel();
    });
    assert_eq!(litert.latency(&inputs, 3600.0), Err(Error::Cancelled));
    canceller.join().unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(600),
        "it ran to its end"
    );
    assert_eq!(
        Litert::open(&setup, &model.bytes, &model.graph, XNNPACK, &progress).unwrap_err(),
        Error::Cancelled
    );
}

#[test]
fn a_workbench_shows_both_engines() {
    let Some(setup) = setup() else { return };
    let mut w = Workbench::new(Arc::new(|| {}));
    w.latency_seconds = 0.01;
    w.litert_program = Some(setup.program.clone());
    let settle = |w: &mut Workbench| {
        let start = Instant::now();
        while !w.jobs().is_idle() {
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "the jobs never ended"
            );
            w.poll();
            std::thread::sleep(Duration::from_millis(1));
        }
        w.poll();
    };
    w.apply(workbench::Command::OpenDemo);
    settle(&mut w);
    for mode in Mode::ALL {
        w.apply(workbench::Command::SetMode(mode, mode == Mode::Int8));
    }
    w.apply(workbench::Command::SetSamples(Role::Calibration, Some(20)));
    w.apply(workbench::Command::SetSamples(Role::Evaluation, Some(100)));
    w.apply(workbench::Command::SetEngine(Engine::Both));
    w.apply(workbench::Command::Run);
    settle(&mut w);
    assert!(w.litert.as_ref().unwrap().is_ok());
    let e = &w.experiments[0];
    assert_eq!(e.state, State::Done);
    let litert = e.litert.as_ref().unwrap().as_ref().unwrap();
    assert!(litert.evaluation.as_ref().unwrap().top1.unwrap() > 0.9);
    assert!(litert.difference.as_ref().unwrap().differing.unwrap() <= 0.02);
    assert!(litert.latency.median_ms > 0.0 && e.latency.is_some() && e.evaluation.is_some());
    w.apply(workbench::Command::SetEngine(Engine::Litert));
    w.apply(workbench::Command::Run);
    settle(&mut w);
    let e = &w.experiments[0];
    let litert = e.litert.as_ref().unwrap().as_ref().unwrap();
    assert_eq!(e.latency.as_ref(), Some(&litert.latency));
    assert_eq!(litert.difference, None);
}

#[test]
fn the_demo_s_files_are_what_litert_reads() {
    let Some(setup) = setup() else { return };
    // A batch axis that the file leaves open and one that it fixes give the same answers.
    let d = demo();
    let open = steps::read_model("open", None, Bytes::clone(&d.model.bytes)).unwrap();
    let mut closed = (*open.graph).clone();
    for tensor in &mut closed.subgraphs[0].tensors {
        tensor.shape_signature = None;
    }
    let bytes = Bytes::from(zeropoint::tflite::write(&closed).unwrap());
    let closed = steps::read_model("closed", None, bytes).unwrap();
    for model in [open, closed] {
        let d = differences(&setup, &model, PLAIN, 150);
        assert!(
            d.samples == 150 && d.max_of_peak.unwrap() < 1e-5,
            "{}: {d:?}",
            model.name
        );
    }
}
