//! Engines in words: which one a figure comes from, and what LiteRT made of a file beside Zeropoint's own figures.

use super::format::{self, TimeUnit};
use crate::evaluate::Difference;
use crate::kernels::Isa;
use crate::workbench::litert::{Engine, HOW_TO_GET, LitertFigures, Setup, runtime_line};
use crate::workbench::{Experiment, ExperimentId, Workbench};

/// What the choice of an engine means.
pub const ENGINE: &str = "Which engine the figures come from: Zeropoint's own, LiteRT (the runtime that applications ship), or both, \
     which also tells how far their outputs differ";

/// Where LiteRT stands, for the side panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It takes no part.
    NotAsked,
    /// It is being looked for.
    Looking,
    /// It is there: what it is, and where.
    Found(String, String),
    /// It is not there: how to get it.
    Missing(String),
}

/// Where LiteRT stands.
pub fn place(bench: &Workbench) -> Place {
    if !bench.engine.asks_litert() {
        return Place::NotAsked;
    }
    match &bench.litert {
        None => Place::Looking,
        Some(Ok(setup)) => Place::Found(found(setup), setup.library.display().to_string()),
        // The sentence ends with the variable of the command line; here there is a button.
        Some(Err(why)) if why == HOW_TO_GET => Place::Missing(
            "LiteRT is not found: run `pip install ai-edge-litert` in a Python environment, then choose that environment's folder"
                .into(),
        ),
        Some(Err(why)) => Place::Missing(why.clone()),
    }
}

fn found(setup: &Setup) -> String {
    let version = setup.version.as_deref().unwrap_or("of unknown version");
    format!("LiteRT {version}, with XNNPACK")
}

/// `1 thread`, `2 threads`.
pub fn threads(n: usize) -> String {
    match n {
        1 => "1 thread".into(),
        n => format!("{n} threads"),
    }
}

/// `Zeropoint 0.1.0, avx2 kernels, no delegate, 1 thread`.
pub fn own_line(n: usize) -> String {
    let kernels = Isa::best().map_or("unknown", Isa::name);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "Zeropoint {version}, {kernels} kernels, no delegate, {}",
        threads(n)
    )
}

/// What the figures of an experiment's row come from; `None` before there are any.
pub fn source(e: &Experiment) -> Option<String> {
    let latency = e.latency.as_ref()?;
    match (e.key.engine, &e.litert) {
        (Engine::Litert, Some(Ok(figures))) => Some(runtime_line(&figures.runtime)),
        (Engine::Litert, _) => Some(format!("LiteRT, {}", threads(latency.threads))),
        (Engine::Zeropoint | Engine::Both, _) => Some(own_line(latency.threads)),
    }
}

/// What all rows' figures come from: a short word for a column's head (empty for Zeropoint's own engine), and the whole line.
pub fn sources(bench: &Workbench) -> (&'static str, String) {
    let mut lines: Vec<String> = bench.experiments.iter().filter_map(source).collect();
    lines.dedup();
    match &lines[..] {
        [] => ("", String::new()),
        [one] => (short(one), format!("Measured by {one}")),
        // Not in the order of the rows, whose tooltips tell each.
        several => {
            let mut engines: Vec<_> = several.iter().map(|l| short(l)).collect();
            engines.sort_unstable();
            engines.dedup();
            let word = match engines[..] {
                [one] => one,
                _ => "several engines",
            };
            (word, format!("Measured by {}", several.join("; ")))
        }
    }
}

fn short(line: &str) -> &'static str {
    match line.starts_with("LiteRT") {
        true => "LiteRT",
        false => "",
    }
}

/// LiteRT's figures below an experiment's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// `LiteRT 2.3.0, XNNPACK, 1 thread`, or that it failed.
    pub title: String,
    /// Median and 95th percentile.
    pub latency: Option<(String, String)>,
    /// Times faster than LiteRT's float32.
    pub faster: Option<String>,
    /// Top-1 accuracy.
    pub top1: Option<String>,
    /// `≤ 1 step, 0.02 % answer differently`: how far its outputs lie from Zeropoint's.
    pub short: String,
    /// Everything as a sentence, for the tooltip and for screen readers.
    pub sentence: String,
    /// Why there are no figures.
    pub failed: bool,
}

/// LiteRT's line of an experiment; only where both engines ran.
pub fn beside(bench: &Workbench, id: ExperimentId, unit: TimeUnit) -> Option<Beside> {
    let e = bench.experiment(id)?;
    if e.key.engine != Engine::Both {
        return None;
    }
    let figures = match e.litert.as_ref()? {
        Ok(figures) => figures,
        Err(why) => {
            let sentence = match why.starts_with("LiteRT") {
                true => why.clone(),
                false => format!("LiteRT: {why}"),
            };
            return Some(Beside {
                title: "LiteRT failed".into(),
                latency: None,
                faster: None,
                top1: None,
                short: why.clone(),
                sentence,
                failed: true,
            });
        }
    };
    let base = bench.baseline().filter(|b| b.id != id);
    let base = base.and_then(|b| b.litert.as_ref()?.as_ref().ok());
    Some(of_figures(figures, base.map(|b| b.latency.median_ms), unit))
}

fn of_figures(figures: &LitertFigures, base_ms: Option<f64>, unit: TimeUnit) -> Beside {
    let l = &figures.latency;
    let title = runtime_line(&figures.runtime);
    let (median, p95) = (unit.text(l.median_ms), unit.text(l.p95_ms));
    let top1 = figures.evaluation.as_ref().and_then(|e| e.top1);
    let top1 = top1.map(format::percent);
    let faster = base_ms.map(|base| format::times(base, l.median_ms));
    let mut sentence = format!("{title}: median {median}, p95 {p95}");
    if let Some(x) = faster.as_ref().filter(|x| *x != format::NONE) {
        sentence += &format!(", {x} faster than its float32");
    }
    if let Some(top1) = &top1 {
        sentence += &format!(", top-1 {top1}");
    }
    let short = match &figures.difference {
        Some(d) => {
            sentence += &format!("; {}", difference(d));
            difference_short(d)
        }
        None => String::new(),
    };
    Beside {
        title,
        latency: Some((median, p95)),
        faster,
        top1,
        short,
        sentence,
        failed: false,
    }
}

/// `its outputs differ from Zeropoint's by at most 1 step, its answers on 0.02 % of 10,000 samples`.
pub fn difference(d: &Difference) -> String {
    if is_none(d) {
        let n = format::count(d.samples);
        return format!("its outputs equal Zeropoint's on {n} samples");
    }
    let parts = parts(d);
    let answers = d
        .differing
        .map(|s| format!(", its answers on {}", format::percent(s)));
    format!(
        "its outputs differ from Zeropoint's by at most {}{} of {} samples",
        parts.join(" and "),
        answers.unwrap_or_else(|| ", over all".into()),
        format::count(d.samples)
    )
}

/// Whether there is no difference at all.
fn is_none(d: &Difference) -> bool {
    d.max_steps.unwrap_or(0) == 0 && d.max_of_peak.unwrap_or(0.0) == 0.0
}

fn difference_short(d: &Difference) -> String {
    if is_none(d) {
        return "same outputs".into();
    }
    let most = format!("≤ {}", parts(d).join(", "));
    match d.differing {
        Some(share) => format!("{most}, {} differ", format::percent(share)),
        None => most,
    }
}

fn parts(d: &Difference) -> Vec<String> {
    let mut parts = vec![];
    if let Some(steps) = d.max_steps {
        let unit = if steps == 1 { "step" } else { "steps" };
        parts.push(format!("{} {unit}", format::count(steps as usize)));
    }
    if let Some(share) = d.max_of_peak {
        parts.push(format!("{} of the peak", format::significant(share)));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Latency;
    use crate::workbench::litert::Runtime;
    use std::sync::Arc;

    fn figures(difference: Option<Difference>) -> LitertFigures {
        LitertFigures {
            runtime: Runtime {
                version: Some("2.3.0".into()),
                delegate: "XNNPACK".into(),
                fully_delegated: true,
                threads: 2,
            },
            latency: Latency {
                runs: 100,
                min_ms: 0.01,
                median_ms: 0.0121,
                p95_ms: 0.013,
                threads: 2,
            },
            evaluation: None,
            difference,
        }
    }

    #[test]
    fn both_engines_are_told_apart_in_a_sentence() {
        let d = Difference {
            samples: 10_000,
            max_steps: Some(1),
            max_of_peak: None,
            differing: Some(0.0002),
        };
        let unit = TimeUnit::for_column([0.0121]);
        let told = of_figures(&figures(Some(d)), Some(0.0242), unit);
        assert_eq!(told.title, "LiteRT 2.3.0, XNNPACK, 2 threads");
        assert_eq!(told.short, "≤ 1 step, 0.02 % differ");
        assert_eq!(
            told.sentence,
            "LiteRT 2.3.0, XNNPACK, 2 threads: median 12.1 µs, p95 13.0 µs, 2.00 × faster than its float32; \
             its outputs differ from Zeropoint's by at most 1 step, its answers on 0.02 % of 10,000 samples"
        );
        let same = Difference {
            samples: 16,
            max_steps: Some(0),
            max_of_peak: None,
            differing: None,
        };
        assert!(difference(&same).contains("equal Zeropoint's on 16 samples"));
        assert_eq!(difference_short(&same), "same outputs");
        let alone = of_figures(&figures(None), None, unit);
        assert!(alone.short.is_empty() && alone.faster.is_none());
    }

    #[test]
    fn the_window_says_how_to_get_litert_without_a_variable() {
        let mut bench = Workbench::new(Arc::new(|| {}));
        assert_eq!(place(&bench), Place::NotAsked);
        bench.engine = Engine::Both;
        assert_eq!(place(&bench), Place::Looking);
        bench.litert = Some(Err(HOW_TO_GET.into()));
        let Place::Missing(why) = place(&bench) else {
            panic!("it is missing");
        };
        assert!(why.contains("pip install ai-edge-litert") && !why.contains("ZEROPOINT_LITERT"));
    }
}
