//! Labels: where they lie beside data, how they are read, and that they fit.

use bytes::Bytes;

use super::array::Array;
use super::csv::is_table;
use super::words::count;
use super::{idx, npy};
use crate::error::Result;
use crate::graph::DType;
use crate::{invalid, malformed};

/// File names under which the labels of a data file may lie in the same folder, best first. For IDX images
/// `train-images-idx3-ubyte.gz` that is `train-labels-idx1-ubyte.gz`, then the same without `.gz`; for `x.npy`
/// `x_labels.npy`, then `labels.npy`. A `.npz` and a table carry their labels themselves: none.
pub fn label_candidates(file_name: &str) -> Vec<String> {
    let file_name = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    let lower = file_name.to_ascii_lowercase();
    let mut out: Vec<String> = vec![];
    let mut add = |name: String| {
        if name != file_name && !out.contains(&name) {
            out.push(name);
        }
    };
    if let Some(stem) = strip_suffix(file_name, &lower, ".npy") {
        if stem.contains("images") {
            add(format!("{}.npy", stem.replace("images", "labels")));
        }
        add(format!("{stem}_labels.npy"));
        add(format!("{stem}-labels.npy"));
        add("labels.npy".into());
    } else if !lower.ends_with(".npz") && !is_table(file_name) && !lower.ends_with(".wav") {
        let (plain, gzipped) = match strip_suffix(file_name, &lower, ".gz") {
            Some(plain) => (plain, true),
            None => (file_name, false),
        };
        let ranked = ["idx2", "idx3", "idx4"]
            .iter()
            .fold(plain.replace("images", "labels"), |name, rank| {
                name.replace(rank, "idx1")
            });
        if ranked != plain {
            let zipped = format!("{ranked}.gz");
            if gzipped {
                add(zipped);
                add(ranked);
            } else {
                add(ranked);
                add(zipped);
            }
        }
        add("labels.npy".into());
    }
    out
}

fn strip_suffix<'a>(name: &'a str, lower: &str, suffix: &str) -> Option<&'a str> {
    lower
        .ends_with(suffix)
        .then(|| &name[..name.len() - suffix.len()])
}

/// Reads labels from an IDX file (gzipped or not) or a `.npy`.
pub(super) fn read(name: &str, bytes: Bytes) -> Result<Vec<u32>> {
    if bytes.is_empty() {
        return malformed!("{name} is empty");
    }
    if bytes.starts_with(&npy::MAGIC) {
        return from_array(name, &npy::read(name, bytes)?);
    }
    if bytes.starts_with(&idx::GZIP_MAGIC) || idx::is_idx(&bytes) {
        let array = idx::read(name, bytes)?;
        if array.shape.len() != 1 {
            return invalid!(
                "{name} is an IDX file of rank {}; labels have rank 1 (images were given as labels?)",
                array.shape.len()
            );
        }
        return from_array(name, &array);
    }
    invalid!("{name} holds no labels that can be read; they come as IDX (.gz or not) or .npy")
}

/// The classes in an array of one whole number per sample.
pub(super) fn from_array(name: &str, array: &Array) -> Result<Vec<u32>> {
    let one_each = match array.shape.split_first() {
        Some((_, rest)) => rest.iter().all(|&d| d == 1),
        None => false,
    };
    if !one_each {
        return invalid!(
            "{name} has the shape {:?}; labels are one whole number a sample",
            array.shape
        );
    }
    if array.dtype == DType::Bool {
        return invalid!("{name} holds booleans; labels are class numbers from 0");
    }
    let mut labels = Vec::with_capacity(array.shape.first().copied().unwrap_or(0));
    for (i, x) in array.wholes().enumerate() {
        match x.map(u32::try_from) {
            Ok(Ok(label)) => labels.push(label),
            Ok(Err(_)) => {
                let x = x.unwrap_or_default();
                return invalid!(
                    "{name}: label {x} of sample {} is no class; classes count from 0",
                    count(i)
                );
            }
            Err(x) => {
                return invalid!(
                    "{name}: label {x} of sample {} is not a whole number",
                    count(i)
                );
            }
        }
    }
    Ok(labels)
}

/// Fails unless there are as many labels as samples. `noun` says what the samples are (`images`, `samples`).
pub(super) fn check_count(labels: &[u32], samples: usize, noun: &str) -> Result<()> {
    if labels.len() != samples {
        return invalid!(
            "Labels count {}, {noun} {}",
            count(labels.len()),
            count(samples)
        );
    }
    Ok(())
}
