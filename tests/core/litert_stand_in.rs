//! A library with LiteRT's C functions that misbehaves as the variable ZEROPOINT_STAND_IN says. Built by `litert.rs`, linked by nobody.
//!
//! It knows one model, the built-in demo's: an input of 1 × 28 × 28 float32, an output of 1 × 10. Output `i` of sample `s` is
//! `i` + the sample's first value, so the answer is always 9.

use std::ffi::{c_char, c_int, c_void, CString};
use std::io::Write;
use std::sync::Mutex;

type Handle = *mut c_void;

/// Buffers in the order they were made: the input's, then the output's.
static BUFFERS: Mutex<Vec<Box<[f32]>>> = Mutex::new(vec![]);
static ROWS: Mutex<i32> = Mutex::new(1);

fn mode() -> String {
    std::env::var("ZEROPOINT_STAND_IN").unwrap_or_default()
}

fn is(wanted: &str) -> bool {
    mode() == wanted
}

fn sleep_forever() -> ! {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

/// A handle that is never followed.
fn token(n: usize) -> Handle {
    (n + 1) as Handle
}

unsafe fn give<T>(out: *mut T, value: T) -> c_int {
    unsafe { out.write(value) };
    0
}

fn text(name: &str, otherwise: &str) -> *const c_char {
    let text = std::env::var(name).unwrap_or_else(|_| otherwise.into());
    CString::new(text).unwrap().into_raw()
}

#[no_mangle]
unsafe extern "C" fn LiteRtCreateEnvironment(_: c_int, _: *const c_void, out: *mut Handle) -> c_int {
    if let Ok(file) = std::env::var("ZEROPOINT_STAND_IN_PID") {
        std::fs::write(file, std::process::id().to_string()).unwrap();
    }
    if is("noise") {
        print!("{}\x1b INFO: \0\u{7f} noise", "x".repeat(100_000));
        std::io::stdout().flush().unwrap();
        eprintln!("INFO: nothing to see");
    }
    unsafe { give(out, token(0)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtCreateModelFromBuffer(_: Handle, _: *const c_void, _: usize, out: *mut Handle) -> c_int {
    if is("status") {
        eprintln!("ERROR: [model.cc:7] the stand-in refuses this model");
        return 501;
    }
    unsafe { give(out, token(1)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtCreateOptions(out: *mut Handle) -> c_int {
    unsafe { give(out, token(2)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtSetOptionsHardwareAccelerators(_: Handle, _: c_int) -> c_int {
    0
}

#[no_mangle]
unsafe extern "C" fn LiteRtCreateOpaqueOptions(_: *const c_char, _: *mut c_void, _: extern "C" fn(*mut c_void), out: *mut Handle) -> c_int {
    unsafe { give(out, token(3)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtAddOpaqueOptions(_: Handle, _: Handle) -> c_int {
    0
}

#[no_mangle]
unsafe extern "C" fn LiteRtCreateCompiledModel(_: Handle, _: Handle, _: Handle, out: *mut Handle) -> c_int {
    match mode().as_str() {
        "abort" => {
            eprintln!("F0000 fatal: the stand-in's check failed");
            std::process::abort()
        }
        "segfault" => unsafe { (8 as *mut u8).write_volatile(1) },
        "hang" => sleep_forever(),
        _ => {}
    }
    unsafe { give(out, token(4)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtCompiledModelIsFullyAccelerated(_: Handle, out: *mut bool) -> c_int {
    unsafe { give(out, true) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetNumModelSignatures(_: Handle, out: *mut usize) -> c_int {
    unsafe { give(out, 1) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetModelSignature(_: Handle, _: usize, out: *mut Handle) -> c_int {
    unsafe { give(out, token(5)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetSignatureKey(_: Handle, out: *mut *const c_char) -> c_int {
    unsafe { give(out, text("ZEROPOINT_STAND_IN_KEY", "serving_default")) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetSignatureSubgraph(_: Handle, out: *mut Handle) -> c_int {
    unsafe { give(out, token(6)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetNumSubgraphInputs(_: Handle, out: *mut usize) -> c_int {
    unsafe { give(out, 1) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetNumSubgraphOutputs(_: Handle, out: *mut usize) -> c_int {
    unsafe { give(out, 1) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetSubgraphInput(_: Handle, _: usize, out: *mut Handle) -> c_int {
    unsafe { give(out, token(7)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetSubgraphOutput(_: Handle, _: usize, out: *mut Handle) -> c_int {
    unsafe { give(out, token(8)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetTensorName(tensor: Handle, out: *mut *const c_char) -> c_int {
    let name = if tensor == token(7) { "INPUT" } else { "OUTPUT" };
    unsafe { give(out, text(&format!("ZEROPOINT_STAND_IN_{name}"), "?")) }
}

/// The shape of the input or the output, as the rows are now.
fn shape(input: bool) -> Vec<i32> {
    let rows = *ROWS.lock().unwrap();
    if input { vec![rows, 28, 28] } else { vec![rows, 10] }
}

unsafe fn give_layout(out: *mut u32, shape: &[i32]) {
    let mut words = [0u32; 17];
    words[0] = shape.len() as u32;
    for (word, &d) in words[1..].iter_mut().zip(shape) {
        *word = d as u32;
    }
    unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), out, words.len()) };
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetRankedTensorType(tensor: Handle, out: *mut u32) -> c_int {
    unsafe {
        out.write(1);
        give_layout(out.add(1), &shape(tensor == token(7)));
    }
    0
}

#[no_mangle]
unsafe extern "C" fn LiteRtCompiledModelResizeInputTensorNonStrict(_: Handle, _: usize, _: usize, dims: *const c_int, _: usize) -> c_int {
    *ROWS.lock().unwrap() = unsafe { *dims };
    0
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetCompiledModelOutputTensorLayouts(_: Handle, _: usize, _: usize, out: *mut u32, _: bool) -> c_int {
    let mut shape = shape(false);
    if is("garbage") {
        shape = vec![i32::MAX, i32::MAX, i32::MAX];
    }
    unsafe { give_layout(out, &shape) };
    0
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetCompiledModelInputBufferRequirements(_: Handle, _: usize, _: usize, out: *mut Handle) -> c_int {
    unsafe { give(out, token(9)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtGetCompiledModelOutputBufferRequirements(_: Handle, _: usize, _: usize, out: *mut Handle) -> c_int {
    unsafe { give(out, token(10)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtCreateManagedTensorBufferFromRequirements(_: Handle, _: *const u32, needs: Handle, out: *mut Handle) -> c_int {
    let size: i32 = shape(needs == token(9)).iter().product();
    let mut buffers = BUFFERS.lock().unwrap();
    buffers.push(vec![0.0; size as usize].into());
    unsafe { give(out, token(buffers.len() - 1)) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtDestroyTensorBuffer(_: Handle) {}

#[no_mangle]
unsafe extern "C" fn LiteRtGetTensorBufferPackedSize(buffer: Handle, out: *mut usize) -> c_int {
    let buffers = BUFFERS.lock().unwrap();
    unsafe { give(out, buffers[buffer as usize - 1].len() * 4) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtLockTensorBuffer(buffer: Handle, out: *mut *mut c_void, _: c_int) -> c_int {
    let mut buffers = BUFFERS.lock().unwrap();
    unsafe { give(out, buffers[buffer as usize - 1].as_mut_ptr().cast()) }
}

#[no_mangle]
unsafe extern "C" fn LiteRtUnlockTensorBuffer(_: Handle) -> c_int {
    0
}

#[no_mangle]
unsafe extern "C" fn LiteRtRunCompiledModel(_: Handle, _: usize, _: usize, inputs: *const Handle, _: usize, outputs: *const Handle) -> c_int {
    match mode().as_str() {
        "hang-run" => sleep_forever(),
        "exit-run" => std::process::exit(3),
        "status-run" => return 3,
        _ => {}
    }
    let mut buffers = BUFFERS.lock().unwrap();
    let (input, output) = unsafe { (*inputs as usize - 1, *outputs as usize - 1) };
    let firsts: Vec<f32> = buffers[input].chunks(28 * 28).map(|row| row[0]).collect();
    for (row, first) in buffers[output].chunks_mut(10).zip(firsts) {
        for (i, y) in row.iter_mut().enumerate() {
            *y = i as f32 + first;
        }
    }
    0
}
