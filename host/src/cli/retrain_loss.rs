//! A loss to int8 in `posy retrain`: a warning, or an error where a bound was given.

use super::retrain::Arguments;
use super::{Failure, output::note};
use crate::export::Format;
use crate::retrain::{Outcome, Prepared, WORTH_SAYING, can_adjust};
use crate::shell::quoted;

/// Options that say where the model goes, each with a value.
const OUTPUT: [&str; 3] = ["--output-graph", "--output_graph", "--output"];

/// Says what int8 loses to float where that is too much, and what helps. Everything has been written by then.
///
/// # Errors
/// Where more is lost than `--max-drop` allows.
pub(super) fn settle(
    arguments: &Arguments,
    format: Format,
    prepared: &Prepared,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let Some(loss) = &outcome.loss else {
        return Ok(());
    };
    let asked = arguments.answers.max_drop;
    let Err(error) = loss.check(asked.unwrap_or(WORTH_SAYING)) else {
        return Ok(());
    };
    let adjustable = outcome.adjusted.is_none() && can_adjust(prepared);
    let remedy = remedy(line(arguments), adjustable);
    match asked {
        Some(most) => Err(format!(
            "{error}, and --max-drop allows {most}. The model, its split, record and report are written all the \
             same. {remedy}"
        )
        .into()),
        None => {
            // Files in floating point lose nothing to int8.
            if !matches!(format, Format::Onnx | Format::GraphDef) {
                note!("warning: {error}. {remedy}");
            }
            Ok(())
        }
    }
}

/// The words of the command line behind `posy`.
fn line(arguments: &Arguments) -> Vec<String> {
    let words = std::env::args_os().skip(1);
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into()).collect();
    if words.first().is_some_and(|word| word == "retrain") {
        return words;
    }
    // Another command has retrained.
    let mut words = vec!["retrain".to_owned()];
    let mut say = |name: &str, value: String| words.extend([name.to_owned(), value]);
    say("--image-dir", arguments.image_dir.display().to_string());
    if let Some(architecture) = &arguments.architecture {
        say("--architecture", architecture.to_string());
    }
    if let Some(path) = &arguments.backbone {
        say("--backbone", path.display().to_string());
    }
    if let Some(output) = &arguments.output_graph {
        say("--output-graph", output.display().to_string());
    }
    words
}

/// The words that say what helps, with its command: that of this run, changed.
fn remedy(mut words: Vec<String>, adjustable: bool) -> String {
    if adjustable {
        drop_option(&mut words, &["--trainer"]);
        words.extend(["--trainer".into(), "adjust".into()]);
        return format!(
            "Teaching the network's last layer too, in the numbers of a board, usually helps: {}",
            shown(&words)
        );
    }
    drop_option(&mut words, &OUTPUT);
    words.retain(|word| word != "--int8");
    words.extend(["--output-graph".into(), "retrained.onnx".into()]);
    format!(
        "For a laptop or a phone the network can be had in floating point, which loses nothing: {}",
        shown(&words)
    )
}

/// Takes options of one of the `names` out, with their values.
fn drop_option(words: &mut Vec<String>, names: &[&str]) {
    let mut is_value = false;
    words.retain(|word| {
        if std::mem::take(&mut is_value) {
            return false;
        }
        is_value = names.contains(&word.as_str());
        let joined = word
            .split_once('=')
            .is_some_and(|(name, _)| names.contains(&name));
        !is_value && !joined
    });
}

/// A command line as it can be pasted into a shell.
fn shown(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("posy {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str, adjustable: bool) -> String {
        let remedy = remedy(line.split(' ').map(String::from).collect(), adjustable);
        let (_, command) = remedy.split_once(": ").unwrap();
        command.to_owned()
    }

    #[test]
    fn the_command_is_that_of_the_run_but_for_what_helps() {
        let line = "retrain --image-dir my_photos --trainer sgd --output=my.posy";
        assert_eq!(
            said(line, true),
            "posy retrain --image-dir my_photos --output=my.posy --trainer adjust"
        );
        assert_eq!(
            said(line, false),
            "posy retrain --image-dir my_photos --trainer sgd --output-graph retrained.onnx"
        );
        assert_eq!(
            said(
                "retrain --int8 --output_graph a.onnx --trainer=adjust",
                false
            ),
            "posy retrain --trainer=adjust --output-graph retrained.onnx"
        );
    }

    #[test]
    fn words_of_any_kind_can_be_pasted() {
        let words = ["retrain", "--image-dir", "Anna's photos", ""].map(String::from);
        assert_eq!(
            shown(&words),
            r"posy retrain --image-dir 'Anna'\''s photos' ''"
        );
    }
}
