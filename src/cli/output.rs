//! Options for the format, the file and the colors of an answer.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ValueEnum};

use crate::app::output::Output;
use crate::app::png::png;
use crate::app::{AppError, Notices};
use crate::render::answer::{Answer, Format};
use crate::render::svg::Theme;

use super::help::OUTPUT;
use super::shared::note_unused;

/// Options for the format and the file of an answer. The formats are text and JSON, unless a command changes
/// them by [`formats_of`].
#[derive(Debug, clap::Args)]
pub(super) struct OutputArgs {
    /// Output format [default: by the extension of the output file, else text]
    #[arg(long, value_parser = parser(&[Format::Text, Format::Json]), help_heading = OUTPUT)]
    format: Option<Format>,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    output: Option<PathBuf>,
}

/// Returns the option `--format` with the formats of an answer.
pub(super) fn formats_of<A: Answer + ?Sized>(format: Arg) -> Arg {
    format.value_parser(parser(A::FORMATS))
}

/// Returns a parser for the names of some formats.
pub(super) fn parser(formats: &[Format]) -> impl TypedValueParser<Value = Format> + use<> {
    let names = PossibleValuesParser::new(formats.iter().filter_map(Format::to_possible_value));
    names.try_map(|name| Format::from_str(&name, false))
}

impl OutputArgs {
    /// Returns the format that `--format` names, else the one of the output file's extension, else the first
    /// of the answer's formats.
    pub(super) fn format<A: Answer + ?Sized>(&self) -> Format {
        let extension = self.output.as_deref().and_then(Path::extension).and_then(OsStr::to_str);
        let of_file = extension.and_then(|extension| Format::from_str(extension, false).ok());
        let of_file = of_file.filter(|format| A::FORMATS.contains(format));
        self.format.or(of_file).or(A::FORMATS.first().copied()).unwrap_or(Format::Text)
    }

    /// Returns whether the answer is written to a file and not to standard output.
    pub(super) fn is_file(&self) -> bool {
        self.target() != Output::Stdout
    }

    /// Returns the place to which the answer is written.
    pub(super) fn target(&self) -> Output {
        Output::from_path(self.output.as_deref())
    }

    /// Writes an answer without pictures.
    pub(super) fn write<A: Answer + ?Sized>(&self, answer: &A) -> Result<(), AppError> {
        self.target().write(|out| answer.write(out, self.format::<A>(), Theme::Auto))
    }
}

/// Options for an answer that can be a picture.
#[derive(Debug, clap::Args)]
pub(super) struct PictureArgs {
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// Colors of a picture [default: auto]
    #[arg(long, alias = "ground", value_enum, help_heading = OUTPUT)]
    theme: Option<Theme>,
}

impl PictureArgs {
    /// Adds a notice for each of the given options of pictures, and for a theme, if the answer is no picture.
    /// The options are pairs of a name and whether it was given.
    pub(super) fn note_unused<A: Answer + ?Sized>(&self, options: &[(&str, bool)], notices: &mut Notices) {
        let format = self.output.format::<A>();
        if !format.has_theme() {
            let where_not = format!("on {}", format.title());
            note_unused(options, &where_not, notices);
            note_unused(&[("--theme", self.theme.is_some())], &where_not, notices);
        }
    }

    /// Writes an answer.
    pub(super) fn write<A: Answer + ?Sized>(&self, answer: &A) -> Result<(), AppError> {
        let theme = self.theme.unwrap_or_default();
        let format = self.output.format::<A>();
        let target = self.output.target();
        if !matches!(format, Format::Svg | Format::Png) {
            return target.write(|out| answer.write(out, format, theme));
        }
        let picture = answer.svg(theme).map_err(|error| AppError::Usage(error.to_string()))?;
        let bytes = if format == Format::Png { png(&picture)? } else { picture.into_bytes() };
        target.write(|out| out.write_all(&bytes))
    }
}
