//! Tables: as wide as the terminal, or one line per row where no terminal is.

use std::io::IsTerminal;

use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, Width};

use super::output::{Times, printable};
use crate::config::Config;

/// The width of a terminal that does not tell it.
const USUAL_WIDTH: u16 = 80;
/// From this width on a table shows its columns for curious people, too.
const WIDE: u16 = 120;
/// The last column, which takes what is left, is never narrower.
const LEAST_LAST: u16 = 16;

/// Where tables are shown and how.
#[derive(Clone, Debug)]
pub struct View {
    /// Columns of the terminal; none where the standard output is none.
    pub width: Option<u16>,
    /// How moments are told.
    pub times: Times,
}

impl View {
    /// The standard output.
    pub fn new(config: &Config) -> Self {
        let width = std::io::stdout().is_terminal().then(terminal_width);
        Self {
            width,
            times: Times {
                zone: config.cycle.time_zone.clone(),
                now: jiff::Timestamp::now(),
                relative: width.is_some(),
            },
        }
    }

    /// The first of July 2027, noon in Sweden, on a terminal of this width or elsewhere.
    #[cfg(test)]
    pub fn fixed(width: Option<u16>) -> Self {
        let times = Times {
            zone: jiff::tz::TimeZone::get("Europe/Stockholm").unwrap(),
            now: "2027-07-01T10:00:00Z".parse().unwrap(),
            relative: width.is_some(),
        };
        Self { width, times }
    }

    /// A table that leaves these columns out where the terminal has no room for them.
    pub fn table_without(
        &self,
        columns: &[usize],
        header: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> String {
        let left_out = if self.is_wide() { &[][..] } else { columns };
        let header: Vec<&str> = without(left_out, header.iter().copied()).collect();
        let rows = rows
            .into_iter()
            .map(|row| without(left_out, row.into_iter()).collect());
        self.table(&header, rows)
    }

    /// Whether there is room for a row of many columns on one line.
    pub fn is_wide(&self) -> bool {
        self.width.is_none_or(|width| width >= WIDE)
    }

    /// A table with two lines for each row: what stands above and below one another in a column.
    pub fn table_of_two<const N: usize>(
        &self,
        header: [[&str; 2]; N],
        rows: impl IntoIterator<Item = [[String; 2]; N]>,
    ) -> String {
        let header = header.map(|two| two.join("\n"));
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let rows = rows.into_iter().map(|row| {
            row.map(|two| two.map(|text| printable(&text)).join("\n"))
                .to_vec()
        });
        self.laid_out(&header, rows)
    }

    /// A table whose last column is wrapped. Without a header it is one of names and values.
    pub fn table(&self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
        let rows = rows.into_iter();
        let printable = rows.map(|row| row.iter().map(|text| printable(text)).collect());
        self.laid_out(header, printable)
    }

    /// The cells are as they may be printed.
    fn laid_out(&self, header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
        let mut table = Table::new();
        if !header.is_empty() {
            table.set_header(header);
        }
        for row in rows {
            table.add_row(Row::from(row));
        }
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
        }
        let last = table.column_count().saturating_sub(1);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { 2 }));
            column.set_constraint(match index == last {
                true => ColumnConstraint::LowerBoundary(Width::Fixed(LEAST_LAST)),
                false => ColumnConstraint::ContentWidth,
            });
        }
        table.load_style(comfy_table::presets::NOTHING);
        format!("{}\n", table.trim_fmt())
    }
}

/// What is left of a row without these columns.
fn without<T>(columns: &[usize], row: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let numbered = row.enumerate();
    numbered.filter_map(move |(n, cell)| (!columns.contains(&n)).then_some(cell))
}

fn terminal_width() -> u16 {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    let asked = || {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        Some(size.ws_col)
    };
    told.or_else(asked)
        .filter(|&width| width > 0)
        .unwrap_or(USUAL_WIDTH)
}
