//! posy in a browser.

mod engine;
mod page;
