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
  lithify man cache-fill > lithify-cache-fill.1
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
    let (mut pages, mut left) = (Vec::new(), vec![(&all, "lithify".to_owned())]);
    while let Some((command, name)) = left.pop() {
        left.extend(shown(command).map(|below| (below, format!("{name}-{}", below.get_name()))));
        pages.push(page(command, name)?);
    }
    pages.sort();
    Ok(pages)
}

/// The commands below a command that are there to be read about.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

/// The page of one command, its sections named and ordered as man-pages(7) has them.
fn page(command: &Command, name: String) -> Result<(String, Vec<u8>)> {
    let version = concat!("lithify ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).title(name.clone()).source(version).manual("Lithify");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if shown(command).next().is_some() {
        page.extend_from_slice(b".SH COMMANDS\n");
        for below in shown(command) {
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            let name = roff(&format!("{name}-{}(1)", below.get_name()));
            page.extend_from_slice(format!(".TP\n{name}\n{}\n", roff(&about)).as_bytes());
        }
    }
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for paragraph in after.split("\n\n") {
        let (heading, text) = match paragraph.split_once(':') {
            Some((heading @ "Exit status", text)) => (heading, format!("Exit status:{text}")),
            Some((heading @ "Examples", text)) => (heading, text.trim_matches('\n').to_owned()),
            _ => ("Notes", paragraph.to_owned()),
        };
        let heading = format!(".SH {}\n", heading.to_uppercase());
        // Paragraphs of one section follow one another.
        if !page.windows(heading.len()).any(|part| part == heading.as_bytes()) {
            page.extend_from_slice(heading.as_bytes());
        }
        page.extend_from_slice(format!(".nf\n{}\n.fi\n.PP\n", roff(&text)).as_bytes());
    }
    Ok((name, page))
}

/// Text that is none of roff's commands.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let line =
        |line: &str| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.into() };
    text.lines().map(line).collect::<Vec<String>>().join("\n")
}
