//! A small file system in memory: what a disk holds, and the operations that change it.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Component, Path, PathBuf};

use anyhow::Context;

use super::Result;

/// A file or folder, whatever its name is at the moment.
pub type Id = usize;

/// The folder that everything else is in; it is always on disk.
pub const ROOT: Id = 0;

/// What a file or folder holds.
#[derive(Clone, Debug, Hash)]
pub enum Node {
    /// Names and what they stand for.
    Folder(BTreeMap<String, Id>),
    /// Bytes.
    File(Vec<u8>),
}

/// One change. Each changes one thing: a name in a folder, or bytes of a file.
#[derive(Clone, Debug)]
pub enum Change {
    /// A name for a new file or folder, or one more name for a file.
    Enter { folder: Id, name: String, node: Id },
    /// From one name to another, at once.
    Move {
        from: (Id, String),
        to: (Id, String),
        node: Id,
    },
    /// A name less.
    Leave { folder: Id, name: String, node: Id },
    /// Bytes at an offset.
    Write { file: Id, at: usize, bytes: Vec<u8> },
    /// A new length; what is new is zero.
    Resize { file: Id, length: usize },
}

impl Change {
    /// What must be synced for the change to last: of a rename, the folder with the new name.
    pub fn object(&self) -> Id {
        match self {
            Self::Enter { folder, .. } | Self::Leave { folder, .. } => *folder,
            Self::Move { to, .. } => to.0,
            Self::Write { file, .. } | Self::Resize { file, .. } => *file,
        }
    }

    /// Whether it changes names, not bytes.
    pub fn is_of_names(&self) -> bool {
        !matches!(self, Self::Write { .. } | Self::Resize { .. })
    }
}

/// All files and folders, those without a name too.
#[derive(Clone, Debug)]
pub struct Disk {
    nodes: Vec<Node>,
}

impl Disk {
    /// An empty root.
    pub fn new() -> Self {
        Self {
            nodes: vec![Node::Folder(BTreeMap::new())],
        }
    }

    /// Adds a file or folder without a name.
    pub fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// What is at this path below the root.
    pub fn find(&self, path: &Path) -> Option<Id> {
        path.components()
            .try_fold(ROOT, |at, part| match (&self.nodes[at], part) {
                (Node::Folder(names), Component::Normal(name)) => {
                    names.get(name.to_str()?).copied()
                }
                (_, Component::CurDir) => Some(at),
                _ => None,
            })
    }

    /// The folder of this path, and the name in it.
    pub fn place(&self, path: &Path) -> Option<(Id, String)> {
        let name = path.file_name()?.to_str()?.to_owned();
        Some((self.find(path.parent()?)?, name))
    }

    /// The bytes of a file.
    pub fn file(&self, id: Id) -> Option<&[u8]> {
        match &self.nodes[id] {
            Node::File(bytes) => Some(bytes),
            Node::Folder(_) => None,
        }
    }

    /// The bytes of the file at this path.
    pub fn read(&self, path: &Path) -> Option<&[u8]> {
        self.file(self.find(path)?)
    }

    /// Makes the change. A name is only taken away from what it stood for then.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Enter { folder, name, node } => self.name(*folder, name, *node),
            Change::Leave { folder, name, node } => self.unname(*folder, name, *node),
            Change::Move { from, to, node } => {
                self.unname(from.0, &from.1, *node);
                self.name(to.0, &to.1, *node);
            }
            Change::Write { file, at, bytes } => self.write(*file, *at, bytes),
            Change::Resize { file, length } => {
                if let Node::File(content) = &mut self.nodes[*file] {
                    content.resize(*length, 0);
                }
            }
        }
    }

    /// Writes bytes; what lies between the old end and `at` is zero.
    pub fn write(&mut self, file: Id, at: usize, bytes: &[u8]) {
        if let Node::File(content) = &mut self.nodes[file] {
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[at..end].copy_from_slice(bytes);
        }
    }

    fn name(&mut self, folder: Id, name: &str, node: Id) {
        if let Node::Folder(names) = &mut self.nodes[folder] {
            names.insert(name.to_owned(), node);
        }
    }

    fn unname(&mut self, folder: Id, name: &str, node: Id) {
        if let Node::Folder(names) = &mut self.nodes[folder]
            && names.get(name) == Some(&node)
        {
            names.remove(name);
        }
    }

    /// Every file that has a name, with its path below the root.
    pub fn files(&self) -> Vec<(PathBuf, &[u8])> {
        let mut found = Vec::new();
        self.walk(ROOT, Path::new(""), &mut |path, node| {
            if let Node::File(bytes) = node {
                found.push((path.to_owned(), bytes.as_slice()));
            }
        });
        found
    }

    /// Of everything that has a name: equal states have equal digests.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.walk(ROOT, Path::new(""), &mut |path, node| {
            path.hash(&mut hasher);
            if let Node::File(bytes) = node {
                bytes.hash(&mut hasher);
            }
        });
        hasher.finish()
    }

    /// Writes it to a real folder, which must be empty or missing.
    pub fn write_to(&self, root: &Path) -> Result<()> {
        let mut result = fs::create_dir_all(root);
        self.walk(ROOT, root, &mut |path, node| {
            if result.is_ok() {
                result = match node {
                    Node::Folder(_) => fs::create_dir_all(path),
                    Node::File(bytes) => fs::write(path, bytes),
                };
            }
        });
        result.with_context(|| format!("cannot write a disk state to {}", root.display()))
    }

    /// Calls `each` for everything that has a name, folders before what is in them.
    fn walk<'a>(&'a self, at: Id, path: &Path, each: &mut impl FnMut(&Path, &'a Node)) {
        let node = &self.nodes[at];
        each(path, node);
        if let Node::Folder(names) = node {
            for (name, &id) in names {
                self.walk(id, &path.join(name), each);
            }
        }
    }
}
