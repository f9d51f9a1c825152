//! The exported list, written on a thread of its own while the rest of a cycle is worked out.

use std::ops::Range;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::one::Cycle;
use super::work::range;
use crate::domain::compare::Diff;
use crate::domain::matchlist::Entry;
use crate::store::{ExportError, Exporter, Prepared};
use crate::telemetry::labels::StoreError as Operation;

/// A list that is being written. Dropped, it is given up.
#[derive(Debug, Default)]
pub(super) struct Export {
    /// Where the entries in it stand in the body.
    written: Vec<Range<usize>>,
    /// Closed before the end, the list is given up.
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<Result<Option<Prepared>, ExportError>>>,
}

enum Order {
    Write(Vec<Range<usize>>),
    Finish,
}

impl Export {
    fn start(exporter: &Exporter, body: &Bytes) -> Self {
        let (orders, taken) = mpsc::channel();
        let (exporter, body) = (exporter.clone(), body.clone());
        let thread = std::thread::Builder::new().name("export".into());
        Self {
            written: Vec::new(),
            orders: Some(orders),
            thread: thread.spawn(move || write(&exporter, &body, &taken)).ok(),
        }
    }

    /// A thread that ended already tells why when it is joined.
    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }

    fn append(&mut self, entries: Vec<Range<usize>>) {
        self.written.extend_from_slice(&entries);
        self.order(Order::Write(entries));
    }

    fn join(&mut self) -> Option<Result<Option<Prepared>, ExportError>> {
        self.orders = None;
        self.thread.take()?.join().ok()
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // The next list goes by the same temporary name.
        drop(self.join());
    }
}

fn write(
    exporter: &Exporter,
    body: &[u8],
    orders: &Receiver<Order>,
) -> Result<Option<Prepared>, ExportError> {
    let mut draft = exporter.begin()?;
    while let Ok(order) = orders.recv() {
        match order {
            Order::Write(entries) => {
                for range in entries {
                    draft.entry(&body[range])?;
                }
            }
            Order::Finish => return draft.finish().map(Some),
        }
    }
    Ok(None)
}

impl Cycle {
    /// Begins with the export before the list has been read to its end; most often every entry
    /// will be in it.
    pub(super) fn export_early(&self, export: &mut Option<Export>, body: &Bytes, found: &[Entry]) {
        let export = export.get_or_insert_with(|| Export::start(&self.exporter, body));
        export.append(found.iter().map(|one| range(body, one.get())).collect());
    }

    /// Has the list written to its end, if it differs from the one before; anew, if what was
    /// written early is not how it begins.
    pub(super) fn export(
        &self,
        early: Option<Export>,
        body: &Bytes,
        diff: &Diff,
        has_snapshot: bool,
    ) -> Option<Export> {
        if diff.upserts.is_empty() && diff.gone.is_empty() && has_snapshot {
            return None;
        }
        let ranges: Vec<_> = diff.kept.iter().map(|kept| range(body, kept.raw)).collect();
        let early = early.filter(|early| ranges.starts_with(&early.written));
        let mut export = early.unwrap_or_else(|| Export::start(&self.exporter, body));
        export.append(ranges[export.written.len()..].to_vec());
        export.order(Order::Finish);
        Some(export)
    }

    /// The export once it is on disk, and whether it should be there and is not.
    pub(super) fn exported(&self, export: Option<Export>) -> (Option<Prepared>, bool) {
        let Some(mut export) = export else {
            return (None, false);
        };
        match export.join() {
            Some(Ok(Some(prepared))) => return (Some(prepared), false),
            Some(Err(error)) => {
                self.metrics.store_errors.inc((Operation::Export,));
                tracing::error!(error = %error, "the exported match list could not be written");
            }
            Some(Ok(None)) | None => {}
        }
        (None, true)
    }
}
