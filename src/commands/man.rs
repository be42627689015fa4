//! `lithify man`: the manual, made of the same definitions as `--help`.

use crate::{
    Cli,
    output::{Content, Destination},
    status::Usage,
};
use anyhow::{Context, Result, bail};
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use std::{fs, path::PathBuf};

/// Prints the manual: the page of a command, or all of them into a folder.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lithify man > lithify.1
  lithify man compile > lithify-compile.1
  lithify man -o man/")]
pub struct Manual {
    /// The command [default: the page of all].
    command: Option<String>,
    /// Write all pages into this folder, which is made.
    #[arg(short, long, value_name = "FOLDER", conflicts_with = "command")]
    output: Option<PathBuf>,
}

impl Manual {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let pages = pages()?;
        if let Some(folder) = self.output {
            let cannot = || format!("cannot make the folder {}", folder.display());
            fs::create_dir_all(&folder).with_context(cannot)?;
            return pages.iter().try_for_each(|(name, page)| {
                let name = folder.join(format!("{name}.1"));
                Destination::open(&name, Content::Text, &[])?.write(page)
            });
        }
        let wanted = self.command.map_or("lithify".into(), |command| format!("lithify-{command}"));
        let Some((_, page)) = pages.iter().find(|(name, _)| *name == wanted) else {
            bail!(Usage(format!("there is no page {wanted}")))
        };
        Destination::open("-".as_ref(), Content::Text, &[])?.write(page)
    }
}

/// All pages with their names.
fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = Cli::command().disable_help_subcommand(true);
    all.build();
    let page = |command: &Command, name: String| -> Result<(String, Vec<u8>)> {
        let mut page = Vec::new();
        Man::new(command.clone()).title(name.clone()).render(&mut page)?;
        Ok((name, page))
    };
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set());
    let shown = shown.map(|command| page(command, format!("lithify-{}", command.get_name())));
    std::iter::once(page(&all, "lithify".into())).chain(shown).collect()
}
