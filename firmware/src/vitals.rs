//! Signs of life: the watchdog, the LED, and the reason of the last restart.

/// State of a board as its LED shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It waits for a model: the LED blinks slowly.
    Waiting,
    /// It answers: the LED is steady.
    Answering,
    /// Its camera fails: the LED blinks fast.
    Trouble,
}

/// Watchdog and LED of a board; functions, since there is one of each.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    /// Feeds the watchdog. Called where the program has got on: with each step of its loop, and through
    /// [`Watched`](crate::watched::Watched) with each row of the network.
    pub feed: fn(),
    /// Sets the LED.
    pub sign: fn(Sign),
    /// Reason of the last restart, unless the board was switched on: said once.
    pub restart: Option<&'static str>,
}

impl Vitals {
    /// Signs of life of a board with neither watchdog nor LED, such as an emulated one.
    pub const NONE: Vitals = Vitals {
        feed: || {},
        sign: |_| {},
        restart: None,
    };
}
