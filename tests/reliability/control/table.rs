//! The weakened builds, and how the harness is called that must catch each.

use crate::support::weakened::{Edit, Weakening};

pub const CONTROLS: &[(Weakening, &[&str])] = &[(
    Weakening {
        name: "acknowledging-before-the-commit",
        edits: &[Edit {
            file: "src/store/writer.rs",
            text: "        self.result.as_ref().map(|_| ()).map_err(Clone::clone)\n",
            replacement: "
        let told = self.result.as_ref().map(|_| ()).map_err(Clone::clone);
        if self.one_statement {
            let reply = std::mem::replace(&mut self.reply, oneshot::channel().0);
            let result = std::mem::replace(&mut self.result, Err(StoreError::Closed));
            let _ = reply.send(result);
        }
        told
",
        }],
    },
    &["kill", "--rounds", "200"],
)];
