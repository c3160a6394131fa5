//! Work in parts on the threads of the caller's rayon pool.
//!
//! What another thread may take is always a single part, which waits for nothing. So a thread that is in the middle of something
//! else, like one that [`awake`] keeps from falling asleep, may carry out parts as they come.

use std::sync::atomic::{AtomicBool, Ordering};

/// Calls `part` for each of `0..count`.
pub(crate) fn parts(count: usize, part: &(impl Fn(usize) + Sync)) {
    fn from(first: usize, count: usize, part: &(impl Fn(usize) + Sync)) {
        if first + 1 < count {
            rayon::join(|| from(first + 1, count, part), || part(first));
        } else if first < count {
            part(first);
        }
    }
    from(0, count, part);
}

/// Calls `part(index, chunk)` for each chunk of `step` elements of `out`; the last may be shorter.
pub(crate) fn chunks<T: Send>(
    out: &mut [T],
    step: usize,
    part: &(impl Fn(usize, &mut [T]) + Sync),
) {
    fn from<T: Send>(
        index: usize,
        out: &mut [T],
        step: usize,
        part: &(impl Fn(usize, &mut [T]) + Sync),
    ) {
        if out.len() > step {
            let (first, rest) = out.split_at_mut(step);
            rayon::join(|| from(index + 1, rest, step, part), || part(index, first));
        } else if !out.is_empty() {
            part(index, out);
        }
    }
    from(0, out, step.max(1), part);
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
    /// Looks before the thread gives way to other processes: some tens of microseconds.
    const LOOKS: usize = 2000;
    let caller = rayon::current_thread_index();
    let done = AtomicBool::new(false);
    rayon::scope(|scope| {
        let done = &done;
        scope.spawn_broadcast(move |_, here| {
            let mut idle = 0;
            while Some(here.index()) != caller && !done.load(Ordering::Acquire) {
                if rayon::yield_now() == Some(rayon::Yield::Executed) {
                    idle = 0;
                } else if idle < LOOKS {
                    idle += 1;
                    std::hint::spin_loop();
                } else {
                    std::thread::yield_now();
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
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_part_is_done_once() {
        for threads in 1..5 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            for count in [0, 1, 2, 3, 7, 50] {
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
    fn a_panic_lets_the_other_threads_go() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
        let pool = pool.build().unwrap();
        let run = || pool.install(|| awake(|| parts(5, &|i| assert!(i != 3, "part {i}"))));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        assert!(caught.is_err());
        pool.install(|| awake(|| parts(5, &|_| ())));
    }
}
