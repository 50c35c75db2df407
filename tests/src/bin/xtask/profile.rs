//! Prints instructions per MAC of models on the emulated Cortex-M0+, M4, M7 and M33, layer by layer
//! and in total, from the first row in to the logits out.
//!
//!     cargo run --release -p posy-tests --bin xtask -- profile [--core CORE]... MODEL.posy... NETWORK.tflite...
//!
//! A network that has not been retrained runs with its own classes and, as on a board, without its
//! constant channels. Instructions per MAC are then also given relative to the MACs of the network
//! in its file; for a retrained model those are looked up by its architecture's name. `--core
//! cortex-m4` measures that core alone.
//!
//! Instructions are counted by the emulator's clock, which takes a nanosecond for each; the program
//! verifies that with a loop of known instructions.

use std::path::{Path, PathBuf};

use posy::device::Footprint;
use posy_nn::export::compact_extractor;
use posy_nn::zoo::Architecture;
use posy_shared::model::{Layer, Model};
use posy_tests::emulator::{ARMV6M, MACHINES, Machine, Tools, profile};
use posy_tests::networks::{metadata, network};
use posy_tests::scratch::Scratch;

use crate::{Arguments, Failure};

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let mut models = Vec::new();
    let mut machines = Vec::new();
    let [m4, m7, m33] = MACHINES;
    let all = [ARMV6M, m4, m7, m33];
    while let Some(argument) = arguments.next() {
        if argument != "--core" {
            models.push(argument);
            continue;
        }
        let core = arguments.next().unwrap_or_default();
        let found = all
            .iter()
            .find(|machine| machine.core.eq_ignore_ascii_case(&core));
        let Some(machine) = found else {
            let cores = all.map(|machine| machine.core.to_lowercase()).join(", ");
            return Err(format!("--core {core}: give one of {cores}").into());
        };
        machines.push(*machine);
    }
    if models.is_empty() {
        return Err("usage: xtask profile [--core CORE]... MODEL.posy... NETWORK.tflite...".into());
    }
    if machines.is_empty() {
        machines.extend(all);
    }
    let Some(tools) = Tools::find("profile") else {
        return Err("the tools for emulated boards are missing: see above".into());
    };
    let scratch = Scratch::new();
    let programs: Vec<PathBuf> = machines
        .iter()
        .map(|machine| tools.build(*machine, scratch.path()))
        .collect();
    for path in models {
        let (file, network_products) = match model_file(Path::new(&path)) {
            Ok(found) => found,
            Err(error) => {
                return Err(format!("{path}: {error}").into());
            }
        };
        let model = match Model::read(&file) {
            Ok(model) => model,
            Err(error) => {
                return Err(format!("{path}: {error}").into());
            }
        };
        scratch.write("model.posy", &file);
        let mut counts = Vec::new();
        for (machine, program) in machines.iter().zip(&programs) {
            match profile(*machine, program, scratch.path(), "model.posy") {
                Ok(layers) => counts.push(layers),
                Err(error) => {
                    return Err(format!("{path} on {}: {error}", machine.core).into());
                }
            }
        }
        let products = network_products.or_else(|| products_by_name(&model));
        print_table(&path, model.layers(), &machines, &counts, products);
    }
    Ok(())
}

/// Bytes of a model, and the MACs of its original network if `path` is a network file.
fn model_file(path: &Path) -> Result<(Vec<u8>, Option<u64>), Failure> {
    if path
        .extension()
        .is_none_or(|extension| extension != "tflite")
    {
        return Ok((std::fs::read(path)?, None));
    }
    let network = network(path)?;
    let layers = network.layers.iter();
    let products = layers.map(|layer| layer.common.products()).sum();
    Ok((compact_extractor(&network, &metadata())?, Some(products)))
}

/// MACs of the original network, from the architecture that a retrained model names.
fn products_by_name(model: &Model<'_>) -> Option<u64> {
    let architecture: Architecture = model.provenance().architecture.parse().ok()?;
    let labels = u16::try_from(model.output_len()).ok()?;
    let footprint = Footprint::of_architecture(&architecture, labels).ok()?;
    Some(footprint.products)
}

/// Prints the table of a model. `counts` has the instructions of each layer for each machine,
/// `network` the MACs of the network with all its channels, if known.
fn print_table(
    path: &str,
    layers: &[Layer],
    machines: &[Machine],
    counts: &[Vec<u64>],
    network: Option<u64>,
) {
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
    if let Some(products) = network {
        let what = "per product of the network, all channels";
        print!("{:>5}  {what:<42}{products:>12}", "");
        for &total in &totals {
            print!("{:>14}{:>7}", each(total, products), "");
        }
        println!();
    }
    print!("{:>5}  {:<42}{:>12}", "", "million instructions", "");
    for &total in &totals {
        print!("{:>14.2}{:>7}", total as f64 / 1e6, "");
    }
    println!();
}

/// Instructions per MAC; the total for layers without MACs.
fn each(instructions: u64, products: u64) -> String {
    match products {
        0 => format!("({instructions})"),
        _ => format!("{:.3}", instructions as f64 / products as f64),
    }
}
