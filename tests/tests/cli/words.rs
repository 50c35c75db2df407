//! Texts of messages: wrong files, misspelt names, missing things. Each says what was found and the
//! one command that helps.

use std::path::Path;

use posy_tests::scratch::{Outcome, Scratch};
use posy_tests::{data, named_classifier, small_classifier};

/// Wrong kinds of files, their description, and the advice.
const KINDS: [(&str, &str, &str); 6] = [
    ("lfs.onnx", "a Git LFS pointer", "`git lfs pull`"),
    ("lfs.pb", "a Git LFS pointer", "`git lfs pull`"),
    ("github_page.onnx", "a web page", "`curl -L -o "),
    ("model.pth", "a PyTorch checkpoint", "`torch.onnx.export("),
    (
        "tiny.keras",
        "a Keras model (.keras)",
        "from_keras_model(tf.keras.models.load_model('",
    ),
    (
        "saved_model.pb",
        "a TensorFlow SavedModel",
        "from_saved_model('",
    ),
];

/// Every command that opens networks or models recognises other kinds of files.
#[test]
fn wrong_kinds_of_file_at_every_door() {
    let Some(kinds) = data("wrong_kinds_of_file_at_every_door", "cases/kinds") else {
        return;
    };
    let scratch = Scratch::new();
    for label in ["a", "b"] {
        let photo = scratch.join(format!("photos/{label}/1.png"));
        std::fs::create_dir_all(photo.parent().unwrap()).unwrap();
        image::RgbImage::new(8, 8).save(photo).unwrap();
    }
    scratch.write("model.h5", b"\x89HDF\r\n\x1a\n and more");
    let keras = (
        "model.h5",
        "a Keras model in HDF5 (.h5)",
        "from_keras_model(",
    );
    std::fs::create_dir(scratch.join("saved")).unwrap();
    for (name, what, help) in KINDS
        .into_iter()
        .chain([keras, ("saved", KINDS[5].1, KINDS[5].2)])
    {
        let path = scratch.join(name);
        if let Ok(bytes) = std::fs::read(kinds.join(name)) {
            std::fs::write(&path, bytes).unwrap();
        }
        if name == "saved" {
            let bytes = std::fs::read(kinds.join("saved_model.pb")).unwrap();
            std::fs::write(path.join("saved_model.pb"), bytes).unwrap();
        }
        let doors: [&[&str]; 8] = [
            &["retrain", "-i", "photos", "--backbone", name],
            &[
                "retrain",
                "-i",
                "photos",
                "-o",
                "out.onnx",
                "--backbone",
                name,
            ],
            &["convert", name, "out.posy"],
            &["label", "-m", name, "photos/a/1.png"],
            &["label-image", "--graph", name, "--image", "photos/a/1.png"],
            &["inspect", name],
            &["flash", "-b", "rp-pico", "--model-only", name],
            &["profile", name],
        ];
        for door in doors {
            let outcome = scratch.posy(door).fails(1, &["error: ", name, what, help]);
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
        }
    }
    assert!(!scratch.join("out.posy").exists() && !scratch.join("out.onnx").exists());
}

/// Arguments of a command, its exit code, and texts of its output.
type Case = (&'static [&'static str], i32, &'static [&'static str]);

#[test]
fn messages_name_what_was_meant_and_what_helps() {
    let cases: [Case; 13] = [
        (
            &["flash", "--board", "pico", "model.posy"],
            2,
            &[
                "no board is called \"pico\"; did you mean rp-pico?",
                "nucleo-h743zi",
            ],
        ),
        (
            &["flash", "--board", "toaster", "model.posy"],
            2,
            &["no board is called \"toaster\". There are: rp-pico, "],
        ),
        (
            &["models", "fetch", "mobilenet_0.35_96"],
            2,
            &["did you mean mobilenet_v2_0.35_96?"],
        ),
        (
            &["models", "fetch", "nonsense"],
            2,
            &["\"nonsense\". Names are", "`posy models`"],
        ),
        (
            &["retrain", "-a", "nonsense"],
            2,
            &["\"nonsense\". Names are"],
        ),
        (&["fit", "nonsense"], 2, &["\"nonsense\". Names are"]),
        (
            &["fit", "rp-pico"],
            2,
            &["rp-pico is a board, not a network; `posy fit`"],
        ),
        (&["fit", "none.tflite"], 1, &["none.tflite", "No such file"]),
        (
            &["photos", "fetch", "flower"],
            2,
            &["did you mean flowers?"],
        ),
        (
            &["label", "-m", "my model.posy", "photo.jpg"],
            1,
            &[
                "my model.posy: there is no such file; `posy retrain --output-graph 'my model.posy'` writes one",
            ],
        ),
        (
            &["inspect", "none.posy"],
            1,
            &["`posy retrain --output-graph none.posy`"],
        ),
        (
            &["check", "none"],
            1,
            &["none: no such folder; give posy check the folder that holds"],
        ),
        (
            &["retrain", "-i", "model.posy"],
            1,
            &["model.posy: a file, not a folder; give --image-dir the folder"],
        ),
    ];
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(3));
    for (arguments, code, texts) in cases {
        let outcome = scratch
            .posy(arguments)
            .fails(code, texts)
            .says(&["error: "]);
        // A command's messages mention no option that it does not have.
        let is_check = arguments[0] == "check";
        assert!(
            !(is_check && outcome.stderr.contains("--image-dir")),
            "{outcome}"
        );
    }
}

/// With no data at hand: one line with the one command, and no prompt.
#[test]
fn retrain_with_nothing_at_hand_names_the_command() {
    let scratch = Scratch::new();
    for (command, given) in [("retrain", "--image-dir"), ("check", "posy check")] {
        let mut command = scratch.command([command]);
        command.env_remove("POSY_DATA");
        let outcome = Outcome::of(command);
        let own = scratch.join("user-data/posy");
        let texts = [
            "error: no photos: flower_photos is neither here nor in ",
            own.to_str().unwrap(),
            "`posy photos fetch flowers` gets the codelab's 3,670 photos",
            given,
        ];
        let outcome = outcome.fails(1, &texts);
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
        assert!(outcome.stderr.len() < 500, "{outcome}");
    }
    assert!(!scratch.join("user-data").exists());
}

/// `--fetch` downloads the photos to the folder in which retrain looks.
#[test]
fn retrain_fetches_photos_when_asked() {
    let scratch = Scratch::new();
    let mut command = scratch.command(["retrain", "--fetch"]);
    command.env_remove("POSY_DATA");
    let outcome = Outcome::of(command);
    outcome.fails(1, &["flower_photos.tgz could not be fetched"]);
    // Photos in that folder are found.
    let photo = scratch.join("user-data/posy/flower_photos/daisy/1.png");
    std::fs::create_dir_all(photo.parent().unwrap()).unwrap();
    image::RgbImage::new(8, 8).save(photo).unwrap();
    for options in [&["retrain"][..], &["retrain", "--fetch"]] {
        let mut command = scratch.command(options);
        command.env_remove("POSY_DATA").env("POSY_LAST_RESORT", "");
        let outcome = Outcome::of(command);
        outcome.fails(1, &["no network file for mobilenet_v1_0.50_224"]);
    }
}

#[test]
fn a_network_that_cannot_be_had_is_told_in_short() {
    let scratch = Scratch::new();
    for label in ["a", "b"] {
        let photo = scratch.join(format!("photos/{label}/1.png"));
        std::fs::create_dir_all(photo.parent().unwrap()).unwrap();
        image::RgbImage::new(8, 8).save(photo).unwrap();
    }
    let mut command = scratch.command(["retrain", "-i", "photos"]);
    command.env("POSY_DATA", "nowhere");
    let outcome = Outcome::of(command).says(&["`posy models fetch mobilenet_v1_0.50_224`"]);
    let warning = outcome
        .stderr
        .lines()
        .find(|line| line.starts_with("warning: "));
    let warning = warning.unwrap();
    assert!(
        warning.contains("a last resort") && warning.len() < 350,
        "{warning}"
    );
}

#[test]
fn completions_and_man_pages() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = scratch.posy(["completions", shell]).succeeds().stdout;
        // PowerShell and Elvish complete no values.
        let value = matches!(shell, "bash" | "zsh" | "fish").then_some("rp-pico2");
        for word in ["retrain", "image-dir"].into_iter().chain(value) {
            assert!(text.contains(word), "{shell}: no {word}");
        }
    }
    scratch.posy(["completions", "basic"]).fails(2, &["bash"]);
    scratch.posy(["man", "-o", "pages"]).succeeds();
    let names = scratch.names("pages");
    assert!(
        names.len() > 15 && names.contains(&"posy-retrain.1".into()),
        "{names:?}"
    );
    let page = String::from_utf8(scratch.read("pages/posy-retrain.1")).unwrap();
    for text in [".TH", "image\\-dir", "POSY_DATA"] {
        assert!(page.contains(text), "{text}");
    }
}

/// The command after `next:` can be copied into a shell.
#[test]
fn next_lines_are_quoted() {
    let Some(flowers) = data("next_lines_are_quoted", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "my photos", &["daisy", "roses"], 4);
    let more = ["--output-graph", "it's my model.posy"];
    let outcome = scratch.retrain("my photos", &more).succeeds();
    let next = r"next: posy label --model 'it'\''s my model.posy' ";
    let outcome = outcome.says(&[next]);
    if outcome.stderr.contains("check: `posy check") {
        outcome.says(&["`posy check 'my photos'`"]);
    }
}

/// A model whose architecture has terminal escapes, and a network whose names do.
#[test]
fn names_from_files_do_not_reach_the_terminal_as_they_are() {
    let Some(cases) = data(
        "names_from_files_do_not_reach_the_terminal_as_they_are",
        "cases",
    ) else {
        return;
    };
    let scratch = Scratch::new();
    let escaped = scratch.write("esc.posy", named_classifier(&["a", "b"], "v1 \x1b[31mred"));
    // Every run is checked for escapes in its output.
    let shown = scratch.posy([Path::new("inspect"), &escaped]).succeeds();
    assert!(shown.stdout.contains('\u{fffd}'), "{shown}");
    let json = scratch.posy([Path::new("inspect"), Path::new("--json"), &escaped]);
    let architecture = json.succeeds().json()["architecture"].clone();
    assert!(
        architecture.as_str().unwrap().contains('\x1b'),
        "{architecture}"
    );
    scratch.posy([Path::new("fit"), &escaped]).succeeds();
    for out in ["out.posy", "out.onnx"] {
        let network = cases.join("esc_op.onnx");
        let mut command =
            scratch.command(["retrain", "--output-graph", out, "--image-dir", "photos"]);
        command.arg("--backbone").arg(network);
        for label in ["a", "b"] {
            let photo = scratch.join(format!("photos/{label}/1.png"));
            std::fs::create_dir_all(photo.parent().unwrap()).unwrap();
            image::RgbImage::new(8, 8).save(photo).unwrap();
        }
        let outcome = Outcome::of(command);
        assert_eq!(outcome.code, Some(1), "{outcome}");
        let named = outcome.stderr.contains("Evil\u{fffd}");
        assert!(named || out == "out.onnx", "{outcome}");
    }
}

/// Names of photos and labels with escapes, line ends and direction marks.
#[cfg(unix)]
#[test]
fn names_of_photos_and_labels_stay_on_their_line() {
    let scratch = Scratch::new();
    let evil = "red\x1b[31m\nerror: forged \u{202e}gpj";
    scratch.write("model.posy", small_classifier(3));
    scratch.write(format!("{evil}.jpg"), "no photo");
    let outcome = scratch.posy(["label", "-m", "model.posy", &format!("{evil}.jpg")]);
    let outcome = outcome.fails(1, &["red\u{fffd}[31m\u{fffd}error: forged \u{fffd}gpj"]);
    assert!(
        !outcome
            .stderr
            .lines()
            .any(|line| line.starts_with("error: forged")),
        "{outcome}"
    );
    let missing = scratch.posy(["inspect", &format!("{evil}.posy")]);
    let missing = missing.fails(1, &["error: red\u{fffd}"]);
    assert_eq!(missing.stderr.lines().count(), 1, "{missing}");
}

/// The word before a message is coloured on a terminal, unless NO_COLOR is set.
#[cfg(target_os = "linux")]
#[test]
fn errors_are_coloured_on_a_terminal() {
    use std::io::Read;
    use std::process::Stdio;

    use nix::fcntl::OFlag;
    use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

    let scratch = Scratch::new();
    for (no_color, begins) in [
        (None, "\x1b[1m\x1b[31merror:\x1b[0m none"),
        (Some("1"), "error: none"),
    ] {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let mut person = posix_openpt(flags).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname_r(&person).unwrap();
        let terminal = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(name);
        let mut command = scratch.command(["inspect", "none.posy"]);
        command
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env_remove("CI");
        command.envs(no_color.map(|value| ("NO_COLOR", value)));
        command.stderr(Stdio::from(terminal.unwrap()));
        assert_eq!(command.status().unwrap().code(), Some(1));
        let mut bytes = [0; 1000];
        let len = person.read(&mut bytes).unwrap();
        let said = String::from_utf8_lossy(&bytes[..len]).into_owned();
        assert!(said.starts_with(begins), "{said:?}");
    }
}
