//! The real Redis, as Debian packages it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wire::unused_address;

/// A server that keeps nothing.
pub struct RedisServer {
    child: Child,
    address: SocketAddr,
    arguments: Vec<String>,
    pub folder: tempfile::TempDir,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::with(|_, _| Vec::new())
    }

    /// One with more settings, made of its port and its folder.
    pub fn with(settings: impl Fn(u16, &str) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = unused_address();
        let path = folder.path().to_str().unwrap();
        let fixed = format!(
            "--bind 127.0.0.1 --save  --appendonly no --enable-debug-command local --dir {path} \
             --port {}",
            address.port()
        );
        let mut arguments: Vec<String> = fixed.split(' ').map(str::to_owned).collect();
        arguments.extend(settings(address.port(), path));
        Self {
            child: spawn(&arguments),
            address,
            arguments,
            folder,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was.
    pub fn again(&mut self) {
        self.child = spawn(&self.arguments);
    }

    /// It keeps its connections and answers nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// A connection of somebody else's.
    pub fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Client(BufReader::new(stream))
    }

    /// Somebody who listens: to a channel, or to a pattern.
    pub fn subscriber(&self, command: &str) -> Client {
        let mut client = self.client();
        client.say(command);
        assert_eq!(client.next().len(), 3, "{command}");
        client
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(arguments: &[String]) -> Child {
    let mut child = Command::new("redis-server")
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is not installed: run `bash tests/run.sh --install`");
    let mut log = BufReader::new(child.stdout.take().unwrap());
    let mut read = String::new();
    while !read.contains("eady to accept connections") {
        assert!(log.read_line(&mut read).unwrap() > 0, "{read}");
    }
    std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
    child
}

/// A client of few words, which shares no code with the one under test.
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Sends a command without reading the answer.
    pub fn say(&mut self, command: &str) {
        write!(self.0.get_ref(), "{command}\r\n").unwrap();
    }

    /// The answer to a command, its parts one after the other.
    pub fn ask(&mut self, command: &str) -> Vec<String> {
        self.say(command);
        self.next()
    }

    /// The next answer or message.
    pub fn next(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let (kind, rest) = line.trim_end().split_at(1);
        match kind {
            "*" => (0..rest.parse::<usize>().unwrap())
                .flat_map(|_| self.next())
                .collect(),
            "$" => {
                let mut text = vec![0; rest.parse::<usize>().unwrap() + 2];
                self.0.read_exact(&mut text).unwrap();
                text.truncate(text.len() - 2);
                vec![String::from_utf8(text).unwrap()]
            }
            _ => vec![rest.to_owned()],
        }
    }
}
