//! An emulated board in place of a real one: in the studio, and at a port for the other commands.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use posy::demo::Flower;
use posy_tests::boards;
use posy_tests::draw::in_full_runs;
use posy_tests::emulator::Tools;
use posy_tests::scratch::Scratch;
use posy_tests::small_classifier;
use posy_tests::studio::Studio;
use serde_json::Value;

use super::{png, scene};

/// A command of posy's that finds the emulated board's program: in the current checkout.
fn in_checkout(scratch: &Scratch, words: &[&str]) -> Command {
    let mut command = scratch.command(words);
    command.current_dir(boards::folder());
    command
}

/// Ended like a command that the user kills.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn commands_work_at_an_emulated_boards_port() {
    if Tools::find("commands_work_at_an_emulated_boards_port").is_none() {
        return;
    }
    let scratch = Scratch::new();
    scratch.write("old.posy", small_classifier(3));
    scratch.write("new.posy", small_classifier(4));
    scratch.write("scene/0.png", png(&scene(Flower::ALL[0], 0, 320, 240)));
    let mut command = in_checkout(&scratch, &["emulate"]);
    command.arg(scratch.join("old.posy"));
    command.arg("--scene").arg(scratch.join("scene"));
    let mut board = Ended(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut port = String::new();
    let stdout = board.0.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut port).unwrap();
    let port = format!("--port={}", port.trim());
    let verify = |model: &str| {
        let outcome = scratch.posy(["verify", model, &port, "--slow=10", "--json"]);
        outcome.succeeds().json()
    };
    assert_eq!(verify("old.posy")["equal"], true);
    let push = ["push", "new.posy", &port, "--slow=10", "--json"];
    let pushed = scratch.posy(push).succeeds().json();
    assert_eq!(
        (&pushed["board"], &pushed["unchanged"]),
        (&"mps2-an386".into(), &false.into())
    );
    assert_eq!(verify("new.posy")["equal"], true);
    let capture = ["capture", "studio", "--label=mug", "--count=1", "--slow=10"];
    scratch.posy([&capture[..], &[&port]].concat()).succeeds();
    let name = &scratch.names("studio/photos/mug")[0];
    let photo = image::open(scratch.join("studio/photos/mug").join(name)).unwrap();
    let seen = scene(Flower::ALL[0], 0, 320, 240);
    let apart = |(a, b): (&u8, &u8)| u32::from(a.abs_diff(*b));
    let apart: u32 = photo.into_rgb8().iter().zip(seen.iter()).map(apart).sum();
    assert!(apart < 8 * 3 * 320 * 240, "the camera sees something else");
    // However the command ends, its emulator ends too.
    let terminal = port.strip_prefix("--port=").unwrap().to_owned();
    drop(board);
    for _ in 0..100 {
        if !std::path::Path::new(&terminal).exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{terminal}: the emulator goes on");
}

#[test]
fn an_emulated_board_is_taught_pushed_to_and_verified_in_the_studio() {
    let test = "an_emulated_board_is_taught_pushed_to_and_verified_in_the_studio";
    if !in_full_runs(test) || Tools::find(test).is_none() {
        return;
    }
    let scratch = Scratch::new();
    scratch.write("network.tflite", posy_nn::zoo::embedded::BYTES);
    let show = |flower, number| {
        let picture = png(&scene(flower, number, 320, 240));
        scratch.write("scene/0.png", picture)
    };
    let flowers = [("mug", Flower::ALL[0]), ("plant", Flower::ALL[3])];
    show(flowers[0].1, 0);
    let mut command = in_checkout(
        &scratch,
        &["studio", "--no-open", "--http-port=0", "--board=emulator"],
    );
    command.arg(scratch.join("studio"));
    command.arg("--scene").arg(scratch.join("scene"));
    command
        .arg("--backbone")
        .arg(scratch.join("network.tflite"));
    let studio = Studio::of(command);
    let cookie = studio.cookie();
    let post = |path: &str| {
        let response = studio.ask(&cookie, "POST", path, &[]);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    };
    let wait = |wanted: &dyn Fn(&Value) -> bool| studio.state(&cookie, wanted);
    let number = |state: &Value| state["board"]["picture"].as_u64().unwrap();
    wait(&|state| state["board"]["name"] == "mps2-an386");
    for (label, flower) in flowers {
        for burst in 0..3 {
            show(flower, burst);
            // Photos are shown for two seconds each.
            std::thread::sleep(Duration::from_secs(3));
            let before = number(&wait(&|_| true));
            wait(&|state| number(state) > before + 1);
            post(&format!("/api/board/record/{label}/b{burst}"));
            let before = number(&wait(&|state| state["board"]["recording"] == label));
            wait(&|state| number(state) >= before + 4);
            post("/api/board/stop");
            wait(&|state| state["board"]["recording"].is_null());
        }
    }
    wait(&|state| state["training"]["kind"] == "idle" && state["model"]["labels"][1] == "plant");
    post("/api/board/push");
    wait(&|state| state["board"]["current"] == true && state["board"]["same"] == true);
    post("/api/board/verify");
    wait(&|state| {
        let words = state["board"]["words"].as_str();
        words.unwrap_or_default().starts_with("All ")
    });
}
