//! A loss to int8 in `posy retrain`: a warning, or an error where a bound was given.

use std::ffi::OsString;

use posy_nn::export::Format;

use super::Arguments;
use super::next::{Next, line, without_options};
use crate::cli::Failure;
use crate::cli::output::note;
use crate::eval::paired::WORTH_SAYING;
use crate::retrain::{Prepared, TrainedModel, can_fine_tune};

/// Says what int8 loses to float where that is too much, and what helps. Everything has been written by then.
///
/// # Errors
/// Where more is lost than `--max-drop` allows.
pub(super) fn settle(
    arguments: &Arguments,
    next: &Next<'_>,
    prepared: &Prepared,
    outcome: &TrainedModel,
) -> Result<(), Failure> {
    let Some(loss) = &outcome.evaluation.paired else {
        return Ok(());
    };
    let asked = arguments.answers.max_drop;
    let Err(error) = loss.check(asked.unwrap_or(WORTH_SAYING)) else {
        return Ok(());
    };
    let tunable = outcome.fine_tuned.is_none() && can_fine_tune(prepared);
    let remedy = remedy(&next.retrain(), tunable);
    match asked {
        Some(most) => Err(format!(
            "{error}, and --max-drop allows {most}. The model, its split, record and report are written all the \
             same. {remedy}"
        )
        .into()),
        None => {
            // Files in floating point lose nothing to int8.
            if !matches!(next.format, Format::Onnx | Format::GraphDef) {
                note!("warning: {error}. {remedy}");
            }
            Ok(())
        }
    }
}

/// The words that say what helps, with its command: that of this run, changed.
fn remedy(words: &[OsString], tunable: bool) -> String {
    let with = |words: Vec<OsString>, more: [&str; 2]| {
        let more = more.map(OsString::from);
        line(&[words, more.to_vec()].concat())
    };
    if tunable {
        let words = without_options(words, &["trainer", "head-only", "fine-tune"]);
        return format!(
            "Teaching the network's last blocks too, in the numbers of a board, usually helps: {}",
            with(words, ["--fine-tune", "4"])
        );
    }
    let mut words = without_options(words, &["output-graph", "output"]);
    words.retain(|word| word != "--int8");
    format!(
        "For a laptop or a phone the network can be had in floating point, which loses nothing: {}",
        with(words, ["--output-graph", "retrained.onnx"])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str, tunable: bool) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let remedy = remedy(&words, tunable);
        let (_, command) = remedy.split_once(": ").unwrap();
        command.to_owned()
    }

    #[test]
    fn the_command_is_that_of_the_run_but_for_what_helps() {
        let line = "retrain --image-dir my_photos --trainer sgd --output=my.posy";
        assert_eq!(
            said(line, true),
            "posy retrain --image-dir my_photos --output=my.posy --fine-tune 4"
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
        let words = ["retrain", "--image-dir", "Anna's photos", ""].map(OsString::from);
        assert_eq!(
            line(&words),
            r"posy retrain --image-dir 'Anna'\''s photos' ''"
        );
    }
}
