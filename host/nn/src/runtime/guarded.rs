//! Turns panics of tract into errors: it runs arbitrary graphs, and some damaged ones hit a bound
//! that it does not check.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// True while a panic of this thread is caught, so that the panic hook prints nothing.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic becomes an error with its message.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                usual(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    // Unwind safe: the value under construction is dropped, so no one sees it half done.
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    done.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "it stopped without a reason".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_errors() {
        assert_eq!(guarded(|| 3), Ok(3));
        let at = |place: usize| [1, 2][place];
        assert_eq!(guarded(|| at(1)), Ok(2));
        let refused = guarded(|| at(2)).unwrap_err();
        assert!(refused.contains("out of bounds"), "{refused}");
        assert_eq!(
            guarded(|| panic!("as it is")),
            Err::<(), _>("as it is".into())
        );
    }
}
