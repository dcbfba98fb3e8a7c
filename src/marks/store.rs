//! Where works are kept.

use super::batch::MarkBatch;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// Why a store does not keep or give back. The operator is told; the marks stay in memory.
#[derive(Debug, Error)]
#[error("marks are not kept: {0}")]
pub struct StoreError(pub String);

/// Keeps the batches of works. One thread has it.
pub trait MarkStore: Send {
    /// Random, made with the store and never again: with a lost store a new writer begins.
    fn id(&self) -> u64;
    /// Whether what it keeps is there after the power was gone.
    fn is_persistent(&self) -> bool;
    /// All batches of a work, each writer's in their order. `born` is by this machine's monotonic clock.
    fn load(&mut self, work: &str) -> Result<Vec<Arc<MarkBatch>>, StoreError>;
    /// Keeps a batch; when this comes back it is kept.
    fn append(&mut self, work: &str, batch: &Arc<MarkBatch>) -> Result<(), StoreError>;
    /// What is kept of a writer below this number need not be any more.
    fn discard(&mut self, work: &str, batch: &Arc<MarkBatch>);
}

impl fmt::Debug for dyn MarkStore {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Store({:x})", self.id())
    }
}

/// Keeps works while the program runs.
#[derive(Debug)]
pub struct MemoryStore {
    id: u64,
    logs: HashMap<String, Vec<Arc<MarkBatch>>>,
}

impl MemoryStore {
    /// An empty store; `id` is random.
    pub fn new(id: u64) -> Self {
        Self { id, logs: HashMap::new() }
    }
}

impl MarkStore for MemoryStore {
    fn id(&self) -> u64 {
        self.id
    }

    fn is_persistent(&self) -> bool {
        false
    }

    fn load(&mut self, work: &str) -> Result<Vec<Arc<MarkBatch>>, StoreError> {
        Ok(self.logs.get(work).cloned().unwrap_or_default())
    }

    fn append(&mut self, work: &str, batch: &Arc<MarkBatch>) -> Result<(), StoreError> {
        self.logs.entry(work.to_owned()).or_default().push(batch.clone());
        Ok(())
    }

    fn discard(&mut self, work: &str, batch: &Arc<MarkBatch>) {
        if let Some(all) = self.logs.get_mut(work) {
            all.retain(|kept| !Arc::ptr_eq(kept, batch));
        }
    }
}
