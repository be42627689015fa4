//! Makes the first state of a chain, as its runtime's `GenesisBuilder` does: from a configuration, which is
//! JSON, the state that a raw chain spec has.
//!
//! ```text
//! the runtime's default -> configuration -> GenesisBuilder_build_state -> state, and the code in it
//! ```
//!
//! Runtimes before December 2023 have the API's first version, which knows no presets.

use parity_scale_codec::{Decode, Encode};
use sp_core::storage::well_known_keys::CODE;

use super::BuildError;
use crate::chain::state::{Session, State};

/// A runtime's `GenesisBuilder`, by its version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenesisBuilder {
    /// `create_default_config` and `build_config`.
    First,
    /// `get_preset` and `build_state`.
    Presets,
}

impl GenesisBuilder {
    /// Which one a runtime has, by its exports.
    pub fn of<'e>(exports: impl IntoIterator<Item = &'e str>) -> Option<Self> {
        exports.into_iter().find_map(|name| match name {
            "GenesisBuilder_build_state" => Some(Self::Presets),
            "GenesisBuilder_build_config" => Some(Self::First),
            _ => None,
        })
    }

    /// The entry point that builds, whose input is a configuration as SCALE bytes.
    pub fn entry(self) -> &'static str {
        match self {
            Self::First => "GenesisBuilder_build_config",
            Self::Presets => "GenesisBuilder_build_state",
        }
    }

    /// The names of its presets.
    ///
    /// # Errors
    ///
    /// What the executor says, or that the answer is none.
    pub fn presets<E: std::error::Error + 'static>(
        self,
        mut call: impl FnMut(&str, &[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<String>, BuildError<E>> {
        match self {
            Self::First => Ok(Vec::new()),
            Self::Presets => answer("GenesisBuilder_preset_names", &[], &mut call),
        }
    }

    /// Its default configuration as JSON, or with a name that preset, which is merged into the default; none
    /// where there is no preset of that name.
    ///
    /// # Errors
    ///
    /// What the executor says, or that the answer is none.
    pub fn config<E: std::error::Error + 'static>(
        self,
        preset: Option<&str>,
        mut call: impl FnMut(&str, &[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Option<Vec<u8>>, BuildError<E>> {
        match (self, preset) {
            (Self::First, None) => {
                answer("GenesisBuilder_create_default_config", &[], &mut call).map(Some)
            }
            (Self::First, Some(_)) => Ok(None),
            (Self::Presets, preset) => {
                answer("GenesisBuilder_get_preset", &preset.encode(), &mut call)
            }
        }
    }

    /// Builds, within [`Session::execute`], what [`state`](Self::state) keeps.
    ///
    /// # Errors
    ///
    /// What the executor says, or the runtime of the configuration.
    pub fn build<E: std::error::Error + 'static>(
        self,
        config: &[u8],
        mut call: impl FnMut(&str, &[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<(), BuildError<E>> {
        let built: Result<(), String> = answer(self.entry(), &config.encode(), &mut call)?;
        built.map_err(BuildError::Configuration)
    }

    /// The state that was built in a session on an empty one, with the code in it.
    pub fn state(session: Session<'_>, code: &[u8]) -> State {
        let version = session.state().version();
        let mut state = session.state().clone();
        state.apply(session.into_changes(version));
        let (mut top, children) = state.pairs();
        top.insert(CODE.to_vec(), code.to_vec());
        State::new(top, children, version)
    }
}

/// What an entry point answers.
fn answer<T: Decode, E: std::error::Error + 'static>(
    entry: &'static str,
    input: &[u8],
    call: &mut impl FnMut(&str, &[u8]) -> Result<Vec<u8>, E>,
) -> Result<T, BuildError<E>> {
    let output = call(entry, input).map_err(|error| BuildError::Call { entry, error })?;
    let what = "what GenesisBuilder's answers are";
    T::decode(&mut &*output).map_err(|error| BuildError::Decode { entry, what, error })
}
