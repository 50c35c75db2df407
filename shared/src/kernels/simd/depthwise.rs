//! The 3 x 3 depthwise convolution of interleaved rows, a block of channels at a time.
//!
//! The three values of a channel under a column of the window lie together in a lane. Each column is
//! transposed into that order once and serves every window that contains it.
//!
//! [`together`](super::together) handles pixels with too few channels to fill the vectors.

use super::lanes::{Job, Lanes, MOST_VECTORS, Place};
use super::matrix::{INTEGERS, LINE, SIGNED_LINE, rescale};
use super::ready::{Block, Kind, Ready, Rescaling, blocks};
use super::together::together;
use super::turns::Burden;
use crate::kernels::WindowParams;

/// Bytes in the largest vector.
const MOST_BYTES: usize = 64;

/// Row of outputs, interleaved.
pub(super) struct Depthwise<'a> {
    pub(super) ready: &'a Ready,
    /// Interleaved rows, each as long as the parameters say.
    pub(super) rows: [Option<&'a [i8]>; 3],
    pub(super) params: WindowParams<'a, ()>,
    /// Output row, `[W, C]`.
    pub(super) output: &'a mut [i8],
}

impl<L: Lanes> Job<L> for Depthwise<'_> {
    // SAFETY: as the trait requires, only `Lanes::run` calls it.
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: in a job.
        unsafe {
            let few = self.params.input_channels < MOST_VECTORS * L::LANES;
            match (few, self.params.stride) {
                (false, 1) => strided::<L, 1>(self),
                (false, 2) => strided::<L, 2>(self),
                (false, _) => strided::<L, 3>(self),
                (true, 1) => together::<L, 1>(self),
                (true, 2) => together::<L, 2>(self),
                (true, _) => together::<L, 3>(self),
            }
        }
    }
}

/// Prepacked weights and tables of a block of outputs.
pub(super) struct Outputs {
    rescaling: Rescaling,
    burden: Burden,
    weights: *const i8,
    tables: *const i32,
    place: Place,
}

/// Outputs of a block along a row.
pub(super) trait Pixels<L: Lanes> {
    /// Computes all outputs, with [`Outputs::write`].
    ///
    /// # Safety
    /// In a job; `outputs` are those of the block, with the rescaling `HOW` and the load `BURDEN`.
    unsafe fn all<const HOW: u8, const BURDEN: u8>(self, outputs: &Outputs);
}

const LIGHT: u8 = Burden::Light as u8;
const MEDIUM: u8 = Burden::Medium as u8;
const HEAVY: u8 = Burden::Heavy as u8;

impl Outputs {
    pub(super) fn new<L: Lanes>(ready: &Ready, block: Block) -> Self {
        let (burden, weights) = ready.window_weights::<L>(block);
        Outputs {
            rescaling: ready.rescaling,
            burden,
            weights,
            tables: ready.tables(block),
            place: ready.place,
        }
    }

    /// Computes all `pixels`; the compiler makes a separate loop for each rescaling and each load.
    ///
    /// # Safety
    /// In a job; these are the outputs of the block.
    #[inline(always)]
    pub(super) unsafe fn of<L: Lanes, P: Pixels<L>>(&self, pixels: P) {
        // SAFETY: the caller guarantees it.
        unsafe {
            match self.rescaling {
                Rescaling::Line => self.any_burden::<L, P, LINE>(pixels),
                Rescaling::SignedLine => self.any_burden::<L, P, SIGNED_LINE>(pixels),
                Rescaling::Integers => self.any_burden::<L, P, INTEGERS>(pixels),
            }
        }
    }

    /// # Safety
    /// Same as [`Outputs::of`].
    #[inline(always)]
    unsafe fn any_burden<L: Lanes, P: Pixels<L>, const HOW: u8>(&self, pixels: P) {
        // SAFETY: the caller guarantees it.
        unsafe {
            match self.burden {
                // Without turns, every window is light.
                _ if L::TURN_LIMIT.is_none() => pixels.all::<HOW, LIGHT>(self),
                Burden::Light => pixels.all::<HOW, LIGHT>(self),
                Burden::Medium => pixels.all::<HOW, MEDIUM>(self),
                Burden::Heavy => pixels.all::<HOW, HEAVY>(self),
            }
        }
    }

    /// Writes the first `count` outputs over three columns.
    ///
    /// # Safety
    /// In a job; the block has the rescaling `HOW` and the load `BURDEN`, and `count` outputs may be
    /// written.
    // WebAssembly: the columns do not fit in registers, so a call costs nothing, and most of the code is saved.
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub(super) unsafe fn write<L: Lanes, const HOW: u8, const BURDEN: u8>(
        &self,
        columns: [&L::Columns; 3],
        to: *mut i8,
        count: usize,
    ) {
        let burden = match BURDEN {
            LIGHT => Burden::Light,
            MEDIUM => Burden::Medium,
            _ => Burden::Heavy,
        };
        // SAFETY: the caller guarantees it.
        unsafe {
            let mut sums = [L::splat(0); MOST_VECTORS];
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = L::load(self.tables.add(v * L::LANES));
            }
            sums = L::dot_window(sums, columns, self.weights, burden);
            let scaled = rescale::<L, MOST_VECTORS, HOW>(sums, self.tables);
            L::write(to, count, scaled, &self.place);
        }
    }
}

/// The columns of a block of channels, from left to right.
#[derive(Clone, Copy)]
struct Columns {
    /// Pointer to the next value of each row; of a row of padding, to enough values for one pixel.
    rows: [*const i8; 3],
    /// Bytes from a pixel to the next; zero in a row of padding.
    steps: [usize; 3],
    /// Remaining columns of padding before the map, and remaining columns of the map.
    padding: usize,
    inside: usize,
    zero_point: i8,
}

impl Columns {
    /// Loads the next column of the padded rows into `to`, in place: WebAssembly has it in memory, and a
    /// column that is returned would be copied there.
    ///
    /// # Safety
    /// In a job, and the fields are as documented.
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    unsafe fn next<L: Lanes>(&mut self, to: &mut L::Columns) {
        if self.padding > 0 || self.inside == 0 {
            self.padding = self.padding.saturating_sub(1);
            // SAFETY: in a job.
            *to = unsafe { L::columns([L::splat_byte(self.zero_point); 3]) };
            return;
        }
        self.inside -= 1;
        // SAFETY: columns of the map have the values of a block in each row.
        unsafe {
            // No closure: it would be compiled without the job's vector instructions.
            let mut bytes = [L::splat_byte(0); 3];
            for (bytes, row) in bytes.iter_mut().zip(self.rows) {
                *bytes = L::bytes(row, MOST_VECTORS * L::LANES);
            }
            for (row, step) in self.rows.iter_mut().zip(self.steps) {
                *row = row.wrapping_add(step);
            }
            *to = L::columns(bytes);
        }
    }
}

/// Computes the whole row with a stride of `S`, or, if `S` is 3, of `params.stride`.
///
/// # Safety
/// In a job.
#[inline(always)]
unsafe fn strided<L: Lanes, const S: usize>(job: Depthwise<'_>) {
    let params = &job.params;
    let channels = params.input_channels;
    let padding = [params.input_zero_point; MOST_BYTES];
    for block in blocks::<L>(Kind::Depthwise, channels) {
        let columns = Columns {
            rows: job.rows.map(|row| match row {
                Some(row) => row[block.first..].as_ptr(),
                None => padding.as_ptr(),
            }),
            steps: job.rows.map(|row| row.map_or(0, |_| channels)),
            padding: params.pad_left,
            inside: params.input_width,
            zero_point: params.input_zero_point,
        };
        // SAFETY: in a job. The rows are as long as the parameters say, padding is longer than any
        // vector; the layer was prepacked for these lanes; `output` has all its pixels.
        unsafe {
            Outputs::new::<L>(job.ready, block).of::<L, _>(Row::<S> {
                columns,
                width: params.output_width,
                stride: params.stride,
                output: job.output.as_mut_ptr().add(block.first),
                channels,
            });
        }
    }
}

/// Pixels of a row, `S` columns apart, or `stride` columns if `S` is 3.
struct Row<const S: usize> {
    columns: Columns,
    width: usize,
    stride: usize,
    /// Pointer to the outputs of the first pixel.
    output: *mut i8,
    channels: usize,
}

impl<L: Lanes, const S: usize> Pixels<L> for Row<S> {
    // SAFETY: as the trait requires; all outputs may be written.
    #[inline(always)]
    unsafe fn all<const HOW: u8, const BURDEN: u8>(self, outputs: &Outputs) {
        let (mut columns, width, stride) = (self.columns, self.width, self.stride);
        // SAFETY: the caller guarantees it.
        unsafe {
            // Columns stay in their registers, and the three windows rotate around them.
            let mut a = L::columns([L::splat_byte(0); 3]);
            let (mut b, mut c) = (a, a);
            columns.next::<L>(&mut a);
            columns.next::<L>(&mut b);
            columns.next::<L>(&mut c);
            let mut x = 0;
            while x < width {
                self.one::<L, HOW, BURDEN>(outputs, x, [&a, &b, &c]);
                match S {
                    1 => {
                        if x + 1 == width {
                            break;
                        }
                        columns.next::<L>(&mut a);
                        self.one::<L, HOW, BURDEN>(outputs, x + 1, [&b, &c, &a]);
                        if x + 2 == width {
                            break;
                        }
                        columns.next::<L>(&mut b);
                        self.one::<L, HOW, BURDEN>(outputs, x + 2, [&c, &a, &b]);
                        columns.next::<L>(&mut c);
                        x += 3;
                    }
                    2 => {
                        if x + 1 == width {
                            break;
                        }
                        columns.next::<L>(&mut b);
                        columns.next::<L>(&mut a);
                        self.one::<L, HOW, BURDEN>(outputs, x + 1, [&c, &b, &a]);
                        // Middle column of the following window, whose first column is in `a`.
                        columns.next::<L>(&mut b);
                        columns.next::<L>(&mut c);
                        x += 2;
                    }
                    _ => {
                        for _ in 3..stride {
                            columns.next::<L>(&mut a);
                        }
                        columns.next::<L>(&mut a);
                        columns.next::<L>(&mut b);
                        columns.next::<L>(&mut c);
                        x += 1;
                    }
                }
            }
        }
    }
}

impl<const S: usize> Row<S> {
    /// Computes the outputs of pixel `x` over three columns.
    ///
    /// # Safety
    /// Same as [`Pixels::all`].
    #[inline(always)]
    unsafe fn one<L: Lanes, const HOW: u8, const BURDEN: u8>(
        &self,
        outputs: &Outputs,
        x: usize,
        columns: [&L::Columns; 3],
    ) {
        let to = self.output.wrapping_add(x * self.channels);
        // SAFETY: the caller guarantees it.
        unsafe { outputs.write::<L, HOW, BURDEN>(columns, to, MOST_VECTORS * L::LANES) }
    }
}
