//! Prints what models cost on the emulated Cortex-M0+, M4, M7 and M33: instructions per product, layer by
//! layer and in total, from the first row in to the logits out.
//!
//!     cargo run --release -p posy-tests --bin profile -- MODEL.posy...
//!
//! Instructions are counted by the emulator's clock, which takes one of each to be a nanosecond; the
//! program makes sure of that with a loop whose instructions are known.

use std::path::Path;
use std::process::ExitCode;

use posy_shared::model::{Layer, Model};
use posy_tests::emulator::{ARMV6M, MACHINES, Machine, Tools, profile};
use posy_tests::scratch::Scratch;

fn main() -> ExitCode {
    let models: Vec<String> = std::env::args().skip(1).collect();
    if models.is_empty() {
        eprintln!("usage: profile MODEL.posy...");
        return ExitCode::from(2);
    }
    let Some(tools) = Tools::find("profile") else {
        return ExitCode::FAILURE;
    };
    let scratch = Scratch::new();
    let [m4, m7, m33] = MACHINES;
    let machines = [ARMV6M, m4, m7, m33];
    let programs = machines.map(|machine| tools.build(machine, scratch.path()));
    for path in models {
        let file = match std::fs::read(&path) {
            Ok(file) => file,
            Err(error) => {
                eprintln!("error: {path}: {error}");
                return ExitCode::FAILURE;
            }
        };
        let model = match Model::read(&file) {
            Ok(model) => model,
            Err(error) => {
                eprintln!("error: {path}: {error}");
                return ExitCode::FAILURE;
            }
        };
        scratch.write("model.posy", &file);
        let mut counts = Vec::new();
        for (machine, program) in machines.into_iter().zip(&programs) {
            match profile(machine, program, scratch.path(), "model.posy") {
                Ok(layers) => counts.push(layers),
                Err(error) => {
                    eprintln!("error: {path} on {}: {error}", machine.core);
                    return ExitCode::FAILURE;
                }
            }
        }
        print_table(&path, model.layers(), &machines, &counts);
    }
    ExitCode::SUCCESS
}

/// The table of a model; `counts` has the instructions of each layer, for each machine.
fn print_table(path: &str, layers: &[Layer], machines: &[Machine], counts: &[Vec<u64>]) {
    let name = Path::new(path).file_name().unwrap_or_default();
    println!("{}", name.display());
    print!("{:>5}  {:<42}{:>12}", "layer", "what", "products");
    for machine in machines {
        print!("{:>14}{:>7}", machine.core, "share");
    }
    println!();
    let totals: Vec<u64> = counts.iter().map(|layers| layers.iter().sum()).collect();
    for (index, layer) in layers.iter().enumerate() {
        let (input, output) = (layer.input, layer.output);
        let what = format!(
            "{:?} {} x {} x {} to {}, stride {}",
            layer.op, input.height, input.width, input.channels, output.channels, layer.stride
        );
        print!("{index:>5}  {what:<42}{:>12}", layer.products());
        for (counts, &total) in counts.iter().zip(&totals) {
            let share = 100.0 * counts[index] as f64 / total as f64;
            print!("{:>14}{share:>6.1}%", each(counts[index], layer.products()));
        }
        println!();
    }
    let products: u64 = layers.iter().map(Layer::products).sum();
    print!(
        "{:>5}  {:<42}{products:>12}",
        "all", "instructions per product"
    );
    for &total in &totals {
        print!("{:>14}{:>7}", each(total, products), "");
    }
    println!();
    print!("{:>5}  {:<42}{:>12}", "", "million instructions", "");
    for &total in &totals {
        print!("{:>14.2}{:>7}", total as f64 / 1e6, "");
    }
    println!();
}

/// Instructions for each product; for layers without products in all.
fn each(instructions: u64, products: u64) -> String {
    match products {
        0 => format!("({instructions})"),
        _ => format!("{:.3}", instructions as f64 / products as f64),
    }
}
