//! The draw pad: how a pen changes pixels, and what the answers say together.

use super::look::Look;
use crate::data::Drawing;
use crate::evaluate::Answer;
use crate::workbench::{Experiment, ExperimentId, PadAnswer, Workbench};

/// Draws (255) or erases (0) along a line of pixel positions with a soft round pen; whether any pixel changed.
pub fn stroke(drawing: &mut Drawing, from: (f32, f32), to: (f32, f32), erase: bool) -> bool {
    // MNIST's strokes are some 2 of 28 pixels wide.
    let radius = drawing.width.max(drawing.height) as f32 * if erase { 0.09 } else { 0.042 };
    let reach = radius + 1.0;
    let limit = |low: f32, high: f32, most: usize| {
        let start = (low - reach).floor().clamp(0.0, most as f32) as usize;
        let end = (high + reach).ceil().clamp(0.0, most as f32) as usize;
        start..end
    };
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length2 = (dx * dx + dy * dy).max(1e-6);
    let mut changed = false;
    for y in limit(from.1.min(to.1), from.1.max(to.1), drawing.height) {
        for x in limit(from.0.min(to.0), from.0.max(to.0), drawing.width) {
            let (px, py) = (x as f32 + 0.5 - from.0, y as f32 + 0.5 - from.1);
            let along = ((px * dx + py * dy) / length2).clamp(0.0, 1.0);
            let (ox, oy) = (px - along * dx, py - along * dy);
            let cover = (radius + 0.5 - (ox * ox + oy * oy).sqrt()).clamp(0.0, 1.0);
            let level = (cover * 255.0).round() as u8;
            let at = (y * drawing.width + x) * 3;
            let Some(pixel) = drawing.rgb.get_mut(at..at + 3) else {
                continue;
            };
            for value in pixel {
                let new = match erase {
                    true => (*value).min(255 - level),
                    false => (*value).max(level),
                };
                changed |= new != *value;
                *value = new;
            }
        }
    }
    changed
}

/// One row below the pad.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Whose answer.
    pub id: ExperimentId,
    /// How it is told apart.
    pub look: Look,
    /// Its name.
    pub name: String,
    /// Its answer, or why there is none.
    pub answer: Result<Answer, String>,
}

/// The softmax score of the class that was answered.
pub fn share(answer: &Answer) -> f32 {
    let all = &answer.shares;
    all.get(answer.class as usize).copied().unwrap_or(0.0)
}

/// The answers in the order of the experiments.
pub fn rows(bench: &Workbench) -> Vec<Row> {
    let of = |e: &Experiment| bench.pad.answers.iter().find(|a| a.experiment == e.id);
    let answered = bench.experiments.iter().filter_map(|e| Some((e, of(e)?)));
    answered
        .map(|(e, a)| Row {
            id: e.id,
            look: Look::of(e),
            name: e.name(),
            answer: a.answer.clone(),
        })
        .collect()
}

/// `All 8 agree, in 0.2 ms`, or who stands against whom.
pub fn verdict(answers: &[PadAnswer], class_name: impl Fn(u32) -> String) -> Option<String> {
    let given: Vec<_> = answers
        .iter()
        .filter_map(|a| a.answer.as_ref().ok())
        .collect();
    let seconds: f64 = given.iter().map(|a| a.seconds).sum();
    let unit = super::format::TimeUnit::for_column([seconds * 1e3]);
    let time = unit.text(seconds * 1e3);
    let mut votes: Vec<(u32, usize)> = vec![];
    for a in &given {
        match votes.iter_mut().find(|(class, _)| *class == a.class) {
            Some((_, n)) => *n += 1,
            None => votes.push((a.class, 1)),
        }
    }
    votes.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
    Some(match votes.as_slice() {
        [] => return None,
        [(_, 1)] => format!("1 answer, in {time}"),
        [(_, n)] => format!("All {n} agree, in {time}"),
        several => {
            let told = several.iter().take(3);
            let told = told.map(|&(class, n)| format!("{n} say {}", class_name(class)));
            format!("{}, in {time}", told.collect::<Vec<_>>().join(", "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank(width: usize, height: usize) -> Drawing {
        Drawing {
            width,
            height,
            rgb: vec![0; width * height * 3],
        }
    }

    #[test]
    fn the_pen_draws_a_soft_line_and_the_eraser_takes_it_away() {
        let mut d = blank(28, 28);
        assert!(stroke(&mut d, (5.0, 14.0), (20.0, 14.0), false));
        let at = |d: &Drawing, x: usize, y: usize| d.rgb[(y * 28 + x) * 3];
        assert_eq!((at(&d, 12, 13), at(&d, 12, 14)), (255, 255));
        assert_eq!((at(&d, 12, 5), at(&d, 27, 14)), (0, 0));
        assert!((1..255).contains(&at(&d, 12, 12)), "{}", at(&d, 12, 12));
        assert!(!stroke(&mut d, (5.0, 14.0), (20.0, 14.0), false));
        assert!(stroke(&mut d, (5.0, 14.0), (20.0, 14.0), true));
        assert!(d.rgb.iter().all(|&x| x == 0));
        // Beyond the edge there is nothing to paint.
        assert!(!stroke(&mut d, (-50.0, f32::MAX), (-60.0, 900.0), false));
    }

    #[test]
    fn the_verdict_counts_votes() {
        let says = |class: u32| PadAnswer {
            experiment: ExperimentId(class.into()),
            answer: Ok(Answer {
                class,
                margin: 0.5,
                shares: vec![],
                seconds: 0.000_1,
            }),
        };
        let name = |class: u32| class.to_string();
        assert_eq!(verdict(&[], name), None);
        let all = verdict(&[says(4), says(4)], name);
        assert_eq!(all.as_deref(), Some("All 2 agree, in 200.0 µs"));
        let split = verdict(&[says(4), says(9), says(4)], name).unwrap();
        assert!(split.starts_with("2 say 4, 1 say 9, in "), "{split}");
    }
}
