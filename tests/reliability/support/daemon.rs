//! The real binary as a process of its own, which may die at any moment.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use match_list_processor::telemetry::log::PANIC;
use serde_json::Value;

use super::Result;

/// For the daemon to listen, or to answer a request. Far more than it needs on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How to start the binary.
#[derive(Clone, Debug)]
pub struct Start {
    program: PathBuf,
    /// A command that runs the program, such as `strace -D`; it must become it.
    wrapper: Vec<String>,
    settings: Vec<(String, String)>,
    log: PathBuf,
}

impl Start {
    /// The binary on `folder/data`, on ports of its own, its log appended to `folder/log`.
    pub fn new(program: &Path, folder: &Path) -> Self {
        let settings = [
            ("PROCESSOR_MODE", "event-driven"),
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("LOG_FORMAT", "json"),
            ("WHATSAPP_AVATAR_SERVICE_URL", "embedded"),
            ("DATA_FOLDER", &folder.join("data").display().to_string()),
        ];
        Self {
            program: program.to_owned(),
            wrapper: Vec::new(),
            settings: settings.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(),
            log: folder.join("log"),
        }
    }

    /// With one more setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// Run by this command.
    #[must_use]
    pub fn under(mut self, wrapper: &[impl AsRef<str>]) -> Self {
        self.wrapper = wrapper.iter().map(|x| x.as_ref().to_owned()).collect();
        self
    }

    /// Starts it and does not wait.
    pub fn spawn(&self) -> Result<Starting> {
        let words = self.wrapper.iter().map(OsStr::new);
        let mut words = words.chain([self.program.as_os_str()]);
        let first = words.next().context("nothing to start")?;
        let mut child = Command::new(first)
            .args(words)
            .current_dir(self.log.parent().unwrap_or(Path::new("/")))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.settings.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", first.display()))?;
        let log = File::options().create(true).append(true).open(&self.log)?;
        let stderr = child.stderr.take().context("no standard error")?;
        let (told, addresses) = channel();
        // For a search over all that daemons say of themselves; see tests/privacy.py.
        let kept = std::env::var_os("MLP_KEEP_OUTPUT").map(PathBuf::from);
        let kept = kept.map(|folder| folder.join("log-reliability.txt"));
        let mut kept = kept
            .map(|path| File::options().create(true).append(true).open(path))
            .transpose()?;
        let copier = std::thread::spawn(move || {
            let mut log = log;
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let whole = [line.as_slice(), b"\n"].concat();
                let _ = log.write_all(&whole);
                let _ = kept.as_mut().map(|kept| kept.write_all(&whole));
                if let Some(found) = listener(&line) {
                    let _ = told.send(found);
                }
            }
        });
        Ok(Starting {
            child: Some(child),
            addresses,
            copier: Some(copier),
            log: self.log.clone(),
        })
    }

    /// Starts it and waits until it listens.
    pub fn start(&self) -> Result<Daemon> {
        match self.spawn()?.listening()? {
            Ok(daemon) => Ok(daemon),
            Err(status) => bail!("it did not start: {status}; see {}", self.log.display()),
        }
    }
}

/// The line of the log in the folder that tells of a panic, be it caught or not.
pub fn panic_of(folder: &Path) -> Result<Option<String>> {
    let log = std::fs::read_to_string(folder.join("log"))?;
    // The second is what Rust says before the program has its own way to tell.
    let tells = |line: &&str| {
        [PANIC, "panicked at"]
            .iter()
            .any(|text| line.contains(text))
    };
    Ok(log.lines().find(tells).map(str::to_owned))
}

/// The listener that a log line tells of, and its address.
fn listener(line: &[u8]) -> Option<(String, SocketAddr)> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let address = line["address"].as_str()?.parse().ok()?;
    Some((line["listener"].as_str()?.to_owned(), address))
}

/// A process that may not listen yet.
pub struct Starting {
    child: Option<Child>,
    addresses: Receiver<(String, SocketAddr)>,
    copier: Option<JoinHandle<()>>,
    log: PathBuf,
}

impl Starting {
    /// Waits until it listens on its public and its administrative address; how it ended if it
    /// ended before.
    pub fn listening(mut self) -> Result<std::result::Result<Daemon, ExitStatus>> {
        let until = Instant::now() + PATIENCE;
        let (mut public, mut admin) = (None, None);
        while public.is_none() || admin.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            match self.addresses.recv_timeout(left) {
                Ok((name, address)) if name == "Public" => public = Some(address),
                Ok((name, address)) if name == "Admin" => admin = Some(address),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => bail!(
                    "it does not listen after {PATIENCE:?}; see {}",
                    self.log.display()
                ),
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(self.end()?)),
            }
        }
        let child = self.child.take().context("already ended")?;
        Ok(Ok(Daemon {
            pid: child.id(),
            child: Killer(Arc::new(Mutex::new(child))),
            copier: self.copier.take(),
            public: public.context("no public address")?,
            admin: admin.context("no administrative address")?,
        }))
    }

    /// Kills it, wherever it is in its start.
    pub fn kill(mut self) -> Result<ExitStatus> {
        self.child.as_mut().context("already ended")?.kill()?;
        self.end()
    }

    fn end(&mut self) -> Result<ExitStatus> {
        let status = self.child.take().context("already ended")?.wait()?;
        if let Some(copier) = self.copier.take() {
            let _ = copier.join();
        }
        Ok(status)
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Kills the daemon, from whichever thread sees the moment come.
#[derive(Clone)]
pub struct Killer(Arc<Mutex<Child>>);

impl Killer {
    /// Sends SIGKILL; does nothing to one that is dead already.
    pub fn kill(&self) {
        let _ = self.child().kill();
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running binary.
pub struct Daemon {
    child: Killer,
    copier: Option<JoinHandle<()>>,
    /// Of the process, also when something runs it.
    pub pid: u32,
    /// Where clients ask.
    pub public: SocketAddr,
    /// Where operators ask.
    pub admin: SocketAddr,
}

impl Daemon {
    /// What kills it.
    pub fn killer(&self) -> Killer {
        self.child.clone()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        !matches!(self.child.child().try_wait(), Ok(None))
    }

    /// Waits for its end; its log is whole then.
    pub fn wait(mut self) -> Result<ExitStatus> {
        let status = self.child.child().wait()?;
        if let Some(copier) = self.copier.take() {
            let _ = copier.join();
        }
        Ok(status)
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        let pid = self.pid.to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status()?;
        ensure!(sent.success(), "SIGTERM could not be sent to {pid}");
        Ok(())
    }

    /// Stops it with SIGTERM; it must end in order.
    pub fn stop(self) -> Result<()> {
        self.terminate()?;
        let status = self.wait()?;
        ensure!(
            status.success(),
            "after SIGTERM it ended with {:?}, signal {:?}",
            status.code(),
            status.signal()
        );
        Ok(())
    }

    /// JSON from its public address.
    pub fn get(&self, path: &str) -> Result<Value> {
        get(self.public, path)
    }

    /// JSON from its administrative address.
    pub fn admin(&self, path: &str) -> Result<Value> {
        get(self.admin, path)
    }

    /// The value of a series of its metrics, named with its labels; none if it is not there.
    pub fn metric(&self, series: &str) -> Result<Option<f64>> {
        let text = request(self.public, "GET", "/metrics/prom", "")?.body;
        let text = String::from_utf8(text)?;
        let series = format!("match_list_processor_{series} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        Ok(line.map(str::parse).transpose()?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let mut child = self.child.child();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// An answer that came whole.
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// One request on a connection of its own. An error means that there was no whole answer.
pub fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<Answered> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes)
}

/// A whole answer with a length, as the daemon sends it.
pub fn parse(bytes: &[u8]) -> Result<Answered> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.context("no whole head came")?;
    let (head, body) = (std::str::from_utf8(&bytes[..end])?, &bytes[end + 4..]);
    let status = head.split(' ').nth(1).context("no status line")?.parse()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim())
    });
    let length: usize = length.context("no length")?.parse()?;
    ensure!(body.len() == length, "the body ended early");
    let body = body.to_vec();
    Ok(Answered { status, body })
}

/// JSON from this address, whatever the status.
pub fn get(address: SocketAddr, path: &str) -> Result<Value> {
    let answered = request(address, "GET", path, "")?;
    serde_json::from_slice(&answered.body)
        .with_context(|| format!("{path} answered {} without JSON", answered.status))
}
