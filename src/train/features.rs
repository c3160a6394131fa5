//! The first half of the network as one operation with its own gradient: convolution, bias, ReLU and max-pooling of a batch.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::network::{FILTERS, Geometry, KERNEL, POOL};
use crate::kernels::{Conv2dShape, ConvF32, Isa, Scratch};

/// Images whose gradients are summed before they meet those of others: a fixed number, so that the sum does not depend on threads.
const CHUNK: usize = 4;
/// Windows' mark where ReLU let nothing through.
const CLOSED: u8 = (POOL * POOL) as u8;

/// One batch of images; a function of the kernel `[KERNEL · KERNEL · channels, FILTERS]` and the bias `[FILTERS]` to
/// `[images, pooled height · pooled width · FILTERS]`.
///
/// The library's own convolution and pooling need many times longer for their gradients.
pub(super) struct Features {
    geometry: Geometry,
    isa: Isa,
    /// Row by row, channels last.
    images: Vec<f32>,
    /// Of each pooled value, which of its window's values it is, or [`CLOSED`]; known after the forward pass.
    winners: OnceLock<Vec<u8>>,
}

impl Features {
    /// Of images that lie one behind the other.
    pub fn new(geometry: Geometry, isa: Isa, images: Vec<f32>) -> Self {
        Self {
            geometry,
            isa,
            images,
            winners: OnceLock::new(),
        }
    }

    fn count(&self) -> usize {
        self.images.len() / self.geometry.image()
    }

    /// The convolution without bias where pooling looks, `[images, POOL · pooled height, POOL · pooled width, FILTERS]`.
    fn convolved(&self, kernel: &[f32]) -> crate::error::Result<Vec<f32>> {
        let g = &self.geometry;
        let shape = Conv2dShape {
            batches: self.count(),
            in_h: g.height,
            in_w: g.width,
            in_c: g.channels,
            out_h: POOL * g.pooled_height(),
            out_w: POOL * g.pooled_width(),
            out_c: FILTERS,
            k_h: KERNEL,
            k_w: KERNEL,
            stride_h: 1,
            stride_w: 1,
            dilation_h: 1,
            dilation_w: 1,
            pad_top: 0,
            pad_left: 0,
        };
        let taps = g.taps();
        let by_filter: Vec<f32> = (0..FILTERS * taps)
            .map(|i| kernel[i % taps * FILTERS + i / taps])
            .collect();
        let everything = (f32::NEG_INFINITY, f32::INFINITY);
        let conv = ConvF32::new(self.isa, shape, &by_filter, None, everything)?;
        let threads = rayon::current_num_threads();
        let mut scratch = Scratch::new();
        conv.reserve(&mut scratch, threads);
        let mut out = vec![0.0; self.count() * POOL * POOL * g.features()];
        conv.run(&self.images, &mut out, &mut scratch, threads)?;
        Ok(out)
    }
}

impl CustomOp2 for Features {
    fn name(&self) -> &'static str {
        "convolution, ReLU and max-pooling"
    }

    fn cpu_fwd(
        &self,
        kernel: &CpuStorage,
        kernel_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let g = &self.geometry;
        let bias: &[f32; FILTERS] = match floats(bias, bias_layout)?.try_into() {
            Ok(bias) => bias,
            Err(_) => candle_core::bail!("the bias has not {FILTERS} values"),
        };
        let convolved = self
            .convolved(floats(kernel, kernel_layout)?)
            .map_err(candle_core::Error::wrap)?;
        let (size, width) = (g.features(), g.pooled_width());
        let mut out = vec![0.0; self.count() * size];
        let mut winners = vec![CLOSED; self.count() * size];
        let images = out
            .par_chunks_mut(size)
            .zip(winners.par_chunks_mut(size))
            .zip(convolved.par_chunks(POOL * POOL * size));
        images.for_each(|((out, winners), convolved)| {
            let windows = out.as_chunks_mut().0.iter_mut();
            for (i, (out, winners)) in windows.zip(winners.as_chunks_mut().0).enumerate() {
                pool(convolved, i / width, i % width, width, bias, out, winners);
            }
        });
        // A batch goes forward once.
        let _ = self.winners.set(winners);
        Ok((CpuStorage::F32(out), (self.count(), size).into()))
    }

    fn bwd(
        &self,
        kernel: &Tensor,
        _bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = &self.geometry;
        let Some(winners) = self.winners.get() else {
            candle_core::bail!("no forward pass before the backward pass");
        };
        let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
        let chunks = self
            .images
            .par_chunks(CHUNK * g.image())
            .zip(winners.par_chunks(CHUNK * g.features()))
            .zip(gradient.par_chunks(CHUNK * g.features()));
        let parts: Vec<Gradients> = chunks
            .map(|((images, winners), gradient)| {
                let mut sum = Gradients::new(g);
                let images = images.chunks_exact(g.image());
                let each = images
                    .zip(winners.chunks_exact(g.features()))
                    .zip(gradient.chunks_exact(g.features()));
                each.for_each(|((image, winners), gradient)| sum.add(g, image, winners, gradient));
                sum
            })
            .collect();
        let mut sum = Gradients::new(g);
        for part in &parts {
            let (kernel, bias) = (sum.kernel.as_flattened_mut(), &mut sum.bias);
            add(kernel, part.kernel.as_flattened());
            add(bias, &part.bias);
        }
        let kernel = Tensor::from_slice(sum.kernel.as_flattened(), kernel.dims(), &Device::Cpu)?;
        let bias = Tensor::from_slice(&sum.bias, FILTERS, &Device::Cpu)?;
        Ok((Some(kernel), Some(bias)))
    }
}

/// The largest value of a window, with bias and ReLU (both keep the order), and which one it was: the first of equals.
fn pool(
    convolved: &[f32],
    y: usize,
    x: usize,
    width: usize,
    bias: &[f32; FILTERS],
    out: &mut [f32; FILTERS],
    winners: &mut [u8; FILTERS],
) {
    let mut best = [f32::NEG_INFINITY; FILTERS];
    let mut winner = [0u32; FILTERS];
    for position in 0..POOL * POOL {
        let (dy, dx) = (position / POOL, position % POOL);
        let pixel = (POOL * y + dy) * POOL * width + POOL * x + dx;
        let values = &convolved[pixel * FILTERS..][..FILTERS];
        for (f, &value) in values.iter().enumerate() {
            let larger = value > best[f];
            best[f] = if larger { value } else { best[f] };
            winner[f] = if larger { position as u32 } else { winner[f] };
        }
    }
    for f in 0..FILTERS {
        let value = best[f] + bias[f];
        out[f] = value.max(0.0);
        winners[f] = if value > 0.0 { winner[f] as u8 } else { CLOSED };
    }
}

/// Of the loss with respect to kernel and bias.
struct Gradients {
    /// One row per tap.
    kernel: Vec<[f32; FILTERS]>,
    bias: [f32; FILTERS],
}

impl Gradients {
    fn new(geometry: &Geometry) -> Self {
        Self {
            kernel: vec![[0.0; FILTERS]; geometry.taps()],
            bias: [0.0; FILTERS],
        }
    }

    /// What one image adds: each pooled value's gradient goes to the taps under its winner.
    fn add(&mut self, g: &Geometry, image: &[f32], winners: &[u8], gradient: &[f32]) {
        let windows = winners.as_chunks::<FILTERS>().0.iter();
        let row = KERNEL * g.channels;
        for (i, (winners, gradient)) in windows.zip(gradient.as_chunks::<FILTERS>().0).enumerate() {
            let (y, x) = (POOL * (i / g.pooled_width()), POOL * (i % g.pooled_width()));
            // The last row takes what ReLU held back.
            let mut shares = [[0.0; FILTERS]; POOL * POOL + 1];
            for f in 0..FILTERS {
                shares[usize::from(winners[f].min(CLOSED))][f] = gradient[f];
            }
            for (position, share) in shares.iter().take(POOL * POOL).enumerate() {
                add(&mut self.bias, share);
                let (y, x) = (y + position / POOL, x + position % POOL);
                for (dy, kernel) in self.kernel.chunks_exact_mut(row).enumerate() {
                    let pixels = &image[((y + dy) * g.width + x) * g.channels..][..row];
                    for (&pixel, kernel) in pixels.iter().zip(kernel) {
                        // Blank pixels, most of many images, have no say.
                        if pixel != 0.0 {
                            let pairs = kernel.iter_mut().zip(share);
                            pairs.for_each(|(k, s)| *k += pixel * s);
                        }
                    }
                }
            }
        }
    }
}

fn add(sum: &mut [f32], part: &[f32]) {
    sum.iter_mut().zip(part).for_each(|(s, p)| *s += p);
}

/// The float32 values of a tensor that lies in memory as it is.
fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => candle_core::bail!("a weight is not contiguous"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};

    use super::*;
    use crate::data::word;

    fn random(seed: u64, count: usize) -> Vec<f32> {
        let real = |i| (word(seed, i as u64) >> 40) as f32 / (1 << 23) as f32 - 1.0;
        (0..count).map(real).collect()
    }

    fn close(a: &Tensor, b: &Tensor) {
        let peak = b.abs().unwrap().max_all().unwrap();
        let off = (a - b).unwrap().abs().unwrap().max_all().unwrap();
        let [peak, off] = [peak, off].map(|t| t.to_scalar::<f32>().unwrap());
        assert!(peak > 0.1 && off < 1e-5 * peak, "{off} of {peak}");
    }

    /// Values and gradients are those of the library's own layers, for odd extents, channels and more images than a chunk.
    #[test]
    fn equals_the_librarys_own_layers() {
        for (images, height, width, channels) in [(1, 4, 4, 1), (9, 7, 10, 1), (5, 8, 5, 3)] {
            let g = Geometry {
                height,
                width,
                channels,
            };
            let (ph, pw) = (g.pooled_height(), g.pooled_width());
            let pixels = random(1, images * g.image());
            let kernel = Tensor::from_vec(
                random(2, g.taps() * FILTERS),
                (g.taps(), FILTERS),
                &Device::Cpu,
            );
            let kernel = Var::from_tensor(&kernel.unwrap()).unwrap();
            let bias = Var::from_vec(random(3, FILTERS), FILTERS, &Device::Cpu).unwrap();
            let weights = random(4, images * g.features());
            let weights = Tensor::from_vec(weights, (images, g.features()), &Device::Cpu).unwrap();

            let features = Features::new(g, Isa::best().unwrap(), pixels.clone());
            let ours = kernel.apply_op2(&bias, features).unwrap();

            let theirs = || -> Result<Tensor> {
                let x = Tensor::from_vec(pixels, (images, height, width, channels), &Device::Cpu)?;
                let x = x.permute((0, 3, 1, 2))?.contiguous()?;
                let k = kernel.reshape((KERNEL, KERNEL, channels, FILTERS))?;
                let k = k.permute((3, 2, 0, 1))?.contiguous()?;
                let bias = bias.reshape((1, FILTERS, 1, 1))?;
                let x = x.conv2d(&k, 0, 1, 1, 1)?.broadcast_add(&bias)?.relu()?;
                let x = x
                    .narrow(2, 0, POOL * ph)?
                    .narrow(3, 0, POOL * pw)?
                    .contiguous()?;
                let x = x.max_pool2d(POOL)?.permute((0, 2, 3, 1))?;
                x.reshape((images, g.features()))
            };
            let theirs = theirs().unwrap();
            close(&ours, &theirs);
            let gradients = |y: &Tensor| (y * &weights).unwrap().sum_all().unwrap().backward();
            let (a, b) = (gradients(&ours).unwrap(), gradients(&theirs).unwrap());
            for var in [&kernel, &bias] {
                assert_eq!(var.dtype(), DType::F32);
                close(a.get(var).unwrap(), b.get(var).unwrap());
            }
        }
    }
}
