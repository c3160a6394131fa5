//! The words between Zeropoint and the child process that runs LiteRT: frames of a JSON head and raw blobs, each with its length.
//!
//! A frame is a marker, the head's length (u32), the number of blobs (u32), each blob's length (u64), the head, the blobs, all
//! little-endian. What comes before a marker is skipped: LiteRT prints where it likes.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Array, Delegate};

/// Begins every frame.
const MARKER: [u8; 8] = *b"\x93ZPRT\r\n\x1a";
/// Longest head; those of real models are a few hundred bytes.
const MOST_HEAD: u32 = 1 << 20;
/// Most blobs: a model, or the inputs or outputs of one.
const MOST_BLOBS: u32 = 1 << 12;
/// Most bytes that are skipped in search of a marker.
const MOST_NOISE: usize = 16 << 20;

/// What the child is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Load and compile a model; once in a process.
    Load {
        /// The `.tflite` file; travels as a blob.
        #[serde(skip)]
        model: Vec<u8>,
        /// Threads that LiteRT may use.
        threads: usize,
        /// What computes.
        delegate: Delegate,
        /// Signature to enter; `None` for the first.
        signature: Option<String>,
    },
    /// Take inputs of these shapes from now on, and say what shapes the outputs will have.
    Resize {
        /// One per input.
        shapes: Vec<Vec<usize>>,
    },
    /// Run once.
    Run {
        /// One array per input of the signature's subgraph.
        inputs: Vec<Array>,
    },
    /// Run again and again on the same inputs, and time each run.
    Time {
        /// As for `Run`.
        inputs: Vec<Array>,
        /// Runs that are not timed.
        warm_up: usize,
        /// Timed runs at least.
        least: usize,
        /// Timed runs at most.
        most: usize,
        /// About how long to time.
        seconds: f64,
    },
}

/// What the child answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// The model is ready.
    Loaded(Loaded),
    /// The inputs have the new shapes.
    Resized {
        /// Extents of each output, as far as LiteRT knows them before the run.
        outputs: Vec<Vec<i32>>,
    },
    /// It ran.
    Ran {
        /// One array per output of the subgraph.
        outputs: Vec<Array>,
    },
    /// Time of each run, nanoseconds.
    Timed {
        /// In the order of the runs; travels as a blob, as there may be a million.
        #[serde(skip)]
        nanoseconds: Vec<u64>,
    },
    /// It could not be done; one sentence.
    Failed {
        /// Why.
        message: String,
    },
}

/// What LiteRT says of a model that it loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Inputs of the subgraph, in order.
    pub inputs: Vec<Port>,
    /// Its outputs.
    pub outputs: Vec<Port>,
    /// Whether the delegate took every operator.
    pub fully_delegated: bool,
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// The tensor's name.
    pub name: String,
    /// LiteRT's number of the element type.
    pub element: i32,
    /// Extent of each axis, below 0 where the file leaves it open.
    pub shape: Vec<i32>,
}

/// Writes a request and flushes.
pub fn write_request(to: &mut impl Write, request: &Request) -> io::Result<()> {
    let blobs: Vec<&[u8]> = match request {
        Request::Load { model, .. } => vec![model],
        Request::Resize { .. } => vec![],
        Request::Run { inputs } | Request::Time { inputs, .. } => bytes_of(inputs),
    };
    write_frame(to, request, &blobs)
}

/// Reads a request; `None` at the end of the stream.
pub fn read_request(from: &mut impl Read) -> io::Result<Option<Request>> {
    let Some((mut request, mut blobs)) = read_frame::<Request>(from)? else {
        return Ok(None);
    };
    match &mut request {
        Request::Load { model, .. } => *model = blobs.pop().unwrap_or_default(),
        Request::Resize { .. } => {}
        Request::Run { inputs } | Request::Time { inputs, .. } => fill(inputs, blobs)?,
    }
    Ok(Some(request))
}

/// Writes a reply and flushes.
pub fn write_reply(to: &mut impl Write, reply: &Reply) -> io::Result<()> {
    let times: Vec<u8>;
    let blobs = match reply {
        Reply::Ran { outputs } => bytes_of(outputs),
        Reply::Timed { nanoseconds } => {
            times = nanoseconds.iter().flat_map(|t| t.to_le_bytes()).collect();
            vec![times.as_slice()]
        }
        Reply::Loaded(_) | Reply::Resized { .. } | Reply::Failed { .. } => {
            vec![]
        }
    };
    write_frame(to, reply, &blobs)
}

/// Reads a reply; `None` at the end of the stream.
pub fn read_reply(from: &mut impl Read) -> io::Result<Option<Reply>> {
    let Some((mut reply, mut blobs)) = read_frame::<Reply>(from)? else {
        return Ok(None);
    };
    match &mut reply {
        Reply::Ran { outputs } => fill(outputs, blobs)?,
        Reply::Timed { nanoseconds } => {
            let bytes = blobs.pop().unwrap_or_default();
            let (times, rest) = bytes.as_chunks::<8>();
            if !rest.is_empty() {
                return Err(damaged("whole times"));
            }
            *nanoseconds = times.iter().map(|&t| u64::from_le_bytes(t)).collect();
        }
        Reply::Loaded(_) | Reply::Resized { .. } | Reply::Failed { .. } => {}
    }
    Ok(Some(reply))
}

fn bytes_of(arrays: &[Array]) -> Vec<&[u8]> {
    arrays.iter().map(|a| a.bytes.as_slice()).collect()
}

fn fill(arrays: &mut [Array], blobs: Vec<Vec<u8>>) -> io::Result<()> {
    if arrays.len() != blobs.len() {
        return Err(damaged("as many arrays as blobs"));
    }
    for (array, blob) in arrays.iter_mut().zip(blobs) {
        array.bytes = blob;
    }
    Ok(())
}

fn damaged(missing: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it is no frame of the protocol: {missing} expected"),
    )
}

fn write_frame(to: &mut impl Write, head: &impl Serialize, blobs: &[&[u8]]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let length = |n: usize| u32::try_from(n).map_err(|_| damaged("a shorter head"));
    let mut start = MARKER.to_vec();
    start.extend(length(head.len())?.to_le_bytes());
    start.extend(length(blobs.len())?.to_le_bytes());
    for blob in blobs {
        start.extend((blob.len() as u64).to_le_bytes());
    }
    start.extend(head);
    to.write_all(&start)?;
    for blob in blobs {
        to.write_all(blob)?;
    }
    to.flush()
}

fn read_frame<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<(T, Vec<Vec<u8>>)>> {
    if !skip_to_marker(from)? {
        return Ok(None);
    }
    let mut counts = [0u8; 8];
    from.read_exact(&mut counts)?;
    let [a, b, c, d, e, f, g, h] = counts;
    let (head, blobs) = (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    );
    if head > MOST_HEAD || blobs > MOST_BLOBS {
        return Err(damaged("a shorter head"));
    }
    let mut lengths = vec![];
    for _ in 0..blobs {
        let mut length = [0u8; 8];
        from.read_exact(&mut length)?;
        lengths.push(u64::from_le_bytes(length));
    }
    let head: T = serde_json::from_slice(&read_bytes(from, head.into())?)?;
    let blobs = lengths.into_iter().map(|n| read_bytes(from, n));
    Ok(Some((head, blobs.collect::<io::Result<_>>()?)))
}

/// That many bytes. Memory grows with what arrives, not with what a length claims.
fn read_bytes(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(1 << 20) as usize);
    from.by_ref().take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Reads up to and with the next marker; `false` at the end of the stream.
fn skip_to_marker(from: &mut impl Read) -> io::Result<bool> {
    let mut last = [0u8; MARKER.len()];
    for _ in 0..MOST_NOISE {
        let mut byte = [0u8];
        if from.read(&mut byte)? == 0 {
            return Ok(false);
        }
        last.rotate_left(1);
        last[MARKER.len() - 1] = byte[0];
        if last == MARKER {
            return Ok(true);
        }
    }
    Err(damaged("a marker"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran() -> Reply {
        let array = |shape: Vec<usize>, bytes: &[u8]| Array {
            element: 3,
            shape,
            bytes: bytes.to_vec(),
        };
        Reply::Ran {
            outputs: vec![array(vec![2, 2], &[1, 2, 3, 4]), array(vec![0], &[])],
        }
    }

    #[test]
    fn what_is_written_is_read_whatever_lies_between() {
        let load = Request::Load {
            model: vec![7; 3000],
            threads: 2,
            delegate: Delegate::None,
            signature: Some("serving_default".into()),
        };
        let mut stream = b"INFO: \x93ZPRT\r something".to_vec();
        write_request(&mut stream, &load).unwrap();
        stream.extend(b"Created delegate\n");
        write_request(&mut stream, &load).unwrap();
        let mut from = stream.as_slice();
        for _ in 0..2 {
            assert_eq!(read_request(&mut from).unwrap().as_ref(), Some(&load));
        }
        assert_eq!(read_request(&mut from).unwrap(), None);
        let timed = Reply::Timed {
            nanoseconds: (0..1_000_000).collect(),
        };
        for reply in [ran(), timed] {
            let mut stream = vec![];
            write_reply(&mut stream, &reply).unwrap();
            assert_eq!(read_reply(&mut stream.as_slice()).unwrap(), Some(reply));
        }
    }

    #[test]
    fn damaged_frames_are_errors_and_cost_no_memory() {
        let mut whole = vec![];
        write_reply(&mut whole, &ran()).unwrap();
        for cut in MARKER.len()..whole.len() {
            assert!(read_reply(&mut &whole[..cut]).is_err(), "cut at {cut}");
        }
        for at in MARKER.len()..whole.len() - 4 {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            // A changed length or head may still be a frame, but never a panic.
            let _ = read_reply(&mut bytes.as_slice());
        }
    }
}
