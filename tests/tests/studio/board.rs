//! A board in the studio: the firmware's own program on a pseudo-terminal.

use posy::demo::Flower;
use posy_tests::fake_board::{FakeBoard, HEIGHT, WIDTH};
use posy_tests::scratch::Scratch;
use posy_tests::studio::Studio;
use serde_json::Value;

use super::scene;

/// Goes at a label, and views of the thing in each.
const BURSTS: u64 = 4;
const VIEWS: u64 = 5;

#[test]
fn a_network_is_taught_by_a_boards_camera_pushed_to_it_and_answers_there() {
    let scratch = Scratch::new();
    scratch.write("network.tflite", posy_nn::zoo::embedded::BYTES);
    let mut board = FakeBoard::new(&scratch.join("port"), &[]);
    board.plug_in();
    let arguments = ["--backbone=network.tflite", "--port=port"];
    let studio = Studio::start(&scratch, 0, &arguments);
    let cookie = studio.cookie();
    let post = |path: &str| {
        let response = studio.ask(&cookie, "POST", path, &[]);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    };
    let wait = |wanted: &dyn Fn(&Value) -> bool| studio.state(&cookie, wanted);
    let show = |board: &FakeBoard, flower: Flower, number: u64| {
        board.show(scene(flower, number, WIDTH.into(), HEIGHT.into()).as_raw());
    };
    let number = |state: &Value| state["board"]["picture"].as_u64().unwrap();
    let flowers = [("mug", Flower::ALL[0]), ("plant", Flower::ALL[3])];
    for (label, flower) in flowers {
        for burst in 0..BURSTS {
            show(&board, flower, VIEWS * burst);
            let before = number(&wait(&|state| state["board"]["name"] == "rp-pico"));
            // A picture that was taken before is of another scene.
            wait(&|state| number(state) > before + 1);
            post(&format!("/api/board/record/{label}/b{burst}"));
            wait(&|state| state["board"]["recording"] == label);
            // The thing is turned about meanwhile.
            for view in 0..VIEWS {
                show(&board, flower, VIEWS * burst + view);
                let before = number(&wait(&|_| true));
                wait(&|state| number(state) > before + 1);
            }
            post("/api/board/stop");
            wait(&|state| state["board"]["recording"].is_null());
        }
    }
    wait(&|state| {
        state["model"]["labels"]
            .as_array()
            .is_some_and(|labels| labels.len() == 2)
    });
    wait(&|state| state["training"]["kind"] == "idle" && state["model"]["headline"][0].is_string());
    post("/api/board/push");
    wait(&|state| state["board"]["current"] == true);
    for (label, flower) in flowers {
        // A go that it was not trained on may look like the other thing.
        let named = (0..BURSTS).any(|burst| {
            show(&board, flower, VIEWS * burst + 1);
            let before = number(&wait(&|_| true));
            let state = wait(&|state| number(state) > before + 3 && state["board"]["same"] == true);
            assert!(state["board"]["answer"]["times"][2][0] == "network");
            state["board"]["answer"]["labels"][0][0] == label
        });
        assert!(named, "{label} is not named");
    }
    post("/api/board/verify");
    wait(&|state| {
        state["board"]["words"]
            .as_str()
            .unwrap_or_default()
            .starts_with("All ")
    });
    // Unplugged and back, it is there again, with its model.
    board.unplug();
    wait(&|state| state["board"]["name"].is_null());
    let refused = studio.ask(&cookie, "POST", "/api/board/push", &[]);
    assert_eq!(refused.status, 409);
    board.plug_in();
    wait(&|state| state["board"]["current"] == true && state["board"]["same"] == true);
    // The other commands work on the same folder.
    drop(studio);
    scratch
        .posy([
            "verify",
            "studio/model.posy",
            "studio/photos",
            "--port=port",
            "--most=5",
        ])
        .succeeds();
}
