//! Reading what `strace -f -xx` wrote.

use std::collections::HashMap;

use anyhow::{Context, bail};

use super::Result;

/// The calls that are recorded: all that change files or names, tell somebody something, or would
/// change a file in a way that this harness does not follow.
pub const CALLS: &str = "openat,open,creat,close,lseek,write,pwrite64,writev,pwritev,pwritev2,\
    ftruncate,truncate,fallocate,fsync,fdatasync,sync,syncfs,sync_file_range,msync,\
    rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,\
    sendto,sendmsg,sendmmsg,sendfile,copy_file_range,splice,mmap,io_uring_setup,dup2,dup3";

/// A moment of a recording. Every call begins at one and ends at a later one.
pub type Moment = usize;

/// A call of the system.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it began.
    pub begun: Moment,
    /// When it had ended; what ends later may have come before it.
    pub ended: Moment,
    /// Its name.
    pub name: String,
    /// What it was given, as strace writes it.
    arguments: String,
    /// What it returned; none if the process died in it.
    pub result: Option<i64>,
}

impl Call {
    /// An argument without commas in it, such as a number or flags.
    pub fn argument(&self, index: usize) -> &str {
        self.arguments.split(", ").nth(index).unwrap_or_default()
    }

    /// A number among the arguments.
    pub fn number(&self, index: usize) -> Result<usize> {
        let text = self.argument(index);
        text.parse()
            .with_context(|| format!("{}: {text:?} is no number", self.name))
    }

    /// The strings among the arguments.
    pub fn strings(&self) -> Vec<Vec<u8>> {
        let quoted = self.arguments.split('"').skip(1).step_by(2);
        quoted.map(unescape).collect()
    }

    /// A string that is text.
    pub fn text(&self, index: usize) -> Result<String> {
        let bytes = self.strings().into_iter().nth(index);
        let bytes = bytes.with_context(|| format!("{}: string {index} is missing", self.name))?;
        Ok(String::from_utf8(bytes)?)
    }

    /// What it wrote: as much of its strings as the result says.
    pub fn written(&self) -> Vec<u8> {
        let mut bytes = self.strings().concat();
        bytes.truncate(self.done());
        bytes
    }

    /// The bytes that it says it handled.
    pub fn done(&self) -> usize {
        self.result
            .and_then(|result| usize::try_from(result).ok())
            .unwrap_or(0)
    }

    /// Whether it did what it was asked to.
    pub fn succeeded(&self) -> bool {
        self.result.is_some_and(|result| result >= 0)
    }
}

/// The bytes of `\x2f\x64…`.
fn unescape(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte.wrapping_sub(b'0'),
    };
    let escapes = text.as_bytes().chunks_exact(4);
    escapes
        .map(|four| digit(four[2]) << 4 | digit(four[3]))
        .collect()
}

/// The calls in the order in which they began, from the moment `first`. A call that the process
/// died in is there too, without a result.
pub fn parse(trace: &str, first: Moment) -> Result<Vec<Call>> {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: HashMap<&str, usize> = HashMap::new();
    for (index, line) in trace.lines().enumerate() {
        let begun = first + 2 * index;
        let (thread, rest) = line.split_once(' ').context("a line without a thread")?;
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(resumed) = rest.strip_prefix("<... ") {
            // strace itself came late to a call that it was not there to see begin.
            let Some(index) = open.remove(thread) else {
                continue;
            };
            calls[index].ended = begun + 1;
            calls[index].result = result(resumed);
            continue;
        }
        let (name, rest) = rest
            .split_once('(')
            .with_context(|| format!("strace wrote {rest:.60}"))?;
        let unfinished = rest.strip_suffix(" <unfinished ...>");
        if unfinished.is_some() {
            open.insert(thread, calls.len());
        }
        // No data holds a bracket: strace writes it in hexadecimal.
        let arguments = unfinished.or_else(|| rest.split_once(") ").map(|(before, _)| before));
        if arguments.is_some_and(|text| text.contains("\"...")) {
            bail!("strace cut the data of a {name} short");
        }
        calls.push(Call {
            begun,
            ended: if unfinished.is_some() {
                Moment::MAX
            } else {
                begun + 1
            },
            name: name.to_owned(),
            arguments: arguments.unwrap_or_default().to_owned(),
            result: unfinished.map_or_else(|| result(rest), |_| None),
        });
    }
    Ok(calls)
}

/// The number after the `=`.
fn result(rest: &str) -> Option<i64> {
    let (_, result) = rest.split_once(") ")?;
    let number = result.trim_start().strip_prefix('=')?.split_whitespace();
    number.take(1).find_map(|word| word.parse().ok())
}
