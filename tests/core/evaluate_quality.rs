//! Accuracy, agreement, SQNR and latency against figures computed by hand.

use zeropoint::data::Dataset;
use zeropoint::error::Error;
use zeropoint::evaluate::{self, Evaluation};
use zeropoint::graph::Graph;
use zeropoint::progress::Progress;

use crate::evaluate_models::{
    Rows, dense, fixed_batch, int8_identity, rows, scaled_identity, two_outputs,
};

fn evaluate(graph: &std::sync::Arc<Graph>, data: &dyn Dataset) -> Evaluation {
    evaluate::evaluate(graph, data, None, 1, &Progress::new()).unwrap()
}

/// Six classes; the answers of the identity are 0, 1, 0 (a tie) and 5.
fn six() -> Rows {
    rows(
        &[
            &[9.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            &[1.0, 9.0, 2.0, 3.0, 4.0, 5.0],
            &[7.0, 7.0, 7.0, 7.0, 7.0, 7.0],
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        ],
        // Right; among the best five; last of six by its index; right.
        Some(&[0, 2, 5, 5]),
    )
}

#[test]
fn shares_of_right_answers() {
    let progress = Progress::new();
    let graph = scaled_identity(6, 1.0);
    let got = evaluate::evaluate(&graph, &six(), None, 1, &progress).unwrap();
    assert_eq!(got.answers, [0, 1, 0, 5]);
    assert_eq!(
        (got.samples, got.top1, got.top5),
        (4, Some(0.5), Some(0.75))
    );
    assert_eq!(
        (got.agreement, got.sqnr_db, got.delta_interval),
        (None, None, None)
    );
    assert_eq!(progress.counts(), (4, 4));
}

#[test]
fn fewer_than_five_classes_have_no_top_five() {
    let data = rows(&[&[1.0, 0.0], &[0.0, 1.0]], Some(&[0, 0]));
    let got = evaluate(&scaled_identity(2, 1.0), &data);
    assert_eq!((got.top1, got.top5), (Some(0.5), None));
}

#[test]
fn the_comparison_with_the_float_model() {
    let progress = Progress::new();
    let float = scaled_identity(6, 1.0);
    let baseline = evaluate::baseline(&float, &six(), 1, &progress).unwrap();
    assert_eq!(baseline.evaluation.top1, Some(0.5));
    assert_eq!(baseline.bytes(), 4 * 6 * 4);
    // Classes 0 and 2 trade places and all is 10 % too large.
    let mut weights = vec![0.0; 36];
    for (to, from) in [(0, 2), (1, 1), (2, 0), (3, 3), (4, 4), (5, 5)] {
        weights[to * 6 + from] = 1.1;
    }
    let other = dense(6, 6, &weights, &[0.0; 6]);
    let got = evaluate::evaluate(&other, &six(), Some(&baseline), 1, &progress).unwrap();
    assert_eq!(got.answers, [2, 1, 0, 5]);
    assert_eq!((got.top1, got.agreement), (Some(0.25), Some(0.75)));
    // One sample lost, none gained, of four: −1/4 ± 1.96 · √(1 − 1/4) / 4.
    let (low, high) = got.delta_interval.unwrap();
    let half = 1.96 * 0.75f64.sqrt() / 4.0;
    assert!((low + 0.25 + half).abs() < 1e-12 && (high + 0.25 - half).abs() < 1e-12);
    let (mut signal, mut noise) = (0.0, 0.0);
    for row in &six().rows {
        for (i, &x) in row.iter().enumerate() {
            let y = 1.1 * row[[2, 1, 0, 3, 4, 5][i]];
            signal += f64::from(x * x);
            noise += f64::from((x - y) * (x - y));
        }
    }
    let db = 10.0 * (signal / noise).log10();
    assert!((got.sqnr_db.unwrap() - db).abs() < 1e-5);

    let same = evaluate::evaluate(&float, &six(), Some(&baseline), 1, &progress).unwrap();
    assert_eq!(same.sqnr_db, Some(f64::INFINITY));
    assert_eq!(
        (same.agreement, same.delta_interval),
        (Some(1.0), Some((0.0, 0.0)))
    );
}

#[test]
fn without_labels_there_is_agreement_and_noise_only() {
    let mut data = six();
    data.labels = None;
    let float = scaled_identity(6, 1.0);
    let baseline = evaluate::baseline(&float, &data, 1, &Progress::new()).unwrap();
    let other = scaled_identity(6, 0.5);
    let got = evaluate::evaluate(&other, &data, Some(&baseline), 1, &Progress::new()).unwrap();
    assert_eq!((got.top1, got.top5, got.delta_interval), (None, None, None));
    assert_eq!(got.agreement, Some(1.0));
    // Half of every value is noise: a quarter of the power.
    assert!((got.sqnr_db.unwrap() - 10.0 * 4f64.log10()).abs() < 1e-6);
}

#[test]
fn integer_inputs_and_outputs_are_translated() {
    let progress = Progress::new();
    let float = scaled_identity(6, 1.0);
    let baseline = evaluate::baseline(&float, &six(), 1, &progress).unwrap();
    for io in [true, false] {
        let int8 = int8_identity(6, 1.0, (0.1, -128), (0.1, -128), io);
        let got = evaluate::evaluate(&int8, &six(), Some(&baseline), 1, &progress).unwrap();
        assert_eq!((got.top1, got.agreement), (Some(0.5), Some(1.0)));
        // Whole numbers lie on the grid of tenths but for the rounding of float32.
        assert!(got.sqnr_db.unwrap() > 100.0, "{got:?}");
    }
    // A grid that ends at 2.55 clips nearly everything to a tie.
    let clipped = int8_identity(6, 1.0, (0.01, -128), (0.01, -128), true);
    let got = evaluate::evaluate(&clipped, &six(), Some(&baseline), 1, &progress).unwrap();
    assert_eq!(got.answers, [0, 1, 0, 2]);
}

#[test]
fn many_samples_in_any_batches_give_the_same_figures() {
    let mut data = six();
    let one = data.rows.clone();
    (0..99).for_each(|_| data.rows.extend(one.clone()));
    data.labels = Some([0, 2, 5, 5].repeat(100));
    for threads in [1, 2, 4] {
        let graph = scaled_identity(6, 1.0);
        let got = evaluate::evaluate(&graph, &data, None, threads, &Progress::new()).unwrap();
        assert_eq!(
            (got.samples, got.top1, got.top5),
            (400, Some(0.5), Some(0.75))
        );
        assert_eq!(got.answers, [0, 1, 0, 5].repeat(100));
    }
}

#[test]
fn what_cannot_be_evaluated_is_said_so() {
    let progress = Progress::new();
    let graph = scaled_identity(2, 1.0);
    let fails = |data: &Rows| {
        evaluate::evaluate(&graph, data, None, 1, &progress)
            .unwrap_err()
            .to_string()
    };
    assert!(fails(&rows(&[], None)).contains("no samples"));
    let text = fails(&rows(&[&[1.0, 0.0]], Some(&[2])));
    assert!(
        text.contains("Label 2") && text.contains("2 classes"),
        "{text}"
    );
    let text = fails(&rows(&[&[1.0, 0.0], &[f32::NAN, 0.0]], None));
    assert!(
        text.contains("'y' becomes NaN or infinite on sample 1"),
        "{text}"
    );

    let pair = rows(&[&[1.0, 0.0], &[0.0, 1.0]], None);
    let single = rows(&[&[1.0, 0.0]], None);
    let baseline = evaluate::baseline(&graph, &pair, 1, &progress).unwrap();
    let other_data = evaluate::evaluate(&graph, &single, Some(&baseline), 1, &progress);
    assert!(matches!(other_data, Err(Error::Invalid(_))));
    let wider = dense(2, 3, &[0.0; 6], &[0.0; 3]);
    let other_model = evaluate::evaluate(&wider, &pair, Some(&baseline), 1, &progress);
    assert!(matches!(other_model, Err(Error::Invalid(_))));
}

#[test]
fn a_cancelled_job_ends_at_once() {
    let progress = Progress::new();
    let graph = scaled_identity(6, 1.0);
    let data = six();
    progress.cancel();
    let cancelled = |e: Option<Error>| assert_eq!(e, Some(Error::Cancelled));
    cancelled(evaluate::evaluate(&graph, &data, None, 1, &progress).err());
    cancelled(evaluate::baseline(&graph, &data, 1, &progress).err());
    cancelled(evaluate::latency(&graph, 1, 1.0, &progress).err());
    cancelled(evaluate::tensors(&graph, &graph, None, &data, 4, &progress).err());
    cancelled(zeropoint::calibrate::calibrate(&graph, &data, 1, &progress).err());
}

#[test]
fn latency_has_at_least_twenty_runs_in_order() {
    let progress = Progress::new();
    for graph in [
        scaled_identity(6, 1.0),
        int8_identity(6, 1.0, (0.1, 0), (0.1, 0), true),
    ] {
        let got = evaluate::latency(&graph, 1, 0.0, &progress).unwrap();
        assert_eq!((got.runs, got.threads), (20, 1));
        assert!(got.min_ms > 0.0 && got.min_ms <= got.median_ms && got.median_ms <= got.p95_ms);
    }
    for seconds in [-1.0, f64::NAN, f64::INFINITY] {
        let graph = scaled_identity(6, 1.0);
        assert!(evaluate::latency(&graph, 1, seconds, &progress).is_err());
    }
}

#[test]
fn a_batch_that_cannot_be_resized_is_filled_up() {
    let float = scaled_identity(6, 1.0);
    let baseline = evaluate::baseline(&float, &six(), 1, &Progress::new()).unwrap();
    for rows in [1, 2, 3, 4, 7] {
        let fixed = fixed_batch(rows, 6, 1.0);
        assert!(!zeropoint::engine::batchable(&fixed, 0));
        let progress = Progress::new();
        let got = evaluate::evaluate(&fixed, &six(), Some(&baseline), 1, &progress).unwrap();
        assert_eq!(got.answers, [0, 1, 0, 5], "{rows} rows");
        assert_eq!((got.top1, got.sqnr_db), (Some(0.5), Some(f64::INFINITY)));
        let calibration = zeropoint::calibrate::calibrate(&fixed, &six(), 1, &progress).unwrap();
        let output = calibration.ranges[5].unwrap();
        assert_eq!((output.min, output.max), (1.0, 9.0));
    }
}

#[test]
fn of_several_outputs_the_classifier_answers_and_all_count_for_noise() {
    let progress = Progress::new();
    let float = two_outputs(6, 1.0);
    let baseline = evaluate::baseline(&float, &six(), 1, &progress).unwrap();
    assert_eq!(baseline.bytes(), 4 * 7 * 4);
    let got = evaluate::evaluate(&two_outputs(6, 2.0), &six(), Some(&baseline), 1, &progress);
    let got = got.unwrap();
    assert_eq!(got.answers, [0, 1, 0, 5]);
    assert_eq!((got.top1, got.agreement), (Some(0.5), Some(1.0)));
    // All of it doubled: the noise is as strong as the signal.
    assert!(got.sqnr_db.unwrap().abs() < 1e-6);
}
