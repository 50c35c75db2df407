//! ONNX Runtime in a virtual environment that `tests/run.sh` creates, and PyTorch's exporter.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::draw::in_full_runs;

fn script(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks");
    folder.join(name)
}

/// True if `python` has these modules.
fn has(python: &Path, modules: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", &format!("import {modules}")]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn run(mut command: Command) {
    let output = command.output().expect("Python");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}

fn write(path: &Path, pictures: &[Vec<f32>]) {
    let bytes = pictures.iter().flatten().flat_map(|n| n.to_le_bytes());
    std::fs::write(path, bytes.collect::<Vec<u8>>()).unwrap();
}

/// Reads the float32 values of a file as `parts` lists of equal length.
fn read(path: &Path, parts: usize) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(path).unwrap();
    let (numbers, _) = bytes.as_chunks::<4>();
    let numbers: Vec<f32> = numbers.iter().map(|n| f32::from_le_bytes(*n)).collect();
    let len = numbers.len() / parts;
    numbers.chunks_exact(len).map(<[f32]>::to_vec).collect()
}

/// ONNX Runtime.
pub struct Runtime {
    python: PathBuf,
}

impl Runtime {
    /// Finds ONNX Runtime. Prints that `test` is skipped if it is missing.
    pub fn find(test: &str) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/onnx");
        let python = folder.join("bin/python");
        if has(&python, "onnx, onnxruntime") {
            return Some(Runtime { python });
        }
        eprintln!(
            "SKIPPED: {test}: no ONNX Runtime at {}; tests/run.sh installs it",
            folder.display()
        );
        None
    }

    /// Outputs of `model` for each of `pictures`, `[H, W, 3]`, already normalised: the tensor
    /// `tensor` and the model's first output, concatenated.
    pub fn compute(
        &self,
        model: &Path,
        pictures: &[Vec<f32>],
        tensor: &str,
        folder: &Path,
    ) -> Vec<Vec<f32>> {
        let (inputs, output) = (folder.join("inputs.bin"), folder.join("output.bin"));
        write(&inputs, pictures);
        let mut command = Command::new(&self.python);
        command.arg(script("reference.py")).arg(model).arg(inputs);
        command.arg(tensor).arg(&output);
        run(command);
        read(&output, pictures.len())
    }

    /// Values of `tensor` for each of `pictures` after ONNX Runtime has quantised `model` to int8,
    /// calibrated with the pictures of `calibration`; see `tests/networks/quantised.py`.
    pub fn quantised(
        &self,
        model: &Path,
        calibration: &[Vec<f32>],
        pictures: &[Vec<f32>],
        tensor: &str,
        folder: &Path,
    ) -> Vec<Vec<f32>> {
        let [seen, inputs, output] =
            ["calibration.bin", "inputs.bin", "output.bin"].map(|name| folder.join(name));
        write(&seen, calibration);
        write(&inputs, pictures);
        let mut command = Command::new(&self.python);
        command.arg(script("quantised.py")).arg(model);
        command.args([seen, inputs]).arg(tensor).arg(&output);
        run(command);
        read(&output, pictures.len())
    }

    /// Writes equivalent variants of the network in `model` into `folder`; see
    /// `tests/networks/variants.py`.
    pub fn variants(&self, model: &Path, folder: &Path) {
        let mut command = Command::new(&self.python);
        command.arg(script("variants.py")).arg(model).arg(folder);
        run(command);
    }

    /// Writes the network in `model` to `output` with external data beside it.
    pub fn with_weights_beside(&self, model: &Path, output: &Path) {
        let mut command = Command::new(&self.python);
        command.arg(script("beside.py")).arg(model).arg(output);
        run(command);
    }
}

/// Writes MobileNets exported by PyTorch into `folder`; see `tests/networks/export.py`. `photos` is
/// the file of recorded pictures of 128 pixels; the script lists the values of `beginning`, the
/// initialisation of the random weights. Prints that `test` is skipped if PyTorch is missing.
pub fn export(test: &str, folder: &Path, photos: &Path, beginning: &str) -> bool {
    with_pytorch(test, "export.py", &[folder, photos, Path::new(beginning)])
}

/// Writes classifiers of other kinds exported by PyTorch into `folder`; see
/// `tests/networks/others.py`. Prints that `test` is skipped if PyTorch is missing.
pub fn export_others(test: &str, folder: &Path) -> bool {
    with_pytorch(test, "others.py", &[folder])
}

fn with_pytorch(test: &str, name: &str, arguments: &[&Path]) -> bool {
    if !in_full_runs(test) {
        return false;
    }
    // Debian's package installs into the system's own Python.
    let pythons = ["/usr/bin/python3", "python3"].map(Path::new);
    let Some(python) = pythons.into_iter().find(|python| has(python, "torch")) else {
        eprintln!("SKIPPED: {test}: no PyTorch; tests/run.sh --all installs it on Debian");
        return false;
    };
    let mut command = Command::new(python);
    command.arg(script(name)).args(arguments);
    run(command);
    true
}
