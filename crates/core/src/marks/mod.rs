//! Mark logs: the marks that visitors of both cities leave, and their merge after any separation.
//!
//! A log is a grow-only set. Each [`Mark`] is identified by its [`WriterId`] and a sequence number, so that merging
//! is a union and needs no agreement. A site states what it has by one number per writer (a version vector). A mark's
//! stamp is above all that its writer had seen (Lamport, "Time, Clocks, and the Ordering of Events in a Distributed
//! System", 1978): in the order of stamps, no mark stands before one that it answers to.

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

/// Most bytes of a mark's name, which is that of its collection in the manifest.
pub const NAME_MAX: usize = 32;
/// Most bytes of a mark's payload, as JSON.
pub const PAYLOAD_MAX: usize = 4_096;
/// Most marks under one signature.
pub const BATCH_MARKS_MAX: usize = 64;
/// Most bytes of a batch, including its signature.
pub const BATCH_BYTES_MAX: usize = 16 << 10;
/// Most writers of one log: each start of a site without a disk is a new one.
pub const WRITERS_MAX: usize = 128;
/// Most bytes of one log in memory; beyond it the oldest marks are evicted.
pub const LOG_BYTES_MAX: usize = 24 << 20;
/// Largest distance of a mark's stamp above all those known here: nobody has made more marks than that.
pub const STAMP_AHEAD_MAX: u64 = 1 << 26;
/// Most marks that a scene sees, the newest; [`Mark::weight`] limits them further.
pub const VISIBLE_MAX: usize = 5_000;
/// Largest weight of the marks that a scene sees; see [`VISIBLE_MAX`].
pub const VISIBLE_WEIGHT_MAX: usize = 20 << 20;
