//! `posy profile`: time of each layer in a forward pass.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use posy_nn::model_file::ModelFile;
use posy_nn::run::{AnyKernels, VARIANTS};
use posy_shared::model::{Layer, Model, Shape};
use serde_json::json;

use super::output::{note, print_json, print_table};
use super::{Failure, usage};
use crate::predict::profile::{Profile, profile};

/// Times each layer of a model on this machine.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The .posy file.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Kernel variant [default: the fastest that this processor supports].
    #[arg(long, value_name = "NAME", value_parser = VARIANTS.iter().map(|variant| variant.name).collect::<Vec<_>>())]
    kernels: Option<String>,
    /// Number of threads, each of which classifies its own pictures.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Seconds to run the network without timing layers, and again with timing.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    seconds: f64,
    /// Run a model however long it takes.
    #[arg(long)]
    slow: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if !(0.0..=3600.0).contains(&arguments.seconds) {
        let seconds = arguments.seconds;
        return Err(usage(format!(
            "--seconds {seconds}: give a number from 0 to 3600"
        )));
    }
    let time = Duration::from_secs_f64(arguments.seconds);
    let (name, kernels) = chosen(arguments.kernels.as_deref())?;
    let file = ModelFile::open(&arguments.model)?;
    let model = file.model()?;
    file.check_cost(&model, arguments.slow)?;
    let threads = arguments.threads;
    let profile = profile(model.clone(), kernels, threads.into(), time)?;
    if arguments.json {
        print_json(&as_json(&model, name, threads, &profile))?;
        return Ok(ExitCode::SUCCESS);
    }
    let heading = [
        "layer",
        "reads",
        "writes",
        "stride",
        "K products",
        "us",
        "share",
        "products/ns",
    ];
    print_table(&heading, &rows(&model, &profile))?;
    note!(
        "kernels {name}, {threads} threads, {} passes: medians; a pass without timing its layers \
         takes {:.3} ms, {:.1} passes a second in all",
        profile.passes,
        profile.pass.as_secs_f64() * 1e3,
        profile.passes_per_second
    );
    Ok(ExitCode::SUCCESS)
}

/// Kernels by name, or the fastest.
fn chosen(name: Option<&str>) -> Result<(&'static str, AnyKernels), Failure> {
    let variants = VARIANTS
        .iter()
        .filter(|variant| name.is_none_or(|name| name == variant.name));
    let mut found = variants.filter_map(|variant| Some((variant.name, (variant.kernels)()?)));
    found.next().ok_or_else(|| {
        let can = VARIANTS
            .iter()
            .filter(|variant| (variant.kernels)().is_some());
        let can: Vec<&str> = can.map(|variant| variant.name).collect();
        let name = name.unwrap_or_default();
        let can = can.join(", ");
        format!("this processor cannot run the kernels {name}; --kernels can be: {can}").into()
    })
}

fn shape(shape: Shape) -> String {
    format!("{} x {} x {}", shape.height, shape.width, shape.channels)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// MACs per nanosecond with one decimal; empty for a layer without MACs.
fn speed(products: u64, time: Duration) -> String {
    match products {
        0 => String::new(),
        _ => format!("{:.1}", products as f64 / (micros(time) * 1e3)),
    }
}

/// Table rows: one per layer, and a total.
fn rows(model: &Model<'_>, profile: &Profile) -> Vec<Vec<String>> {
    let total: Duration = profile.layers.iter().sum();
    let share = |time: Duration| format!("{:.1}%", 100.0 * micros(time) / micros(total));
    let products = |products: u64| format!("{:.1}", products as f64 / 1e3);
    let row = |(index, (layer, &time)): (usize, (&Layer, &Duration))| {
        vec![
            format!("{index:>3} {:?}", layer.op),
            shape(layer.input),
            shape(layer.output),
            layer.stride.to_string(),
            products(layer.products()),
            format!("{:.1}", micros(time)),
            share(time),
            speed(layer.products(), time),
        ]
    };
    let layers = model.layers().iter().zip(&profile.layers);
    let mut rows: Vec<Vec<String>> = layers.enumerate().map(row).collect();
    let all: u64 = model.layers().iter().map(Layer::products).sum();
    let mut last = vec![String::new(); 4];
    last[0] = "all".into();
    last.extend([
        products(all),
        format!("{:.1}", micros(total)),
        share(total),
        speed(all, total),
    ]);
    rows.push(last);
    rows
}

fn as_json(model: &Model<'_>, kernels: &str, threads: u16, profile: &Profile) -> serde_json::Value {
    let total: Duration = profile.layers.iter().sum();
    let layers: Vec<_> = model
        .layers()
        .iter()
        .zip(&profile.layers)
        .map(|(layer, &time)| {
            let triple = |shape: Shape| [shape.height, shape.width, shape.channels];
            json!({
                "op": format!("{:?}", layer.op),
                "input": triple(layer.input),
                "output": triple(layer.output),
                "stride": layer.stride,
                "products": layer.products(),
                "microseconds": micros(time),
                "share": micros(time) / micros(total),
            })
        })
        .collect();
    json!({
        "kernels": kernels,
        "threads": threads,
        "passes": profile.passes,
        "products": model.layers().iter().map(Layer::products).sum::<u64>(),
        "microseconds": micros(total),
        "pass_microseconds": micros(profile.pass),
        "passes_per_second": profile.passes_per_second,
        "layers": layers,
    })
}
