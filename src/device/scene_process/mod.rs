//! The scene process as the show sees it: started, fed, watched, killed when it runs away, started again. A new edition
//! runs beside the one that is shown, and takes its place once it has drawn a picture.

mod alone;
mod board;
mod child;
mod command;
mod keeper;

pub use alone::SceneAlone;
pub use board::{Painting, SceneStatus};
pub use command::SceneCommand;
pub use keeper::Answered;

use crate::scene::{Act, Edition, ScriptFault, Setting};
use board::Shared;
use keeper::{Frame, Keeper, Order};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// A scene in a process of its own.
pub struct SceneProcess {
    shared: Arc<Shared>,
    orders: Option<Sender<Order>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl SceneProcess {
    /// Waits for an edition, and keeps a process running until this is dropped.
    pub fn start(command: SceneCommand, setting: Setting) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new());
        let (orders, taken) = channel();
        let kept = shared.clone();
        let keeper = move || Keeper::new(command, setting, &kept).keep(&taken);
        let thread = std::thread::Builder::new().name("scene".into()).spawn(keeper)?;
        Ok(Self { shared, orders: Some(orders), thread: Some(thread) })
    }

    /// An edition is to be shown as soon as it runs; one that does not is told of, and what was shown stays.
    pub fn offer(&self, edition: Arc<Edition>) {
        if let Some(orders) = &self.orders {
            // A keeper that is gone has no show any more.
            let _ = orders.send(Order::Edition(edition));
        }
    }

    /// The folder is not fit to be shown; what was shown stays.
    pub fn refuse(&self, fault: ScriptFault) {
        self.shared.refuse(fault);
    }

    /// True when a frame can be asked for.
    pub fn is_free(&self) -> bool {
        self.shared.board().free
    }

    /// True when a scene begins that knows nothing: the next frame is to tell it all.
    pub fn begins(&self) -> bool {
        self.shared.board().begins.is_some()
    }

    /// Returns the edition that begins with the next frame that tells it all. Until then, the previous edition goes on.
    pub fn coming(&self) -> Option<Arc<Edition>> {
        self.shared.board().begins.clone()
    }

    /// Asks for a frame; `whole` if it tells all that a scene must know which begins. To be called when it is free; false
    /// when it is not after all, or when no scene is shown that could answer a frame that does not tell all.
    pub fn ask(&self, number: u64, input: u64, json: String, whole: bool) -> bool {
        let mut board = self.shared.board();
        let Some(orders) = self.orders.as_ref().filter(|_| board.free && (whole || board.shown)) else { return false };
        board.free = orders.send(Order::Frame(Frame { number, input, json, whole })).is_err();
        !board.free
    }

    /// Waits until frame `number` is answered, at most so long; true when it was.
    pub fn wait(&self, number: u64, at_most: Duration) -> bool {
        let board = self.shared.board();
        let waited =
            self.shared.answered.wait_timeout_while(board, at_most, |board| board.answered < number && !board.free);
        let (board, _) = waited.unwrap_or_else(PoisonError::into_inner);
        board.answered >= number
    }

    /// The newest picture, if there is a new one, and what is to be done.
    pub fn take(&self) -> (Option<Painting>, Vec<Act>) {
        let mut board = self.shared.board();
        (board.painting.take(), std::mem::take(&mut board.acts))
    }

    /// How the scene is.
    pub fn status(&self) -> SceneStatus {
        self.shared.board().status.clone()
    }
}

impl Drop for SceneProcess {
    fn drop(&mut self) {
        self.orders = None;
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
