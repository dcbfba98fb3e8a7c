//! Storage for mark logs.

use super::batch::MarkBatch;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// Reason why a store fails to write or read. The operator sees it; the marks stay in memory.
#[derive(Debug, Error)]
#[error("marks are not kept: {0}")]
pub struct StoreError(pub String);

/// Store for the batches of mark logs, used by one thread.
pub trait MarkStore: Send {
    /// Returns the store's random id, created with it and never again: a lost store means a new writer.
    fn id(&self) -> u64;
    /// Returns whether its contents survive a power cut.
    fn is_persistent(&self) -> bool;
    /// Loads all batches of a log, each writer's in order. `created_us` is by this machine's monotonic clock.
    fn load(&mut self, work: &str) -> Result<Vec<Arc<MarkBatch>>, StoreError>;
    /// Stores a batch; it is kept once this returns.
    fn append(&mut self, work: &str, batch: &Arc<MarkBatch>) -> Result<(), StoreError>;
    /// Permits the store to drop a batch that the log has evicted.
    fn discard(&mut self, work: &str, batch: &Arc<MarkBatch>);
}

impl fmt::Debug for dyn MarkStore {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Store({:x})", self.id())
    }
}

/// Store that keeps logs only while the program runs.
#[derive(Debug)]
pub struct MemoryStore {
    id: u64,
    logs: HashMap<String, Vec<Arc<MarkBatch>>>,
}

impl MemoryStore {
    /// Creates an empty store; `id` is random.
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
