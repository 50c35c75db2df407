//! Invalid options: exit code 2 and an error that names them, before any work is done.

use std::ffi::OsStr;

use posy_tests::scratch::{Outcome, Scratch};
use posy_tests::{data, small_classifier};

#[test]
fn options_out_of_range_are_named() {
    let cases: [(&[&str], &str); 25] = [
        (
            &["--validation-percentage=50", "--testing-percentage=50"],
            "validation 50% and testing 50% leave nothing to train on",
        ),
        (&["--testing-percentage=300"], "--testing-percentage"),
        (&["--validation-percentage=-1"], "--validation-percentage"),
        (&["--train-batch-size=0"], "--train-batch-size is 0"),
        (&["--train_batch_size=-2"], "--train-batch-size is -2"),
        (
            &["--validation-batch-size=0"],
            "--validation-batch-size is 0",
        ),
        (&["--test-batch-size=0"], "--test-batch-size is 0"),
        (
            &["--how-many-training-steps=0"],
            "--how-many-training-steps is 0",
        ),
        (&["--eval-step-interval=0"], "--eval-step-interval is 0"),
        (&["--learning-rate=0"], "--learning-rate is 0"),
        (&["--learning-rate=NaN"], "--learning-rate is NaN"),
        (&["--learning-rate=fast"], "--learning-rate"),
        (
            &["--learning_rate=1e30"],
            "--learning-rate is 1e30, but must be at most 1000",
        ),
        (&["--learning_rate=inf"], "--learning-rate is inf"),
        (
            &["--train_batch_size=999999999999"],
            "must be from 1 to 100000, or -1",
        ),
        (
            &["--validation_batch_size=100001"],
            "must be from 1 to 100000, or -1",
        ),
        (
            &["--how_many_training_steps=99999999999"],
            "must be at most 10000000",
        ),
        (&["--adjust-epochs=1001"], "--adjust-epochs is 1001"),
        (&["--adjust-rate=1e30"], "--adjust-rate is 1e30"),
        (&["--input-mean=1e300", "--input-std=1"], "are grey levels"),
        (&["--split=random"], "codelab"),
        (&["--trainer=adam"], "logistic"),
        (&["--crop=left"], "squash"),
        (&["--image_dri=flowers"], "--image"),
        (
            &["--architecture=mobilenet_0.5_225"],
            "did you mean mobilenet_v1_0.50_224",
        ),
    ];
    let scratch = Scratch::new();
    for (options, text) in cases {
        let arguments = ["retrain"].iter().chain(options);
        scratch.posy(arguments).fails(2, &["error: ", text]);
    }
    assert!(scratch.names(".").is_empty());
}

/// Unwritable outputs are reported before photos are searched or trained on.
#[test]
fn results_that_could_not_be_written_are_named() {
    let scratch = Scratch::new();
    scratch.write("file", "");
    scratch.write("folder/file", "");
    let cases = [
        ("--output-graph=file/new/out.posy", "file is not a folder"),
        ("--output-labels=file/labels.txt", "file is not a folder"),
        (
            "--output-labels=folder",
            "folder: cannot be written: it is a folder",
        ),
    ];
    for (option, text) in cases {
        scratch
            .posy(["retrain", option])
            .fails(1, &["error: ", text]);
    }
    // The trial leaves no file behind.
    let options = ["retrain", "--output-graph=new/out.posy", "--image-dir=none"];
    scratch.posy(options).fails(1, &["none"]);
    assert_eq!(scratch.names("."), ["file", "folder"]);
}

#[test]
fn other_commands_too() {
    let cases: [(&[&str], &str); 17] = [
        (&[], "Usage"),
        (&["train"], "retrain"),
        (&["label", "--model=model.posy"], "PHOTO"),
        (&["label", "photo.jpg"], "--model"),
        (
            &["label", "--model=model.posy", "--top=0", "photo.jpg"],
            "--top",
        ),
        (
            &["label", "--model=model.posy", "--top=33", "photo.jpg"],
            "--top",
        ),
        (&["inspect"], "FILE"),
        (&["inspect", "--sizes", "model.posy"], "--sizes"),
        (&["fit", "--labels=1"], "--labels"),
        (&["profile", "model.posy", "--seconds=1e15"], "--seconds"),
        (&["profile", "model.posy", "--seconds=NaN"], "--seconds"),
        (&["profile", "model.posy", "--seconds=-1"], "--seconds"),
        (&["profile", "model.posy", "--threads=65535"], "--threads"),
        (&["monitor", "--baud=99999999999"], "--baud"),
        (&["frames", "v.mp4", "--label=a", "--every=NaN"], "--every"),
        (
            &["frames", "v.mp4", "--label=a", "--least-change=inf"],
            "--least-change",
        ),
        (&["fit", "inception_v3"], "inception_v3 is no MobileNet"),
    ];
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(3));
    for (arguments, text) in cases {
        scratch.posy(arguments).fails(2, &[text]);
    }
}

/// With no networks or photos at hand, the message says which options to give.
#[test]
fn without_any_data_the_text_says_what_to_give() {
    let scratch = Scratch::new();
    let retrain = |more: &[&OsStr]| {
        let mut command = scratch.command(["retrain", "--bottleneck-dir=cache"]);
        command.args(more).env("POSY_DATA", scratch.join("nowhere"));
        command.env("POSY_LAST_RESORT", "");
        Outcome::of(command)
    };
    let texts = [
        "error: no network file for mobilenet_v1_0.50_224",
        "nowhere/models",
        "mobilenet_v1_0.5_224_quant.tflite",
        "--backbone",
        "--model-dir",
        "POSY_DATA",
    ];
    let photo = scratch.write("photos/daisy/1.png", "no photo");
    let photos = photo.parent().and_then(std::path::Path::parent).unwrap();
    retrain(&["--image-dir".as_ref(), photos.as_os_str()]).fails(1, &texts);
    std::fs::remove_dir_all(photos).unwrap();
    if let Some(models) = data("without_any_photos", "models") {
        let texts = ["error: no photos: flower_photos is neither", "--image-dir"];
        retrain(&["--model-dir".as_ref(), models.as_os_str()]).fails(1, &texts);
    }
    // The lock of a download that could not start.
    assert_eq!(scratch.names("."), ["nowhere"]);
}
