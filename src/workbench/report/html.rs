//! A report as one HTML page that needs nothing else: no scripts, no files, no network; light and dark as the reader's system.

use super::svg::{self, Bar, Delta, Group, Look};
use super::{DataNote, Entry, FileNote, Report};
use crate::evaluate::TensorReport;
use crate::quantize::Mode;
use crate::workbench::format::{self, NONE, TimeUnit};

/// Tensors that each experiment lists: those that lost most.
const WORST: usize = 12;

/// The report as a page. Whatever names it holds are shown as text.
pub fn html(report: &Report) -> String {
    let name = escape(&report.model.name);
    let body = [
        compared(report),
        charts(report),
        tensors(report),
        recipes(report),
        provenance(report),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\
         <title>{name}: quantization report</title><style>\n{}</style></head><body>\
         <header><h1><bdi>{name}</bdi></h1><p class=\"dim\">Quantization report, {}, Zeropoint {}</p>\
         <p class=\"lead\">{}</p></header>\n<main>{}</main></body></html>\n",
        include_str!("style.css"),
        escape(&report.made),
        escape(&report.machine.version),
        escape(&answer(report)),
        body.concat(),
    )
}

/// Text as markup shows it. Control characters, and those that turn the direction of what follows, become �.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// What ships, in a sentence.
fn answer(report: &Report) -> String {
    let baseline = report.baseline();
    let others: Vec<&Entry> = report
        .experiments
        .iter()
        .filter(|e| baseline != Some(*e))
        .collect();
    let (Some(base), false) = (baseline, others.is_empty()) else {
        return "There is nothing to compare with the float model".into();
    };
    let judged: Vec<&Entry> = others
        .iter()
        .filter(|e| e.keeps(baseline).is_some())
        .copied()
        .collect();
    let labels = judged.iter().any(|e| e.delta(baseline).is_some());
    let limit = match labels {
        true => format!("accuracy within 0.10 pp of {}", base.name),
        false => format!("{}'s answer on 99 % of the samples", base.name),
    };
    let mut kept: Vec<&Entry> = match judged.is_empty() {
        true => others,
        false => judged
            .iter()
            .filter(|e| e.keeps(baseline) == Some(true))
            .copied()
            .collect(),
    };
    let time = |e: &Entry| e.latency.as_ref().map_or(f64::INFINITY, |l| l.median_ms);
    kept.sort_by(|a, b| time(a).total_cmp(&time(b)));
    let Some(fastest) = kept.first() else {
        return match judged.len() {
            1 => format!("The one variant does not keep {limit}"),
            n => format!("None of {n} variants keeps {limit}"),
        };
    };
    let faster = format::times(time(base), time(fastest));
    let smaller = format::times(base.file.bytes as f64, fastest.file.bytes as f64);
    let gain = match faster == NONE {
        true => format!("{smaller} smaller"),
        false => format!("{faster} faster, {smaller} smaller"),
    };
    let rank = if faster == NONE { "first" } else { "fastest" };
    match judged.len() {
        0 => format!(
            "Without evaluation data: {} is the {rank}, {gain}",
            fastest.name
        ),
        1 => format!("{} keeps {limit}, {gain}", fastest.name),
        n => format!(
            "{} of {n} variants keep {limit}; {} is the {rank} of them, {gain}",
            kept.len(),
            fastest.name
        ),
    }
}

/// Looks in the order of the experiments: the second recipe of a mode is hollow.
fn looks(report: &Report) -> Vec<Look> {
    let modes: Vec<Mode> = report.experiments.iter().map(|e| e.recipe.mode).collect();
    let of = |(i, &mode): (usize, &Mode)| Look {
        mode,
        hollow: modes.iter().take(i).any(|&m| m == mode),
    };
    modes.iter().enumerate().map(of).collect()
}

fn section(title: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2>{body}</section>\n")
}

/// A table; cells and heads are markup, `left` says which columns hold text.
fn table(heads: &[&str], left: &[usize], rows: &[Vec<String>]) -> String {
    let class = |i: usize| {
        if left.contains(&i) {
            " class=\"left\""
        } else {
            ""
        }
    };
    let head: String = heads
        .iter()
        .enumerate()
        .map(|(i, h)| format!("<th scope=\"col\"{}>{h}</th>", class(i)))
        .collect();
    let row = |cells: &Vec<String>| {
        let cells = cells.iter().enumerate().map(|(i, c)| match i {
            0 => format!("<th scope=\"row\">{c}</th>"),
            _ => format!("<td{}>{c}</td>", class(i)),
        });
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let body: String = rows.iter().map(row).collect();
    format!(
        "<div class=\"wide\"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
}

fn unit(report: &Report) -> TimeUnit {
    let times = report.experiments.iter().filter_map(|e| e.latency.as_ref());
    TimeUnit::for_column(times.map(|l| l.median_ms))
}

/// Whether a figure can be one: nothing that is measured is as large as what is left out, which no unit could hold.
fn sane(x: f64) -> bool {
    x.abs() < 1e15
}

/// A figure in words, or a dash for what is missing or means nothing.
fn finite(x: Option<f64>, words: impl Fn(f64) -> String) -> String {
    x.filter(|&x| sane(x)).map_or(NONE.into(), words)
}

/// As [`finite`]; here infinity means exact.
fn decibel(db: Option<f64>) -> String {
    let known = db.filter(|&db| db > -1e15);
    known.map_or(NONE.into(), format::decibel)
}

fn compared(report: &Report) -> String {
    let (baseline, unit) = (report.baseline(), unit(report));
    let base_time = baseline
        .and_then(|b| b.latency.as_ref())
        .map(|l| l.median_ms);
    let rows: Vec<Vec<String>> = report
        .experiments
        .iter()
        .zip(looks(report))
        .map(|(e, look)| {
            let own = baseline == Some(e);
            let (q, latency) = (e.evaluation.as_ref(), e.latency.as_ref());
            let ratio = |base: Option<f64>, of: Option<f64>| match (base, of, own) {
                (Some(base), Some(of), false) => format::times(base, of),
                _ => NONE.into(),
            };
            let delta = e.delta(baseline).filter(|_| !own);
            let lost = !own && e.keeps(baseline) == Some(false);
            let interval = delta
                .and_then(|d| d.1)
                .map_or(String::new(), |(low, high)| {
                    let end = |x: f64| finite(Some(x), |x| format::signed(x * 100.0, 2));
                    format!(" <span class=\"dim\">[{}, {}]</span>", end(low), end(high))
                });
            let delta = finite(delta.map(|d| d.0), |d| {
                format!("{} pp", format::signed(d * 100.0, 2))
            });
            let delta = match lost {
                true => format!("<span class=\"bad\">{delta}</span>{interval}"),
                false => delta + &interval,
            };
            vec![
                format!("{}{}", look.marker(), escape(&e.name)),
                format::count(e.file.bytes),
                ratio(
                    baseline.map(|b| b.file.bytes as f64),
                    Some(e.file.bytes as f64),
                ),
                finite(latency.map(|l| l.median_ms), |t| unit.text(t)),
                finite(latency.map(|l| l.p95_ms), |t| unit.text(t)),
                ratio(base_time, latency.map(|l| l.median_ms)),
                finite(q.and_then(|q| q.top1), format::percent),
                delta,
                finite(q.and_then(|q| q.agreement), format::percent),
                decibel(q.and_then(|q| q.sqnr_db)),
                match e.runtime.is_empty() {
                    true => NONE.into(),
                    false => escape(&e.runtime),
                },
            ]
        })
        .collect();
    let heads = [
        "Experiment",
        "Bytes",
        "Smaller",
        "Median",
        "p95",
        "Faster",
        "Top-1",
        "Δ, 95 % interval",
        "Agreement",
        "SQNR",
        "Runs from",
    ];
    section("Compare", &table(&heads, &[], &rows))
}

fn charts(report: &Report) -> String {
    let (baseline, unit) = (report.baseline(), unit(report));
    let all: Vec<(&Entry, Look)> = report.experiments.iter().zip(looks(report)).collect();
    let sizes: Vec<Bar<'_>> = all
        .iter()
        .map(|&(e, look)| Bar {
            look,
            name: &e.name,
            value: e.file.bytes as f64,
            text: format::size(e.file.bytes),
            tick: None,
        })
        .collect();
    let times: Vec<Bar<'_>> = all
        .iter()
        .filter_map(|&(e, look)| {
            let l = e.latency.as_ref().filter(|l| sane(l.median_ms))?;
            Some(Bar {
                look,
                name: &e.name,
                value: l.median_ms,
                text: unit.text(l.median_ms),
                tick: Some(l.p95_ms),
            })
        })
        .collect();
    let deltas: Vec<Delta<'_>> = all
        .iter()
        .filter(|(e, _)| baseline != Some(*e))
        .filter_map(|&(e, look)| {
            let (delta, interval) = e.delta(baseline).filter(|d| sane(d.0))?;
            Some(Delta {
                look,
                name: &e.name,
                delta,
                interval,
                text: format!("{} pp", format::signed(delta * 100.0, 2)),
            })
        })
        .collect();
    let quality = match deltas.is_empty() {
        false => figure(
            &format!(
                "Accuracy, change from {} with its 95 % interval",
                escape(report.baseline_name())
            ),
            svg::deltas("Change of accuracy", &deltas),
        ),
        true => signal(&all),
    };
    let threads = report.experiments.iter().find_map(|e| e.latency.as_ref());
    let threads = threads.map_or(String::new(), |l| match l.threads {
        1 => ", 1 thread".into(),
        n => format!(", {n} threads"),
    });
    let mut body = figure("Size", svg::bars("File sizes", &sizes));
    if !times.is_empty() {
        let title = format!("Latency, median with p95 as a tick{threads}");
        body += &figure(&title, svg::bars("Latencies", &times));
    }
    body += &quality;
    section(
        "Size, latency, accuracy",
        &format!("<div class=\"grid\">{body}</div>"),
    )
}

/// What stands for accuracy where there are no labels.
fn signal(all: &[(&Entry, Look)]) -> String {
    let bars: Vec<Bar<'_>> = all
        .iter()
        .filter_map(|&(e, look)| {
            let db = e.evaluation.as_ref()?.sqnr_db.filter(|&db| db > -1e15)?;
            Some(Bar {
                look,
                name: &e.name,
                value: db.clamp(0.0, 120.0),
                text: format::decibel(db),
                tick: None,
            })
        })
        .collect();
    match bars.is_empty() {
        true => figure(
            "Accuracy",
            "<p class=\"dim\">Not measured: no evaluation data</p>".into(),
        ),
        false => figure(
            "SQNR of the outputs, higher is better",
            svg::bars("SQNR", &bars),
        ),
    }
}

fn figure(title: &str, body: String) -> String {
    format!("<div><h3>{}</h3>{body}</div>", escape(title))
}

fn tensors(report: &Report) -> String {
    let all: Vec<(&Entry, Look)> = report
        .experiments
        .iter()
        .zip(looks(report))
        .filter(|(e, _)| !e.tensors.is_empty())
        .collect();
    if all.is_empty() {
        return String::new();
    }
    let groups = |of: fn(&TensorReport) -> Option<f64>| -> Vec<Group> {
        let group = |&(e, look): &(&Entry, Look)| Group {
            look,
            values: e.tensors.iter().filter_map(of).collect(),
        };
        all.iter().map(group).collect()
    };
    let histogram = |title: &str, groups: Vec<Group>, least: f64, sides| {
        let values = groups
            .iter()
            .flat_map(|g| &g.values)
            .filter(|v| v.is_finite());
        let (count, far) = values.fold((0, 0f64), |(n, m), v| (n + 1, m.max(v.abs())));
        if count == 0 {
            return String::new();
        }
        // The next power of two, so that figures at the ends are round.
        let reach = far.max(least).min(64.0).log2().ceil().exp2();
        figure(title, svg::histogram(title, &groups, reach, sides))
    };
    let legend: String = all
        .iter()
        .map(|(e, look)| format!("<span>{}{}</span>", look.marker(), escape(&e.name)))
        .collect();
    let scale = groups(|t| t.scale_error);
    let zero = groups(|t| t.zero_point_error);
    let grid = histogram(
        "Scale error, log2(s / ideal s), tensors",
        scale,
        0.5,
        ("clips", "wastes range"),
    ) + &histogram("Zero-point error, steps, tensors", zero, 0.5, ("", ""));
    let grid = match grid.is_empty() {
        true => grid,
        false => format!("<div class=\"grid\">{grid}</div><div class=\"legend\">{legend}</div>"),
    };
    let lists: String = all.iter().map(|(e, look)| worst(e, *look)).collect();
    section("Tensors", &(grid + &lists))
}

/// The tensors of one experiment that lost most by themselves.
fn worst(e: &Entry, look: Look) -> String {
    let mut order: Vec<&TensorReport> = e.tensors.iter().collect();
    let loss = |t: &TensorReport| {
        t.sqnr_local_db
            .filter(|x| !x.is_nan())
            .unwrap_or(f64::INFINITY)
    };
    order.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
    let rows: Vec<Vec<String>> = order
        .iter()
        .take(WORST)
        .map(|t| {
            let shape: Vec<String> = t.shape.iter().map(usize::to_string).collect();
            let clipped = finite(Some(t.clipped), format::small_percent);
            let clipped = match t.clipped > 0.0 {
                true => format!("<span class=\"bad\">{clipped}</span>"),
                false => clipped,
            };
            vec![
                format!(
                    "<code><bdi>{}</bdi></code>",
                    escape(&format::elide(&t.name, 60))
                ),
                escape(&t.op),
                escape(&t.dtype),
                shape.join(" × "),
                format::significant(t.scale.into()),
                finite(t.scale_error, |x| format::signed(x, 2)),
                t.zero_point.to_string().replace('-', "−"),
                finite(t.zero_point_error, |x| format::signed(x, 2)),
                clipped,
                decibel(t.sqnr_local_db),
                decibel(t.sqnr_cumulative_db),
            ]
        })
        .collect();
    let heads = [
        "Tensor",
        "Operator",
        "Type",
        "Shape",
        "Scale",
        "Scale error",
        "Zero point",
        "Its error",
        "Clipped",
        "SQNR alone",
        "SQNR in the model",
    ];
    let count = e.tensors.len();
    let which = match count > WORST {
        true => format!(
            "the {WORST} of {} tensors that lose most by themselves",
            format::count(count)
        ),
        false if count == 1 => "1 tensor".into(),
        false => format!("{count} tensors, those that lose most first"),
    };
    format!(
        "<details><summary>{}{}: {which}</summary>{}</details>",
        look.marker(),
        escape(&e.name),
        table(&heads, &[1, 2], &rows)
    )
}

fn recipes(report: &Report) -> String {
    let each = report.experiments.iter().zip(looks(report)).map(|(e, look)| {
        let warnings: String = e
            .warnings
            .iter()
            .map(|w| format!("<li>{}</li>", escape(w)))
            .collect();
        let (count, warnings) = match e.warnings.len() {
            0 => (String::new(), String::new()),
            n => (
                format!(" <span class=\"warn\">{n} remark{}</span>", if n == 1 { "" } else { "s" }),
                format!("<ul>{warnings}</ul>"),
            ),
        };
        format!(
            "<details><summary>{}{}{count}</summary><pre>{}</pre>{warnings}<p class=\"dim\">Made in {} s, SHA-256 <code>{}</code></p></details>",
            look.marker(),
            escape(&e.name),
            escape(&e.recipe.to_json()),
            finite(Some(e.convert_seconds), |s| format::fixed(s, 2)),
            escape(&e.file.sha256),
        )
    });
    section("Recipes and files", &each.collect::<String>())
}

fn provenance(report: &Report) -> String {
    let hash = |sha: &str| format!("<br/><code>{}</code>", escape(sha));
    let file = |f: &FileNote| {
        let (name, bytes) = (escape(&f.name), format::count(f.bytes));
        format!("<bdi>{name}</bdi>, {bytes} bytes{}", hash(&f.sha256))
    };
    let data = |d: &Option<DataNote>| match d {
        None => "none".to_owned(),
        Some(d) => {
            let (name, samples) = (escape(&d.name), format::count(d.samples));
            let sha = d.sha256.as_ref().map_or(String::new(), |sha| hash(sha));
            format!("<bdi>{name}</bdi>, {samples} samples{sha}")
        }
    };
    let m = &report.machine;
    let machine = format!(
        "{}, {} core{}, {}, {} kernels",
        escape(&m.processor),
        m.cores,
        if m.cores == 1 { "" } else { "s" },
        escape(&m.system),
        escape(&m.kernels)
    );
    let rows = [
        ("Model", file(&report.model)),
        ("Calibration", data(&report.calibration)),
        ("Evaluation", data(&report.data)),
        ("Machine", machine),
        ("Program", format!("Zeropoint {}", escape(&m.version))),
        ("Made", escape(&report.made)),
    ];
    let rows = rows.map(|(term, text)| format!("<dt>{term}</dt><dd>{text}</dd>"));
    section(
        "Where this comes from",
        &format!("<dl>{}</dl>", rows.concat()),
    )
}
