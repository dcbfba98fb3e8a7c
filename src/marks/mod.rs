//! Works: the marks that visitors of both cities leave, and how they are merged after any separation.
//!
//! A work is a grow-only set. Each [`Mark`] is named by its [`Writer`] and a sequence number, so that merging is a union
//! and needs nobody's consent; what a site has is told by one number for each writer (a version vector). A mark's stamp
//! is above all that its writer had seen (Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System",
//! 1978): in the order of stamps nothing stands before what it answers to.

mod batch;
mod mark;
mod mark_log;
mod recent;
mod store;

pub use batch::{BatchError, MarkBatch, Signer};
pub use mark::{Mark, MarkOrder, WriterId};
pub use mark_log::{MarkLog, MergeOutcome, NewMark};
pub use recent::RecentMarks;
pub use store::{MarkStore, MemoryStore, StoreError};

/// Most bytes of a mark's name: what it is called in the manifest.
pub const NAME_MAX: usize = 32;
/// Most bytes of what a scene says of a mark, as JSON.
pub const PAYLOAD_MAX: usize = 4_096;
/// Most marks that are signed at once.
pub const BATCH_MARKS_MAX: usize = 64;
/// Most bytes of a batch, its signature and all.
pub const BATCH_BYTES_MAX: usize = 16 << 10;
/// Most writers of one work: each start of a site without a disk is one.
pub const WRITERS_MAX: usize = 128;
/// Most bytes of one work in memory; beyond it the oldest marks are forgotten.
pub const LOG_BYTES_MAX: usize = 24 << 20;
/// How far a mark's stamp may be above all that are known here: more marks than that nobody has made.
pub const STAMP_AHEAD_MAX: u64 = 1 << 26;
/// Marks that a scene sees of its work, the newest, and most of them by [`Mark::weight`].
pub const VISIBLE_MAX: usize = 5_000;
/// See [`VISIBLE_MAX`].
pub const VISIBLE_WEIGHT_MAX: usize = 20 << 20;
