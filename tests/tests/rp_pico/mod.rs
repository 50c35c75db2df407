//! The Pico's real firmware, program and model as UF2 files, in an emulated RP2040 with a simulated
//! ArduCAM on its pins.

mod answers;
mod bare;
mod camera;
mod faults;
#[cfg(target_os = "linux")]
mod live;
mod mega;
mod restarts;
mod slot;
