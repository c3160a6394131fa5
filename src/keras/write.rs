//! A trained sequential network to the files that Keras 3 itself writes: `.keras` and `.h5`.

use std::io::{Cursor, Write};

use bytes::Bytes;
use hdf5_pure::{AttrValue, FileBuilder, GroupBuilder};
use serde_json::{Value as Json, json};

use super::{Array, Container};
use crate::error::{Error, Result};
use crate::graph::Graph;

/// The release whose files these are like.
const KERAS: &str = "3.15.0";
/// The model's own name.
const NAME: &str = "sequential";

/// A network that is a line of layers, with its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequential {
    /// Shape of one sample.
    pub input: Vec<usize>,
    /// In the order of the data flow.
    pub layers: Vec<Layer>,
}

/// A layer with what it learnt. Images are channels last.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// To the shape of one sample.
    Reshape(Vec<usize>),
    /// Stride 1, no padding, ReLU.
    Conv2D {
        /// `[height, width, channels in, channels out]`.
        kernel: Array,
        /// One per channel out.
        bias: Array,
    },
    /// Windows of this extent both ways, side by side.
    MaxPooling2D(usize),
    /// To one axis.
    Flatten,
    /// Linear.
    Dense {
        /// `[in, out]`.
        kernel: Array,
        /// One per output.
        bias: Array,
    },
}

impl Layer {
    /// Keras' class, the name that it gives the first layer of that class, and the settings beyond name and type.
    fn description(&self) -> (&'static str, &'static str, Json) {
        match self {
            Layer::Reshape(target) => ("Reshape", "reshape", json!({"target_shape": target})),
            Layer::Conv2D { kernel, bias } => (
                "Conv2D",
                "conv2d",
                json!({
                    "filters": bias.data.len(), "kernel_size": kernel.shape.get(..2), "strides": [1, 1], "padding": "valid",
                    "data_format": "channels_last", "dilation_rate": [1, 1], "groups": 1, "activation": "relu", "use_bias": true,
                }),
            ),
            Layer::MaxPooling2D(extent) => (
                "MaxPooling2D",
                "max_pooling2d",
                json!({
                    "pool_size": [extent, extent], "strides": [extent, extent], "padding": "valid",
                    "data_format": "channels_last",
                }),
            ),
            Layer::Flatten => (
                "Flatten",
                "flatten",
                json!({"data_format": "channels_last"}),
            ),
            Layer::Dense { bias, .. } => (
                "Dense",
                "dense",
                json!({"units": bias.data.len(), "activation": "linear", "use_bias": true}),
            ),
        }
    }

    /// Names and arrays in the order in which Keras creates them.
    fn weights(&self) -> Vec<(&'static str, &Array)> {
        match self {
            Layer::Conv2D { kernel, bias } | Layer::Dense { kernel, bias } => {
                vec![("kernel", kernel), ("bias", bias)]
            }
            Layer::Reshape(_) | Layer::MaxPooling2D(_) | Layer::Flatten => vec![],
        }
    }
}

impl Sequential {
    /// The whole file, architecture and weights; the same network gives the same bytes.
    ///
    /// # Errors
    /// `Invalid` if a shape does not fit its data.
    pub fn write(&self, container: Container) -> Result<Bytes> {
        let written = match container {
            Container::Hdf5 => self.h5(),
            Container::Archive => self.archive(),
        };
        written.map(Bytes::from).map_err(|e| {
            Error::Invalid(format!(
                "The network cannot be written as a {} file: {e}",
                container.name()
            ))
        })
    }

    /// The network as LiteRT's operators: what reading its file gives.
    ///
    /// # Errors
    /// As [`Sequential::write`], and whatever is wrong with the network itself.
    pub fn graph(&self) -> Result<Graph> {
        super::read(self.write(Container::Archive)?)
    }

    /// The layers with the names that Keras would give them: `dense`, `dense_1`, ….
    fn named(&self) -> Vec<(String, &Layer)> {
        let base = |layer: &Layer| layer.description().1;
        let numbered = |(i, layer): (usize, &Layer)| {
            let before = self.layers.iter().take(i);
            match before.filter(|l| base(l) == base(layer)).count() {
                0 => base(layer).to_owned(),
                n => format!("{}_{n}", base(layer)),
            }
        };
        let layers = self.layers.iter().enumerate();
        layers.map(|l| (numbered(l), l.1)).collect()
    }

    /// Keras' description of the model.
    fn config(&self) -> Json {
        let batch = |shape: &[usize]| {
            let extents = shape.iter().map(|&d| json!(d));
            Json::Array(std::iter::once(Json::Null).chain(extents).collect())
        };
        let object = |class: &str, config: Json| json!({"module": "keras.layers", "class_name": class, "config": config, "registered_name": null});
        let input = batch(&self.input);
        let mut layers = vec![object(
            "InputLayer",
            json!({"batch_shape": input, "dtype": "float32", "sparse": false, "name": "input_layer"}),
        )];
        layers.extend(self.named().into_iter().map(|(name, layer)| {
            let (class, _, mut config) = layer.description();
            config["name"] = json!(name);
            config["trainable"] = json!(true);
            config["dtype"] = json!("float32");
            object(class, config)
        }));
        json!({
            "module": "keras", "class_name": "Sequential", "registered_name": null, "build_config": {"input_shape": input},
            "config": {"name": NAME, "trainable": true, "dtype": "float32", "layers": layers, "build_input_shape": input},
        })
    }

    /// A zip of the description and the weights.
    fn archive(&self) -> Result<Vec<u8>, String> {
        let mut weights = FileBuilder::new();
        let mut layers = weights.create_group("layers");
        for (name, layer) in self.named() {
            let mut group = layers.create_group(&name);
            let mut vars = group.create_group("vars");
            vars.set_attr("name", AttrValue::VarLenString(name));
            for (i, (_, array)) in layer.weights().into_iter().enumerate() {
                put(&mut vars, &i.to_string(), array);
            }
            group.add_group(vars.finish());
            layers.add_group(group.finish());
        }
        weights.add_group(layers.finish());
        let mut vars = weights.create_group("vars");
        vars.set_attr("name", AttrValue::VarLenString(NAME.into()));
        weights.add_group(vars.finish());
        let weights = weights.finish().map_err(|e| e.to_string())?;

        let metadata = json!({"keras_version": KERAS}).to_string();
        let config = self.config().to_string();
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
        let parts: [(&str, &[u8]); 3] = [
            ("metadata.json", metadata.as_bytes()),
            ("config.json", config.as_bytes()),
            ("model.weights.h5", &weights),
        ];
        for (name, bytes) in parts {
            zip.start_file(name, options).map_err(|e| e.to_string())?;
            zip.write_all(bytes).map_err(|e| e.to_string())?;
        }
        let done = zip.finish().map_err(|e| e.to_string())?;
        Ok(done.into_inner())
    }

    /// One HDF5 file: the description as an attribute, the weights of each layer in a group that lists them.
    fn h5(&self) -> Result<Vec<u8>, String> {
        let text = |s: &str| AttrValue::VarLenString(s.to_owned());
        let mut file = FileBuilder::new();
        file.set_attr("keras_version", text(KERAS));
        file.set_attr("backend", text("tensorflow"));
        file.set_attr("model_config", text(&self.config().to_string()));
        let mut all = file.create_group("model_weights");
        all.set_attr("keras_version", text(KERAS));
        all.set_attr("backend", text("tensorflow"));
        let named = self.named();
        let names = named.iter().map(|(name, _)| name.clone()).collect();
        all.set_attr("layer_names", AttrValue::VarLenStringArray(names));
        for (name, layer) in named {
            let mut group = all.create_group(&name);
            let weights = layer.weights();
            if !weights.is_empty() {
                let path = |weight: &str| format!("{NAME}/{name}/{weight}");
                let paths = weights.iter().map(|(weight, _)| path(weight)).collect();
                group.set_attr("weight_names", AttrValue::VarLenStringArray(paths));
                let mut model = group.create_group(NAME);
                let mut inner = model.create_group(&name);
                weights
                    .iter()
                    .for_each(|(weight, array)| put(&mut inner, weight, array));
                model.add_group(inner.finish());
                group.add_group(model.finish());
            }
            all.add_group(group.finish());
        }
        file.add_group(all.finish());
        file.finish().map_err(|e| e.to_string())
    }
}

fn put(group: &mut GroupBuilder, name: &str, array: &Array) {
    let shape: Vec<u64> = array.shape.iter().map(|&d| d as u64).collect();
    group
        .create_dataset(name)
        .with_f32_data(&array.data)
        .with_shape(&shape);
}
