//! LiteRT's C functions, found in its shared library at run time, and a model that runs through them.
//!
//! Names, types and numbers are those of the headers `litert/c/*.h` of LiteRT 2.3. A process loads one model and ends with it, so
//! only what changes while it lives (tensor buffers) is ever given back.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

use libloading::Library;

use super::protocol::{Loaded, Port};
use super::{Array, Delegate};
use crate::error::{Error, Result};
use crate::{invalid, unsupported};

/// A pointer to one of LiteRT's objects.
type Handle = *mut c_void;
/// A status of LiteRT; 0 is success.
type Status = c_int;
/// What frees the payload of options.
type Free = extern "C" fn(*mut c_void);

/// Declares the functions and how they are found by name.
macro_rules! functions {
    ($($field:ident = $symbol:literal ($($argument:ty),*) $(-> $result:ty)?;)*) => {
        struct Functions {
            $($field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            /// Keeps the code behind the pointers in memory.
            _library: Library,
        }

        impl Functions {
            fn find(library: Library) -> std::result::Result<Self, &'static str> {
                Ok(Self {
                    // SAFETY: the symbol has this C signature in LiteRT's headers, and the library outlives the pointer.
                    $($field: unsafe {
                        *library.get(concat!($symbol, "\0").as_bytes()).map_err(|_| $symbol)?
                    },)*
                    _library: library,
                })
            }
        }
    };
}

functions! {
    create_environment = "LiteRtCreateEnvironment" (c_int, *const c_void, *mut Handle) -> Status;
    create_model = "LiteRtCreateModelFromBuffer" (Handle, *const c_void, usize, *mut Handle) -> Status;
    create_options = "LiteRtCreateOptions" (*mut Handle) -> Status;
    set_accelerators = "LiteRtSetOptionsHardwareAccelerators" (Handle, c_int) -> Status;
    create_opaque = "LiteRtCreateOpaqueOptions" (*const c_char, *mut c_void, Free, *mut Handle) -> Status;
    add_opaque = "LiteRtAddOpaqueOptions" (Handle, Handle) -> Status;
    compile = "LiteRtCreateCompiledModel" (Handle, Handle, Handle, *mut Handle) -> Status;
    fully_accelerated = "LiteRtCompiledModelIsFullyAccelerated" (Handle, *mut u8) -> Status;
    signatures = "LiteRtGetNumModelSignatures" (Handle, *mut usize) -> Status;
    signature = "LiteRtGetModelSignature" (Handle, usize, *mut Handle) -> Status;
    signature_key = "LiteRtGetSignatureKey" (Handle, *mut *const c_char) -> Status;
    signature_subgraph = "LiteRtGetSignatureSubgraph" (Handle, *mut Handle) -> Status;
    input_count = "LiteRtGetNumSubgraphInputs" (Handle, *mut usize) -> Status;
    output_count = "LiteRtGetNumSubgraphOutputs" (Handle, *mut usize) -> Status;
    input_tensor = "LiteRtGetSubgraphInput" (Handle, usize, *mut Handle) -> Status;
    output_tensor = "LiteRtGetSubgraphOutput" (Handle, usize, *mut Handle) -> Status;
    tensor_name = "LiteRtGetTensorName" (Handle, *mut *const c_char) -> Status;
    tensor_type = "LiteRtGetRankedTensorType" (Handle, *mut TensorType) -> Status;
    resize = "LiteRtCompiledModelResizeInputTensorNonStrict" (Handle, usize, usize, *const c_int, usize) -> Status;
    output_layouts = "LiteRtGetCompiledModelOutputTensorLayouts" (Handle, usize, usize, *mut u32, bool) -> Status;
    input_needs = "LiteRtGetCompiledModelInputBufferRequirements" (Handle, usize, usize, *mut Handle) -> Status;
    output_needs = "LiteRtGetCompiledModelOutputBufferRequirements" (Handle, usize, usize, *mut Handle) -> Status;
    create_buffer = "LiteRtCreateManagedTensorBufferFromRequirements" (Handle, *const TensorType, Handle, *mut Handle) -> Status;
    destroy_buffer = "LiteRtDestroyTensorBuffer" (Handle);
    buffer_size = "LiteRtGetTensorBufferPackedSize" (Handle, *mut usize) -> Status;
    lock = "LiteRtLockTensorBuffer" (Handle, *mut *mut c_void, c_int) -> Status;
    unlock = "LiteRtUnlockTensorBuffer" (Handle) -> Status;
    run = "LiteRtRunCompiledModel" (Handle, usize, usize, *mut Handle, usize, *mut Handle) -> Status;
}

/// The CPU among the bits of `LiteRtHwAccelerators`.
const CPU: c_int = 1;
const LOCK_READ: c_int = 0;
const LOCK_WRITE: c_int = 1;
/// `LITERT_TENSOR_MAX_RANK`.
const MOST_RANK: usize = 8;
/// Marks words that LiteRT did not write.
const UNTOUCHED: u32 = 0x5a5a_5a5a;

/// `LiteRtRankedTensorType` as words: element type, rank (7 bits) and a flag, 8 extents, 8 strides. Some builds of the library
/// for Windows keep the flag in a word of its own, which makes everything behind it one word later and the whole 19 words long.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct TensorType([u32; 24]);

impl TensorType {
    const NARROW: usize = 18;

    fn untouched() -> Self {
        Self([UNTOUCHED; 24])
    }

    /// Whether the flag has a word of its own: LiteRT has then written one word more.
    fn wide(&self) -> bool {
        self.0[Self::NARROW] != UNTOUCHED
    }

    fn element(&self) -> i32 {
        self.0[0] as i32
    }

    fn shape(&self) -> Vec<i32> {
        let extents = &self.0[2 + usize::from(self.wide())..];
        extents_of(self.0[1], extents)
    }

    /// The same element type with these extents, no strides.
    fn with_shape(mut self, shape: &[i32]) -> Self {
        let first = 2 + usize::from(self.wide());
        self.0[1..first].fill(0);
        self.0[1] = shape.len() as u32;
        for (word, &extent) in self.0[first..].iter_mut().zip(shape) {
            *word = extent as u32;
        }
        self
    }
}

/// The extents of a layout whose first word is `rank`.
fn extents_of(rank: u32, extents: &[u32]) -> Vec<i32> {
    let rank = (rank as usize & 0x7f).min(MOST_RANK);
    extents.iter().take(rank).map(|&d| d as i32).collect()
}

/// Fails with the name of the function and what its status means.
fn check(function: &str, status: Status) -> Result<()> {
    let meaning = match status {
        0 => return Ok(()),
        1 => "invalid argument",
        2 => "out of memory",
        3 => "runtime failure",
        4 => "missing input tensor",
        5 => "unsupported",
        6 => "not found",
        7 => "timeout",
        8 => "wrong version",
        500 => "file input or output",
        501 => "invalid flatbuffer",
        502 => "dynamic loading",
        503 => "serialization",
        504 => "compilation",
        1000 => "index out of bounds",
        1001 => "invalid type",
        1002 => "invalid graph",
        4000 => "unsupported runtime version",
        _ => "no further word",
    };
    unsupported!("LiteRT's {function} answers status {status}, {meaning}")
}

/// The options' payload lives as long as the process.
extern "C" fn keep(_: *mut c_void) {}

/// A compiled model with buffers for the shapes last fed.
pub(super) struct Model {
    functions: Functions,
    environment: Handle,
    compiled: Handle,
    signature: usize,
    inputs: Vec<(Port, TensorType)>,
    outputs: Vec<(Port, TensorType)>,
    fully_delegated: bool,
    /// Shapes of the inputs as they are now.
    shapes: Vec<Vec<i32>>,
    /// Whether the buffers are for these shapes.
    ready: bool,
    input_buffers: Vec<Handle>,
    output_buffers: Vec<Handle>,
    output_shapes: Vec<Vec<i32>>,
    /// LiteRT reads weights from here.
    _bytes: Vec<u8>,
}

/// Calls a function that gives a handle through its last argument.
fn made(function: &str, call: impl FnOnce(*mut Handle) -> Status) -> Result<Handle> {
    let mut handle: Handle = ptr::null_mut();
    check(function, call(&mut handle))?;
    if handle.is_null() {
        return unsupported!("LiteRT's {function} gives nothing");
    }
    Ok(handle)
}

/// Calls a function that gives a number through its last argument.
fn counted(function: &str, call: impl FnOnce(*mut usize) -> Status) -> Result<usize> {
    let mut count = 0;
    check(function, call(&mut count))?;
    Ok(count)
}

/// Calls a function that gives a text through its last argument; LiteRT keeps the text.
fn named(function: &str, call: impl FnOnce(*mut *const c_char) -> Status) -> Result<String> {
    let mut text: *const c_char = ptr::null();
    check(function, call(&mut text))?;
    if text.is_null() {
        return Ok(String::new());
    }
    // SAFETY: LiteRT gives a string that ends with 0 and lives as long as the model, which this process never frees.
    Ok(unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned())
}

impl Model {
    /// Loads the library, then the model, and compiles it for the CPU.
    ///
    /// # Errors
    /// A library that is none or lacks a function, a model that LiteRT refuses, a signature that it does not have.
    pub(super) fn load(
        library: &Path,
        bytes: Vec<u8>,
        threads: usize,
        delegate: Delegate,
        signature: Option<&str>,
    ) -> Result<Self> {
        let at = library.display();
        // SAFETY: loading runs the library's initialisers; this process exists for that and holds nothing else.
        let loaded = unsafe { Library::new(library) };
        let loaded = loaded
            .map_err(|e| Error::Invalid(format!("{at} cannot be loaded as a library: {e}")))?;
        let functions = Functions::find(loaded).map_err(|missing| {
            Error::Unsupported(format!(
                "{at} has no function {missing}; Zeropoint needs LiteRT 2.3 or newer (pip install -U ai-edge-litert)"
            ))
        })?;
        let f = &functions;

        // SAFETY: no options, so the pointer to them is not read.
        let environment = made("LiteRtCreateEnvironment", |out| unsafe {
            (f.create_environment)(0, ptr::null(), out)
        })?;
        // SAFETY: the bytes are kept in the model for the life of the process.
        let model = made("LiteRtCreateModelFromBuffer", |out| unsafe {
            (f.create_model)(environment, bytes.as_ptr().cast(), bytes.len(), out)
        })?;
        let options = options(f, threads, delegate)?;
        // SAFETY: three handles from above, none of them freed.
        let compiled = made("LiteRtCreateCompiledModel", |out| unsafe {
            (f.compile)(environment, model, options, out)
        })?;
        let mut fully_delegated = 0;
        // SAFETY: a live handle and a place for a byte, as C's bool is one.
        let status = unsafe { (f.fully_accelerated)(compiled, &mut fully_delegated) };
        check("LiteRtCompiledModelIsFullyAccelerated", status)?;
        let (signature, subgraph) = entry(f, model, signature)?;
        let inputs = ports(subgraph, f.input_count, f.input_tensor, f)?;
        let outputs = ports(subgraph, f.output_count, f.output_tensor, f)?;
        Ok(Self {
            environment,
            compiled,
            signature,
            fully_delegated: fully_delegated != 0,
            // LiteRT begins with 1 where the file leaves an axis open.
            shapes: inputs
                .iter()
                .map(|(port, _)| {
                    port.shape
                        .iter()
                        .map(|&d| if d < 0 { 1 } else { d })
                        .collect()
                })
                .collect(),
            ready: false,
            input_buffers: vec![],
            output_buffers: vec![],
            output_shapes: vec![],
            inputs,
            outputs,
            functions,
            _bytes: bytes,
        })
    }

    /// What LiteRT says of the model.
    pub(super) fn describe(&self) -> Result<Loaded> {
        let ports = |ports: &[(Port, TensorType)]| ports.iter().map(|(p, _)| p.clone()).collect();
        Ok(Loaded {
            inputs: ports(&self.inputs),
            outputs: ports(&self.outputs),
            fully_delegated: self.fully_delegated,
        })
    }

    /// Copies the inputs into LiteRT's buffers, which are made anew for other shapes than before.
    pub(super) fn feed(&mut self, inputs: &[Array]) -> Result<()> {
        for (array, (port, _)) in inputs.iter().zip(&self.inputs) {
            if array.element != port.element {
                return invalid!(
                    "Input '{}' takes elements of LiteRT's type {}, not {}",
                    port.name,
                    port.element,
                    array.element
                );
            }
        }
        let shapes: Vec<_> = inputs.iter().map(|array| array.shape.clone()).collect();
        self.resize(&shapes)?;
        for (array, &buffer) in inputs.iter().zip(&self.input_buffers) {
            let size = self.size(buffer)?;
            if size != array.bytes.len() {
                return invalid!(
                    "LiteRT takes {size} bytes where an input has {}",
                    array.bytes.len()
                );
            }
            let place = self.lock(buffer, LOCK_WRITE)?;
            // SAFETY: LiteRT maps `size` bytes at `place` until it is unlocked; the source is as long and no part of them.
            unsafe { ptr::copy_nonoverlapping(array.bytes.as_ptr(), place, size) };
            self.unlock(buffer)?;
        }
        Ok(())
    }

    /// Runs on what was last fed.
    pub(super) fn run(&mut self) -> Result<()> {
        let (inputs, outputs) = (&mut self.input_buffers, &mut self.output_buffers);
        // SAFETY: as many live buffers as each count says, none of them locked.
        let status = unsafe {
            (self.functions.run)(
                self.compiled,
                self.signature,
                inputs.len(),
                inputs.as_mut_ptr(),
                outputs.len(),
                outputs.as_mut_ptr(),
            )
        };
        check("LiteRtRunCompiledModel", status)
    }

    /// What the last run gave.
    pub(super) fn outputs(&self) -> Result<Vec<Array>> {
        let mut arrays = vec![];
        for (i, &buffer) in self.output_buffers.iter().enumerate() {
            let size = self.size(buffer)?;
            let place = self.lock(buffer, LOCK_READ)?;
            // SAFETY: LiteRT maps `size` bytes at `place` until it is unlocked, and nobody writes them meanwhile.
            let bytes = unsafe { std::slice::from_raw_parts(place, size) }.to_vec();
            self.unlock(buffer)?;
            let shape = self.output_shapes[i].iter().map(|&d| d.max(0) as usize);
            arrays.push(Array {
                element: self.outputs[i].0.element,
                shape: shape.collect(),
                bytes,
            });
        }
        Ok(arrays)
    }

    /// Gives the inputs these shapes, with new buffers where they had others, and says what shapes the outputs will have.
    pub(super) fn resize(&mut self, shapes: &[Vec<usize>]) -> Result<Vec<Vec<i32>>> {
        if shapes.len() != self.inputs.len() {
            return invalid!(
                "The model takes {} inputs, {} are given",
                self.inputs.len(),
                shapes.len()
            );
        }
        let f = &self.functions;
        for (i, (shape, (port, _))) in shapes.iter().zip(&self.inputs).enumerate() {
            let extents = shape.iter().map(|&d| i32::try_from(d));
            let extents = extents.collect::<std::result::Result<Vec<_>, _>>();
            let Some(extents) = extents.ok().filter(|e| e.len() <= MOST_RANK) else {
                return unsupported!(
                    "LiteRT takes no input of the shape {shape:?} ('{}')",
                    port.name
                );
            };
            if self.shapes[i] == extents {
                continue;
            }
            self.ready = false;
            // SAFETY: a live handle, and as many extents as the length says.
            let status = unsafe {
                let (extents, rank) = (extents.as_ptr(), extents.len());
                (f.resize)(self.compiled, self.signature, i, extents, rank)
            };
            check("LiteRtCompiledModelResizeInputTensorNonStrict", status)
                .map_err(|e| e.at(format!("Input '{}' with the shape {shape:?}", port.name)))?;
            self.shapes[i] = extents;
        }
        if !self.ready {
            self.make_buffers()?;
            self.ready = true;
        }
        Ok(self.output_shapes.clone())
    }

    /// Buffers for the shapes as they are now in place of the earlier ones.
    fn make_buffers(&mut self) -> Result<()> {
        let f = &self.functions;
        let earlier = self.input_buffers.drain(..);
        for buffer in earlier.chain(self.output_buffers.drain(..)) {
            // SAFETY: a live buffer of ours that is dropped from both lists here.
            unsafe { (f.destroy_buffer)(buffer) };
        }
        self.output_shapes = self.layouts()?;
        for (i, (shape, (_, kind))) in self.shapes.iter().zip(&self.inputs).enumerate() {
            let buffer = self.buffer(f.input_needs, i, kind.with_shape(shape))?;
            self.input_buffers.push(buffer);
        }
        for (i, (shape, (port, kind))) in self.output_shapes.iter().zip(&self.outputs).enumerate() {
            if shape.iter().any(|&d| d < 0) {
                return unsupported!(
                    "LiteRT knows the shape of output '{}' only after the run, which its C interface cannot read",
                    port.name
                );
            }
            let buffer = self.buffer(f.output_needs, i, kind.with_shape(shape))?;
            self.output_buffers.push(buffer);
        }
        Ok(())
    }

    /// The shape of each output for the inputs as they are now.
    fn layouts(&self) -> Result<Vec<Vec<i32>>> {
        let wide = self
            .outputs
            .iter()
            .chain(&self.inputs)
            .any(|(_, t)| t.wide());
        let words = TensorType::NARROW - 1 + usize::from(wide);
        let mut layouts = vec![0u32; words * self.outputs.len()];
        // SAFETY: room for as many layouts of that many words as the count says.
        let status = unsafe {
            (self.functions.output_layouts)(
                self.compiled,
                self.signature,
                self.outputs.len(),
                layouts.as_mut_ptr(),
                true,
            )
        };
        check("LiteRtGetCompiledModelOutputTensorLayouts", status)?;
        let first = 1 + usize::from(wide);
        let layouts = layouts.chunks_exact(words);
        Ok(layouts.map(|l| extents_of(l[0], &l[first..])).collect())
    }

    fn buffer(
        &self,
        needs: unsafe extern "C" fn(Handle, usize, usize, *mut Handle) -> Status,
        index: usize,
        kind: TensorType,
    ) -> Result<Handle> {
        // SAFETY: a live handle; the model owns what is given.
        let needs = made("LiteRtGetCompiledModelBufferRequirements", |out| unsafe {
            needs(self.compiled, self.signature, index, out)
        })?;
        // SAFETY: live handles, and a tensor type in the library's own layout.
        made(
            "LiteRtCreateManagedTensorBufferFromRequirements",
            |out| unsafe { (self.functions.create_buffer)(self.environment, &kind, needs, out) },
        )
    }

    fn size(&self, buffer: Handle) -> Result<usize> {
        // SAFETY: a live buffer and a place for a size.
        counted("LiteRtGetTensorBufferPackedSize", |out| unsafe {
            (self.functions.buffer_size)(buffer, out)
        })
    }

    fn lock(&self, buffer: Handle, mode: c_int) -> Result<*mut u8> {
        // SAFETY: a live, unlocked buffer and a place for a pointer.
        let place = made("LiteRtLockTensorBuffer", |out| unsafe {
            (self.functions.lock)(buffer, out, mode)
        })?;
        Ok(place.cast())
    }

    fn unlock(&self, buffer: Handle) -> Result<()> {
        // SAFETY: a live buffer that was locked just before.
        check("LiteRtUnlockTensorBuffer", unsafe {
            (self.functions.unlock)(buffer)
        })
    }
}

/// Compilation options: the CPU with that many threads.
fn options(f: &Functions, threads: usize, delegate: Delegate) -> Result<Handle> {
    // SAFETY: a place for a handle.
    let options = made("LiteRtCreateOptions", |out| unsafe {
        (f.create_options)(out)
    })?;
    // SAFETY: a live handle.
    let status = unsafe { (f.set_accelerators)(options, CPU) };
    check("LiteRtSetOptionsHardwareAccelerators", status)?;
    // The CPU accelerator reads its options as TOML under this name.
    let mode = delegate.kernel_mode();
    let text = CString::new(format!(
        "num_threads = {threads}\nkernel_mode = \"{mode}\"\n"
    ));
    let text = text.map_err(|e| Error::Invalid(e.to_string()))?.into_raw();
    // SAFETY: both texts end with 0; the second lives as long as the process, as `keep` frees nothing.
    let opaque = made("LiteRtCreateOpaqueOptions", |out| unsafe {
        (f.create_opaque)(c"xnnpack".as_ptr(), text.cast(), keep, out)
    })?;
    // SAFETY: live handles; the options own the second from now on.
    let status = unsafe { (f.add_opaque)(options, opaque) };
    check("LiteRtAddOpaqueOptions", status)?;
    Ok(options)
}

/// The signature of that name, or the first, and its subgraph.
fn entry(f: &Functions, model: Handle, wanted: Option<&str>) -> Result<(usize, Handle)> {
    // SAFETY: a live handle and a place for a count.
    let count = counted("LiteRtGetNumModelSignatures", |out| unsafe {
        (f.signatures)(model, out)
    })?;
    for i in 0..count {
        // SAFETY: a live handle, an index below the count.
        let signature = made("LiteRtGetModelSignature", |out| unsafe {
            (f.signature)(model, i, out)
        })?;
        // SAFETY: a live handle and a place for a pointer.
        let key = named("LiteRtGetSignatureKey", |out| unsafe {
            (f.signature_key)(signature, out)
        })?;
        if wanted.is_none_or(|w| w == key) {
            // SAFETY: a live handle and a place for a handle.
            let subgraph = made("LiteRtGetSignatureSubgraph", |out| unsafe {
                (f.signature_subgraph)(signature, out)
            })?;
            return Ok((i, subgraph));
        }
    }
    match wanted {
        Some(key) => unsupported!("LiteRT finds no signature {key:?} in the model"),
        None => unsupported!("LiteRT finds no entry in the model"),
    }
}

/// The inputs or outputs of a subgraph.
fn ports(
    subgraph: Handle,
    count: unsafe extern "C" fn(Handle, *mut usize) -> Status,
    get: unsafe extern "C" fn(Handle, usize, *mut Handle) -> Status,
    f: &Functions,
) -> Result<Vec<(Port, TensorType)>> {
    // SAFETY: a live handle and a place for a count.
    let count = counted("LiteRtGetNumSubgraphInputs", |out| unsafe {
        count(subgraph, out)
    })?;
    let mut ports = vec![];
    for i in 0..count {
        // SAFETY: a live handle, an index below the count.
        let tensor = made("LiteRtGetSubgraphInput", |out| unsafe {
            get(subgraph, i, out)
        })?;
        // SAFETY: a live handle and a place for a pointer.
        let name = named("LiteRtGetTensorName", |out| unsafe {
            (f.tensor_name)(tensor, out)
        })?;
        let mut kind = TensorType::untouched();
        // SAFETY: a live handle, and room for more words than either layout has.
        let status = unsafe { (f.tensor_type)(tensor, &mut kind) };
        check("LiteRtGetRankedTensorType", status).map_err(|e| e.at(format!("Tensor '{name}'")))?;
        let port = Port {
            name,
            element: kind.element(),
            shape: kind.shape(),
        };
        ports.push((port, kind));
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a library writes: narrow layouts are 18 words, wide ones 19.
    fn written(wide: bool, element: u32, extents: &[i32]) -> TensorType {
        let mut t = TensorType::untouched();
        t.0[..TensorType::NARROW + usize::from(wide)].fill(0);
        (t.0[0], t.0[1]) = (element, extents.len() as u32 | 0x80);
        for (i, &d) in extents.iter().enumerate() {
            t.0[2 + usize::from(wide) + i] = d as u32;
        }
        t
    }

    #[test]
    fn both_layouts_of_a_tensor_type_are_read_and_written() {
        for wide in [false, true] {
            let t = written(wide, 9, &[-1, 28, 28]);
            assert_eq!(
                (t.wide(), t.element(), t.shape()),
                (wide, 9, vec![-1, 28, 28])
            );
            let resized = t.with_shape(&[4, 7]);
            assert_eq!((resized.wide(), resized.shape()), (wide, vec![4, 7]));
            assert_eq!(resized.0[1], 2, "no strides");
        }
    }
}
