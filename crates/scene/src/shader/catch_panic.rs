//! Compiler panics as errors: naga promises no panics for a module that it has validated, but some occur.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

static HOOK: Once = Once::new();

thread_local! {
    /// True while this thread's panics are left to the catcher to report.
    static SILENCED: Cell<bool> = const { Cell::new(false) };
}

/// Returns the result of `act`, or its panic message, which is printed nowhere else.
pub(super) fn catch_panic<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !SILENCED.get() {
                before(panic);
            }
        }));
    });
    let before = SILENCED.replace(true);
    // Everything that `act` has built is dropped with it.
    let result = catch_unwind(AssertUnwindSafe(act));
    SILENCED.set(before);
    result.map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it gave up").lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_act_is_well() {
        assert_eq!(catch_panic(|| 7), Ok(7));
        let nothing: Option<u8> = std::hint::black_box(None);
        assert_eq!(catch_panic(|| nothing.expect("it is there")), Err("it is there".into()));
        assert_eq!(catch_panic(|| panic!("{} things", 3)), Err::<(), _>("3 things".into()));
        assert!(!SILENCED.get());
    }
}
