//! Tensor reports against figures computed by hand.

use std::sync::Arc;

use zeropoint::calibrate::calibrate;
use zeropoint::evaluate::{TensorKind, TensorReport, tensors};
use zeropoint::graph::{DType, Graph, Node, Op, Quantization, Tensor};
use zeropoint::progress::Progress;

use crate::evaluate_models::{Rows, dense, int8_identity, rows, scaled_identity};

fn reports(float: &Arc<Graph>, quantized: &Arc<Graph>, data: &Rows) -> Vec<TensorReport> {
    let progress = Progress::new();
    let calibration = calibrate(float, data, 1, &progress).unwrap();
    let samples = data.rows.len();
    let got = tensors(
        float,
        quantized,
        Some(&calibration),
        data,
        samples,
        &progress,
    )
    .unwrap();
    assert_eq!(progress.counts(), (2 * samples, 2 * samples));
    got
}

/// −2 to 2 in 17 steps of 1/4, two values a row.
fn quarters() -> Rows {
    let values: Vec<f32> = (-8..=8).map(|i| i as f32 / 4.0).collect();
    Rows {
        rows: values.iter().map(|&x| vec![x, -x]).collect(),
        labels: None,
    }
}

#[test]
fn every_figure_of_a_small_model() {
    let float = scaled_identity(2, 1.0);
    let scale = 1.0 / 64.3f32;
    let int8 = int8_identity(2, 1.0, (scale, 0), (scale, 0), true);
    let got = reports(&float, &int8, &quarters());
    let names: Vec<(&str, &str, Option<usize>, TensorKind)> = got
        .iter()
        .map(|r| (r.name.as_str(), r.op.as_str(), r.node, r.kind))
        .collect();
    assert_eq!(
        names,
        [
            ("x", "INPUT", None, TensorKind::Activation),
            ("w", "FULLY_CONNECTED", Some(0), TensorKind::Weights),
            ("b", "FULLY_CONNECTED", Some(0), TensorKind::Bias),
            ("y", "FULLY_CONNECTED", Some(0), TensorKind::Activation),
        ]
    );
    let x = &got[0];
    assert_eq!(
        (x.range, x.q_range, x.dtype.as_str()),
        ((-2.0, 2.0), (-128, 127), "int8")
    );
    // The range asks for −128 + 2 · 64.3 = 0.6; the file has 0.
    assert!((x.zero_point_error.unwrap() + 0.6).abs() < 1e-4);
    // ±2 would be ±129: four values of 34.
    assert!((x.clipped - 4.0 / 34.0).abs() < 1e-9, "{}", x.clipped);
    assert_eq!(x.values.counts.iter().sum::<u64>(), 34);
    assert_eq!(x.dequantized.counts.iter().sum::<u64>(), 34);
    assert_eq!(x.step_error.counts.iter().sum::<u64>(), 34);
    let scale = f64::from(scale);
    let squared: f64 = (-8..=8)
        .map(|i| f64::from(i) * 0.25 / scale)
        .map(|v| {
            (v - v.round().clamp(-128.0, 127.0)).powi(2)
                + (-v - (-v).round().clamp(-128.0, 127.0)).powi(2)
        })
        .sum();
    assert!((x.step_rms - (squared / 34.0).sqrt()).abs() < 1e-5);
    let signal: f64 = (-8..=8).map(|i| 2.0 * (f64::from(i) * 0.25).powi(2)).sum();
    let db = 10.0 * (signal / (squared * scale * scale)).log10();
    assert!((x.sqnr_local_db.unwrap() - db).abs() < 1e-3);
    // What the model is fed is the quantized value itself.
    assert!((x.sqnr_cumulative_db.unwrap() - db).abs() < 1e-3);

    let w = &got[1];
    assert_eq!(
        (w.q_range, w.zero_point_error, w.clipped),
        ((-127, 127), None, 0.0)
    );
    assert!(w.sqnr_local_db.unwrap() > 120.0);
    assert_eq!(w.scale_error, Some(0.0));
    let b = &got[2];
    assert_eq!(
        (b.scale_error, b.sqnr_local_db),
        (None, Some(f64::INFINITY))
    );
}

#[test]
fn a_grid_too_coarse_and_one_too_fine() {
    let float = scaled_identity(2, 1.0);
    let many: Vec<Vec<f32>> = (0..500)
        .map(|i| {
            vec![
                (i as f32 * 0.618_034).fract() * 4.0 - 2.0,
                (i as f32 * 0.414_213_6).fract() * 4.0 - 2.0,
            ]
        })
        .collect();
    let data = Rows {
        rows: many,
        labels: None,
    };
    let ideal = 4.0 / 255.0;
    let coarse = int8_identity(2, 1.0, (ideal * 4.0, 0), (ideal / 4.0, 0), true);
    let got = reports(&float, &coarse, &data);
    let (x, y) = (&got[0], &got[3]);
    assert!(
        (x.scale_error.unwrap() - 2.0).abs() < 0.15,
        "{:?}",
        x.scale_error
    );
    assert_eq!(x.clipped, 0.0);
    assert!(
        (x.step_rms - 12f64.sqrt().recip()).abs() < 0.02,
        "{}",
        x.step_rms
    );
    // Uniform values over 4·127.5 steps of a grid of 255: three quarters are clipped.
    assert!((y.clipped - 0.75).abs() < 0.02, "{}", y.clipped);
    assert!(
        (y.scale_error.unwrap() + 2.0).abs() < 0.15,
        "{:?}",
        y.scale_error
    );
    // Errors beyond two steps lie in the end bins.
    let ends = y.step_error.counts[0] + y.step_error.counts[63];
    assert!(ends as f64 > 0.7 * 1000.0, "{ends}");
    assert!(y.values.counts.len() <= 256 && x.values.counts.len() < 70);
}

#[test]
fn tensors_beside_quantize_and_dequantize_find_their_twins() {
    let float = scaled_identity(2, 1.0);
    let int8 = int8_identity(2, 1.0, (4.0 / 255.0, 0), (4.0 / 255.0, 0), false);
    let got = reports(&float, &int8, &quarters());
    let names: Vec<(&str, &str)> = got
        .iter()
        .map(|r| (r.name.as_str(), r.op.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("x_int8", "QUANTIZE"),
            ("w", "FULLY_CONNECTED"),
            ("b", "FULLY_CONNECTED"),
            ("y_int8", "FULLY_CONNECTED"),
        ]
    );
}

/// A dynamic-range file: the weights of `dense(2, 2, …)` as int8 per channel, everything else float.
#[test]
fn weights_per_channel_with_a_dead_one() {
    let float = dense(2, 3, &[1.0, -0.5, 0.0, 0.0, 0.25, 0.1], &[0.0; 3]);
    let mut graph = (*float).clone();
    let scales = vec![1.0 / 127.0, 1.0, 0.5 / 127.0];
    let w = &mut graph.subgraphs[0].tensors[1];
    // The last channel's scale is twice what it needs: 0.25 → 63.5 → 64, 0.1 → 25.4 → 25.
    let q: Vec<i8> = vec![127, -64, 0, 0, 64, 25];
    *w = Tensor::constant(
        "w",
        DType::Int8,
        vec![3, 2],
        q.iter().map(|&q| q as u8).collect::<Vec<_>>(),
    );
    w.quantization = Some(Quantization::per_channel(scales.clone(), 0));
    let quantized = Arc::new(graph);
    let got = reports(&float, &quantized, &rows(&[&[1.0, 1.0]], None));
    assert_eq!(got.len(), 1);
    let w = &got[0];
    assert_eq!((w.scale, w.channels.len()), (1.0, 3));
    assert_eq!(
        w.channels.iter().map(|c| c.scale).collect::<Vec<_>>(),
        scales
    );
    assert_eq!(
        (w.channels[1].scale_error, w.channels[1].sqnr_db),
        (None, None)
    );
    assert!(w.channels[0].scale_error.unwrap().abs() < 0.3);
    let third = w.channels[2];
    assert!(third.scale_error.unwrap() > 0.5, "{third:?}");
    assert_eq!(w.scale_error, third.scale_error);
    let s = f64::from(scales[2]);
    let (a, b) = (0.25 - 64.0 * s, f64::from(0.1f32) - 25.0 * s);
    let db = 10.0 * ((0.0625 + 0.01) / (a * a + b * b)).log10();
    assert!((third.sqnr_db.unwrap() - db).abs() < 1e-3);
    assert_eq!(w.sqnr_local_db, w.sqnr_cumulative_db);
}

#[test]
fn float16_weights_have_the_steps_of_their_neighbours() {
    let float = dense(2, 2, &[1.0, 0.1, 1e5, -0.3], &[0.5, 0.25]);
    let mut graph = (*float).clone();
    let main = &mut graph.subgraphs[0];
    let halves = [1.0, 0.1, 65504.0, -0.3].map(half::f16::from_f32);
    let bytes: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
    main.tensors.push(Tensor::constant(
        "w_half",
        DType::Float16,
        vec![2, 2],
        bytes,
    ));
    main.tensors[1].data = None;
    main.nodes
        .insert(0, Node::new(Op::Dequantize, vec![Some(4)], vec![1]));
    let quantized = Arc::new(graph);
    let got = reports(&float, &quantized, &rows(&[&[1.0, 1.0]], None));
    assert_eq!(got.len(), 1);
    let w = &got[0];
    assert_eq!(
        (w.name.as_str(), w.op.as_str(), w.node),
        ("w_half", "FULLY_CONNECTED", Some(1))
    );
    assert_eq!((w.kind, w.dtype.as_str()), (TensorKind::Weights, "float16"));
    assert_eq!(
        (w.clipped, w.scale_error, w.zero_point_error),
        (0.25, None, None)
    );
    assert_eq!(w.values.counts.iter().sum::<u64>(), 4);
}
