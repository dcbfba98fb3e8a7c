//! Where works are kept.

use super::batch::Batch;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// Why a store does not keep or give back. The operator is told; the marks stay in memory.
#[derive(Debug, Error)]
#[error("marks are not kept: {0}")]
pub struct StoreError(pub String);

/// Keeps the batches of works. One thread has it.
pub trait Store: Send {
    /// Random, made with the store and never again: with a lost store a new writer begins.
    fn id(&self) -> u64;
    /// Whether what it keeps is there after the power was gone.
    fn is_lasting(&self) -> bool;
    /// All batches of a work, each writer's in their order. `born` is by this machine's monotonic clock.
    fn load(&mut self, work: &str) -> Result<Vec<Arc<Batch>>, StoreError>;
    /// Keeps a batch; when this comes back it is kept.
    fn append(&mut self, work: &str, batch: &Arc<Batch>) -> Result<(), StoreError>;
    /// What is kept of a writer below this number need not be any more.
    fn forget(&mut self, work: &str, batch: &Arc<Batch>);
}

impl fmt::Debug for dyn Store {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Store({:x})", self.id())
    }
}

/// Keeps works while the program runs.
#[derive(Debug)]
pub struct Memory {
    id: u64,
    works: HashMap<String, Vec<Arc<Batch>>>,
}

impl Memory {
    /// An empty store; `id` is random.
    pub fn new(id: u64) -> Self {
        Self { id, works: HashMap::new() }
    }
}

impl Store for Memory {
    fn id(&self) -> u64 {
        self.id
    }

    fn is_lasting(&self) -> bool {
        false
    }

    fn load(&mut self, work: &str) -> Result<Vec<Arc<Batch>>, StoreError> {
        Ok(self.works.get(work).cloned().unwrap_or_default())
    }

    fn append(&mut self, work: &str, batch: &Arc<Batch>) -> Result<(), StoreError> {
        self.works.entry(work.to_owned()).or_default().push(batch.clone());
        Ok(())
    }

    fn forget(&mut self, work: &str, batch: &Arc<Batch>) {
        if let Some(all) = self.works.get_mut(work) {
            all.retain(|kept| !Arc::ptr_eq(kept, batch));
        }
    }
}
