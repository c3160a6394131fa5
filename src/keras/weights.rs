//! Which arrays belong to which layer, in both layouts: `model_weights/<layer>` of `.h5` files and `layers/<n>/vars/<i>` of `.keras`.

use std::collections::HashMap;

use super::config::Model;
use super::hdf5::{Array, Hdf5};
use crate::error::Result;
use crate::malformed;

/// The weights of one layer or model: where they lie, read on demand.
#[derive(Clone)]
pub(crate) struct Weights<'a> {
    file: &'a Hdf5,
    place: Place,
}

#[derive(Clone)]
enum Place {
    /// `.keras`: the group of the layer, with `vars` and the groups of the layers inside it.
    Group(String),
    /// `.h5`: the root; one group per layer of the outermost model.
    Layers(String),
    /// `.h5`: arrays in the order of the layer's weights, by path and by the name Keras gave them.
    Listed(Vec<Listed>),
}

#[derive(Clone)]
struct Listed {
    path: String,
    /// Parts of its name, the variable's own last.
    name: Vec<String>,
}

impl<'a> Weights<'a> {
    /// Of a whole `.h5` file; `root` is the group that lists the layers.
    pub fn of_h5(file: &'a Hdf5, root: &str) -> Self {
        Self {
            file,
            place: Place::Layers(root.into()),
        }
    }

    /// Of the `model.weights.h5` of a `.keras` file.
    pub fn of_keras(file: &'a Hdf5) -> Self {
        Self {
            file,
            place: Place::Group(String::new()),
        }
    }

    /// The arrays of a layer in the order in which Keras creates them: its own, then those of the layers inside it, which a
    /// `.keras` file keeps in groups of these names (`cell`, `forward_layer/cell`, `query_dense`, …); an `.h5` file lists all of
    /// them in that order already.
    ///
    /// # Errors
    /// Malformed if one is damaged.
    pub fn arrays(&self, inside: &[&str]) -> Result<Vec<Array>> {
        match &self.place {
            Place::Group(group) => {
                let mut out = vec![];
                for part in std::iter::once("").chain(inside.iter().copied()) {
                    let vars = join(&join(group, part), "vars");
                    for i in 0.. {
                        let path = join(&vars, &i.to_string());
                        if !self.file.has_array(&path) {
                            break;
                        }
                        out.push(self.file.array(&path)?);
                    }
                }
                Ok(out)
            }
            Place::Listed(list) => list.iter().map(|l| self.file.array(&l.path)).collect(),
            Place::Layers(_) => Ok(vec![]),
        }
    }

    /// The weights of a layer inside a wrapper (`layer` in TimeDistributed): an `.h5` file does not tell them apart.
    pub fn inner(&self, group: &str) -> Self {
        let place = match &self.place {
            Place::Group(outer) => Place::Group(join(outer, group)),
            other => other.clone(),
        };
        Self {
            file: self.file,
            place,
        }
    }

    /// The weights of each layer of `model`, whose own weights these are.
    ///
    /// # Errors
    /// Malformed if the file's lists are damaged or name what the model does not have.
    pub fn of_layers(&self, model: &Model) -> Result<Vec<Weights<'a>>> {
        let places = match &self.place {
            Place::Group(group) => self.in_groups(group, model)?,
            Place::Layers(root) => model
                .layers
                .iter()
                .map(|l| self.listed(root, &l.name).map(Place::Listed))
                .collect::<Result<_>>()?,
            Place::Listed(list) => shares(model, list)?
                .into_iter()
                .map(Place::Listed)
                .collect(),
        };
        Ok(places
            .into_iter()
            .map(|place| Self {
                file: self.file,
                place,
            })
            .collect())
    }

    /// Keras names the group of a layer after its class, and counts where a class occurs again.
    fn in_groups(&self, group: &str, model: &Model) -> Result<Vec<Place>> {
        let container = ["layers", "_layer_checkpoint_dependencies"]
            .map(|name| join(group, name))
            .into_iter()
            .find(|path| self.file.has_group(path));
        let Some(container) = container else {
            // A model without any weights need not have the group.
            return Ok(vec![Place::Listed(vec![]); model.layers.len()]);
        };
        let mut used = HashMap::<String, usize>::new();
        let mut places = vec![];
        for layer in &model.layers {
            if layer.is_operation {
                places.push(Place::Listed(vec![]));
                continue;
            }
            let class = snake_case(match layer.class.as_str() {
                // Its class has another name than it is saved under.
                "GroupQueryAttention" => "GroupedQueryAttention",
                other => other,
            });
            let count = used.entry(class.clone()).or_default();
            let name = match *count {
                0 => class,
                n => format!("{class}_{n}"),
            };
            *count += 1;
            places.push(Place::Group(join(&container, &name)));
        }
        Ok(places)
    }

    /// The list of a layer's arrays in an `.h5` file; empty if the layer has no group.
    fn listed(&self, root: &str, layer: &str) -> Result<Vec<Listed>> {
        let group = join(root, layer);
        if !self.file.has_group(&group) {
            return Ok(vec![]);
        }
        let names = self.file.texts(&group, "weight_names")?.unwrap_or_default();
        Ok(names
            .into_iter()
            .map(|name| Listed {
                path: join(&group, &name),
                name: parts(&name),
            })
            .collect())
    }
}

/// `conv2d/kernel:0` → `conv2d`, `kernel`.
fn parts(name: &str) -> Vec<String> {
    let name = name.split(':').next().unwrap_or(name);
    name.split('/').map(str::to_owned).collect()
}

fn join(a: &str, b: &str) -> String {
    match (a, b) {
        ("", x) | (x, "") => x.to_owned(),
        _ => format!("{a}/{b}"),
    }
}

/// A nested model of an `.h5` file has one list: its trainable weights, then the others. The name of each begins with the layers
/// it lies in.
fn shares(model: &Model, list: &[Listed]) -> Result<Vec<Vec<Listed>>> {
    let mut out = vec![vec![]; model.layers.len()];
    let owners = Owners::of(model);
    for weight in list {
        let Some((layer, rest)) = owners.find(model, &weight.name) else {
            return malformed!(
                "Model '{}': its list of weights names '{}', which belongs to none of its layers",
                model.name,
                weight.name.join("/")
            );
        };
        out[layer].push(Listed {
            path: weight.path.clone(),
            name: weight.name[rest..].to_vec(),
        });
    }
    Ok(out)
}

/// Which of a model's layers a name leads to.
struct Owners<'a> {
    /// The layers themselves.
    direct: HashMap<&'a str, usize>,
    /// The layers of models inside, at any depth: the name of a nested model need not be part of its weights' names.
    inside: HashMap<&'a str, usize>,
}

impl<'a> Owners<'a> {
    fn of(model: &'a Model) -> Self {
        fn collect<'a>(model: &'a Model, top: usize, out: &mut HashMap<&'a str, usize>) {
            for layer in &model.layers {
                out.entry(&layer.name).or_insert(top);
                if let Some(inner) = &layer.model {
                    collect(inner, top, out);
                }
            }
        }
        let (mut direct, mut inside) = (HashMap::new(), HashMap::new());
        for (i, layer) in model.layers.iter().enumerate() {
            direct.entry(layer.name.as_str()).or_insert(i);
            if let Some(inner) = &layer.model {
                collect(inner, i, &mut inside);
            }
        }
        Self { direct, inside }
    }

    /// The layer, and how many parts of the name lead to it.
    fn find(&self, model: &Model, name: &[String]) -> Option<(usize, usize)> {
        let scopes = &name[..name.len().saturating_sub(1)];
        let direct = |scope: &str, i: usize| {
            let layer = *self.direct.get(scope)?;
            // A nested model finds its own layers in what is left of the name.
            let rest = if model.layers[layer].model.is_some() {
                i + 1
            } else {
                i
            };
            Some((layer, rest))
        };
        // TensorFlow 1 numbered scopes that were entered again: `conv2d_1` becomes `conv2d_1_1`.
        let plain = |scope: &'_ str| {
            let (name, number) = scope.rsplit_once('_')?;
            (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
                .then(|| name.to_owned())
        };
        let each = || scopes.iter().enumerate();
        let inside = |scope: &str| self.inside.get(scope).map(|&layer| (layer, 0));
        each()
            .find_map(|(i, scope)| direct(scope, i))
            .or_else(|| each().find_map(|(_, scope)| inside(scope)))
            .or_else(|| each().find_map(|(i, scope)| direct(&plain(scope)?, i)))
            .or_else(|| each().find_map(|(_, scope)| inside(&plain(scope)?)))
    }
}

/// `BatchNormalization` → `batch_normalization`, `Conv2D` → `conv2d`: a word begins at a capital that follows a small letter or
/// comes before one.
fn snake_case(class: &str) -> String {
    let kept: Vec<char> = class
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let mut out = String::new();
    for (i, &c) in kept.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|j| kept.get(j));
        let after = kept.get(i + 1);
        let starts = c.is_ascii_uppercase()
            && match before {
                None => false,
                Some(b) if b.is_ascii_lowercase() => true,
                Some(_) => after.is_some_and(char::is_ascii_lowercase),
            };
        if starts {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
