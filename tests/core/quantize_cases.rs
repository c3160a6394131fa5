//! Every operator that a static mode computes on integers, alone, with what it is fed and how exact its kernel is.

use zeropoint::graph::*;

use crate::quantize_models::{concat, conv};

/// One input of an operator.
pub enum In {
    /// Fed, uniform in [low, high].
    Fed(Vec<usize>, f32, f32),
    /// Constant, uniform in [low, high].
    Constant(Vec<usize>, f32, f32),
    /// Constant int32: indices, axes, shapes.
    Ints(Vec<usize>, Vec<i32>),
    /// Fed truth values.
    Truth(Vec<usize>),
}
use In::*;

/// In which modes LiteRT has a kernel.
#[derive(Clone, Copy, PartialEq)]
pub enum Has {
    Both,
    Int8,
    Int16,
}

/// One operator with what it is fed.
pub struct Case {
    pub op: Op,
    pub inputs: Vec<In>,
    pub outputs: Vec<(DType, Vec<usize>)>,
    pub has: Has,
    /// How much an error of 1 in each input can move an output.
    pub gains: Vec<f32>,
    /// Steps of the output that the kernel itself may be off, its rounding included: int8, int16.
    pub kernel: (f32, f32),
}

fn case(op: Op, inputs: Vec<In>, shape: &[usize], has: Has, gains: &[f32]) -> Case {
    Case {
        op,
        inputs,
        outputs: vec![(DType::Float32, shape.to_vec())],
        has,
        gains: gains.to_vec(),
        kernel: (0.51, 0.51),
    }
}

impl Case {
    /// Kernels that are coarser than a rounding.
    fn off(mut self, int8: f32, int16: f32) -> Self {
        self.kernel = (int8, int16);
        self
    }

    fn outputs(mut self, outputs: &[(DType, &[usize])]) -> Self {
        self.outputs = outputs.iter().map(|(d, s)| (*d, s.to_vec())).collect();
        self
    }
}

const NHWC: [usize; 4] = [1, 4, 4, 4];

fn x() -> In {
    between(-1.0, 2.0)
}

fn between(low: f32, high: f32) -> In {
    Fed(NHWC.to_vec(), low, high)
}

fn list(values: &[i32]) -> In {
    Ints(vec![values.len()], values.to_vec())
}

fn scalar(value: i32) -> In {
    Ints(vec![], vec![value])
}

fn no() -> Activation {
    Activation::None
}

/// Element-wise functions and others of one input.
pub fn functions() -> Vec<Case> {
    let unary =
        |u, has, low, high, gain| case(Op::Unary(u), vec![between(low, high)], &NHWC, has, &[gain]);
    let one = |op, has, gain| case(op, vec![x()], &NHWC, has, &[gain]);
    use Has::*;
    vec![
        unary(Unary::Abs, Both, -1.0, 2.0, 1.0),
        unary(Unary::Exp, Both, -1.0, 2.0, 7.4).off(0.51, 3.0),
        unary(Unary::Log, Both, 0.2, 2.0, 5.0).off(0.51, 8.0),
        unary(Unary::Sqrt, Both, 0.2, 2.0, 1.2).off(1.01, 1.01),
        unary(Unary::Rsqrt, Both, 0.2, 2.0, 5.6).off(0.51, 8.0),
        unary(Unary::Elu, Int8, -1.0, 2.0, 1.0),
        unary(Unary::Relu0To1, Int8, -1.0, 2.0, 1.0),
        unary(Unary::ReluN1To1, Int8, -2.0, 2.0, 1.0),
        one(Op::Relu, Both, 1.0),
        case(Op::Relu6, vec![between(-4.0, 9.0)], &NHWC, Both, &[1.0]),
        one(Op::LeakyRelu { alpha: 0.1 }, Both, 1.0),
        case(
            Op::Prelu,
            vec![x(), Constant(vec![1, 1, 4], -0.5, 0.5)],
            &NHWC,
            Int8,
            &[1.0, 1.0],
        ),
        case(Op::HardSwish, vec![between(-4.0, 4.0)], &NHWC, Int8, &[1.5]).off(1.0, 0.0),
        one(Op::Gelu { approximate: false }, Both, 1.13).off(0.51, 2.0),
        one(Op::Gelu { approximate: true }, Both, 1.13).off(0.51, 2.0),
        one(Op::Logistic, Both, 0.25).off(0.51, 2.0),
        one(Op::Tanh, Both, 1.0).off(0.51, 3.0),
        one(Op::Softmax { beta: 1.0 }, Both, 0.5).off(0.51, 2.0),
        one(Op::LogSoftmax, Int8, 2.0).off(1.0, 0.0),
        one(Op::L2Normalization { activation: no() }, Int8, 2.0).off(1.0, 0.0),
        one(
            Op::Reduce {
                kind: Reduction::Max,
                keep_dims: false,
            },
            Both,
            1.0,
        )
        .input(list(&[1, 2]))
        .outputs(&[(DType::Float32, &[1, 4])]),
        one(
            Op::Reduce {
                kind: Reduction::Min,
                keep_dims: true,
            },
            Both,
            1.0,
        )
        .input(list(&[3]))
        .outputs(&[(DType::Float32, &[1, 4, 4, 1])]),
        one(
            Op::Reduce {
                kind: Reduction::Prod,
                keep_dims: false,
            },
            Both,
            32.0,
        )
        .input(list(&[3]))
        .outputs(&[(DType::Float32, &[1, 4, 4])])
        .off(1.0, 2.0),
        one(
            Op::Reduce {
                kind: Reduction::Sum,
                keep_dims: false,
            },
            Both,
            16.0,
        )
        .input(list(&[1, 2]))
        .outputs(&[(DType::Float32, &[1, 4])])
        .off(1.0, 1.0),
        one(Op::Mean { keep_dims: true }, Both, 1.0)
            .input(list(&[1, 2]))
            .outputs(&[(DType::Float32, &[1, 1, 1, 4])])
            .off(1.0, 1.0),
    ]
}

/// Functions of two inputs.
pub fn pairs() -> Vec<Case> {
    use Has::*;
    let activation = no();
    let two = |op, a: In, b: In, has, gains: &[f32]| case(op, vec![a, b], &NHWC, has, gains);
    let row = || Constant(vec![4], -0.7, 1.5);
    vec![
        two(
            Op::Add {
                activation,
                pot_scale_int16: true,
            },
            x(),
            between(-3.0, 1.0),
            Both,
            &[1.0, 1.0],
        )
        .off(1.0, 1.0),
        two(
            Op::Sub {
                activation: Activation::Relu,
                pot_scale_int16: true,
            },
            x(),
            row(),
            Both,
            &[1.0, 1.0],
        )
        .off(1.0, 1.0),
        two(Op::Mul { activation }, x(), row(), Both, &[1.5, 2.0]),
        two(
            Op::Div { activation },
            x(),
            between(0.5, 2.0),
            Both,
            &[2.0, 8.0],
        )
        .off(1.0, 1.0),
        two(Op::Binary(Binary::Maximum), x(), row(), Both, &[1.0, 1.0]),
        two(
            Op::Binary(Binary::Minimum),
            x(),
            between(-2.0, 1.0),
            Both,
            &[1.0, 1.0],
        ),
        two(
            Op::Binary(Binary::SquaredDifference),
            x(),
            between(-2.0, 1.0),
            Int8,
            &[8.0, 8.0],
        )
        .off(1.0, 0.0),
        case(
            Op::BatchMatMul(BatchMatMul::default()),
            vec![Fed(vec![2, 3, 4], -1.0, 2.0), Fed(vec![2, 4, 5], -1.0, 1.0)],
            &[2, 3, 5],
            Both,
            &[4.0, 8.0],
        )
        .off(1.0, 2.0),
        case(
            Op::BatchMatMul(BatchMatMul {
                adjoint_y: true,
                ..BatchMatMul::default()
            }),
            vec![
                Fed(vec![2, 3, 4], -1.0, 2.0),
                Constant(vec![2, 5, 4], -1.0, 1.0),
            ],
            &[2, 3, 5],
            Both,
            &[4.0, 8.0],
        )
        .off(1.0, 2.0),
    ]
}

/// Operators with weights.
pub fn weighted() -> Vec<Case> {
    let stride = [1, 1];
    let padding = Padding::Same;
    let activation = no();
    vec![
        case(
            conv(),
            vec![
                x(),
                Constant(vec![3, 1, 1, 4], -0.5, 0.5),
                Constant(vec![3], -1.0, 1.0),
            ],
            &[1, 4, 4, 3],
            Has::Both,
            &[2.0, 8.0, 1.0],
        )
        .off(1.0, 1.0),
        case(
            Op::DepthwiseConv2d(DepthwiseConv2d {
                padding,
                stride,
                dilation: stride,
                activation,
                depth_multiplier: 1,
            }),
            vec![
                x(),
                Constant(vec![1, 3, 3, 4], -0.5, 0.5),
                Constant(vec![4], -1.0, 1.0),
            ],
            &NHWC,
            Has::Both,
            &[4.5, 18.0, 1.0],
        )
        .off(1.0, 1.0),
        case(
            Op::FullyConnected(FullyConnected::default()),
            vec![
                Fed(vec![2, 8], -1.0, 2.0),
                Constant(vec![3, 8], -0.5, 0.5),
                Constant(vec![3], -1.0, 1.0),
            ],
            &[2, 3],
            Has::Both,
            &[4.0, 16.0, 1.0],
        )
        .off(1.0, 1.0),
        case(
            Op::TransposeConv(TransposeConv {
                padding,
                stride: [2, 2],
                activation,
                quantized_bias: None,
            }),
            vec![
                list(&[1, 8, 8, 3]),
                Constant(vec![3, 3, 3, 4], -0.5, 0.5),
                x(),
                Constant(vec![3], -1.0, 1.0),
            ],
            &[1, 8, 8, 3],
            Has::Both,
            &[0.0, 32.0, 8.0, 1.0],
        )
        .off(1.0, 1.0),
        case(
            Op::TransposeConv(TransposeConv {
                padding: Padding::Valid,
                stride: [1, 1],
                activation,
                quantized_bias: None,
            }),
            vec![
                list(&[1, 5, 5, 2]),
                Constant(vec![2, 2, 2, 4], -0.5, 0.5),
                x(),
            ],
            &[1, 5, 5, 2],
            Has::Both,
            &[0.0, 32.0, 8.0],
        )
        .off(1.0, 1.0),
    ]
}

/// Operators that move or select values.
pub fn movements() -> Vec<Case> {
    use Has::*;
    let one = |op, more: Vec<In>, shape: &[usize], has| {
        let mut inputs = vec![x()];
        inputs.extend(more);
        case(op, inputs, shape, has, &[1.0])
    };
    let pool = |filter| Pool2d {
        padding: Padding::Valid,
        stride: [2, 2],
        filter,
        activation: no(),
    };
    let pads = || Ints(vec![4, 2], vec![0, 0, 1, 0, 1, 2, 0, 0]);
    let resize = Resize::default();
    vec![
        one(Op::MaxPool2d(pool([2, 2])), vec![], &[1, 2, 2, 4], Both),
        one(Op::AveragePool2d(pool([2, 2])), vec![], &[1, 2, 2, 4], Both).off(1.0, 1.0),
        one(Op::Pad, vec![pads()], &[1, 5, 7, 4], Both),
        one(
            Op::PadV2,
            vec![pads(), Constant(vec![], 1.5, 1.5)],
            &[1, 5, 7, 4],
            Both,
        ),
        one(
            Op::MirrorPad { symmetric: false },
            vec![pads()],
            &[1, 5, 7, 4],
            Both,
        ),
        one(
            Op::Reshape { new_shape: None },
            vec![list(&[4, 16])],
            &[4, 16],
            Both,
        ),
        one(Op::Transpose, vec![list(&[0, 3, 1, 2])], &NHWC, Both),
        one(Op::ExpandDims, vec![scalar(0)], &[1, 1, 4, 4, 4], Both),
        one(Op::Squeeze { axes: vec![0] }, vec![], &[4, 4, 4], Both),
        one(
            Op::Slice,
            vec![list(&[0, 1, 1, 0]), list(&[1, 2, 3, 4])],
            &[1, 2, 3, 4],
            Both,
        ),
        one(
            Op::StridedSlice(StridedSlice::default()),
            vec![
                list(&[0, 0, 1, 0]),
                list(&[1, 4, 4, 4]),
                list(&[1, 2, 1, 2]),
            ],
            &[1, 2, 3, 2],
            Both,
        ),
        case(
            Op::Split { count: 2 },
            vec![scalar(3), x()],
            &[],
            Both,
            &[0.0, 1.0],
        )
        .outputs(&[
            (DType::Float32, &[1, 4, 4, 2]),
            (DType::Float32, &[1, 4, 4, 2]),
        ]),
        one(
            Op::SplitV { count: 2 },
            vec![list(&[1, 3]), scalar(2)],
            &[],
            Both,
        )
        .outputs(&[
            (DType::Float32, &[1, 4, 1, 4]),
            (DType::Float32, &[1, 4, 3, 4]),
        ]),
        one(Op::Unpack { count: 4, axis: 1 }, vec![], &[], Both)
            .outputs(&[(DType::Float32, [1, 4, 4].as_slice()); 4]),
        one(
            Op::Gather {
                axis: 1,
                batch_dims: 0,
            },
            vec![list(&[2, 0])],
            &[1, 2, 4, 4],
            Both,
        ),
        case(
            Op::Gather {
                axis: 0,
                batch_dims: 0,
            },
            vec![
                Constant(vec![9, 4], -3.0, 1.0),
                Ints(vec![2, 2], vec![3, 1, 8, 0]),
            ],
            &[2, 2, 4],
            Both,
            &[1.0],
        ),
        one(
            Op::GatherNd,
            vec![Ints(vec![2, 2], vec![0, 1, 0, 3])],
            &[2, 4, 4],
            Both,
        ),
        case(
            Op::ScatterNd,
            vec![
                Ints(vec![2, 1], vec![0, 2]),
                Fed(vec![2, 4], -1.0, 2.0),
                list(&[4, 4]),
            ],
            &[4, 4],
            Int8,
            &[0.0, 1.0],
        ),
        one(Op::Tile, vec![list(&[1, 2, 1, 1])], &[1, 8, 4, 4], Both),
        case(
            Op::BroadcastTo,
            vec![Fed(vec![1, 1, 4, 4], -1.0, 2.0), list(&[1, 3, 4, 4])],
            &[1, 3, 4, 4],
            Both,
            &[1.0],
        ),
        case(
            Op::Fill,
            vec![list(&[2, 3]), Fed(vec![], 0.5, 2.0)],
            &[2, 3],
            Both,
            &[0.0, 1.0],
        ),
        one(Op::ReverseV2, vec![list(&[1])], &NHWC, Both),
        one(
            Op::ReverseSequence {
                sequence_axis: 1,
                batch_axis: 0,
            },
            vec![list(&[3])],
            &NHWC,
            Int16,
        ),
        one(Op::SpaceToDepth { block: 2 }, vec![], &[1, 2, 2, 16], Int8),
        one(Op::DepthToSpace { block: 2 }, vec![], &[1, 8, 8, 1], Int8),
        one(
            Op::SpaceToBatchNd,
            vec![list(&[2, 2]), Ints(vec![2, 2], vec![0, 2, 2, 0])],
            &[4, 3, 3, 4],
            Both,
        ),
        case(
            Op::BatchToSpaceNd,
            vec![
                Fed(vec![4, 2, 2, 3], -1.0, 2.0),
                list(&[2, 2]),
                Ints(vec![2, 2], vec![0, 1, 0, 0]),
            ],
            &[1, 3, 4, 3],
            Both,
            &[1.0],
        ),
        one(
            Op::ResizeBilinear(resize),
            vec![list(&[8, 8])],
            &[1, 8, 8, 4],
            Both,
        )
        .off(1.0, 1.0),
        one(
            Op::ResizeNearestNeighbor(resize),
            vec![list(&[8, 8])],
            &[1, 8, 8, 4],
            Both,
        ),
        one(concat(), vec![between(-3.0, 1.0)], &[1, 4, 4, 8], Both),
        one(
            Op::Pack {
                axis: 1,
                values_count: 2,
            },
            vec![Constant(NHWC.to_vec(), -3.0, 1.0)],
            &[1, 2, 4, 4, 4],
            Both,
        ),
        case(
            Op::SelectV2,
            vec![Truth(vec![1, 4, 1, 4]), x(), between(-3.0, 1.0)],
            &NHWC,
            Both,
            &[0.0, 1.0, 1.0],
        ),
        case(
            Op::Select,
            vec![Truth(NHWC.to_vec()), x(), between(-3.0, 1.0)],
            &NHWC,
            Both,
            &[0.0, 1.0, 1.0],
        ),
        case(
            Op::OneHot { axis: -1 },
            vec![
                list(&[0, 3]),
                scalar(4),
                Constant(vec![], 1.5, 1.5),
                Fed(vec![], -0.7, -0.2),
            ],
            &[2, 4],
            Int8,
            &[0.0, 0.0, 1.0, 1.0],
        ),
        case(
            Op::SparseToDense {
                validate_indices: true,
            },
            vec![
                list(&[0, 2]),
                list(&[4]),
                Fed(vec![2], -1.0, 2.0),
                Constant(vec![], 0.5, 0.5),
            ],
            &[4],
            Int8,
            &[0.0, 0.0, 1.0, 1.0],
        ),
        case(
            Op::MatrixDiag,
            vec![Fed(vec![2, 4], -1.0, 2.0)],
            &[2, 4, 4],
            Both,
            &[1.0],
        ),
        case(
            Op::MatrixSetDiag,
            vec![Fed(vec![2, 4, 4], -1.0, 2.0), Fed(vec![2, 4], -3.0, 0.0)],
            &[2, 4, 4],
            Both,
            &[1.0, 1.0],
        ),
        one(
            Op::DynamicUpdateSlice,
            vec![Fed(vec![1, 2, 2, 4], -3.0, 0.0), list(&[0, 1, 1, 0])],
            &NHWC,
            Both,
        ),
        case(
            Op::Dilate,
            vec![
                Fed(vec![2, 2], -1.0, 2.0),
                list(&[2, 3]),
                Constant(vec![], 0.5, 0.5),
            ],
            &[3, 4],
            Both,
            &[1.0],
        ),
        case(
            Op::EmbeddingLookup,
            vec![list(&[0, 2]), Constant(vec![4, 6], -1.0, 2.0)],
            &[2, 6],
            Both,
            &[0.0, 1.0],
        ),
        one(Op::TopKV2, vec![scalar(2)], &[], Both).outputs(&[
            (DType::Float32, &[1, 4, 4, 2]),
            (DType::Int32, &[1, 4, 4, 2]),
        ]),
        one(
            Op::ArgMax {
                output_type: DType::Int32,
            },
            vec![scalar(-1)],
            &[],
            Int8,
        )
        .outputs(&[(DType::Int32, &[1, 4, 4])]),
        one(
            Op::ArgMin {
                output_type: DType::Int32,
            },
            vec![scalar(1)],
            &[],
            Int8,
        )
        .outputs(&[(DType::Int32, &[1, 4, 4])]),
        one(
            Op::Compare(Comparison::Greater),
            vec![between(-1.5, 5.0)],
            &[],
            Both,
        )
        .outputs(&[(DType::Bool, &NHWC)]),
        one(
            Op::Compare(Comparison::LessEqual),
            vec![Constant(vec![4], -0.5, 1.5)],
            &[],
            Both,
        )
        .outputs(&[(DType::Bool, &NHWC)]),
        one(
            Op::Compare(Comparison::Equal),
            vec![between(-1.5, 5.0)],
            &[],
            Int8,
        )
        .outputs(&[(DType::Bool, &NHWC)]),
    ]
}

impl Case {
    fn input(mut self, more: In) -> Self {
        self.inputs.push(more);
        self
    }
}
