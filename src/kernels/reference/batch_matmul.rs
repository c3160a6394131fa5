//! BATCH_MATMUL: products of matrices, batch by batch.
//!
//! Sources: `batch_matmul.cc`, `internal/reference/batch_matmul.h`.

use crate::kernels::fixed_point::Multiplier;
use crate::kernels::quantize::{QuantInt, quantize_row_asymmetric, quantize_row_symmetric};

/// Extents of the products and how the operands lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatMul {
    /// For each product which matrix of the left and of the right operand it takes.
    pub pairs: Vec<(usize, usize)>,
    /// Rows of the left matrix.
    pub rows: usize,
    /// Columns of the left and rows of the right matrix.
    pub depth: usize,
    /// Columns of the right matrix.
    pub columns: usize,
    /// The left matrix lies as [depth, rows].
    pub left_transposed: bool,
    /// The right matrix lies as [columns, depth].
    pub right_transposed: bool,
}

/// What a quantized product needs beside its data.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    /// Zero points of left, right and output.
    pub zero_points: [i32; 3],
    /// left scale · right scale / output scale.
    pub multiplier: Multiplier,
}

impl MatMul {
    /// Stores what `finish` makes of the sum over k of `mac(sum, left[i, k], right[k, j], row)` for each product, i and j; `row`
    /// counts the rows of the left operand.
    fn products<A: Copy, B: Copy, S: Default, O>(
        &self,
        left: &[A],
        right: &[B],
        mac: impl Fn(S, A, B, usize) -> S,
        finish: impl Fn(S, usize, usize) -> O,
        out: &mut [O],
    ) {
        let (m, k, n) = (self.rows, self.depth, self.columns);
        let (row_step, l_step) = if self.left_transposed { (1, m) } else { (k, 1) };
        let (column_step, r_step) = if self.right_transposed {
            (k, 1)
        } else {
            (1, n)
        };
        let mut out = out.iter_mut();
        for &(l, r) in &self.pairs {
            let (left_m, right_m) = (&left[l * m * k..], &right[r * k * n..]);
            for i in 0..m {
                for j in 0..n {
                    let sum = (0..k).fold(S::default(), |sum, d| {
                        let a = left_m[i * row_step + d * l_step];
                        mac(sum, a, right_m[j * column_step + d * r_step], l * m + i)
                    });
                    if let Some(o) = out.next() {
                        *o = finish(sum, l * m + i, j);
                    }
                }
            }
        }
    }

    /// Float.
    pub fn f32(&self, left: &[f32], right: &[f32], out: &mut [f32]) {
        let mac = |sum: f32, a, b, _| sum + a * b;
        self.products(left, right, mac, |sum, _, _| sum, out);
    }

    /// int8 with an int32 sum.
    pub fn i8(&self, left: &[i8], right: &[i8], q: &Steps, out: &mut [i8]) {
        let [a_zero, b_zero, zero] = q.zero_points;
        let mac = |sum: i32, a: i8, b: i8, _| {
            sum.wrapping_add((i32::from(a) - a_zero) * (i32::from(b) - b_zero))
        };
        let finish = |sum, _, _| i8::saturate(i64::from(q.multiplier.apply(sum)) + i64::from(zero));
        self.products(left, right, mac, finish, out);
    }

    /// The same in a form that vectorises: both operands less their zero points as int16, row by row along k, in `work`.
    pub fn i8_widened(
        &self,
        left: &[i8],
        right: &[i8],
        q: &Steps,
        work: &mut (Vec<i16>, Vec<i16>),
        out: &mut [i8],
    ) {
        let [a_zero, b_zero, zero] = q.zero_points;
        let (m, k, n) = (self.rows, self.depth, self.columns);
        widen(left, (m, k), self.left_transposed, a_zero, &mut work.0);
        widen(right, (n, k), !self.right_transposed, b_zero, &mut work.1);
        let mut out = out.iter_mut();
        for &(l, r) in &self.pairs {
            for i in 0..m {
                let a = &work.0[(l * m + i) * k..(l * m + i + 1) * k];
                for j in 0..n {
                    let b = &work.1[(r * n + j) * k..(r * n + j + 1) * k];
                    let pairs = a.iter().zip(b);
                    let sum = pairs.fold(0i32, |sum, (&a, &b)| {
                        sum.wrapping_add(i32::from(a) * i32::from(b))
                    });
                    if let Some(o) = out.next() {
                        let step = i64::from(q.multiplier.apply(sum)) + i64::from(zero);
                        *o = i8::saturate(step);
                    }
                }
            }
        }
    }

    /// int8 to the int32 sums of the products of steps; zero points play no part.
    pub fn i8_to_i32(&self, left: &[i8], right: &[i8], out: &mut [i32]) {
        let mac = |sum: i32, a: i8, b: i8, _| sum.wrapping_add(i32::from(a) * i32::from(b));
        self.products(left, right, mac, |sum, _, _| sum, out);
    }

    /// int16 by int16 or int8 with an int64 sum; zero points are 0.
    pub fn i16<T: QuantInt>(&self, left: &[i16], right: &[T], by: Multiplier, out: &mut [i16]) {
        let mac = |sum: i64, a: i16, b: T, _| sum + i64::from(i32::from(a) * b.to_i32());
        let finish = |sum, _, _| i16::saturate(by.apply_i64(sum).into());
        self.products(left, right, mac, finish, out);
    }

    /// Float by int8: each row of the left operand is quantized to int8 first, with a zero point if `asymmetric`. `scales` are
    /// one for all columns or one a column.
    pub fn hybrid(
        &self,
        left: &[f32],
        right: &[i8],
        scales: &[f32],
        asymmetric: bool,
        out: &mut [f32],
    ) {
        let k = self.depth;
        let mut steps = vec![0i8; left.len()];
        let mut rows = vec![];
        // Rows are read along k wherever they lie, and kept as they lie.
        let mut row = vec![0.0; k];
        let mut quantized = vec![0; k];
        for m in 0..left.len() / (self.rows * k).max(1) {
            for i in 0..self.rows {
                let at = |d: usize| {
                    let within = if self.left_transposed {
                        d * self.rows + i
                    } else {
                        i * k + d
                    };
                    m * self.rows * k + within
                };
                for (d, v) in row.iter_mut().enumerate() {
                    *v = left[at(d)];
                }
                rows.push(if asymmetric {
                    quantize_row_asymmetric(&row, &mut quantized)
                } else {
                    (quantize_row_symmetric(&row, &mut quantized), 0)
                });
                for (d, &q) in quantized.iter().enumerate() {
                    steps[at(d)] = q;
                }
            }
        }
        let mac = |sum: i32, a: i8, b: i8, row: usize| {
            sum.wrapping_add((i32::from(a) - rows[row].1) * i32::from(b))
        };
        let finish = |sum: i32, row: usize, column: usize| {
            let scale = scales[if scales.len() == 1 { 0 } else { column }];
            rows[row].0 * scale * sum as f32
        };
        self.products(&steps, right, mac, finish, out);
    }
}

/// Matrices of `rows` × `k` less `zero_point`, row by row; `turned` if they lie as [k, rows].
fn widen(x: &[i8], (rows, k): (usize, usize), turned: bool, zero_point: i32, out: &mut Vec<i16>) {
    let less = |v: i8| (i32::from(v) - zero_point) as i16;
    out.clear();
    if !turned {
        out.extend(x.iter().map(|&v| less(v)));
        return;
    }
    for matrix in x.chunks_exact((rows * k).max(1)) {
        for row in 0..rows {
            out.extend(matrix[row..].iter().step_by(rows).map(|&v| less(v)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_may_lie_transposed() {
        let mut by = MatMul {
            pairs: vec![(0, 0)],
            rows: 1,
            depth: 2,
            columns: 2,
            left_transposed: false,
            right_transposed: false,
        };
        let mut out = [0.0; 2];
        by.f32(&[1.0, 10.0], &[1.0, 2.0, 3.0, 4.0], &mut out);
        assert_eq!(out, [31.0, 42.0]);
        by.right_transposed = true;
        by.f32(&[1.0, 10.0], &[1.0, 2.0, 3.0, 4.0], &mut out);
        assert_eq!(out, [21.0, 43.0]);
    }
}
