//! Non-maximum suppression: the best boxes that do not overlap those before them, or with scores that overlaps lower.
//!
//! Source: LiteRT `internal/reference/non_max_suppression.h`.

use crate::error::Result;

/// What is asked of the boxes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Boxes with as much intersection over union with a selected box are dropped.
    pub overlap: f32,
    /// Only scores above this count.
    pub score: f32,
    /// How wide overlaps are felt: scores fall by exp(−½·overlap² / sigma); 0 leaves them.
    pub sigma: f32,
    /// Most boxes that are selected.
    pub most: usize,
}

/// A box that may be selected.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    index: usize,
    score: f32,
    /// Selected boxes that it was compared with.
    compared: usize,
}

impl Candidate {
    /// Larger scores first, of equal ones the earlier box.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let score = self.score.total_cmp(&other.score);
        score.then(other.index.cmp(&self.index))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.order(other).is_eq()
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order(other)
    }
}

/// Area of what two boxes share over that of what they cover; 0 if one has no area. A box is two opposite corners, y before x.
fn intersection_over_union(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let sides = |p: &[f32; 4], axis: usize| (p[axis].min(p[axis + 2]), p[axis].max(p[axis + 2]));
    let area = |p: &[f32; 4]| {
        let ((y1, y2), (x1, x2)) = (sides(p, 0), sides(p, 1));
        (y2 - y1) * (x2 - x1)
    };
    let (area_a, area_b) = (area(a), area(b));
    if area_a <= 0.0 || area_b <= 0.0 {
        return 0.0;
    }
    let shared = |axis| {
        let ((a1, a2), (b1, b2)) = (sides(a, axis), sides(b, axis));
        (a2.min(b2) - a1.max(b1)).max(0.0)
    };
    let intersection = shared(0) * shared(1);
    intersection / (area_a + area_b - intersection)
}

/// The selected boxes in the order of their scores, with these. `check` is asked before each whether to go on.
pub fn select(
    boxes: &[[f32; 4]],
    scores: &[f32],
    limits: Limits,
    check: impl Fn() -> Result<()>,
) -> Result<Vec<(usize, f32)>> {
    let above = |&(_, &score): &(usize, &f32)| score > limits.score;
    let mut candidates: std::collections::BinaryHeap<Candidate> = scores
        .iter()
        .enumerate()
        .filter(above)
        .map(|(index, &score)| Candidate {
            index,
            score,
            compared: 0,
        })
        .collect();
    let most = limits.most.min(candidates.len());
    let mut selected: Vec<(usize, f32)> = vec![];
    while selected.len() < most {
        let Some(mut next) = candidates.pop() else {
            break;
        };
        check()?;
        let before = next.score;
        let mut dropped = false;
        for &(other, _) in selected.iter().skip(next.compared).rev() {
            let overlap = intersection_over_union(&boxes[next.index], &boxes[other]);
            if overlap >= limits.overlap {
                dropped = true;
                break;
            }
            if limits.sigma > 0.0 {
                next.score *= (-0.5 / limits.sigma * overlap * overlap).exp();
            }
            if next.score <= limits.score {
                break;
            }
        }
        next.compared = selected.len();
        if dropped {
            continue;
        }
        // What was selected is a candidate again, and dropped because it overlaps itself: unless it has no area, as in LiteRT.
        if next.score == before {
            selected.push((next.index, next.score));
        }
        if next.score > limits.score {
            candidates.push(next);
        }
    }
    Ok(selected)
}
