//! The draw pad as a script of commands: a picture is drawn, opened or wiped, and every experiment answers.

use std::sync::Arc;

use zeropoint::data::Drawing;
use zeropoint::quantize::Mode;
use zeropoint::workbench::{Command, Workbench};

use crate::folder::Folder;
use crate::workbench_commands::{settle, small_demo, workbench};

/// An upright stroke, white on black.
fn one(width: usize, height: usize) -> Drawing {
    let lit = |x: usize, y: usize| {
        let middle = x * 28 / width;
        let upright = y * 28 / height;
        (13..15).contains(&middle) && (5..23).contains(&upright)
    };
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let rgb = pixels.flat_map(|(x, y)| [if lit(x, y) { 255 } else { 0 }; 3]);
    Drawing {
        width,
        height,
        rgb: rgb.collect(),
    }
}

/// The demo with float32 and int8 done.
fn two_experiments() -> Workbench {
    let mut w = small_demo();
    for mode in [Mode::Float16, Mode::Dynamic, Mode::Int16x8] {
        w.apply(Command::SetMode(mode, false));
    }
    w.apply(Command::Run);
    settle(&mut w);
    w
}

/// What every experiment answers, once all have.
fn answers(w: &mut Workbench) -> Vec<u32> {
    settle(w);
    assert!(w.pad.is_current(), "{:?}", w.pad.error);
    let class = |a: &zeropoint::workbench::PadAnswer| a.answer.as_ref().unwrap().class;
    w.pad.answers.iter().map(class).collect()
}

#[test]
fn a_drawing_is_answered_by_every_experiment_and_wiped() {
    let mut w = two_experiments();
    w.apply(Command::Draw(Some(Arc::new(one(28, 28)))));
    assert_eq!(answers(&mut w), [1, 1]);
    let shares = &w.pad.answers[0].answer.as_ref().unwrap().shares;
    assert_eq!(shares.len(), 10);
    assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    // One of another size is fitted first.
    w.apply(Command::Draw(Some(Arc::new(one(56, 84)))));
    assert_eq!(answers(&mut w), [1, 1]);
    let fitted = w.pad.drawing.as_ref().unwrap();
    assert_eq!((fitted.width, fitted.height), (28, 28));
    w.apply(Command::Draw(None));
    settle(&mut w);
    assert!(w.pad.drawing.is_none() && w.pad.answers.is_empty());
}

#[test]
fn a_picture_file_is_answered_and_a_wrong_one_is_named() {
    let folder = Folder::new("pad");
    let mut w = two_experiments();
    let stroke = one(28, 28);
    let good = folder.join("one.png");
    let picture = image::RgbImage::from_raw(28, 28, stroke.rgb).unwrap();
    picture.save(&good).unwrap();
    w.apply(Command::DrawImage(good));
    assert_eq!(answers(&mut w), [1, 1]);
    let wrong = folder.join("words.png");
    std::fs::write(&wrong, b"no picture").unwrap();
    w.apply(Command::DrawImage(wrong));
    settle(&mut w);
    let error = w.pad.error.clone().unwrap();
    assert!(error.contains("words.png"), "{error}");
    // The picture before it stays.
    assert_eq!(answers(&mut w), [1, 1]);
}

#[test]
fn without_a_model_the_pad_says_so() {
    let mut w = workbench();
    w.apply(Command::Draw(Some(Arc::new(one(28, 28)))));
    assert!(w.pad.error.as_ref().unwrap().contains("Open a model"));
}
