//! `posy emulate`: an emulated board on a serial port.

use std::env::current_dir;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use posy_nn::model_file::ModelFile;

use super::Failure;
use super::output::{note, print_lines};
use crate::device::emulator::{CORE, Emulator};
use crate::studio::scene::Scene;

/// Runs an emulated board on a serial port of its own, until Ctrl-C.
///
/// Stands in for a board that is not there: `posy push`, `verify`, `capture`, `monitor` and `studio` take its port
/// by --port. It is a Cortex-M4 in QEMU (`apt-get install qemu-system-arm`), with the program of
/// `boards/qemu-mps2`, which is built first: so this runs within a checkout of posy. What is pushed to it is
/// forgotten when it ends. It is no measure of a real board's speed.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The model in its slot at first, a .posy file; none if it is not given.
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    #[command(flatten)]
    scene: SceneArguments,
}

#[derive(Clone, Debug, Args)]
pub(super) struct SceneArguments {
    /// Folder of photos that an emulated board's camera sees, two seconds each; drawings of flowers if it is not
    /// given. Photos that are put there while it runs are seen too.
    #[arg(long, value_name = "FOLDER")]
    pub(super) scene: Option<PathBuf>,
}

impl SceneArguments {
    /// Starts the emulated board, with the bytes `model` of a file in its slot.
    pub(super) fn start(&self, model: &[u8]) -> Result<Scene, Failure> {
        if let Some(folder) = &self.scene {
            read(folder)?;
        }
        note!("an emulated {CORE}; its program is built first");
        let board = Emulator::find(&current_dir()?)?.start(model)?;
        Ok(Scene::play(board, self.scene.clone()))
    }
}

/// Checks that the folder can be read.
fn read(folder: &Path) -> Result<(), Failure> {
    match fs::read_dir(folder) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "{}: {error}; --scene takes a folder of photos",
            folder.display()
        )
        .into()),
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = arguments
        .model
        .as_deref()
        .map(ModelFile::open)
        .transpose()?;
    let model = file.as_ref().map_or(&[][..], ModelFile::bytes);
    let scene = arguments.scene.start(model)?;
    print_lines(&[scene.port().to_owned()])?;
    note!("give this port to other commands by --port; Ctrl-C ends");
    scene.wait();
    Ok(ExitCode::SUCCESS)
}
