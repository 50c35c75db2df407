//! Estimates of an answer's time against fresh counts of instructions, and what the boards' pages say of them.

use posy::device::{BOARDS, Footprint, fits, speed};
use posy_nn::export::compact_extractor;
use posy_nn::zoo::Architecture;
use posy_shared::model::Model;
use posy_tests::boards::folder;
use posy_tests::data;
use posy_tests::draw::draw;
use posy_tests::emulator::{ARMV6M, MACHINES, Tools, profile};
use posy_tests::networks::{metadata, network};
use posy_tests::scratch::Scratch;

/// Networks of the fit, and beside them MLPerf Tiny's, which it has not seen.
const NETWORKS: [&str; 6] = [
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_0.25_224_quant",
    "mobilenet_v1_0.5_128_quant",
    "mobilenet_v1_0.5_224_quant",
    "mobilenet_v2_0.5_224_quant",
    "int8/vww_96_int8",
];

#[test]
fn estimated_instructions_are_within_seven_percent_of_fresh_counts() {
    let test = "estimated_instructions_are_within_seven_percent_of_fresh_counts";
    let (Some(tools), Some(models)) = (Tools::find(test), data(test, "models")) else {
        return;
    };
    let scratch = Scratch::new();
    let machines = [(ARMV6M, false), (MACHINES[2], true)];
    let programs = machines.map(|(machine, _)| tools.build(machine, scratch.path()));
    for name in draw(test, NETWORKS, 2) {
        let network = network(&models.join(format!("{name}.tflite"))).unwrap();
        let file = compact_extractor(&network, &metadata()).unwrap();
        scratch.write("model.posy", &file);
        let model = Model::read(&file).unwrap();
        for ((machine, dsp), program) in machines.iter().zip(&programs) {
            let counts = profile(*machine, program, scratch.path(), "model.posy").unwrap();
            let counted: u64 = counts.iter().sum();
            let ratio = speed::instructions(model.layers(), *dsp) / counted as f64;
            eprintln!(
                "{name} on {}: {counted} counted, estimate {ratio:.3} of that",
                machine.core
            );
            assert!((0.93..1.07).contains(&ratio), "{name}: {ratio}");
        }
    }
}

/// Networks of the table in `boards/README.md`.
const SHOWN: [&str; 5] = ["0.25_128", "0.25_224", "0.50_128", "0.50_224", "0.75_192"];

/// Estimated seconds for an answer on each board; `None` where the network does not fit.
fn seconds(name: &str) -> [Option<f64>; BOARDS.len()] {
    let architecture: Architecture = format!("mobilenet_v1_{name}").parse().unwrap();
    let footprint = Footprint::of_architecture(&architecture, 5).unwrap();
    BOARDS.map(|board| {
        let seconds = f64::from(footprint.answer_ms(&board)) / 1e3;
        fits(&footprint, &board).then_some(seconds)
    })
}

#[test]
fn pages_have_the_times_that_fit_says() {
    let read = |path: &str| std::fs::read_to_string(folder().join(path)).unwrap();
    let page = read("README.md");
    for name in SHOWN {
        // Boards with the chip of another have its times and no column.
        let columns = BOARDS.iter().enumerate().zip(seconds(name));
        let columns = columns.filter(|((index, board), _)| {
            !BOARDS[..*index].iter().any(|other| other.is_like(board))
        });
        let cells = columns.map(|(_, seconds)| {
            seconds.map_or("does not fit".to_owned(), |seconds| format!("{seconds:.2}"))
        });
        let cells: Vec<String> = cells.collect();
        let row = format!("| v1 {name} | {} |", cells.join(" | "));
        assert!(page.contains(&row), "boards/README.md lacks: {row}");
    }
    let [short, long] = ["0.25_128", "0.50_224"].map(seconds);
    for (board, times) in BOARDS.iter().zip(short.into_iter().zip(long)) {
        let (Some(short), long) = times else {
            panic!("{}: {times:?}", board.name);
        };
        let long = long.map_or(String::new(), |long| format!(", {long:.2} s with 0.50_224"));
        let said = format!("{short:.2} s for an answer with v1 0.25_128{long}");
        let page = read(&format!("{}/README.md", board.name)).replace('\n', " ");
        assert!(
            page.contains(&said),
            "{}: its page lacks: {said}",
            board.name
        );
    }
}
