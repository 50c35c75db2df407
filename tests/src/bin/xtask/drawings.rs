//! Writes drawings for purposes other than the demo:
//!
//! ```text
//! xtask drawings sheet SEED FILE.png         a contact sheet of the demo's drawings
//! xtask drawings kinds FILE.png              a contact sheet of the built-in network's training drawings
//! xtask drawings pixels SIDE EACH FROM FILE  EACH drawings of each of these kinds, from number FROM on, for
//!                                      host/nn/assets/train.py: uint8 [EACH, kinds, SIDE, SIDE, 3]
//! ```

use std::fs::File;
use std::io::{BufWriter, Write};

use image::RgbImage;
use image::imageops::replace;
use posy::demo::{Flower, SIDE, draw};
use posy_tests::kinds;
use rayon::prelude::*;

use crate::{Arguments, Failure};

/// Number of drawings of each kind on a sheet.
const COLUMNS: u32 = 8;

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let arguments: Vec<String> = arguments.collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["sheet", seed, path] => {
            let seed = seed.parse()?;
            let flower = |row: u32, column| draw(Flower::ALL[row as usize], seed, column);
            sheet(Flower::ALL.len() as u32, flower).save(path)?;
        }
        ["kinds", path] => {
            let kind = |row, column| kinds::draw(row as usize, column, SIDE);
            sheet(kinds::KINDS as u32, kind).save(path)?;
        }
        ["pixels", side, each, from, path] => {
            pixels(side.parse()?, each.parse()?, from.parse()?, path)?;
        }
        _ => return Err("usage: see the head of tests/src/bin/xtask/drawings.rs".into()),
    }
    println!("{} kinds", kinds::KINDS);
    Ok(())
}

/// A sheet with one row of drawings for each kind.
fn sheet(rows: u32, drawing: impl Fn(u32, u64) -> RgbImage) -> RgbImage {
    let mut sheet = RgbImage::new(COLUMNS * SIDE, rows * SIDE);
    for row in 0..rows {
        for column in 0..COLUMNS {
            let (x, y) = (column * SIDE, row * SIDE);
            let drawing = drawing(row, column.into());
            replace(&mut sheet, &drawing, x.into(), y.into());
        }
    }
    sheet
}

fn pixels(side: u32, each: u64, from: u64, path: &str) -> Result<(), Failure> {
    let mut out = BufWriter::new(File::create(path)?);
    for number in from..from + each {
        let kinds = (0..kinds::KINDS).into_par_iter();
        let drawn: Vec<RgbImage> = kinds.map(|kind| kinds::draw(kind, number, side)).collect();
        for drawing in drawn {
            out.write_all(&drawing)?;
        }
    }
    Ok(out.flush()?)
}
