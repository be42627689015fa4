//! How a compilation tells where it is.

/// The steps of a compilation, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading and validating the sections, and deciding where everything will lie.
    Parse,
    /// Validating, translating and compiling function bodies.
    Codegen,
    /// Writing the object.
    Object,
    /// Linking the image.
    Image,
}

impl Phase {
    /// One lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Codegen => "codegen",
            Self::Object => "object",
            Self::Image => "image",
        }
    }
}

/// Receives the progress of a compilation. The default methods ignore it.
pub trait Progress: Sync {
    /// `phase` begins.
    fn phase(&self, phase: Phase) {
        let _ = phase;
    }

    /// Asked before each function: a reason not to go on ends the compilation with
    /// [`CompileError::Stopped`](crate::CompileError::Stopped). Called from all workers.
    fn stop(&self) -> Option<String> {
        None
    }

    /// Of `total` functions one more is compiled, with `bytes` of Wasm. Called from all workers.
    fn function(&self, bytes: usize, total: usize) {
        let _ = (bytes, total);
    }
}

/// Nobody watches.
impl Progress for () {}
