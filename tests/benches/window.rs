//! What the window costs. Without a display: its thread's time for a frame (input, panels, layout) while the demo runs in every mode.
//! With one (`DISPLAY`, such as `xvfb-run`'s): time for a painted frame with 300 histograms, alone and beside busy threads, and of each
//! tab; time to the first frame; processor time while idle; the longest frame while a model of 500 MB opens.
//!
//! `xvfb-run -s "-screen 0 1280x800x24" cargo bench --bench window`

use std::path::PathBuf;
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use zeropoint::graph::{DType, FullyConnected, Graph, Node, Op, Subgraph, Tensor};
use zeropoint::gui::theme::DARK;
use zeropoint::gui::widgets::Thumbnails;
use zeropoint::gui::{App, Tab};
use zeropoint::workbench::Command;

/// Names the one measurement that a process with a window makes: a process opens one window only.
const CASE: &str = "ZEROPOINT_WINDOW_BENCH";

fn main() {
    let started = Instant::now();
    if let Ok(case) = std::env::var(CASE) {
        return screen(&case, started);
    }
    panels();
    if std::env::var_os("DISPLAY").is_none_or(|d| d.is_empty()) {
        println!("No display: painted frames are not measured");
        return;
    }
    for case in [
        "first",
        "histograms 0",
        "histograms 2",
        "tabs",
        "idle",
        "open",
    ] {
        let own = std::env::current_exe().expect("this program has a file");
        let status = Process::new(own).env(CASE, case).status();
        assert!(status.is_ok_and(|s| s.success()), "{case} failed");
    }
}

/// The window's thread while the demo runs and somebody walks through the tabs; nothing is painted.
fn panels() {
    let mut window = Harness::builder()
        .with_size([1440.0, 900.0])
        .with_theme(egui::Theme::Dark)
        .build_eframe(|cc| App::new(&cc.egui_ctx));
    window.state_mut().bench.apply(Command::OpenDemo);
    wait(&mut window);
    window.state_mut().bench.apply(Command::Run);
    let start = Instant::now();
    let mut frames = vec![];
    while !window.state().bench.jobs().is_idle() {
        let tab = Tab::ALL[frames.len() / 20 % Tab::ALL.len()];
        if frames.len() % 20 == 0 {
            window.get_by_label(tab.name()).click();
        }
        let begin = Instant::now();
        window.step();
        frames.push(begin.elapsed());
        std::thread::sleep(Duration::from_millis(8));
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "Panels while the demo runs for {took:.1} s: {}",
        told(frames)
    );
}

fn wait(window: &mut Harness<'_, App>) {
    loop {
        window.step();
        if window.state().bench.jobs().is_idle() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// `240 frames, median 1.2 ms, p95 2.3 ms, longest 4.5 ms`.
fn told(mut frames: Vec<Duration>) -> String {
    if frames.is_empty() {
        return "no frames".into();
    }
    frames.sort();
    let at = |share: f64| frames[((frames.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let (median, p95, longest) = (at(0.5), at(0.95), at(1.0));
    let n = frames.len();
    format!("{n} frames, median {median:.1} ms, p95 {p95:.1} ms, longest {longest:.1} ms")
}

/// One measurement with a real window.
fn screen(case: &str, started: Instant) {
    let mut options = eframe::NativeOptions {
        renderer: eframe::Renderer::Glow,
        dithering: false,
        viewport: egui::ViewportBuilder::default().with_inner_size([1280.0, 800.0]),
        ..Default::default()
    };
    options.glow_options.vsync = false;
    let (case, busy) = case.split_once(' ').unwrap_or((case, "0"));
    let ends = Arc::new(AtomicBool::new(false));
    let threads: usize = busy.parse().expect("a number of threads");
    for _ in 0..threads {
        let ends = ends.clone();
        std::thread::spawn(move || burn(&ends));
    }
    let large = (case == "open").then(large_model);
    let opened = large.clone();
    let case = case.to_owned();
    let name = case.clone();
    let result = eframe::run_native(
        "Zeropoint",
        options,
        Box::new(move |cc| {
            let mut app = App::new(&cc.egui_ctx);
            if name == "tabs" {
                app.bench.apply(Command::OpenDemo);
            }
            cc.egui_ctx.set_theme(egui::Theme::Dark);
            Ok(Box::new(Timed {
                app,
                case: name,
                threads,
                started,
                last: None,
                frames: vec![],
                ticks: 0,
                thumbnails: Thumbnails::default(),
                bins: (0..HISTOGRAMS).map(bell).collect(),
                begun: false,
                large: opened,
                shown: 0,
            }))
        }),
    );
    ends.store(true, Ordering::Relaxed);
    if let Some(path) = large {
        let _ = std::fs::remove_file(path);
    }
    result.unwrap_or_else(|e| panic!("{case}: {e}"));
}

/// Keeps a core busy with the priority of the program's jobs.
fn burn(ends: &AtomicBool) {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
    let mut x = 1u64;
    while !ends.load(Ordering::Relaxed) {
        for _ in 0..1000 {
            x = std::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1));
        }
    }
}

/// A model of 500 MB: one dense layer, in the system's temporary folder.
fn large_model() -> PathBuf {
    let (inputs, outputs) = (12_500usize, 10_000usize);
    let float = |name: &str, shape: Vec<usize>| Tensor::new(name, DType::Float32, shape);
    let weights = vec![0u8; inputs * outputs * 4];
    let main = Subgraph {
        tensors: vec![
            float("x", vec![1, inputs]),
            Tensor::constant("w", DType::Float32, vec![outputs, inputs], weights),
            float("y", vec![1, outputs]),
        ],
        inputs: vec![0],
        outputs: vec![2],
        nodes: vec![Node::new(
            Op::FullyConnected(FullyConnected::default()),
            vec![Some(0), Some(1)],
            vec![2],
        )],
        ..Subgraph::default()
    };
    let graph = Graph {
        subgraphs: vec![main],
        ..Graph::default()
    };
    let bytes = zeropoint::tflite::write(&graph).expect("a plain graph can be written");
    let path = std::env::temp_dir().join(format!("zeropoint-large-{}.tflite", std::process::id()));
    std::fs::write(&path, bytes).expect("there is room for 500 MB");
    path
}

/// The program's window, or 300 histograms in one of their own, with a clock.
struct Timed {
    app: App,
    case: String,
    threads: usize,
    started: Instant,
    last: Option<Instant>,
    frames: Vec<Duration>,
    ticks: u64,
    thumbnails: Thumbnails,
    /// Heights of the 300 histograms.
    bins: Vec<Vec<f32>>,
    /// Whether the demo's run was started.
    begun: bool,
    /// The large model, until it is opened, and the frames since it is.
    large: Option<PathBuf>,
    shown: usize,
}

impl Timed {
    /// Opens the large model once the window stands, and shows it for a while.
    fn open(&mut self, ctx: &egui::Context) {
        ctx.request_repaint();
        let bench = &mut self.app.bench;
        if self.frames.len() == 30
            && let Some(path) = self.large.take()
        {
            bench.apply(Command::OpenModel(path));
            self.frames.clear();
        }
        if bench.model.is_some() {
            self.shown += 1;
        }
        if self.shown == 30 {
            println!(
                "A model of 500 MB opens: {}",
                told(std::mem::take(&mut self.frames))
            );
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
    }

    /// Runs the demo, then paints each tab over and over.
    fn walk(&mut self, ctx: &egui::Context) {
        const EACH: usize = 220;
        let bench = &mut self.app.bench;
        if bench.model.is_none() || !bench.jobs().is_idle() {
            self.frames.clear();
            ctx.request_repaint_after(Duration::from_millis(20));
            return;
        }
        ctx.request_repaint();
        if !std::mem::replace(&mut self.begun, true) {
            return bench.apply(Command::Run);
        }
        if self.frames.len() < EACH {
            return;
        }
        let tab = self.app.state.tab;
        let told = told(std::mem::take(&mut self.frames).split_off(20));
        println!("{} tab: {told}", tab.name());
        match Tab::ALL.iter().skip_while(|t| **t != tab).nth(1) {
            Some(next) => self.app.state.tab = *next,
            None => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
    }
}

impl eframe::App for Timed {
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        self.app.clear_color(visuals)
    }

    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.app.logic(ctx, frame);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.frames.push(now - last);
        }
        let close = || ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        match self.case.as_str() {
            "histograms" => {
                histograms(ui, &self.bins, &mut self.thumbnails);
                ctx.request_repaint();
                if self.frames.len() >= 330 {
                    // The first frames lay out what the others find.
                    let told = told(self.frames.split_off(30));
                    println!("300 histograms, {} busy threads: {told}", self.threads);
                    close();
                }
                return;
            }
            "first" => {
                // The second frame begins when the first has been painted.
                if let Some(first) = self.frames.first() {
                    let whole = now.duration_since(self.started);
                    println!(
                        "First frame after {:.0} ms, painted in {:.0} ms",
                        whole.as_secs_f64() * 1e3,
                        first.as_secs_f64() * 1e3
                    );
                    close();
                }
                ctx.request_repaint();
            }
            "idle" => match self.frames.len() {
                0..20 => ctx.request_repaint(),
                20 => {
                    (self.ticks, self.started) = (ticks(), now);
                    ctx.request_repaint_after(Duration::from_secs(10));
                }
                _ => match Duration::from_secs(10).checked_sub(self.started.elapsed()) {
                    Some(rest) => ctx.request_repaint_after(rest),
                    None => {
                        println!("Idle for 10 s: {} ticks of 10 ms", ticks() - self.ticks);
                        close();
                    }
                },
            },
            "tabs" => self.walk(&ctx),
            _ => self.open(&ctx),
        }
        self.app.ui(ui, frame);
    }
}

/// Processor time of this process in ticks; 0 where the system does not tell.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<u64> = fields
        .split_whitespace()
        .filter_map(|f| f.parse().ok())
        .collect();
    // User and system time: fields 14 and 15 of the line, 11 and 12 of the numbers behind the state.
    fields.get(10).zip(fields.get(11)).map_or(0, |(u, s)| u + s)
}

/// How many histograms are in sight.
const HISTOGRAMS: usize = 300;

/// 64 bins of a bell, one of nine widths.
fn bell(i: usize) -> Vec<f32> {
    let height = |bin: usize| {
        let x = (bin as f32 - 32.0) / (6.0 + (i % 9) as f32 + i as f32 * 1e-2);
        (-x * x / 2.0).exp()
    };
    (0..64).map(height).collect()
}

/// 300 histograms, as the table of tensors paints them, all in sight.
fn histograms(ui: &mut egui::Ui, bins: &[Vec<f32>], thumbnails: &mut Thumbnails) {
    let whole = ui.max_rect();
    let (columns, rows) = (15, HISTOGRAMS / 15);
    let cell = egui::vec2(whole.width() / columns as f32, whole.height() / rows as f32);
    for (i, heights) in bins.iter().enumerate() {
        let corner =
            whole.min + egui::vec2((i % columns) as f32 * cell.x, (i / columns) as f32 * cell.y);
        let place = egui::Rect::from_min_size(corner, cell).shrink(4.0);
        let color = DARK.modes[i % DARK.modes.len()];
        thumbnails.show(ui.painter(), place, heights, color);
    }
    thumbnails.paint(ui.painter());
}
