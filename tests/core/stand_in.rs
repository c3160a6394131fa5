//! The stand-in for LiteRT's library: how it is built, and what it must know of the demo's model.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use zeropoint::graph::Graph;
use zeropoint::workbench;

/// The stand-in, built once; `bare` has none of the functions.
pub fn stand_in(bare: bool) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("litert_stand_in");
        std::fs::create_dir_all(&folder).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core/litert_stand_in.rs");
        let empty = folder.join("empty.rs");
        std::fs::write(&empty, "//! Nothing.\n").unwrap();
        for (source, name) in [(&source, "full"), (&empty, "bare")] {
            let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
            let built = Command::new(compiler)
                .args([
                    "--edition=2021",
                    "--crate-type=cdylib",
                    "--crate-name=stand_in",
                ])
                .args(["-A", "warnings", "-o"])
                .args([&folder.join(name), source])
                .output()
                .unwrap();
            assert!(
                built.status.success(),
                "{}",
                String::from_utf8_lossy(&built.stderr)
            );
        }
        folder
    });
    folder.join(if bare { "bare" } else { "full" })
}

/// The demo's model.
pub fn graph() -> Arc<Graph> {
    workbench::steps::open_demo().unwrap().graph
}

/// What the stand-in must know of the model.
pub fn facts() -> Vec<(&'static str, String)> {
    let graph = graph();
    let main = graph.main();
    let name = |id: usize| main.tensors[id].name.clone();
    let mut facts = vec![
        ("ZEROPOINT_STAND_IN_INPUT", name(main.inputs[0])),
        ("ZEROPOINT_STAND_IN_OUTPUT", name(main.outputs[0])),
    ];
    facts.extend(
        graph
            .signatures
            .first()
            .map(|s| ("ZEROPOINT_STAND_IN_KEY", s.key.clone())),
    );
    facts
}
