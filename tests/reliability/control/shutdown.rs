//! Builds that stop before they are done.

use super::Control;
use crate::support::weakened::Edit;

/// The stop of a daemon whose neighbours are well.
const WELL: &[&str] = &["shutdown", "--rounds", "1"];
/// The last spans may just have filled their batch, or no delivery be under way.
const SEVERAL: &[&str] = &["shutdown", "--rounds", "4"];
/// One that waits for a Drive service that hangs.
const HANGING: &[&str] = &["shutdown", "--first", "2", "--rounds", "1"];

pub const CONTROLS: &[Control] = &[
    Control::new(
        "giving-up-accepted-requests",
        UNANSWERED,
        WELL,
        &["accepted request", "got no answer", "an answer"],
    ),
    Control::new(
        "giving-up-deliveries-under-way",
        UNSETTLED,
        SEVERAL,
        &["could come again"],
    ),
    Control::new(
        "keeping-the-last-spans",
        UNSENT,
        SEVERAL,
        &["did not arrive"],
    ),
    Control::new(
        "waiting-for-whoever-hangs",
        ENDLESS,
        HANGING,
        &["it ended with", "its deadline was"],
    )
    .for_campaigns(),
];

/// A connection ends at the stop, whatever is under way on it.
const UNANSWERED: &[Edit] = &[Edit {
    file: "src/http/listen.rs",
    text: "            connection.as_mut().graceful_shutdown();\n",
    replacement: "            if WEAK {
                return Closed::Shutdown;
            }
            connection.as_mut().graceful_shutdown();
",
}];

/// A stop is no reason to wait for an attempt.
const UNSETTLED: &[Edit] = &[Edit {
    file: "src/delivery/dispatch.rs",
    text: "            if stopping && attempts.is_empty() {\n",
    replacement: "            if stopping && (attempts.is_empty() || WEAK) {\n",
}];

const UNSENT: &[Edit] = &[Edit {
    file: "src/commands/serve.rs",
    text: "    telemetry.shutdown(shutdown::Deadline { total }.telemetry());\n",
    replacement: "    if WEAK {
        return std::mem::forget(telemetry);
    }
    telemetry.shutdown(shutdown::Deadline { total }.telemetry());
",
}];

/// A cycle or a delivery that hangs is never given up.
const ENDLESS: &[Edit] = &[Edit {
    file: "src/app/serve.rs",
    text: "        let ended = async { while work.join_next().await.is_some() {} };\n",
    replacement: "        let patience = match WEAK {
            true => patience + std::time::Duration::from_secs(3600),
            false => patience,
        };
        let ended = async { while work.join_next().await.is_some() {} };
",
}];
