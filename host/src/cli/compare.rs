//! `posy compare`: training runs side by side.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::Failure;
use super::output::{Out, kib, millions, print_json, print_table};
use crate::eval::run_record::{Comparison, Method, Record, compare};
use crate::eval::stats::{Proportion, percent, percent_or_dash};

/// Compares training runs: accuracy, and the significance of the difference.
#[derive(Debug, Args)]
#[command(after_help = "\
Runs that were tested on the same photos are compared photo by photo: McNemar's exact test, and the \
95% interval of Agresti and Min (2005). If fewer than half of the test photos are common, the runs \
are compared as two samples, with the interval of Agresti and Caffo (2000). Accuracies have Wilson's \
interval. Scores are off by the expected calibration error, in 15 bins. The other runs are compared with the first.")]
pub(super) struct Arguments {
    /// Records that `posy retrain` wrote (flowers.run.json), or the models beside them.
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut runs = Vec::new();
    for path in &arguments.runs {
        runs.push((path.display().to_string(), Record::read(path)?));
    }
    let (first, others) = runs.split_first().ok_or("give two runs or more")?;
    let compared: Vec<_> = others
        .iter()
        .map(|(name, record)| (name, compare(&first.1, record)))
        .collect();
    if arguments.json {
        let runs: Vec<_> = runs.iter().map(|(name, run)| as_json(name, run)).collect();
        let compared: Vec<_> = compared
            .iter()
            .map(|(name, comparison)| json!({"run": name, "comparison": comparison}))
            .collect();
        print_json(&json!({"runs": runs, "with": first.0, "comparisons": compared}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let heading = [
        "run",
        "network",
        "tested",
        "int8",
        "95% interval",
        "float",
        "unknown",
        "scores off by",
        "flash KiB",
        "RAM KiB",
        "M products",
    ];
    let rows: Vec<_> = runs.iter().map(|(name, run)| row(name, run)).collect();
    print_table(&heading, &rows)?;
    let mut out = Out::lock();
    for (name, comparison) in compared {
        writeln!(out)?;
        match comparison {
            Some(comparison) => print(&mut out, name, &first.0, &comparison)?,
            None => writeln!(out, "{name}: cannot be compared: a run has no test photos")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(name: &str, run: &Record) -> Vec<String> {
    let (int8, evaluation) = (run.int8, run.evaluation());
    let interval = int8.interval();
    vec![
        name.to_owned(),
        match &run.fine_tuning {
            Some(tuned) => format!("{}, {} blocks tuned", run.architecture, tuned.blocks),
            None => run.architecture.clone(),
        },
        int8.whole.to_string(),
        int8.percent(),
        interval.map_or("-".into(), |(low, high)| {
            format!("{} to {}", percent(low), percent(high))
        }),
        run.float.unwrap_or_default().percent(),
        evaluation.unknown.rejected.percent(),
        percent_or_dash(evaluation.calibration_error()),
        kib(run.model.flash_bytes),
        kib(run.model.ram_bytes),
        millions(run.model.products),
    ]
}

fn share_json(found: Proportion) -> Option<serde_json::Value> {
    let (share, (low, high)) = (found.value()?, found.interval()?);
    Some(json!({"share": share, "low": low, "high": high}))
}

fn as_json(name: &str, run: &Record) -> serde_json::Value {
    let evaluation = run.evaluation();
    json!({
        "run": name,
        "architecture": run.architecture,
        "fine_tuning": run.fine_tuning,
        "labels": run.labels,
        "split": run.split,
        "tested": run.int8.whole,
        "int8": share_json(run.int8),
        "float": run.float.map(share_json),
        "unknown": share_json(evaluation.unknown.rejected),
        "expected_calibration_error": evaluation.calibration_error(),
        "flash_bytes": run.model.flash_bytes,
        "ram_bytes": run.model.ram_bytes,
        "products": run.model.products,
    })
}

fn print(out: &mut Out, name: &str, first: &str, comparison: &Comparison) -> Result<(), Failure> {
    let points = |share: f64| format!("{:+.1}", share * 100.0);
    writeln!(
        out,
        "{name} against {first}: {} points (standard error {:.1}, 95% interval {} to {})",
        points(comparison.difference),
        comparison.standard_error * 100.0,
        points(comparison.low),
        points(comparison.high)
    )?;
    match comparison.method {
        Method::Paired {
            photos,
            only_first,
            only_second,
            p,
        } => writeln!(
            out,
            "  paired on {photos} common test photos: {only_second} only {name} has right, \
             {only_first} only {first}; McNemar's exact p = {p:.3}"
        )?,
        Method::Unpaired { common } => writeln!(
            out,
            "  not paired: only {common} test photos are common; train both with one --split and \
             --split-seed to compare them photo by photo"
        )?,
    }
    if !comparison.same_labels {
        writeln!(
            out,
            "  their labels differ, so they were not asked the same"
        )?;
    }
    let verdict = match (comparison.low > 0.0, comparison.high < 0.0) {
        (true, _) => "better, beyond what chance would give",
        (_, true) => "worse, beyond what chance would give",
        _ => "no difference that chance would not give",
    };
    writeln!(out, "  {verdict}")?;
    Ok(())
}
