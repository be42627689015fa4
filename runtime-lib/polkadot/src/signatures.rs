//! Threads that check signatures, and calls that go ahead of them (`context/ahead.rs`).

use crate::chain::state::Session;
use crate::context::CallContext;
use crate::context::ahead::{Ahead, Queue, Wrong};
use crate::context::instruments::Observe;
use std::fmt;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Stack of a thread that checks, in bytes.
const STACK: usize = 1 << 20;

/// Threads that check signatures for any number of calls, from any thread.
///
/// They end when this is dropped.
pub struct SignatureThreads {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl SignatureThreads {
    /// Starts `threads` threads beside those that make calls, at least one.
    ///
    /// # Errors
    ///
    /// The system's, when it has no room for another thread.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let mut all = Self { queue: Arc::default(), threads: Vec::new() };
        for number in 0..threads.max(1) {
            let queue = all.queue.clone();
            let thread = Builder::new().name(format!("signatures-{number}")).stack_size(STACK);
            all.threads.push(thread.spawn(move || queue.serve())?);
        }
        Ok(all)
    }

    /// What `call` returns, run in `session` as by [`Session::execute`]: with signatures checked
    /// here, and if one of them is not right, once more without. `call` makes a whole call of a fresh
    /// instance. While host calls are observed they are made as ever. What a call logged before a
    /// wrong signature it logs again, and each of the two has a deadline of its own.
    pub fn execute<R>(
        &self,
        session: &mut Session<'_>,
        context: &mut CallContext,
        mut call: impl FnMut(&mut CallContext) -> R,
    ) -> R {
        if context.instruments().observed() != Observe::Off {
            return session.execute(|| call(context));
        }
        let ahead = Ahead::new(&self.queue);
        context.go_ahead(Some(ahead.clone()));
        let result = session.execute(|| {
            let result = call(context);
            (ahead.settle(), result)
        });
        context.go_ahead(None);
        match result {
            (Ok(()), result) => result,
            (Err(Wrong), _) => session.execute(|| call(context)),
        }
    }
}

impl Drop for SignatureThreads {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // It catches what it runs.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for SignatureThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureThreads({})", self.threads.len())
    }
}
