//! Rules of the modes that compute on integers, operator by operator.

use super::{Cell, Inputs, Output, Rule, Weighted, Width, Work};
use crate::graph::{
    Activation, Binary, Comparison, Lstm, Op, Reduction, Unary, UnidirectionalSequenceLstm,
};

const FIRST: Inputs = Inputs::Slots(&[0]);
const SECOND: Inputs = Inputs::Slots(&[1]);
const BOTH: Inputs = Inputs::Slots(&[0, 1]);

/// Input 0, weights in input 1 with channels along `axis`, bias in input 2.
const fn weighted(axis: usize, rank: usize) -> Inputs {
    Inputs::Weighted(Weighted {
        activation: 0,
        weights: 1,
        axis,
        rank,
        bias: 2,
    })
}

/// The rule of `op` in a static mode, or why it stays float.
pub fn static_rule(op: &Op, width: Width) -> Result<Rule, String> {
    let name = op.name();
    let rule = |inputs, output, work| {
        Ok(Rule {
            inputs,
            output,
            work,
            zero_at_zero: false,
        })
    };
    let values = |inputs| rule(inputs, Output::Free, Work::Values);
    let moves = |inputs| rule(inputs, Output::SameAsInput, Work::Moves);
    let joins = |inputs| rule(inputs, Output::SharedByAll, Work::Moves);
    let lacks = |what: &str| Err(format!("LiteRT has no {what} kernel for {name}"));
    let none = || lacks("integer");
    let cell = |cell| rule(Inputs::Recurrent(cell), Output::Free, Work::Products);
    // Kernels that exist in one width only.
    let int8 = |found: Result<Rule, String>| match width {
        Width::Int8 => found,
        Width::Int16 => lacks("int16"),
    };
    let int16 = |found: Result<Rule, String>| match width {
        Width::Int8 => lacks("int8"),
        Width::Int16 => found,
    };
    let fixed = |scale, zero_point| rule(FIRST, Output::Fixed { scale, zero_point }, Work::Values);
    // Fixed in both widths; int16 covers [−1, 1).
    let unit = |scale8, zero_point8| match width {
        Width::Int8 => fixed(scale8, zero_point8),
        Width::Int16 => fixed(1.0 / 32768.0, 0),
    };
    let on_zero = |found: Result<Rule, String>| {
        found.map(|rule| Rule {
            zero_at_zero: true,
            ..rule
        })
    };
    match op {
        Op::Conv2d(o) => {
            clamps(o.activation)?;
            rule(weighted(0, 4), Output::Free, Work::Products)
        }
        Op::DepthwiseConv2d(o) => {
            clamps(o.activation)?;
            rule(weighted(3, 4), Output::Free, Work::Products)
        }
        Op::FullyConnected(o) => {
            clamps(o.activation)?;
            if o.shuffled_weights {
                return Err("its weights are in the legacy shuffled layout".into());
            }
            rule(weighted(0, 2), Output::Free, Work::Products)
        }
        Op::TransposeConv(o) => {
            clamps(o.activation)?;
            let inputs = Inputs::Weighted(Weighted {
                activation: 2,
                weights: 1,
                axis: 0,
                rank: 4,
                bias: 3,
            });
            rule(inputs, Output::Free, Work::Products)
        }
        Op::BatchMatMul(_) => rule(BOTH, Output::Free, Work::Products),
        Op::MaxPool2d(o) => {
            clamps(o.activation)?;
            moves(FIRST)
        }
        Op::AveragePool2d(o) => {
            clamps(o.activation)?;
            rule(FIRST, Output::SameAsInput, Work::Values)
        }
        Op::Mean { .. } => values(FIRST),
        Op::Add { activation, .. }
        | Op::Sub { activation, .. }
        | Op::Mul { activation }
        | Op::Div { activation } => {
            clamps(*activation)?;
            values(BOTH)
        }
        Op::Relu | Op::Relu6 | Op::LeakyRelu { .. } | Op::Gelu { .. } => values(FIRST),
        Op::Prelu => int8(values(BOTH)),
        Op::Logistic | Op::Softmax { .. } => unit(1.0 / 256.0, -128),
        Op::Tanh => unit(1.0 / 128.0, 0),
        Op::LogSoftmax => int8(fixed(16.0 / 256.0, 127)),
        Op::L2Normalization { activation } => match activation {
            Activation::None => int8(fixed(1.0 / 128.0, 0)),
            _ => Err("LiteRT's L2_NORMALIZATION takes no fused activation function".into()),
        },
        Op::HardSwish => int8(values(FIRST)),
        Op::Unary(function) => match function {
            Unary::Abs | Unary::Exp | Unary::Log | Unary::Sqrt | Unary::Rsqrt => values(FIRST),
            Unary::Elu | Unary::Relu0To1 | Unary::ReluN1To1 => int8(values(FIRST)),
            Unary::Neg => Err("LiteRT's integer NEG ignores the zero point and wraps around at the smallest integer".into()),
            Unary::Ceil
            | Unary::Cos
            | Unary::Floor
            | Unary::LogicalNot
            | Unary::Round
            | Unary::Sign
            | Unary::Sin
            | Unary::Square
            | Unary::ZerosLike => none(),
        },
        Op::Binary(function) => match function {
            Binary::Maximum | Binary::Minimum => {
                rule(BOTH, Output::SharedAndClamped, Work::Moves)
            }
            Binary::SquaredDifference => int8(values(BOTH)),
            Binary::FloorDiv | Binary::FloorMod => Err(format!(
                "LiteRT's integer {name} divides the stored integers, not the values they stand for"
            )),
            Binary::Atan2
            | Binary::BitwiseXor
            | Binary::LogicalAnd
            | Binary::LogicalOr
            | Binary::Pow
            | Binary::RightShift => none(),
        },
        Op::Compare(comparison) => {
            let one_scale = match comparison {
                Comparison::Equal | Comparison::NotEqual => false,
                Comparison::Greater
                | Comparison::GreaterEqual
                | Comparison::Less
                | Comparison::LessEqual => width == Width::Int16,
            };
            rule(BOTH, Output::NoReals { one_scale }, Work::Moves)
        }
        Op::Reduce { kind, .. } => match kind {
            Reduction::Sum | Reduction::Prod => values(FIRST),
            Reduction::Max | Reduction::Min => moves(FIRST),
            Reduction::Any | Reduction::All => none(),
        },
        Op::ArgMax { .. } | Op::ArgMin { .. } => int8(rule(
            FIRST,
            Output::NoReals { one_scale: false },
            Work::Moves,
        )),
        Op::Pad
        | Op::MirrorPad { .. }
        | Op::Reshape { .. }
        | Op::StridedSlice(_)
        | Op::Slice
        | Op::Transpose
        | Op::ExpandDims
        | Op::Squeeze { .. }
        | Op::SplitV { .. }
        | Op::Unpack { .. }
        | Op::Gather { .. }
        | Op::GatherNd
        | Op::Tile
        | Op::BroadcastTo
        | Op::ReverseV2
        | Op::SpaceToBatchNd
        | Op::BatchToSpaceNd
        | Op::ResizeNearestNeighbor(_)
        | Op::TopKV2 => moves(FIRST),
        Op::Split { .. } | Op::Fill | Op::EmbeddingLookup => moves(SECOND),
        Op::SpaceToDepth { .. } | Op::DepthToSpace { .. } => int8(moves(FIRST)),
        Op::ReverseSequence { .. } => int16(moves(FIRST)),
        Op::ResizeBilinear(_) => rule(FIRST, Output::SameAsInput, Work::Values),
        Op::Concatenation { activation, .. } => match activation {
            Activation::None => joins(Inputs::All),
            _ => Err("LiteRT's integer CONCATENATION takes no fused activation function".into()),
        },
        Op::Pack { .. } => joins(Inputs::All),
        Op::PadV2 => rule(Inputs::Slots(&[0, 2]), Output::SharedByAll, Work::Moves),
        Op::Select | Op::SelectV2 => joins(Inputs::Slots(&[1, 2])),
        Op::MatrixSetDiag | Op::DynamicUpdateSlice => joins(BOTH),
        Op::Dilate => joins(Inputs::Slots(&[0, 2])),
        Op::OneHot { .. } | Op::SparseToDense { .. } => int8(joins(Inputs::Slots(&[2, 3]))),
        // The kernels fill with the integer 0.
        Op::ScatterNd => int8(on_zero(moves(SECOND))),
        Op::MatrixDiag => on_zero(moves(FIRST)),
        Op::AddN
        | Op::Cumsum { .. }
        | Op::LocalResponseNormalization(_)
        | Op::SegmentSum
        | Op::UnsortedSegment(_)
        | Op::Conv3d(_)
        | Op::Conv3dTranspose(_)
        | Op::L2Pool2d(_)
        | Op::NonMaxSuppressionV4
        | Op::NonMaxSuppressionV5
        | Op::Bitcast
        | Op::Range
        | Op::Real
        | Op::Imag
        | Op::ComplexAbs
        | Op::Rfft2d => none(),
        Op::Cast { .. } => {
            Err("LiteRT casts the stored integers, not the values they stand for".into())
        }
        Op::Where => Err("LiteRT looks for stored integers that are not 0, which is not where values are not 0".into()),
        Op::Unique { .. } => {
            Err("rounding could make distinct values equal, and with it the output shorter".into())
        }
        Op::FakeQuant(_) => Err("it rounds to a grid of its own".into()),
        Op::Densify => Err("its sparse constant cannot be unpacked".into()),
        Op::Svdf(o) => match o.activation {
            // The kernel leaves it to the output's range, which then begins at 0.
            Activation::Relu => int8(cell(Cell::Svdf)),
            _ => Err("LiteRT's integer SVDF takes no activation function but RELU".into()),
        },
        Op::Lstm(o) if o.basic => Err("LiteRT's old kernel of LSTM takes uint8, not int8".into()),
        Op::Lstm(Lstm { activation, .. })
        | Op::UnidirectionalSequenceLstm(UnidirectionalSequenceLstm { activation, .. }) => {
            match activation {
                Activation::Tanh => int8(cell(Cell::Lstm)),
                _ => Err(format!("LiteRT's integer {name} always computes tanh, not {activation:?}")),
            }
        }
        Op::BidirectionalSequenceLstm(_)
        | Op::Rnn(_)
        | Op::UnidirectionalSequenceRnn(_)
        | Op::BidirectionalSequenceRnn(_) => Err(format!(
            "LiteRT has no integer kernel for {name}; mode dynamic makes its weights int8"
        )),
        Op::If { .. } | Op::While { .. } | Op::CallOnce { .. } => {
            Err("the subgraphs it runs stay float".into())
        }
        Op::VarHandle { .. } | Op::ReadVariable | Op::AssignVariable => {
            Err("variables stay float".into())
        }
        Op::Hashtable(_) | Op::HashtableFind | Op::HashtableImport | Op::HashtableSize => none(),
        Op::StablehloComposite(o) => Err(format!(
            "the composite {:?} is kept as one float operator",
            o.name.as_deref().unwrap_or_default()
        )),
        Op::Shape { .. } | Op::Rank | Op::BroadcastArgs => Err("it computes no reals".into()),
        Op::Quantize | Op::Dequantize => Err("it is a conversion of the model's own".into()),
        Op::Other(o) => Err(format!("Zeropoint does not know {} well enough to quantize it", o.name)),
        Op::Custom(o) => Err(format!(
            "custom operators such as {:?} have no integer form that Zeropoint knows",
            o.code
        )),
    }
}

/// Whether an operator looks only at the extents of its inputs, so that their types do not matter to it.
pub fn computes_no_reals(op: &Op) -> bool {
    matches!(op, Op::Shape { .. } | Op::Rank)
}

/// Integer kernels clamp, so they can fuse only what clamping can do.
fn clamps(activation: Activation) -> Result<(), String> {
    match activation {
        Activation::None | Activation::Relu | Activation::ReluN1To1 | Activation::Relu6 => Ok(()),
        Activation::Tanh => Err("LiteRT's integer kernel cannot fuse TANH".into()),
        Activation::SignBit => Err("LiteRT's integer kernel cannot fuse SIGN_BIT".into()),
    }
}
