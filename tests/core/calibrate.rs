//! Calibration: ranges by hand, whatever the batches and threads, and what it refuses.

use zeropoint::calibrate::{Range, calibrate, calibrate_by};
use zeropoint::data;
use zeropoint::error::Error;
use zeropoint::progress::Progress;

use crate::evaluate_models::{Rows, dense, rows, scaled_identity};
use crate::quantize_models::{custom, model, node, real};

#[test]
fn ranges_are_the_extremes_of_all_samples() {
    let graph = dense(2, 3, &[1.0, 1.0, -2.0, 0.0, 0.0, 1.0], &[0.5, 0.0, 0.0]);
    let data = rows(&[&[1.0, 2.0], &[-3.0, 0.25], &[0.0, -1.0]], None);
    let progress = Progress::new();
    let got = calibrate(&graph, &data, 1, &progress).unwrap();
    assert_eq!((got.samples, progress.counts()), (3, (3, 3)));
    // x spans −3 to 2; y = x0 + x1 + 0.5, −2·x0, x1 gives 3.5, −2, 2 / −2.25, 6, 0.25 / −0.5, 0, −1.
    let range = |min, max| Some(Range { min, max });
    assert_eq!(
        got.ranges,
        [range(-3.0, 2.0), None, None, range(-2.25, 6.0)]
    );
}

#[test]
fn batches_and_threads_leave_no_trace() {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let weights: Vec<f32> = (0..13 * 17).map(|_| next()).collect();
    let bias: Vec<f32> = (0..13).map(|_| next()).collect();
    let graph = dense(17, 13, &weights, &bias);
    let data = Rows {
        rows: (0..301)
            .map(|_| (0..17).map(|_| next()).collect())
            .collect(),
        labels: None,
    };
    let progress = Progress::new();
    let first = calibrate(&graph, &data, 1, &progress).unwrap();
    for rows in [1, 2, 3, 7, 64, 300, 301, 1000] {
        for threads in [1, 2, 4] {
            let again = calibrate_by(&graph, &data, threads, rows, &progress).unwrap();
            assert_eq!(again, first, "{rows} rows, {threads} threads");
        }
    }
}

#[test]
fn what_cannot_be_calibrated_is_named() {
    let graph = scaled_identity(2, 3e38);
    let progress = Progress::new();
    let fails = |data: &Rows| calibrate(&graph, data, 1, &progress).unwrap_err();
    assert!(fails(&rows(&[], None)).to_string().contains("no samples"));
    let error = fails(&rows(&[&[0.5, 0.0], &[10.0, 0.0]], None));
    let text = error.to_string();
    assert!(matches!(error, Error::Malformed(_)));
    assert!(
        text.contains("Tensor 3 'y' becomes NaN or infinite"),
        "{text}"
    );
    let wide = calibrate(&graph, &rows(&[&[0.5, 0.0, 1.0]], None), 1, &progress);
    assert!(matches!(wide, Err(Error::Invalid(_))));
}

#[test]
fn the_synthetic_set_calibrates_any_model() {
    let graph = scaled_identity(3, 2.0);
    let set = data::synthetic(&data::input_specs(&graph, 0), 200, 3).unwrap();
    let got = calibrate(&graph, set.as_ref(), 2, &Progress::new()).unwrap();
    let range = got.ranges[3].unwrap();
    assert!(
        range.min >= 0.0 && range.max < 2.0 && range.max > 1.5,
        "{range:?}"
    );
}

#[test]
fn a_custom_operator_is_named_with_what_works_without_calibration() {
    let graph = std::sync::Arc::new(model(
        vec![real("x", &[1, 2]), real("y", &[1, 2])],
        &[0],
        &[1],
        vec![node(custom(), &[0], 1)],
    ));
    let data = rows(&[&[1.0, 2.0]], None);
    let error = calibrate(&graph, &data, 1, &Progress::new()).unwrap_err();
    let Error::Unsupported(text) = error else {
        panic!("{error}")
    };
    for word in ["Node 0", "\"Mystery\"", "dynamic", "float16"] {
        assert!(text.contains(word), "{text}");
    }
}
