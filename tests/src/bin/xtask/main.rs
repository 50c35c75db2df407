//! Measurements behind the tables of `docs`, and small tools for who works on posy:
//!
//! ```text
//! cargo run --release -p posy-tests --bin xtask -- TASK [ARGUMENT]...
//! ```
//!
//! One program, since each program links posy anew. The module of a task documents its arguments.

mod accuracy;
mod board_images;
mod board_sizes;
mod board_wiring;
mod contender;
mod drawings;
mod finetune_gain;
mod int8_heads;
mod label_noise;
mod notices;
mod pictures;
mod profile;
mod rejection;

/// Arguments after the task's name.
type Arguments = std::iter::Skip<std::env::Args>;

type Failure = Box<dyn std::error::Error + Send + Sync>;

type Task = fn(Arguments) -> Result<(), Failure>;

const TASKS: [(&str, Task, &str); 13] = [
    (
        "accuracy",
        accuracy::run,
        "int8 and float test accuracy over many splits",
    ),
    (
        "board-images",
        board_images::run,
        "programs of boards that posy carries, built anew",
    ),
    (
        "board-sizes",
        board_sizes::run,
        "rows of the table in boards/README.md",
    ),
    (
        "board-wiring",
        board_wiring::run,
        "wiring pictures of the boards' pages",
    ),
    ("contender", contender::run, "posy's part in tests/peers"),
    (
        "drawings",
        drawings::run,
        "the demo's drawings, as sheets and as arrays",
    ),
    (
        "finetune-gain",
        finetune_gain::run,
        "accuracy that fine-tuning adds to the head alone",
    ),
    (
        "int8-heads",
        int8_heads::run,
        "int8 heads against float heads",
    ),
    (
        "label-noise",
        label_noise::run,
        "planted faults that `posy check` finds, and its cost",
    ),
    (
        "notices",
        notices::run,
        "licences of the crates in posy, as a file",
    ),
    (
        "pictures",
        pictures::run,
        "transcripts of pages and pictures of docs, from real output",
    ),
    (
        "profile",
        profile::run,
        "instructions of each layer on emulated cores",
    ),
    (
        "rejection",
        rejection::run,
        "photos of no label, and calibration",
    ),
];

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    if let Some((_, task, _)) = TASKS.iter().find(|(task, ..)| *task == name) {
        return task(arguments);
    }
    let tasks = TASKS.map(|(task, _, about)| format!("  {task:<14} {about}\n"));
    Err(format!("usage: xtask TASK [ARGUMENT]...\n{}", tasks.concat()).into())
}
