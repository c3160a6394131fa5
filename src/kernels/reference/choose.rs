//! SELECT and SELECT_V2: one of two values by a condition, all three broadcast.
//!
//! Source: `select.cc`, `internal/reference/select.h`.

/// Steps of an operand of `shape` along the axes of `out`: 0 where it repeats.
fn steps(shape: &[usize], out: &[usize]) -> Vec<usize> {
    let mut steps = vec![0; out.len()];
    let mut step = 1;
    for (&extent, s) in shape.iter().rev().zip(steps.iter_mut().rev()) {
        if extent != 1 {
            *s = step;
        }
        step *= extent;
    }
    steps
}

/// x where the condition (a byte each) is not 0, else y. Operands are given with their shapes, which broadcast to
/// `out_shape`.
pub fn choose<T: Copy>(
    (condition_shape, condition): (&[usize], &[u8]),
    (x_shape, x): (&[usize], &[T]),
    (y_shape, y): (&[usize], &[T]),
    out_shape: &[usize],
    out: &mut [T],
) {
    if condition.len() == out.len() && x.len() == out.len() && y.len() == out.len() {
        for (((o, &c), &x), &y) in out.iter_mut().zip(condition).zip(x).zip(y) {
            *o = if c != 0 { x } else { y };
        }
        return;
    }
    let all = [condition_shape, x_shape, y_shape].map(|shape| steps(shape, out_shape));
    let Some((&run, outer)) = out_shape.split_last() else {
        return;
    };
    let mut index = vec![0; outer.len()];
    let mut at = [0; 3];
    let inner = [0, 1, 2].map(|i| all[i][outer.len()]);
    for row in out.chunks_exact_mut(run.max(1)) {
        for (i, o) in row.iter_mut().enumerate() {
            let [c, a, b] = [0, 1, 2].map(|k| at[k] + i * inner[k]);
            *o = if condition[c] != 0 { x[a] } else { y[b] };
        }
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            for (at, steps) in at.iter_mut().zip(&all) {
                *at += steps[axis];
            }
            if index[axis] < outer[axis] {
                break;
            }
            for (at, steps) in at.iter_mut().zip(&all) {
                *at -= steps[axis] * index[axis];
            }
            index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn operands_broadcast() {
        let mut out = [0; 6];
        choose(
            (&[2, 1], &[1, 0]),
            (&[3], &[1, 2, 3]),
            (&[2, 3], &[10, 20, 30, 40, 50, 60]),
            &[2, 3],
            &mut out,
        );
        assert_eq!(out, [1, 2, 3, 40, 50, 60]);
    }
}
