//! Files made to do harm, at every door: exit code 1 and one line that names the file and what is wrong, within
//! seconds and bounds, however the command is asked.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use posy_tests::graphs::{classifier, list, node, reals, small_network};
use posy_tests::scratch::{Outcome, Scratch, posy_path};
use posy_tests::{data, heavy_classifier, small_classifier};
use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto};

/// Longest that a refusal takes, on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(20);
/// KiB of address space that a refusal gets by with.
const MEMORY: &str = "6000000";

/// A folder with photos of two labels, grey ones.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    let grey = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos/grey.png");
    let grey = std::fs::read(grey).unwrap();
    for label in ["a", "b"] {
        for name in ["1.png", "2.png", "3.png"] {
            scratch.write(format!("photos/{label}/{name}"), &grey);
        }
    }
    scratch.write("photo.png", grey);
    scratch
}

/// Commands that open `file`, each by a door of its own.
fn doors(file: &str) -> Vec<Vec<String>> {
    let words = |line: &[&str]| line.iter().map(|word| (*word).to_owned()).collect();
    let backbone = format!("--backbone={file}");
    vec![
        words(&["label", "--model", file, "photo.png"]),
        words(&["label-image", "--graph", file, "--image", "photo.png"]),
        words(&["convert", file, "out.posy"]),
        words(&["inspect", file]),
        words(&["profile", "--seconds=0", file]),
        words(&["fit", file]),
        words(&[
            "flash",
            "--board=rp-pico",
            "--output=out.uf2",
            "--model-only",
            file,
        ]),
        words(&["check", "photos", &backbone, "--bottleneck-dir=cache"]),
        words(&[
            "retrain",
            "--image-dir=photos",
            "--bottleneck-dir=cache",
            &backbone,
            "--output-graph=out.posy",
        ]),
        words(&[
            "retrain",
            "--image-dir=photos",
            "--bottleneck-dir=cache",
            &backbone,
            "--output-graph=out.onnx",
        ]),
    ]
}

/// Runs a command within bounds, as far as the system has them.
fn bounded(scratch: &Scratch, words: &[String]) -> Outcome {
    let usual = scratch.command(words);
    if !cfg!(target_os = "linux") {
        return Outcome::of(usual);
    }
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v \"$0\"; exec \"$@\"", MEMORY])
        .arg(posy_path())
        .args(words);
    command
        .current_dir(scratch.path())
        .env("RAYON_NUM_THREADS", "2");
    for (name, value) in usual.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    Outcome::of(command)
}

/// Every door refuses `file` with a line that names it; those that look into it say `reason`.
fn refused(scratch: &Scratch, file: &str, reason: &str) {
    for words in doors(file) {
        let started = Instant::now();
        let outcome = bounded(scratch, &words);
        let took = started.elapsed();
        assert_eq!(outcome.code, Some(1), "{words:?}: {outcome}");
        assert!(took < LONGEST, "{words:?}: {took:?}");
        let errors: Vec<&str> = outcome
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        let &[error] = errors.as_slice() else {
            panic!("{words:?}: {outcome}");
        };
        assert!(error.contains(file), "{words:?}: {outcome}");
        assert!(
            !outcome.stderr.contains("RUST_BACKTRACE"),
            "{words:?}: {outcome}"
        );
        if words.iter().any(|word| word == "--output-graph=out.onnx") {
            assert!(
                error.contains(reason),
                "{words:?} does not say {reason:?}: {outcome}"
            );
        }
        assert!(!scratch.join("out.posy").exists() && !scratch.join("out.onnx").exists());
    }
}

fn whole(name: &str, number: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int.into(),
        i: number,
        ..AttributeProto::default()
    }
}

fn wholes(name: &str, numbers: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints.into(),
        ints: numbers.into(),
        ..AttributeProto::default()
    }
}

/// A classifier whose first convolution and what follows it are given.
fn with(nodes: Vec<NodeProto>, more: Vec<TensorProto>) -> ModelProto {
    let mut all = vec![node(
        "Conv",
        &["x", "w"],
        "c",
        vec![wholes("pads", &[1, 1, 1, 1])],
    )];
    all.extend(nodes);
    all.extend([
        node("GlobalAveragePool", &["e"], "p", vec![]),
        node("Flatten", &["p"], "f", vec![]),
        node("Gemm", &["f", "last"], "o", vec![]),
    ]);
    let mut constants = vec![reals("w", &[8, 3, 3, 3]), reals("last", &[8, 10])];
    constants.extend(more);
    classifier(all, constants)
}

/// Graphs that crash, fill or hang the library that runs them.
#[test]
fn graphs_that_crash_fill_or_hang() {
    let scratch = scratch();
    let sine = || node("Sin", &["c"], "s", vec![]);
    let norm = |of: &str| node("BatchNormalization", &[of, "g", "g", "g", "g"], "e", vec![]);
    let gone = node("ReduceMean", &["s"], "m", vec![whole("keepdims", 0)]);
    let cases = [
        (
            "rank.onnx",
            with(vec![sine(), gone, norm("m")], vec![reals("g", &[8])]),
            "node \"e\" (BatchNormalization): its input",
        ),
        (
            "list.onnx",
            with(vec![sine(), norm("g")], vec![reals("g", &[8])]),
            "node \"e\" (BatchNormalization)",
        ),
        (
            "pads.onnx",
            with(
                vec![
                    sine(),
                    node(
                        "Conv",
                        &["s", "w2"],
                        "e",
                        vec![wholes("pads", &[60_000; 4])],
                    ),
                ],
                vec![reals("w2", &[8, 8, 1, 1])],
            ),
            "node \"e\" (Conv): its setting \"pads\"",
        ),
        (
            "wide.onnx",
            with(
                vec![
                    sine(),
                    node(
                        "Conv",
                        &["s", "w2"],
                        "e",
                        vec![wholes("pads", &[1, 1, 1 << 40, 1])],
                    ),
                ],
                vec![reals("w2", &[8, 8, 3, 3])],
            ),
            "node \"e\" (Conv): its setting \"pads\"",
        ),
        (
            "pad.onnx",
            with(
                vec![sine(), node("Pad", &["s", "by"], "e", vec![])],
                vec![list("by", &[0, 0, 1 << 40, 0, 0, 0, 0, 0])],
            ),
            "node \"e\" (Pad): its setting \"pads\"",
        ),
        (
            "tile.onnx",
            with(
                vec![sine(), node("Tile", &["s", "by"], "e", vec![])],
                vec![list("by", &[1, 1, 60_000, 60_000])],
            ),
            "node \"e\" (Tile): its extents are",
        ),
        (
            "filled.onnx",
            with(
                vec![
                    sine(),
                    node("ConstantOfShape", &["by"], "k", vec![]),
                    node("Add", &["s", "k"], "e", vec![]),
                ],
                vec![list("by", &[1, 8, 1 << 20, 1 << 20])],
            ),
            "node \"k\" (ConstantOfShape)",
        ),
        (
            "open.onnx",
            with(vec![sine(), node("NonZero", &["s"], "e", vec![])], vec![]),
            "its output not one list of numbers",
        ),
        // Behind what cannot be told, the one operator by which the library reads where nothing is.
        (
            "behind.onnx",
            with(
                vec![
                    sine(),
                    node("CumSum", &["s", "axis"], "t", vec![]),
                    node("ReduceMean", &["t"], "m", vec![whole("keepdims", 0)]),
                    norm("m"),
                ],
                vec![reals("g", &[8]), list("axis", &[1])],
            ),
            "node \"e\" (BatchNormalization): its input cannot be told beforehand",
        ),
        (
            "dims.onnx",
            with(
                vec![sine(), node("Add", &["s", "k"], "e", vec![])],
                vec![TensorProto {
                    dims: vec![1 << 40],
                    ..reals("k", &[1])
                }],
            ),
            "\"k\"",
        ),
    ];
    for (file, model, reason) in cases {
        scratch.write(file, model.encode_to_vec());
        refused(&scratch, file, reason);
    }
}

/// Weights in other files: pipes, devices, links and folders elsewhere are not opened.
#[test]
#[cfg(unix)]
fn weights_elsewhere() {
    let scratch = scratch();
    let status = Command::new("mkfifo")
        .arg(scratch.join("pipe.bin"))
        .status()
        .unwrap();
    assert!(status.success());
    std::os::unix::fs::symlink("/etc/passwd", scratch.join("link.bin")).unwrap();
    std::fs::create_dir(scratch.join("folder.bin")).unwrap();
    let zero = std::os::unix::fs::symlink("/dev/zero", scratch.join("zero.bin"));
    zero.unwrap();
    for (location, reason) in [
        ("pipe.bin", "it is a pipe"),
        ("link.bin", "a link out of the network's folder"),
        ("zero.bin", "a link out of the network's folder"),
        ("folder.bin", "it is a directory"),
        ("/etc/passwd", "in the same folder"),
        ("../passwd", "in the same folder"),
        ("none.bin", "No such file"),
    ] {
        let entry = |key: &str, value: &str| StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        };
        let outside = TensorProto {
            raw_data: Vec::new(),
            data_location: Some(DataLocation::External.into()),
            external_data: vec![entry("location", location), entry("length", "864")],
            ..reals("w", &[8, 3, 3, 3])
        };
        let mut model = with(vec![node("Sin", &["c"], "e", vec![])], vec![]);
        model.graph.as_mut().unwrap().initializer[0] = outside;
        scratch.write("net.onnx", model.encode_to_vec());
        refused(&scratch, "net.onnx", reason);
    }
}

/// Refuses files that have no end, or are none.
#[test]
#[cfg(unix)]
fn files_without_an_end() {
    let scratch = scratch();
    let status = Command::new("mkfifo")
        .arg(scratch.join("pipe.onnx"))
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::create_dir(scratch.join("folder.onnx")).unwrap();
    let sparse = std::fs::File::create(scratch.join("sparse.onnx")).unwrap();
    sparse.set_len(10 << 30).unwrap();
    // `fit` takes other names than those of files for architectures.
    refused(
        &scratch,
        "sparse.onnx",
        "it has 10240 MiB, more than 256 MiB",
    );
    for (file, reason) in [
        ("/dev/zero", "it is a pipe or a device"),
        ("pipe.onnx", "it is a pipe or a device"),
        ("folder.onnx", "it is a directory"),
    ] {
        for words in doors(file).iter().filter(|words| words[0] != "fit") {
            let started = Instant::now();
            let outcome = bounded(&scratch, words);
            assert_eq!(outcome.code, Some(1), "{words:?}: {outcome}");
            outcome.says(&["error: ", file, reason]);
            assert!(started.elapsed() < LONGEST, "{words:?}");
        }
    }
    // Side files of a model, too.
    scratch.write("model.posy", small_classifier(3));
    for words in [
        [
            "label-image",
            "--graph=model.posy",
            "--image=photo.png",
            "--labels=/dev/zero",
        ],
        ["convert", "model.posy", "out.posy", "--labels=/dev/zero"],
        ["compare", "/dev/zero", "/dev/zero", "--json"],
        ["frames", "/dev/zero", "--label=a", "--most=1"],
    ] {
        let words = words.map(str::to_owned);
        bounded(&scratch, &words).fails(1, &["/dev/zero", "it is a pipe or a device"]);
    }
}

/// A model that would take hours says so, and runs only where that is asked for.
#[test]
fn models_that_take_hours() {
    let scratch = scratch();
    scratch.write("heavy.posy", heavy_classifier());
    for words in [
        vec!["label", "--model=heavy.posy", "photo.png"],
        vec!["label-image", "--graph=heavy.posy", "--image=photo.png"],
        vec!["profile", "heavy.posy"],
    ] {
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let outcome = bounded(&scratch, &words);
        outcome.fails(
            1,
            &[
                "error: heavy.posy: ",
                " million products",
                " minutes",
                "--slow",
            ],
        );
    }
    // To look at it costs nothing.
    scratch.posy(["inspect", "heavy.posy"]).succeeds();
}

/// The files of the cases themselves, where they are at hand.
#[test]
fn recorded_cases() {
    let Some(cases) = data("recorded_cases", "cases") else {
        return;
    };
    let scratch = scratch();
    for (file, reason) in [
        ("any_alloc.onnx", "node \"c\" (Conv): its setting \"pads\""),
        (
            "any_bn_rank0.onnx",
            "node \"n\" (BatchNormalization): its input",
        ),
        (
            "any_convhuge.onnx",
            "node \"e\" (Conv): its setting \"pads\"",
        ),
        ("any_hang.onnx", "node \"c\" (Conv): its setting \"pads\""),
        ("any_pad.onnx", "node \"e\" (Pad): its setting \"pads\""),
        ("any_segv.onnx", "node \"l3n\" (BatchNormalization)"),
    ] {
        scratch.write(file, std::fs::read(cases.join(file)).unwrap());
        refused(&scratch, file, reason);
    }
}

/// A network that came through is remembered by its bytes, as long as anything is kept.
#[test]
fn trials_are_remembered() {
    let scratch = scratch();
    let kept =
        || std::fs::read_dir(scratch.join("user-cache/posy/trials")).map_or(0, Iterator::count);
    let mut network = small_network();
    scratch.write("net.onnx", network.encode_to_vec());
    let mut nothing_kept = scratch.command(["fit", "net.onnx"]);
    nothing_kept.env("POSY_CACHE_LIMIT", "0");
    Outcome::of(nothing_kept).succeeds();
    assert_eq!(kept(), 0);
    for _ in 0..2 {
        scratch.posy(["fit", "net.onnx"]).succeeds();
        assert_eq!(kept(), 1);
    }
    network.producer_name = "another".into();
    scratch.write("net.onnx", network.encode_to_vec());
    scratch.posy(["fit", "net.onnx"]).succeeds();
    assert_eq!(kept(), 2);
    scratch.posy(["cache", "clear"]).succeeds();
    assert_eq!(kept(), 0);
}

/// Checks that a trial process dies in place of the command, on a graph that the checks let through and the
/// machine has no room for.
#[test]
#[cfg(target_os = "linux")]
fn a_process_of_its_own_dies_in_place_of_the_command() {
    let scratch = scratch();
    let large = (0..3).map(|index| {
        let (from, to) = (format!("v{index}"), format!("v{}", index + 1));
        node("Exp", &[&from], &to, vec![])
    });
    let mut nodes = vec![
        node("Sin", &["c"], "s", vec![]),
        node("Resize", &["s", "", "by"], "v0", vec![]),
    ];
    nodes.extend(large);
    nodes.push(node("Sum", &["v0", "v1", "v2", "v3"], "e", vec![]));
    let by: Vec<u8> = [1.0_f32, 1.0, 45.0, 45.0]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    let by = TensorProto {
        raw_data: by,
        ..reals("by", &[4])
    };
    scratch.write("large.onnx", with(nodes, vec![by]).encode_to_vec());
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 300000; exec \"$@\"", "sh"])
        .arg(posy_path());
    command.args([
        "retrain",
        "--image-dir=photos",
        "--bottleneck-dir=cache",
        "--backbone=large.onnx",
    ]);
    command
        .arg("--output-graph=out.onnx")
        .current_dir(scratch.path())
        .env("RAYON_NUM_THREADS", "1");
    let outcome = Outcome::of(command);
    outcome.fails(
        1,
        &[
            "error: large.onnx: this network cannot be used",
            "while",
            "export it again",
        ],
    );
}
