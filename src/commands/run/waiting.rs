//! Ends the process where a guest waits for the system when its time is up: a deadline stops the guest's
//! code, and no host function, but one may wait for ever, for a clock or for whoever reads its output.

use crate::{output, status};
use anyhow::anyhow;
use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How much later than its guest's code the process ends, and how long it tries to say so.
const GRACE: Duration = Duration::from_millis(200);

/// Guests run, until this is dropped.
pub struct Waiting(Arc<AtomicBool>);

impl Waiting {
    /// Guests run from now on, and for so long at most, if there is a limit.
    pub fn at_most(time: Option<Duration>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        if let Some(time) = time {
            let ended = Arc::clone(&ended);
            thread::spawn(move || {
                thread::sleep(time.saturating_add(GRACE));
                if !ended.load(Ordering::Acquire) {
                    end();
                }
            });
        }
        Self(ended)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn end() {
    // It may be standard error that the guest waits for.
    thread::spawn(|| {
        output::error(&anyhow!("deadline exceeded while the guest waited for the system"));
        process::exit(i32::from(status::LATE));
    });
    thread::sleep(GRACE);
    process::exit(i32::from(status::LATE));
}
