//! Files checked once and then decoded in parallel while they stream, a few megabytes ahead.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::decode::{Decoder, Sample};
use super::{Entry, ReadFile};
use crate::data::selection::Queue;
use crate::data::words::count;
use crate::data::{Dataset, Origin, Original};
use crate::error::{Error, Result};
use crate::graph::Value;
use crate::invalid;
use crate::progress::Progress;

/// Largest file that is read.
const MAX_FILE: u64 = 256 << 20;
/// Bytes of decoded samples that are kept for good.
const KEEP: usize = 64 << 20;
/// Bytes of decoded samples that are read ahead, and pixels a thread decodes for them.
const AHEAD: usize = 16 << 20;
const AHEAD_PIXELS: u64 = 4 << 20;
/// Most samples that are read ahead.
const AHEAD_SAMPLES: usize = 128;
/// Files checked between two reports of progress.
const CHECKED: usize = 64;

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// Its path within the folder.
    pub file: String,
    /// Why, in a few words.
    pub reason: String,
}

/// What checking the chosen files found.
pub(super) struct Found {
    /// Places of the readable ones, ascending, and what each held.
    good: Vec<(usize, Original)>,
    bad: Vec<Skipped>,
    /// Decoded samples that were kept, by place.
    kept: HashMap<usize, Sample>,
}

/// Decodes files in the order of each queue until as many are readable as are wanted.
pub(super) fn check(
    name: &str,
    files: &[Entry],
    queues: &[Queue],
    read: &ReadFile,
    decoder: &Decoder,
    progress: &Progress,
) -> Result<Found> {
    let wanted: usize = queues.iter().map(|q| q.wanted).sum();
    let mut found = Found {
        good: vec![],
        bad: vec![],
        kept: HashMap::new(),
    };
    let mut kept = 0;
    for queue in queues {
        let mut order = queue.order.as_slice();
        let goal = found.good.len() + queue.wanted;
        while found.good.len() < goal && !order.is_empty() {
            progress.report(found.good.len(), wanted)?;
            let next = (goal - found.good.len()).min(CHECKED).min(order.len());
            let (now, later) = order.split_at(next);
            order = later;
            let check = |&place: &usize| {
                progress.check()?;
                let Some(file) = files.get(place) else {
                    return invalid!("{name} has no file {place}");
                };
                Ok((place, decode(file, read, decoder)))
            };
            let checked: Result<Vec<_>> = now.par_iter().map(check).collect();
            for (place, decoded) in checked? {
                match decoded {
                    Ok((sample, original)) => {
                        found.good.push((place, original));
                        if kept + sample.memory() <= KEEP {
                            kept += sample.memory();
                            found.kept.insert(place, sample);
                        }
                    }
                    Err(reason) => found.bad.push(Skipped {
                        file: files.get(place).map_or(String::new(), |f| f.path.clone()),
                        reason,
                    }),
                }
            }
            stop_at_one_percent(name, &found, wanted)?;
        }
    }
    progress.report(wanted, wanted)?;
    if found.good.is_empty() {
        let reason = found.bad.first();
        return invalid!(
            "None of the files of {name} can be read{}",
            reason.map_or(String::new(), |s| format!(": {}, {}", s.file, s.reason))
        );
    }
    stop_at_one_percent(name, &found, found.good.len() + found.bad.len())?;
    found.good.sort_unstable_by_key(|&(place, _)| place);
    Ok(found)
}

/// Fails if more than one file, and more than 1 % of `looked_at`, cannot be read.
fn stop_at_one_percent(name: &str, found: &Found, looked_at: usize) -> Result<()> {
    let bad = found.bad.len();
    if bad <= 1 || bad * 100 <= looked_at.max(found.good.len() + bad) {
        return Ok(());
    }
    let mut list: Vec<String> = found
        .bad
        .iter()
        .take(10)
        .map(|s| format!("{} ({})", s.file, s.reason))
        .collect();
    if bad > 10 {
        list.push(format!("and {} more", count(bad - 10)));
    }
    invalid!(
        "{} of {} files of {name} cannot be read, more than 1 %: {}",
        count(bad),
        count(found.good.len() + bad),
        list.join(", ")
    )
}

/// One file's sample; `Err` is the reason in a few words.
fn decode(file: &Entry, read: &ReadFile, decoder: &Decoder) -> Result<(Sample, Original), String> {
    if file.bytes > MAX_FILE {
        return Err(format!(
            "too large: {} MB, {} are the limit",
            count((file.bytes >> 20) as usize),
            MAX_FILE >> 20
        ));
    }
    let bytes = read(&file.path).map_err(|e| e.to_string())?;
    decoder.decode(&bytes)
}

/// Checked files as samples.
struct Files {
    name: String,
    read: ReadFile,
    decoder: Decoder,
    files: Vec<Entry>,
    originals: Vec<Original>,
    labels: Option<Vec<u32>>,
    /// Decoded when checked, and kept.
    kept: Vec<Option<Sample>>,
    /// Where each stretch that is read ahead begins, ascending from 0.
    starts: Vec<usize>,
    /// The stretches decoded last, newest last: one may straddle a batch's end.
    ahead: Mutex<Vec<(usize, Arc<Stretch>)>>,
}

/// Decoded samples of one stretch; `None` for those that are kept elsewhere.
type Stretch = Vec<Option<Sample>>;

/// The readable files among `files` as samples, and those that were skipped.
pub(super) fn dataset(
    name: &str,
    (read, decoder): (ReadFile, Decoder),
    mut files: Vec<Entry>,
    labels: Option<&[u32]>,
    mut found: Found,
) -> (Arc<dyn Dataset>, Vec<Skipped>) {
    let places = || found.good.iter().map(|&(place, _)| place);
    let labels = labels.map(|l| places().filter_map(|p| l.get(p).copied()).collect());
    let mut kept: Vec<Option<Sample>> = vec![];
    let mut chosen = vec![];
    let mut originals = vec![];
    for &(place, original) in &found.good {
        kept.push(found.kept.remove(&place));
        originals.push(original);
        if let Some(file) = files.get_mut(place) {
            chosen.push(std::mem::replace(
                file,
                Entry {
                    path: String::new(),
                    bytes: 0,
                },
            ));
        }
    }
    let starts = starts(&originals, decoder.size() * 4);
    let dataset = Files {
        name: name.to_owned(),
        read,
        decoder,
        files: chosen,
        originals,
        labels,
        kept,
        starts,
        ahead: Mutex::default(),
    };
    (Arc::new(dataset), found.bad)
}

/// Where stretches begin that stay within the limits of what is read ahead, samples of `size` bytes each.
fn starts(originals: &[Original], size: usize) -> Vec<usize> {
    let most_pixels = AHEAD_PIXELS * rayon::current_num_threads().max(1) as u64;
    let most = (AHEAD / size.max(1)).clamp(1, AHEAD_SAMPLES);
    let mut starts = vec![0];
    let (mut samples, mut pixels) = (0, 0);
    for (i, original) in originals.iter().enumerate() {
        let more = match *original {
            Original::Image { width, height } => u64::from(width) * u64::from(height),
            Original::Sound { rate, seconds } => (f64::from(rate) * seconds) as u64,
        };
        if samples > 0 && (samples == most || pixels + more > most_pixels) {
            starts.push(i);
            (samples, pixels) = (0, 0);
        }
        samples += 1;
        pixels += more;
    }
    starts
}

impl Files {
    /// The decoded samples of stretch `number`.
    fn stretch(&self, number: usize) -> Result<Arc<Stretch>> {
        let held = |ahead: &[(usize, Arc<Stretch>)]| {
            let found = ahead.iter().find(|(n, _)| *n == number);
            found.map(|(_, s)| s.clone())
        };
        let lock = || self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stretch) = held(&lock()) {
            return Ok(stretch);
        }
        let start = self.starts.get(number).copied().unwrap_or(0);
        let end = self.starts.get(number + 1).copied();
        let end = end.unwrap_or(self.files.len());
        let one = |i: usize| {
            if self.kept.get(i).is_none_or(Option::is_some) {
                return Ok(None);
            }
            let Some(file) = self.files.get(i) else {
                return Ok(None);
            };
            match decode(file, &self.read, &self.decoder) {
                Ok((sample, _)) => Ok(Some(sample)),
                Err(reason) => Err(Error::Malformed(format!(
                    "{} of {} could be read when the folder was opened and no longer can: {reason}",
                    file.path, self.name
                ))),
            }
        };
        let stretch: Result<Stretch> = (start..end).into_par_iter().map(one).collect();
        let stretch = Arc::new(stretch?);
        let mut ahead = lock();
        if ahead.len() >= 2 {
            ahead.remove(0);
        }
        ahead.push((number, stretch.clone()));
        Ok(stretch)
    }
}

impl Dataset for Files {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.files.len()
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        if range.start > range.end || range.end > self.len() {
            return invalid!(
                "Samples {}..{} were asked of {}, which has {}",
                range.start,
                range.end,
                self.name,
                self.len()
            );
        }
        // Held until the batch is made, so that its samples stay where they are.
        let mut stretches: Vec<(usize, usize, Arc<Stretch>)> = vec![];
        let mut next = range.start;
        while let Some(i) =
            (next..range.end).find(|&i| self.kept.get(i).is_some_and(Option::is_none))
        {
            let number = self.starts.partition_point(|&s| s <= i).saturating_sub(1);
            let stretch = self.stretch(number)?;
            let start = self.starts.get(number).copied().unwrap_or(0);
            next = start + stretch.len();
            stretches.push((start, next, stretch));
        }
        let sample = |i: usize| {
            if let Some(Some(kept)) = self.kept.get(i) {
                return Some(kept);
            }
            let (start, _, stretch) = stretches.iter().find(|(s, e, _)| (*s..*e).contains(&i))?;
            stretch.get(i - start)?.as_ref()
        };
        let samples: Option<Vec<&Sample>> = range.clone().map(sample).collect();
        let Some(samples) = samples else {
            return invalid!("Samples {range:?} of {} are not at hand", self.name);
        };
        Ok(vec![self.decoder.batch(samples.into_iter())?])
    }

    fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    fn origin(&self, sample: usize) -> Option<Origin> {
        Some(Origin {
            file: self.files.get(sample)?.path.clone(),
            original: *self.originals.get(sample)?,
        })
    }
}
