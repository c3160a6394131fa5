//! Work in parts on the threads of the caller's rayon pool.
//!
//! What another thread may take are single parts, which wait for nothing. So a thread that is in the middle of something
//! else, like one that [`awake`] keeps from falling asleep, may carry out parts as they come.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Looks before a thread that waits gives way to others: some tens of microseconds.
const LOOKS: usize = 2000;

/// Waits a little, the longer it went on the more willing to give way.
fn pause(looks: &mut usize) {
    if *looks < LOOKS {
        *looks += 1;
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

/// Parts that threads claim: the caller from the back, the others from the front, so that each finds in its cache what it
/// computed of the operator before.
struct Claims {
    /// How many were claimed from the front (upper half) and from the back.
    claimed: AtomicU64,
    done: AtomicUsize,
    count: usize,
}

impl Claims {
    const FRONT: u64 = 1 << 32;

    fn next(&self, front: bool) -> Option<usize> {
        let step = if front { Self::FRONT } else { 1 };
        let before = self.claimed.fetch_add(step, Ordering::Relaxed);
        let (first, last) = ((before >> 32) as usize, before as u32 as usize);
        let index = if front {
            first
        } else {
            self.count.wrapping_sub(1 + last)
        };
        (first + last < self.count).then_some(index)
    }

    /// Carries out parts until all are claimed.
    fn work(&self, front: bool, part: &(impl Fn(usize) + Sync)) {
        /// Counts a part also when it panics, or the caller would wait for ever.
        struct Counted<'a>(&'a AtomicUsize);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Release);
            }
        }
        while let Some(i) = self.next(front) {
            let _counted = Counted(&self.done);
            part(i);
        }
    }

    /// The same on this thread and `others`. What others have claimed is waited for here: rayon would put the thread to sleep,
    /// and waking it takes longer than many an operator.
    fn share(&self, others: usize, part: &(impl Fn(usize) + Sync)) {
        let own = || {
            if others > 1 {
                return self.share(others - 1, part);
            }
            self.work(false, part);
            let mut looks = 0;
            while self.done.load(Ordering::Acquire) < self.count {
                pause(&mut looks);
            }
        };
        rayon::join(own, || self.work(true, part));
    }
}

/// Calls `part` for each of `0..count`.
pub(crate) fn parts(count: usize, part: &(impl Fn(usize) + Sync)) {
    let others = rayon::current_num_threads().min(count).saturating_sub(1);
    if others == 0 {
        return (0..count).for_each(part);
    }
    let claims = Claims {
        claimed: AtomicU64::new(0),
        done: AtomicUsize::new(0),
        count,
    };
    claims.share(others, part);
}

/// Calls `part(index, chunk)` for each chunk of `step` elements of `out`; the last may be shorter.
pub(crate) fn chunks<T: Send>(
    out: &mut [T],
    step: usize,
    part: &(impl Fn(usize, &mut [T]) + Sync),
) {
    /// Chunks that are handed out at a time; more are seldom.
    const MOST: usize = 32;
    let step = step.max(1);
    for (turn, out) in out.chunks_mut(MOST.saturating_mul(step)).enumerate() {
        let count = out.len().div_ceil(step);
        let mut each = out.chunks_mut(step);
        let each: [_; MOST] = std::array::from_fn(|_| Mutex::new(each.next()));
        parts(count, &|i| {
            let chunk = each[i]
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(chunk) = chunk {
                part(turn * MOST + i, chunk);
            }
        });
    }
}

/// Runs `work` on the calling thread of a pool while the pool's other threads look out for parts of it without falling asleep:
/// waking one takes longer than many an operator.
pub(crate) fn awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    /// Lets the other threads go, also when `work` panics.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let caller = rayon::current_thread_index();
    let done = AtomicBool::new(false);
    rayon::scope(|scope| {
        let done = &done;
        scope.spawn_broadcast(move |_, here| {
            let mut idle = 0;
            while Some(here.index()) != caller && !done.load(Ordering::Acquire) {
                if rayon::yield_now() == Some(rayon::Yield::Executed) {
                    idle = 0;
                } else {
                    pause(&mut idle);
                }
            }
        });
        let _done = Done(done);
        work()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once() {
        for threads in 1..5 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            for count in [0, 1, 2, 3, 7, 50, 200] {
                let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                let mut out = vec![0; count];
                pool.install(|| {
                    awake(|| {
                        for _ in 0..20 {
                            parts(count, &|i| {
                                done[i].fetch_add(1, Ordering::Relaxed);
                            });
                            chunks(&mut out, 3, &|i, chunk| {
                                for (j, v) in chunk.iter_mut().enumerate() {
                                    *v += 3 * i + j;
                                }
                            });
                        }
                    });
                });
                assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 20));
                assert!(out.iter().enumerate().all(|(i, &v)| v == 20 * i));
            }
        }
    }

    #[test]
    fn a_thread_that_is_busy_is_not_waited_for() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
        let pool = pool.build().unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = std::sync::mpsc::channel::<()>();
        pool.spawn(move || {
            begun.send(()).unwrap();
            held.recv().unwrap();
        });
        begins.recv().unwrap();
        let done = AtomicUsize::new(0);
        pool.install(|| {
            for _ in 0..20 {
                parts(7, &|_| {
                    // Parts may have parts.
                    parts(3, &|_| {
                        done.fetch_add(1, Ordering::Relaxed);
                    });
                });
            }
        });
        assert_eq!(done.load(Ordering::Relaxed), 20 * 7 * 3);
        release.send(()).unwrap();
    }

    #[test]
    fn a_panic_lets_the_other_threads_go() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
        let pool = pool.build().unwrap();
        let run = || pool.install(|| awake(|| parts(5, &|i| assert!(i != 3, "part {i}"))));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        assert!(caught.is_err());
        pool.install(|| awake(|| parts(5, &|_| ())));
    }
}
