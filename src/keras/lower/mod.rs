//! Layers to operators: walks the calls in execution order and hands each layer to the function of its family.

mod activation;
mod attention;
mod builder;
mod call;
mod cell;
mod conv;
mod dense;
mod embedding;
mod functions;
mod input;
mod line;
mod loops;
mod masks;
mod merge;
mod normalization;
mod operation;
mod ops;
mod package;
mod pool;
mod recurrent;
mod reshape;
mod resize;
mod statistics;
mod transpose_conv;
mod wrappers;

use std::collections::{BTreeSet, HashMap};

use super::config::{Argument, Layer, Model, Source};
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::graph::{Graph, Signature, TensorId};
use crate::{malformed, unsupported};
use builder::Builder;
use call::{Arg, Call};

/// Calls and operators a model may unfold to: nested models that are called again and again must not do so without end.
const MAX_STEPS: usize = 300_000;

/// Layers of Keras that have no arm below; whatever is neither here nor there is the user's own.
const NOT_YET: [&str; 36] = [
    "AveragePooling3D",
    "CategoryEncoding",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Cropping3D",
    "CuDNNGRU",
    "CuDNNLSTM",
    "Discretization",
    "EinsumDense",
    "FeatureSpace",
    "FlaxLayer",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling3D",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "JaxLayer",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MaxPooling3D",
    "MelSpectrogram",
    "Pipeline",
    "RandomCrop",
    "RandomFourierFeatures",
    "STFTSpectrogram",
    "SpectralNormalization",
    "StringLookup",
    "TFSMLayer",
    "TextVectorization",
    "TorchModuleWrapper",
    "UpSampling3D",
    "ZeroPadding3D",
    "ReversibleEmbedding",
];

/// Lowers the whole model; `keras` is the major version that wrote it.
pub(super) fn graph(model: &Model, weights: Weights<'_>, keras: u32) -> Result<Graph> {
    let mut b = Builder::new(keras);
    b.one_sample = needs_one_sample(model);
    let mut inputs = vec![];
    for source in &model.inputs {
        let Some(layer) = model.layers.iter().find(|l| l.name == source.layer) else {
            return malformed!("The model's input '{}' is none of its layers", source.layer);
        };
        let id = input::declare(&mut b, layer).map_err(|e| e.at(place("", layer)))?;
        inputs.push(id);
    }
    let outputs = lower_model(&mut b, model, &weights, &inputs, "")?;
    let signature = signature(model, &inputs, &outputs);
    Ok(Graph {
        description: None,
        subgraphs: b.finish(outputs),
        signatures: vec![signature],
        ..Graph::default()
    })
}

/// Whether a layer ties the file to one sample at a time: the runtime keeps the states of recurrent layers, and the output shape
/// of transposed convolutions, for a batch that is known beforehand.
fn needs_one_sample(model: &Model) -> bool {
    model.layers.iter().any(|l| {
        let class = l.class.as_str();
        let ties = [
            "LSTM",
            "GRU",
            "SimpleRNN",
            "RNN",
            "Bidirectional",
            "TimeDistributed",
        ]
        .contains(&class)
            || class.ends_with("DTranspose");
        ties || l.model.as_ref().is_some_and(needs_one_sample)
    })
}

/// Inputs by the names of their layers; outputs by their names in the dictionary the model returns, else by their layers.
fn signature(model: &Model, inputs: &[TensorId], outputs: &[TensorId]) -> Signature {
    let mut used = HashMap::<String, usize>::new();
    let mut unique = |name: &str| {
        let n = used.entry(name.to_owned()).or_default();
        *n += 1;
        match *n {
            1 => name.to_owned(),
            n => format!("{name}_{}", n - 1),
        }
    };
    let named_inputs = model.inputs.iter().zip(inputs);
    let inputs = named_inputs
        .map(|(s, &id)| (unique(&s.layer), id))
        .collect();
    used.clear();
    let mut unique = |name: &str| {
        let n = used.entry(name.to_owned()).or_default();
        *n += 1;
        match *n {
            1 => name.to_owned(),
            n => format!("{name}_{}", n - 1),
        }
    };
    let named_outputs = model.outputs.iter().zip(outputs).enumerate();
    let outputs = named_outputs
        .map(|(i, (s, &id))| (unique(model.output_names.get(i).unwrap_or(&s.layer)), id))
        .collect();
    Signature {
        key: "serving_default".into(),
        subgraph: 0,
        inputs,
        outputs,
    }
}

fn place(path: &str, layer: &Layer) -> String {
    format!("Layer '{path}{}' ({})", layer.name, layer.class)
}

/// One call that waits for its arguments: (layer, call).
type Step = (usize, usize);

/// Lowers all calls of `model` on `inputs` and returns its outputs. `path` names the models around it, each with a slash.
fn lower_model(
    b: &mut Builder,
    model: &Model,
    weights: &Weights<'_>,
    inputs: &[TensorId],
    path: &str,
) -> Result<Vec<TensorId>> {
    let inside = |e: Error| match path {
        "" => e,
        _ => e.at(format_args!("Model '{}'", path.trim_end_matches('/'))),
    };
    if inputs.len() != model.inputs.len() {
        let (n, m) = (model.inputs.len(), inputs.len());
        return malformed!("model '{}' takes {n} inputs, but is given {m}", model.name);
    }
    let index: HashMap<&str, usize> = model
        .layers
        .iter()
        .enumerate()
        .map(|(i, l)| (l.name.as_str(), i))
        .collect();
    let weights = weights.of_layers(model).map_err(inside)?;
    let mut results = HashMap::<Step, Vec<TensorId>>::new();
    for (source, &id) in model.inputs.iter().zip(inputs) {
        if let Some(&layer) = index.get(source.layer.as_str()) {
            results.insert((layer, source.call), vec![id]);
        }
    }
    // How many calls each call still waits for, and who waits for it.
    let mut waits = HashMap::<Step, usize>::new();
    let mut waiting = HashMap::<Step, Vec<Step>>::new();
    let mut ready = BTreeSet::<Step>::new();
    let mut total = 0;
    for (i, layer) in model.layers.iter().enumerate() {
        for (k, call) in layer.calls.iter().enumerate() {
            if results.contains_key(&(i, k)) {
                continue;
            }
            total += 1;
            let arguments = call.args.iter().chain(call.kwargs.iter().map(|(_, a)| a));
            let mut needs = BTreeSet::new();
            for source in arguments.flat_map(Argument::sources) {
                let Some(&from) = index.get(source.layer.as_str()) else {
                    return malformed!(
                        "{} reads from layer '{}', which the file does not have",
                        place(path, layer),
                        source.layer
                    );
                };
                if !results.contains_key(&(from, source.call)) {
                    needs.insert((from, source.call));
                }
            }
            for &need in &needs {
                waiting.entry(need).or_default().push((i, k));
            }
            match needs.len() {
                0 => {
                    ready.insert((i, k));
                }
                n => {
                    waits.insert((i, k), n);
                }
            }
        }
    }
    while let Some(step) = ready.pop_first() {
        total -= 1;
        let layer = &model.layers[step.0];
        let outer = std::mem::replace(&mut b.scope, format!("{path}{}", layer.name));
        let made = resolve(layer, step.1, &index, &results)
            .and_then(|call| {
                let made = lower_layer(b, layer, &weights[step.0], &call, path)?;
                masks::hand_on(b, layer, &call.tensors(), &made)?;
                Ok(made)
            })
            .map_err(|e| e.at(place(path, layer)))?;
        b.scope = outer;
        b.calls += 1;
        if b.len() + b.calls > MAX_STEPS {
            return unsupported!("This model unfolds to more than {MAX_STEPS} calls and operators");
        }
        results.insert(step, made);
        for next in waiting.remove(&step).unwrap_or_default() {
            if let Some(n) = waits.get_mut(&next) {
                *n -= 1;
                if *n == 0 {
                    ready.insert(next);
                }
            }
        }
    }
    if total > 0 {
        let stuck = model.layers.iter().enumerate().find_map(|(i, l)| {
            let open = |k: &usize| !results.contains_key(&(i, *k));
            (0..l.calls.len()).find(open).map(|_| l)
        });
        let name = stuck.map_or_else(String::new, |l| place(path, l));
        return malformed!("{name} waits for results that no layer gives, or for its own");
    }
    model
        .outputs
        .iter()
        .map(|source| find(source, &index, &results))
        .collect::<Result<_>>()
        .map_err(|e| e.at(format_args!("Outputs of model '{}'", model.name)))
}

fn find(
    source: &Source,
    index: &HashMap<&str, usize>,
    results: &HashMap<Step, Vec<TensorId>>,
) -> Result<TensorId> {
    let step = index.get(source.layer.as_str()).map(|&i| (i, source.call));
    let made = step.and_then(|s| results.get(&s));
    match made.and_then(|r| r.get(source.result)) {
        Some(&id) => Ok(id),
        None => malformed!(
            "result {} of call {} of layer '{}' does not exist",
            source.result,
            source.call,
            source.layer
        ),
    }
}

/// The call with its sources replaced by tensors.
fn resolve(
    layer: &Layer,
    call: usize,
    index: &HashMap<&str, usize>,
    results: &HashMap<Step, Vec<TensorId>>,
) -> Result<Call> {
    fn argument(
        a: &Argument,
        index: &HashMap<&str, usize>,
        results: &HashMap<Step, Vec<TensorId>>,
    ) -> Result<Arg> {
        Ok(match a {
            Argument::Tensor(source) => Arg::Tensor(find(source, index, results)?),
            Argument::List(items) => Arg::List(
                items
                    .iter()
                    .map(|a| argument(a, index, results))
                    .collect::<Result<_>>()?,
            ),
            Argument::Value(v) => Arg::Value(v.clone()),
        })
    }
    let Some(call) = layer.calls.get(call) else {
        return malformed!("call {call} does not exist");
    };
    Ok(Call {
        args: call
            .args
            .iter()
            .map(|a| argument(a, index, results))
            .collect::<Result<_>>()?,
        kwargs: call
            .kwargs
            .iter()
            .map(|(k, a)| Ok((k.clone(), argument(a, index, results)?)))
            .collect::<Result<_>>()?,
    })
}

/// One call of one layer; its results. `path` names the models around the layer.
fn lower_layer(
    b: &mut Builder,
    layer: &Layer,
    weights: &Weights<'_>,
    call: &Call,
    path: &str,
) -> Result<Vec<TensorId>> {
    if let Some(model) = &layer.model {
        let path = format!("{path}{}/", layer.name);
        return lower_model(b, model, weights, &call.tensors(), &path);
    }
    let one = |id: TensorId| Ok(vec![id]);
    let c = &layer.config;
    match layer.class.as_str() {
        "Conv2D" | "Convolution2D" => one(conv::conv2d(b, c, weights, call.tensor()?)?),
        "DepthwiseConv2D" => one(conv::depthwise_conv2d(b, c, weights, call.tensor()?)?),
        "SeparableConv2D" | "SeparableConvolution2D" => {
            one(conv::separable_conv2d(b, c, weights, call.tensor()?)?)
        }
        "Dense" => one(dense::dense(b, c, weights, call.tensor()?)?),
        "BatchNormalization" | "BatchNormalizationV1" | "SyncBatchNormalization" => {
            one(normalization::batch(b, c, weights, call.tensor()?)?)
        }
        "Rescaling" => one(normalization::rescaling(b, c, call.tensor()?)?),
        "Normalization" => one(normalization::normalization(b, c, weights, call.tensor()?)?),
        "Activation" if !layer.is_operation => one(activation::layer(b, c, call.tensor()?)?),
        "ReLU" | "ThresholdedReLU" | "LeakyReLU" | "PReLU" | "ELU" | "Softmax"
            if !layer.is_operation =>
        {
            one(activation::of_class(
                b,
                &layer.class,
                c,
                Some(weights),
                call.tensor()?,
            )?)
        }
        "MaxPooling2D" | "MaxPool2D" => one(pool::max2d(b, c, call.tensor()?)?),
        "AveragePooling2D" | "AvgPool2D" => one(pool::average2d(b, c, call.tensor()?)?),
        "GlobalAveragePooling2D" | "GlobalAvgPool2D" => {
            one(pool::global(b, c, call.tensor()?, 2, false)?)
        }
        "ZeroPadding2D" => one(reshape::zero_padding2d(b, c, call.tensor()?)?),
        "Flatten" => one(reshape::flatten(b, c, call.tensor()?)?),
        "Reshape" if !layer.is_operation => one(reshape::reshape_layer(b, c, call.tensor()?)?),
        "Add" | "Multiply" | "Subtract" | "Concatenate" if !layer.is_operation => {
            one(merge::layer(b, &layer.class, c, &call.tensors())?)
        }
        "Dropout"
        | "SpatialDropout1D"
        | "SpatialDropout2D"
        | "SpatialDropout3D"
        | "AlphaDropout"
        | "GaussianDropout"
        | "GaussianNoise"
        | "ActivityRegularization"
        | "Identity"
        | "StochasticDepth" => one(call.tensor()?),
        "LayerScale" => one(package::layer_scale(b, weights, call.tensor()?)?),
        "CustomScaleLayer" => one(package::scaled_sum(b, c, &call.tensors())?),
        "MultiScaleTemporalConvolution" => one(package::temporal_convolution(
            b,
            c,
            weights,
            call.tensor()?,
        )?),
        "TFOpLambda" => one(operation::of_tensorflow(b, c, call)?),
        _ if layer.is_operation => one(operation::of_keras(b, layer, call)?),
        "Conv1D" | "Convolution1D" => one(line::conv1d(
            b,
            line::Kind::Plain,
            c,
            weights,
            call.tensor()?,
        )?),
        "DepthwiseConv1D" => one(line::conv1d(
            b,
            line::Kind::Depthwise,
            c,
            weights,
            call.tensor()?,
        )?),
        "SeparableConv1D" | "SeparableConvolution1D" => one(line::conv1d(
            b,
            line::Kind::Separable,
            c,
            weights,
            call.tensor()?,
        )?),
        "Conv2DTranspose" | "Convolution2DTranspose" => {
            one(transpose_conv::plane(b, c, weights, call.tensor()?)?)
        }
        "Conv1DTranspose" | "Convolution1DTranspose" => {
            one(transpose_conv::line(b, c, weights, call.tensor()?)?)
        }
        "LayerNormalization" => one(statistics::layer(b, c, weights, call.tensor()?)?),
        "RMSNormalization" => one(statistics::rms(b, c, weights, call.tensor()?)?),
        "GroupNormalization" => one(statistics::group(b, c, weights, call.tensor()?)?),
        "UnitNormalization" => one(statistics::unit(b, c, call.tensor()?)?),
        "MaxPooling1D" | "MaxPool1D" => one(line::pool1d(b, c, call.tensor()?, true)?),
        "AveragePooling1D" | "AvgPool1D" => one(line::pool1d(b, c, call.tensor()?, false)?),
        "GlobalAveragePooling1D" | "GlobalAvgPool1D" => {
            one(pool::global(b, c, call.tensor()?, 1, false)?)
        }
        "GlobalMaxPooling1D" | "GlobalMaxPool1D" => {
            one(pool::global(b, c, call.tensor()?, 1, true)?)
        }
        "GlobalMaxPooling2D" | "GlobalMaxPool2D" => {
            one(pool::global(b, c, call.tensor()?, 2, true)?)
        }
        "ZeroPadding1D" => one(line::zero_padding(b, c, call.tensor()?)?),
        "Cropping1D" => one(line::cropping(b, c, call.tensor()?)?),
        "Cropping2D" => one(resize::cropping(b, c, call.tensor()?)?),
        "UpSampling1D" => one(line::up_sampling(b, c, call.tensor()?)?),
        "UpSampling2D" => one(resize::up_sampling(b, c, call.tensor()?)?),
        "Resizing" => one(resize::resizing(b, c, call.tensor()?)?),
        "CenterCrop" => one(resize::center_crop(b, c, call.tensor()?)?),
        "Permute" => one(line::permute(b, c, call.tensor()?)?),
        "RepeatVector" => one(line::repeat_vector(b, c, call.tensor()?)?),
        "Average" | "Maximum" | "Minimum" => {
            one(merge::layer(b, &layer.class, c, &call.tensors())?)
        }
        "Dot" => one(merge::dot(b, c, &call.tensors())?),
        "Embedding" => one(embedding::embedding(b, c, weights, call.tensor()?)?),
        "Masking" => one(masks::masking(b, c, call.tensor()?)?),
        "LSTM" | "GRU" | "SimpleRNN" | "RNN" => recurrent::layer(b, &layer.class, c, weights, call),
        "Bidirectional" => recurrent::bidirectional(b, c, weights, call),
        "TimeDistributed" => wrappers::time_distributed(b, layer, weights, call, path),
        "Attention" => attention::attention(b, false, c, weights, call),
        "AdditiveAttention" => attention::attention(b, true, c, weights, call),
        "MultiHeadAttention" => attention::multi_head(b, false, c, weights, call),
        "GroupQueryAttention" | "GroupedQueryAttention" => {
            attention::multi_head(b, true, c, weights, call)
        }
        "RandomFlip"
        | "RandomRotation"
        | "RandomZoom"
        | "RandomContrast"
        | "RandomTranslation"
        | "RandomBrightness"
        | "RandomHeight"
        | "RandomWidth"
        | "RandomShear"
        | "RandomColorJitter"
        | "RandomHue"
        | "RandomSaturation"
        | "RandomSharpness"
        | "RandomGrayscale"
        | "RandomErasing"
        | "RandomInvert"
        | "RandomPosterization"
        | "RandomColorDegeneration"
        | "RandomGaussianBlur"
        | "RandomPerspective"
        | "RandomElasticTransform"
        | "CutMix"
        | "MixUp"
        | "RandAugment"
        | "AugMix" => one(call.tensor()?),
        "Lambda" => unsupported!(
            "it runs Python code that only TensorFlow can run; replace it by Keras' own layers, or export the model with TensorFlow's converter to .tflite"
        ),
        other if NOT_YET.contains(&other) => unsupported!(
            "this version cannot lower layers of this class yet; export the model with TensorFlow's converter to .tflite, or replace the layer"
        ),
        _ => unsupported!(
            "this is a layer of the model's own, and only its Python code knows how it computes; export the model with TensorFlow's converter to .tflite, or replace the layer by Keras' own"
        ),
    }
}
