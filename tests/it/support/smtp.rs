//! A mail server: `aiosmtpd`, as published on `PyPI`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::senders::installed;

/// A running server.
pub struct SmtpServer {
    child: Child,
    output: BufReader<ChildStdout>,
    arguments: Vec<String>,
    pub port: u16,
}

impl SmtpServer {
    pub fn start(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let (child, output, port) = spawn(&arguments);
        Self {
            child,
            output,
            arguments,
            port,
        }
    }

    /// What it tells next: a mail, as its parser reads it.
    pub fn next(&mut self) -> Value {
        line(&mut self.output)
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was.
    pub fn again(&mut self) {
        let port = format!("--port={}", self.port);
        let arguments = [&self.arguments[..], &[port]].concat();
        (self.child, self.output, _) = spawn(&arguments);
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(arguments: &[String]) -> (Child, BufReader<ChildStdout>, u16) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/server.py");
    let mut child = Command::new(installed().join("bin/python"))
        .arg(script)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let port = line(&mut output)["port"].as_u64().unwrap();
    (child, output, port.try_into().unwrap())
}

fn line(output: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    assert!(output.read_line(&mut line).unwrap() > 0, "it ended");
    serde_json::from_str(&line).unwrap()
}
