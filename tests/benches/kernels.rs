//! Speed of the packed kernels on every ISA of this machine, on one thread, in multiply–adds per second (criterion's "elem/s").

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use zeropoint::kernels::fixed_point::{Multiplier, Rescale};
use zeropoint::kernels::reference::conv::{Hybrid, Quantized};
use zeropoint::kernels::{
    Conv2dShape, ConvF32, ConvHybrid, ConvI8, ConvI16, DepthwiseF32, DepthwiseHybrid, DepthwiseI8,
    DepthwiseI16, Isa, Scratch, fully_connected_shape,
};

const CLAMP: (f32, f32) = (f32::MIN, f32::MAX);

/// Square images, SAME padding.
fn shape(size: usize, in_c: usize, out_c: usize, kernel: usize, stride: usize) -> Conv2dShape {
    let out = size.div_ceil(stride);
    let pad = ((out - 1) * stride + kernel).saturating_sub(size) / 2;
    Conv2dShape {
        batches: 1,
        in_h: size,
        in_w: size,
        in_c,
        out_h: out,
        out_w: out,
        out_c,
        k_h: kernel,
        k_w: kernel,
        stride_h: stride,
        stride_w: stride,
        dilation_h: 1,
        dilation_w: 1,
        pad_top: pad,
        pad_left: pad,
    }
}

/// The same operands in every type.
struct Operands {
    f32s: Vec<f32>,
    i8s: Vec<i8>,
    i16s: Vec<i16>,
    weights: Vec<i8>,
    float_weights: Vec<f32>,
    rescale: Vec<Rescale>,
    scales: Vec<f32>,
    outputs: usize,
}

impl Operands {
    fn new(s: &Conv2dShape, weights: usize, reduction: usize) -> Self {
        let value = |i: usize| (i.wrapping_mul(0x9E37_79B9) >> 7) as i16;
        let inputs = s.batches * s.in_h * s.in_w * s.in_c;
        let factor = 1.0 / (60.0 * (reduction as f64).sqrt());
        Self {
            f32s: (0..inputs).map(|i| f32::from(value(i)) / 32768.0).collect(),
            i8s: (0..inputs).map(|i| value(i) as i8).collect(),
            i16s: (0..inputs).map(value).collect(),
            weights: (0..weights)
                .map(|i| (value(i + 7) as i8).max(-127))
                .collect(),
            float_weights: (0..weights)
                .map(|i| f32::from(value(i + 7)) / 32768.0)
                .collect(),
            rescale: vec![Rescale::Fixed(Multiplier::from_real(factor)); s.out_c],
            scales: vec![0.01; s.out_c],
            outputs: s.batches * s.out_h * s.out_w * s.out_c,
        }
    }

    fn quantized(&self, input_zero_point: i32, clamp: (i32, i32)) -> Quantized<'_> {
        Quantized {
            input_zero_point,
            output_zero_point: 0,
            rescale: &self.rescale,
            clamp,
        }
    }
}

const I8: (i32, i32) = (-128, 127);
const I16: (i32, i32) = (-32768, 32767);

/// Measures `run(scratch)` under `type/isa`.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    isa: Isa,
    mut run: impl FnMut(&mut Scratch),
) {
    let mut scratch = Scratch::new();
    group.bench_function(format!("{name}/{}", isa.name()), |b| {
        b.iter(|| run(&mut scratch));
    });
}

fn start<'a>(c: &'a mut Criterion, name: &str, macs: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group
        .throughput(Throughput::Elements(macs as u64))
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20);
    group
}

fn convolutions(c: &mut Criterion) {
    for (name, s) in [
        ("MNIST conv 28x28x1 3x3 s2 8", shape(28, 1, 8, 3, 2)),
        (
            "MNIST fully connected 64 10",
            fully_connected_shape(1, 64, 10),
        ),
        ("first layer 224x224x3 3x3 s2 32", shape(224, 3, 32, 3, 2)),
        ("conv 56x56x64 3x3 64", shape(56, 64, 64, 3, 1)),
        ("conv 14x14x1024 1x1 256", shape(14, 1024, 256, 1, 1)),
        ("conv 112x112x32 1x1 64", shape(112, 32, 64, 1, 1)),
    ] {
        let reduction = s.k_h * s.k_w * s.in_c;
        let macs = s.batches * s.out_h * s.out_w * s.out_c * reduction;
        let x = Operands::new(&s, s.out_c * reduction, reduction);
        let mut group = start(c, name, macs);
        for isa in Isa::available() {
            let mut out = vec![0.0; x.outputs];
            let op = ConvF32::new(isa, s, &x.float_weights, None, CLAMP).unwrap();
            measure(&mut group, "f32", isa, |scratch| {
                op.run(black_box(&x.f32s), &mut out, scratch, 1).unwrap();
            });
            let op = ConvHybrid::convolution(
                isa,
                s,
                &x.weights,
                None,
                Hybrid::Asymmetric(&x.scales),
                CLAMP,
            )
            .unwrap();
            measure(&mut group, "hybrid", isa, |scratch| {
                op.run(black_box(&x.f32s), &mut out, scratch, 1).unwrap();
            });
            let mut out = vec![0; x.outputs];
            let op = ConvI8::new(isa, s, &x.weights, None, &x.quantized(3, I8)).unwrap();
            measure(&mut group, "int8", isa, |scratch| {
                op.run(black_box(&x.i8s), &mut out, scratch, 1).unwrap();
            });
            let mut out = vec![0; x.outputs];
            let op = ConvI16::new(isa, s, &x.weights, None, &x.quantized(0, I16)).unwrap();
            measure(&mut group, "int16x8", isa, |scratch| {
                op.run(black_box(&x.i16s), &mut out, scratch, 1).unwrap();
            });
        }
        group.finish();
    }
}

fn depthwise(c: &mut Criterion) {
    for (name, s) in [
        ("MNIST depthwise 14x14x8 3x3", shape(14, 8, 8, 3, 1)),
        ("depthwise 112x112x32 3x3", shape(112, 32, 32, 3, 1)),
        ("depthwise 14x14x512 3x3", shape(14, 512, 512, 3, 1)),
    ] {
        let taps = s.k_h * s.k_w;
        let macs = s.batches * s.out_h * s.out_w * s.out_c * taps;
        let x = Operands::new(&s, s.out_c * taps, taps);
        let mut group = start(c, name, macs);
        for isa in Isa::available() {
            let mut out = vec![0.0; x.outputs];
            let op = DepthwiseF32::new(isa, s, &x.float_weights, None, CLAMP).unwrap();
            measure(&mut group, "f32", isa, |scratch| {
                op.run(black_box(&x.f32s), &mut out, scratch, 1).unwrap();
            });
            let how = Hybrid::AsymmetricJoint(&x.scales);
            let op = DepthwiseHybrid::new(isa, s, &x.weights, None, how, CLAMP).unwrap();
            measure(&mut group, "hybrid", isa, |scratch| {
                op.run(black_box(&x.f32s), &mut out, scratch, 1).unwrap();
            });
            let mut out = vec![0; x.outputs];
            let op = DepthwiseI8::new(isa, s, &x.weights, None, &x.quantized(3, I8)).unwrap();
            measure(&mut group, "int8", isa, |scratch| {
                op.run(black_box(&x.i8s), &mut out, scratch, 1).unwrap();
            });
            let mut out = vec![0; x.outputs];
            let op = DepthwiseI16::new(isa, s, &x.weights, None, &x.quantized(0, I16)).unwrap();
            measure(&mut group, "int16x8", isa, |scratch| {
                op.run(black_box(&x.i16s), &mut out, scratch, 1).unwrap();
            });
        }
        group.finish();
    }
}

criterion_group!(kernels, convolutions, depthwise);
criterion_main!(kernels);
