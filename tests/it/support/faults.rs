//! Faults of the machine below the real binary: disks of its own, failing system calls, a clock
//! that jumps. They need root, as the whole run does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The same command, started by another program.
pub fn under(prefix: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(prefix[0]);
    wrapped.args(&prefix[1..]).arg(command.get_program());
    wrapped.args(command.get_args()).env_clear();
    wrapped.envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    wrapped
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?} failed; these tests mount disks, so they need root: {said}"
    );
}

/// A file system that only processes of its own mount namespace see. It goes with the namespace.
pub struct Disk {
    keeper: Child,
    at: PathBuf,
    /// The file behind it, where there is one.
    image: Option<tempfile::NamedTempFile>,
}

impl Disk {
    /// In memory, at a folder that is there already.
    pub fn in_memory(at: &Path, size: &str) -> Self {
        let options = format!("size={size}");
        Self::mount(at, None, &["-t", "tmpfs", "-o", &options, "none"])
    }

    /// An ext4 that turns read-only when it meets an error, as many are set up.
    pub fn ext4(at: &Path) -> Self {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(32 << 20).unwrap();
        let path = image.path().to_str().unwrap().to_owned();
        run("mkfs.ext4", &["-q", "-F", &path]);
        let options = ["-o", "loop,errors=remount-ro", &path];
        Self::mount(at, Some(image), &options)
    }

    fn mount(at: &Path, image: Option<tempfile::NamedTempFile>, mount: &[&str]) -> Self {
        let keeper = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut disk = Self {
            keeper,
            at: at.to_owned(),
            image,
        };
        disk.await_namespace();
        disk.run_inside("mount", &[mount, &[at.to_str().unwrap()]].concat());
        disk
    }

    /// What `cat` echoes shows that it runs in the namespace.
    fn await_namespace(&mut self) {
        self.keeper
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"\n")
            .unwrap();
        let output = self.keeper.stdout.as_mut().unwrap();
        let read = std::io::Read::read(output, &mut [0]).unwrap();
        assert_eq!(read, 1, "no mount namespace could be made; is this root?");
    }

    fn enter(&self) -> [String; 4] {
        let pid = self.keeper.id().to_string();
        ["nsenter".into(), "--mount".into(), "--target".into(), pid]
    }

    fn run_inside(&self, program: &str, arguments: &[&str]) {
        let enter = self.enter();
        let prefix: Vec<&str> = enter[1..].iter().map(String::as_str).collect();
        run(&enter[0], &[&prefix[..], &[program], arguments].concat());
    }

    /// The command, so that it sees the disk.
    pub fn inside(&self, command: &Command) -> Command {
        under(&self.enter().each_ref().map(String::as_str), command)
    }

    /// A path on the disk, as it is seen from outside.
    pub fn path(&self, name: &str) -> PathBuf {
        let root = format!("/proc/{}/root", self.keeper.id());
        Path::new(&root)
            .join(self.at.strip_prefix("/").unwrap())
            .join(name)
    }

    /// Takes all space but for so many bytes.
    pub fn fill(&self, but: u64) {
        let mut filler = std::fs::File::create(self.path("filler")).unwrap();
        let zeroes = [0; 4096];
        while filler.write_all(&zeroes).is_ok() {}
        let size = filler.metadata().unwrap().len();
        filler.set_len(size - but).unwrap();
    }

    /// Gives the space back.
    pub fn free(&self) {
        std::fs::remove_file(self.path("filler")).unwrap();
    }

    /// Mounts it again with these options.
    pub fn remount(&self, options: &str) {
        let at = self.at.to_str().unwrap().to_owned();
        self.run_inside("mount", &["-o", &format!("remount,{options}"), &at]);
    }

    /// Takes it away and puts it back after a check, as an operator does who mends it.
    pub fn repair(&self) {
        let (at, image) = (self.at.to_str().unwrap(), self.image.as_ref().unwrap());
        let image = image.path().to_str().unwrap();
        self.run_inside("umount", &[at]);
        // 1 says that something was corrected.
        let script = format!("e2fsck -p -f {image} >/dev/null; [ $? -le 1 ]");
        run("sh", &["-c", &script]);
        self.run_inside("mount", &["-o", "loop", image, at]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// System calls of a running process that fail for as long as this lives.
pub struct Failing(Child);

impl Failing {
    /// These calls on these files fail with this error.
    pub fn calls(pid: &str, calls: &str, error: &str, files: &[PathBuf]) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-p", pid, "-e"]);
        command.arg(format!("trace={calls}"));
        command.args(["-e", &format!("inject={calls}:error={error}")]);
        for file in files {
            command.arg("-P").arg(file);
        }
        let mut strace = command.stderr(Stdio::piped()).spawn().unwrap();
        // It says so when it holds the process; the rest of what it says is thrown away.
        let mut said = std::io::BufReader::new(strace.stderr.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        assert!(line.contains("attached"), "{line}");
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self(strace)
    }
}

impl Drop for Failing {
    /// By a signal on which strace lets the process go on.
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.0.wait();
    }
}

/// The command, so that the Nth of these system calls fails, on each thread. `when` is what strace
/// takes: `3` for the third, `3+` for all from there. The process keeps its id.
pub fn with_failing_call(command: &Command, calls: &str, error: &str, when: &str) -> Command {
    let trace = format!("trace={calls}");
    let inject = format!("inject={calls}:error={error}:when={when}");
    let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null"];
    under(
        &[&strace[..], &["-e", &trace, "-e", &inject]].concat(),
        command,
    )
}
