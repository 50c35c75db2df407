//! The commands that `retrain` says go on from it, typed into a shell as they are.

use std::process::Command;

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch, posy_path};

/// The outcome of `line` in bash, in which `posy` is the command that is tested.
fn typed(scratch: &Scratch, line: &str) -> Outcome {
    let known = scratch.command(["--version"]);
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("posy() {{ \"$POSY\" \"$@\"; }}; {line}")]);
    bash.current_dir(scratch.path()).env("POSY", posy_path());
    for (name, value) in known.get_envs() {
        if let Some(value) = value {
            bash.env(name, value);
        }
    }
    Outcome::of(bash)
}

#[test]
fn they_can_be_typed_whatever_files_are_called() {
    let Some(flowers) = data("next_commands", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    let folder = "it's $HOME (mine)";
    scratch.copy_photos(&flowers, folder, &["daisy", "roses", "tulips"], 12);
    let more = [
        "--output-graph",
        "my model.posy",
        "--testing-percentage",
        "40",
        "--json",
    ];
    let json = scratch.retrain(folder, &more).succeeds().json();
    let commands: Vec<&str> = json["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command["command"].as_str().unwrap())
        .collect();
    let command = |start: &str| {
        let mut found = commands.iter().filter(|line| line.starts_with(start));
        *found
            .next()
            .unwrap_or_else(|| panic!("no {start} in {commands:?}"))
    };

    let label = typed(&scratch, command("posy label ")).succeeds();
    assert!(label.stdout.contains("(score = "), "{label}");
    let flash = command("posy flash ");
    let flash = typed(&scratch, &format!("{flash} --model-only --dry-run")).succeeds();
    assert!(flash.stdout.contains("my model.posy"), "{flash}");
    let check = typed(&scratch, command("posy check "));
    assert_eq!(check.code, Some(0), "{check}");
    let adjust = commands.iter().find(|line| line.contains("--fine-tune 4"));
    let adjust = adjust.expect("a command that adjusts");
    assert!(
        adjust.ends_with("--output-graph 'my model-fine-tuned.posy'"),
        "{adjust}"
    );
    assert!(!adjust.contains("'my model.posy'"), "{adjust}");
    typed(
        &scratch,
        &format!("{adjust} --variants 1 --adjust-epochs 1 --no-report --no-check"),
    )
    .succeeds();
    let compare = command("posy compare ").replace(" 'my model-larger.run.json'", "");
    let compare = typed(&scratch, &compare).succeeds();
    assert!(
        compare.stdout.contains("my model-fine-tuned.run.json"),
        "{compare}"
    );
}
