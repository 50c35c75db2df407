//! Ctrl-C while a network is fine-tuned: training ends early and its best parameters are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::{process, thread};

/// Ctrl-C ends the program.
const ENDS: u8 = 0;
/// Ctrl-C ends fine-tuning.
const STOPS: u8 = 1;
/// Fine-tuning is to end; Ctrl-C ends the program.
const STOPPED: u8 = 2;

/// Exit code of a shell's command that SIGINT ended: 128 and the signal's number (POSIX, section 2.8.2).
const EXIT_CODE: i32 = 130;

/// Meaning of Ctrl-C.
#[derive(Default)]
pub(super) struct Interrupt(Option<Arc<AtomicU8>>);

impl Interrupt {
    /// Takes Ctrl-C for the end of fine-tuning; `say` tells that it came. Where no handler can be had,
    /// Ctrl-C goes on to end the program.
    pub(super) fn arm(&mut self, say: impl Fn() + Send + 'static) {
        let meaning = self.0.get_or_insert_with(|| {
            let meaning = Arc::new(AtomicU8::new(ENDS));
            listen(Arc::clone(&meaning), say);
            meaning
        });
        meaning.store(STOPS, Ordering::SeqCst);
    }

    /// Lets Ctrl-C end the program again.
    pub(super) fn disarm(&self) {
        if let Some(meaning) = &self.0 {
            meaning.store(ENDS, Ordering::SeqCst);
        }
    }

    /// True if fine-tuning is to end.
    pub(super) fn came(&self) -> bool {
        let meaning = self.0.as_ref();
        meaning.is_some_and(|meaning| meaning.load(Ordering::SeqCst) == STOPPED)
    }
}

/// Waits for Ctrl-C on a thread of its own.
fn listen(meaning: Arc<AtomicU8>, say: impl Fn() + Send + 'static) {
    let waits = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                let order = Ordering::SeqCst;
                match meaning.compare_exchange(STOPS, STOPPED, order, order) {
                    Ok(_) => say(),
                    Err(_) => process::exit(EXIT_CODE),
                }
            }
        });
    };
    // Without the thread Ctrl-C ends the program, as everywhere else.
    let _ = thread::Builder::new().name("ctrl-c".into()).spawn(waits);
}
