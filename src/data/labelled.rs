//! Labelled images as training takes them: the bytes of an IDX file with one class each, no model needed.

use bytes::Bytes;

use super::words::count;
use super::{idx, label_candidates, labels};
use crate::error::Result;
use crate::{invalid, malformed};

/// Images of one size as unsigned bytes, each with its class.
#[derive(Debug, Clone)]
pub struct LabelledImages {
    name: String,
    extents: [usize; 3],
    pixels: Bytes,
    labels: Vec<u32>,
}

impl LabelledImages {
    /// Reads an IDX file (gzipped or not) of rank 3 (count, height, width) or 4 (channels last) with its labels (name and bytes).
    ///
    /// # Errors
    /// Not IDX, damaged, no images, images without extent, no labels, or labels of another count.
    pub fn read(name: &str, bytes: Bytes, labels: Option<(String, Bytes)>) -> Result<Self> {
        if !bytes.starts_with(&idx::GZIP_MAGIC) && !idx::is_idx(&bytes) {
            return malformed!(
                "{name} is not an IDX file (.gz or not), the only kind that training takes"
            );
        }
        let array = idx::read(name, bytes)?;
        let (images, extents) = match array.shape[..] {
            [n, h, w] => (n, [h, w, 1]),
            [n, h, w, c] => (n, [h, w, c]),
            _ => {
                return invalid!(
                    "{name} is an IDX file of rank {}; images have rank 3, or 4 with channels (labels were given as images?)",
                    array.shape.len()
                );
            }
        };
        if images == 0 || extents.contains(&0) {
            return invalid!("{name} holds no images: its shape is {:?}", array.shape);
        }
        let Some((labels_name, labels)) = labels else {
            let usual = label_candidates(name).into_iter().next();
            return invalid!(
                "{name} has no labels, which training needs; lay them beside it as {}",
                usual.as_deref().unwrap_or("labels.npy")
            );
        };
        let labels = labels::read(&labels_name, labels)?;
        labels::check_count(&labels, images, "images").map_err(|e| e.at(&labels_name))?;
        Ok(Self {
            name: name.to_owned(),
            extents,
            pixels: array.bytes,
            labels,
        })
    }

    /// Of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none; never so for a file that was read.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Height, width and channels of every image.
    pub fn extents(&self) -> [usize; 3] {
        self.extents
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// One more than the largest label.
    ///
    /// # Errors
    /// A label of `most` or beyond, which is no class number.
    pub fn classes(&self, most: u32) -> Result<usize> {
        match self.labels.iter().enumerate().find(|&(_, &l)| l >= most) {
            Some((i, label)) => invalid!(
                "{}: label {} of image {} is beyond {}, the last class there can be",
                self.name,
                count(*label as usize),
                count(i),
                count(most.saturating_sub(1) as usize)
            ),
            None => Ok(self.labels.iter().max().map_or(0, |&l| l as usize + 1)),
        }
    }

    /// Appends image `index` to `out`, row by row with channels last, as value / 255.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn append(&self, index: usize, out: &mut Vec<f32>) {
        let size: usize = self.extents.iter().product();
        let pixels = &self.pixels[index * size..(index + 1) * size];
        out.extend(pixels.iter().map(|&p| f32::from(p) / 255.0));
    }
}
