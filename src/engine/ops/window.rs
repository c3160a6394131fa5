//! Geometry of windows: output extent and padding along one axis.

use crate::error::Result;
use crate::graph::Padding;
use crate::malformed;

/// Output extent and leading padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub out: usize,
    pub pad: usize,
}

/// A positive option as an extent.
pub(super) fn positive(value: i32, what: &str) -> Result<usize> {
    match usize::try_from(value) {
        Ok(v) if v > 0 => Ok(v),
        _ => malformed!("its {what} is {value}, which is not positive"),
    }
}

/// The windows of extent `size` along an axis of extent `input`. Source: LiteRT `tflite/kernels/padding.h`.
pub(super) fn window(
    padding: Padding,
    input: usize,
    size: usize,
    stride: usize,
    dilation: usize,
) -> Result<Window> {
    let reach = size
        .checked_sub(1)
        .and_then(|s| s.checked_mul(dilation))
        .and_then(|s| s.checked_add(1))
        .filter(|&r| r <= i32::MAX as usize);
    let Some(reach) = reach else {
        return malformed!("its window of {size} with dilation {dilation} is too large");
    };
    let out = match padding {
        Padding::Same => input.div_ceil(stride),
        Padding::Valid if input >= reach => (input - reach) / stride + 1,
        Padding::Valid => {
            return malformed!(
                "its window reaches over {reach} pixels, but its input has only {input}"
            );
        }
    };
    let covered = (out.saturating_sub(1)) * stride + reach;
    Ok(Window {
        out,
        pad: covered.saturating_sub(input) / 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_and_valid_follow_the_runtime() {
        let w = |padding, input, size, stride, dilation| {
            let w = window(padding, input, size, stride, dilation).unwrap();
            (w.out, w.pad)
        };
        assert_eq!(w(Padding::Same, 7, 3, 1, 1), (7, 1));
        assert_eq!(w(Padding::Same, 8, 3, 2, 1), (4, 0));
        assert_eq!(w(Padding::Same, 7, 3, 2, 1), (4, 1));
        assert_eq!(w(Padding::Same, 5, 3, 1, 2), (5, 2));
        assert_eq!(w(Padding::Same, 4, 1, 3, 1), (2, 0));
        assert_eq!(w(Padding::Valid, 7, 3, 2, 1), (3, 0));
        assert_eq!(w(Padding::Valid, 7, 3, 1, 3), (1, 0));
        assert!(window(Padding::Valid, 2, 3, 1, 1).is_err());
    }
}
