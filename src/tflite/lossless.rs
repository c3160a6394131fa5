//! Tests that what is read and written again holds every field of the file, compared in the schema's own terms.

use bytes::Bytes;

use super::schema::{self, *};
use super::write::write_within;
use super::{read, write};

const OPERATORS: &[u8] = include_bytes!("../../tests/golden/tflite_operators.tflite");
const FEATURES: &[u8] = include_bytes!("../../tests/golden/tflite_features.tflite");
const OUTSIDE: &[u8] = include_bytes!("../../tests/golden/tflite_outside.tflite");
const FILES: [&[u8]; 6] = [
    OPERATORS,
    FEATURES,
    OUTSIDE,
    include_bytes!("../../tests/golden/tflite_mnist_int8.tflite"),
    include_bytes!("../../tests/golden/tflite_mnist_16x8.tflite"),
    include_bytes!("../../tests/golden/tflite_dead_channel.tflite"),
];

fn unpack(file: &[u8]) -> ModelT {
    schema::root_as_model(file).unwrap().unpack()
}

/// Bytes of a buffer, inside or outside of the FlatBuffer.
fn contents(file: &[u8], model: &ModelT, index: u32) -> Vec<u8> {
    let buffer = &model.buffers.as_ref().unwrap()[index as usize];
    match buffer.offset {
        0 => buffer.data.clone().unwrap_or_default(),
        offset => file[offset as usize..][..buffer.size as usize].to_vec(),
    }
}

fn code(model: &ModelT, operator: &OperatorT) -> (BuiltinOperator, Option<String>, i32) {
    let code = &model.operator_codes.as_ref().unwrap()[operator.opcode_index as usize];
    let old = BuiltinOperator(code.deprecated_builtin_code.into());
    (
        old.max(code.builtin_code),
        code.custom_code.clone(),
        code.version,
    )
}

/// Options tables without fields say nothing; the writer leaves them out for the operators it understands.
fn fieldless(options: &BuiltinOptionsT) -> bool {
    matches!(
        options,
        BuiltinOptionsT::PadOptions(_)
            | BuiltinOptionsT::PadV2Options(_)
            | BuiltinOptionsT::SpaceToBatchNDOptions(_)
            | BuiltinOptionsT::BatchToSpaceNDOptions(_)
            | BuiltinOptionsT::TopKV2Options(_)
            | BuiltinOptionsT::TransposeOptions(_)
            | BuiltinOptionsT::ExpOptions(_)
            | BuiltinOptionsT::CosOptions(_)
            | BuiltinOptionsT::LogSoftmaxOptions(_)
            | BuiltinOptionsT::DequantizeOptions(_)
            | BuiltinOptionsT::MaximumMinimumOptions(_)
            | BuiltinOptionsT::TileOptions(_)
            | BuiltinOptionsT::GreaterOptions(_)
            | BuiltinOptionsT::GreaterEqualOptions(_)
            | BuiltinOptionsT::LessOptions(_)
            | BuiltinOptionsT::LessEqualOptions(_)
            | BuiltinOptionsT::NegOptions(_)
            | BuiltinOptionsT::SelectOptions(_)
            | BuiltinOptionsT::SliceOptions(_)
            | BuiltinOptionsT::ExpandDimsOptions(_)
            | BuiltinOptionsT::EqualOptions(_)
            | BuiltinOptionsT::NotEqualOptions(_)
            | BuiltinOptionsT::RankOptions(_)
            | BuiltinOptionsT::PowOptions(_)
            | BuiltinOptionsT::LogicalOrOptions(_)
            | BuiltinOptionsT::AbsOptions(_)
            | BuiltinOptionsT::HardSwishOptions(_)
            | BuiltinOptionsT::LogicalAndOptions(_)
            | BuiltinOptionsT::LogicalNotOptions(_)
            | BuiltinOptionsT::FloorDivOptions(_)
            | BuiltinOptionsT::SquareOptions(_)
            | BuiltinOptionsT::ZerosLikeOptions(_)
            | BuiltinOptionsT::FillOptions(_)
            | BuiltinOptionsT::FloorModOptions(_)
            | BuiltinOptionsT::RangeOptions(_)
            | BuiltinOptionsT::SquaredDifferenceOptions(_)
            | BuiltinOptionsT::ReverseV2Options(_)
            | BuiltinOptionsT::AddNOptions(_)
            | BuiltinOptionsT::GatherNdOptions(_)
            | BuiltinOptionsT::WhereOptions(_)
            | BuiltinOptionsT::MatrixDiagOptions(_)
            | BuiltinOptionsT::QuantizeOptions(_)
            | BuiltinOptionsT::MatrixSetDiagOptions(_)
            | BuiltinOptionsT::NonMaxSuppressionV4Options(_)
            | BuiltinOptionsT::NonMaxSuppressionV5Options(_)
            | BuiltinOptionsT::ScatterNdOptions(_)
            | BuiltinOptionsT::SelectV2Options(_)
            | BuiltinOptionsT::DensifyOptions(_)
            | BuiltinOptionsT::SegmentSumOptions(_)
            | BuiltinOptionsT::BroadcastToOptions(_)
            | BuiltinOptionsT::Rfft2dOptions(_)
            | BuiltinOptionsT::HashtableFindOptions(_)
            | BuiltinOptionsT::HashtableImportOptions(_)
            | BuiltinOptionsT::HashtableSizeOptions(_)
            | BuiltinOptionsT::ReadVariableOptions(_)
            | BuiltinOptionsT::AssignVariableOptions(_)
            | BuiltinOptionsT::DynamicUpdateSliceOptions(_)
            | BuiltinOptionsT::UnsortedSegmentProdOptions(_)
            | BuiltinOptionsT::UnsortedSegmentMaxOptions(_)
            | BuiltinOptionsT::UnsortedSegmentSumOptions(_)
            | BuiltinOptionsT::ATan2Options(_)
            | BuiltinOptionsT::UnsortedSegmentMinOptions(_)
            | BuiltinOptionsT::SignOptions(_)
            | BuiltinOptionsT::BitcastOptions(_)
            | BuiltinOptionsT::BitwiseXorOptions(_)
            | BuiltinOptionsT::RightShiftOptions(_)
    )
}

fn empty<T>(list: &Option<Vec<T>>) -> &[T] {
    list.as_deref().unwrap_or_default()
}

/// Everything but numbering of buffers and operator codes is the same.
fn same(old_file: &[u8], new_file: &[u8]) {
    let (old, new) = (unpack(old_file), unpack(new_file));
    assert_eq!(old.description, new.description);
    assert_eq!(old.version, new.version);
    assert_eq!(empty(&old.signature_defs), empty(&new.signature_defs));
    let metadata = |file, model: &ModelT| -> Vec<_> {
        empty(&model.metadata)
            .iter()
            .map(|m| (m.name.clone(), contents(file, model, m.buffer)))
            .filter(|(name, _)| name.as_deref() != Some("min_runtime_version"))
            .collect()
    };
    assert_eq!(metadata(old_file, &old), metadata(new_file, &new));
    let unnamed = |file, model: &ModelT| -> Vec<_> {
        let buffers = empty(&model.metadata_buffer).iter();
        buffers.map(|&b| contents(file, model, b as u32)).collect()
    };
    assert_eq!(unnamed(old_file, &old), unnamed(new_file, &new));
    let (was, is) = (empty(&old.subgraphs), empty(&new.subgraphs));
    assert_eq!(was.len(), is.len());
    for (was, is) in was.iter().zip(is) {
        assert_eq!(was.name, is.name);
        assert_eq!(empty(&was.inputs), empty(&is.inputs));
        assert_eq!(empty(&was.outputs), empty(&is.outputs));
        assert_eq!(was.debug_metadata_index, is.debug_metadata_index);
        assert_eq!(empty(&was.tensors).len(), empty(&is.tensors).len());
        for (was, is) in empty(&was.tensors).iter().zip(empty(&is.tensors)) {
            assert_eq!(
                contents(old_file, &old, was.buffer),
                contents(new_file, &new, is.buffer),
                "{:?}",
                was.name
            );
            let (mut was, mut is) = (was.clone(), is.clone());
            for t in [&mut was, &mut is] {
                t.buffer = 0;
                // Absent and empty mean the same in all of these.
                t.shape.get_or_insert_default();
                t.shape_signature = t.shape_signature.take().filter(|s| !s.is_empty());
                t.quantization = t.quantization.take().map(|mut q| {
                    q.min.get_or_insert_default();
                    q.max.get_or_insert_default();
                    q.scale.get_or_insert_default();
                    q.zero_point.get_or_insert_default();
                    q
                });
                let mut nothing = QuantizationParametersT::default();
                nothing.min.get_or_insert_default();
                nothing.max.get_or_insert_default();
                nothing.scale.get_or_insert_default();
                nothing.zero_point.get_or_insert_default();
                t.quantization = t.quantization.take().filter(|q| **q != nothing);
            }
            assert_eq!(was, is);
        }
        assert_eq!(empty(&was.operators).len(), empty(&is.operators).len());
        for (was, is) in empty(&was.operators).iter().zip(empty(&is.operators)) {
            let (old_code, new_code) = (code(&old, was), code(&new, is));
            assert_eq!((old_code.0, &old_code.1), (new_code.0, &new_code.1));
            assert!(old_code.2 <= new_code.2, "{old_code:?} {new_code:?}");
            let large = |file: &[u8], o: &OperatorT| match o.large_custom_options_offset {
                0 => o.custom_options.clone(),
                at => Some(file[at as usize..][..o.large_custom_options_size as usize].to_vec()),
            };
            assert_eq!(large(old_file, was), large(new_file, is));
            let (mut was, mut is) = (was.clone(), is.clone());
            for o in [&mut was, &mut is] {
                o.opcode_index = 0;
                o.custom_options = None;
                o.large_custom_options_offset = 0;
                o.large_custom_options_size = 0;
                o.inputs.get_or_insert_default();
                if fieldless(&o.builtin_options) {
                    o.builtin_options = BuiltinOptionsT::NONE;
                }
                if matches!(o.builtin_options_2, BuiltinOptions2T::DilateOptions(_)) {
                    o.builtin_options_2 = BuiltinOptions2T::NONE;
                }
            }
            assert_eq!(was, is, "{old_code:?}");
        }
    }
}

#[test]
fn every_field_of_every_operator_survives() {
    let model = unpack(OPERATORS);
    // All names but CUSTOM and the placeholder, and FULLY_CONNECTED twice.
    let operators = &model.subgraphs.as_ref().unwrap()[0].operators;
    assert_eq!(
        empty(operators).len(),
        BuiltinOperator::ENUM_VALUES.len() - 1
    );
    for file in FILES {
        let graph = read(Bytes::from_static(file)).unwrap();
        let written = write(&graph).unwrap();
        same(file, &written);
    }
}

#[test]
fn parts_beside_the_flatbuffer_survive() {
    for file in FILES {
        let graph = read(Bytes::from_static(file)).unwrap();
        let written = write_within(&graph, 0).unwrap();
        same(file, &written);
        let again = read(written.into()).unwrap();
        assert_eq!(write(&again).unwrap(), write(&graph).unwrap());
    }
    // The parts of one file large enough to move really do.
    let graph = read(Bytes::from_static(FILES[3])).unwrap();
    let beside = unpack(&write_within(&graph, 0).unwrap());
    let moved = beside.buffers.unwrap();
    let moved: Vec<_> = moved.iter().filter(|b| b.offset > 0).collect();
    assert!(!moved.is_empty());
    assert!(moved.iter().all(|b| b.offset % 16 == 0 && b.data.is_none()));
}

#[test]
fn old_operator_codes_stand_in_both_fields() {
    for file in FILES {
        let graph = read(Bytes::from_static(file)).unwrap();
        for code in unpack(&write(&graph).unwrap()).operator_codes.unwrap() {
            let old = i32::from(code.deprecated_builtin_code);
            assert_eq!(old, code.builtin_code.0.min(127));
        }
    }
}

#[test]
fn equal_parts_are_stored_once_and_constants_are_aligned() {
    for file in FILES {
        let graph = read(Bytes::from_static(file)).unwrap();
        let written = write(&graph).unwrap();
        let model = schema::root_as_model(&written).unwrap();
        let mut seen = std::collections::HashSet::new();
        for buffer in model.buffers().unwrap() {
            let data = buffer.data().map(|d| d.bytes()).unwrap_or_default();
            assert!(seen.insert(data), "{} bytes are stored twice", data.len());
            if !data.is_empty() {
                let at = data.as_ptr() as usize - written.as_ptr() as usize;
                assert_eq!(at % 16, 0);
            }
        }
        assert!(model.buffers().unwrap().get(0).data().is_none());
    }
}
