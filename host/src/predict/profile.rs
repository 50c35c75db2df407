//! Time per layer of a model on this machine.

use std::time::{Duration, Instant};

use posy_shared::engine::{Engine, EngineError, Observer, Prepared};
use posy_shared::kernels::{Kernels, Layout};
use posy_shared::model::{GoldenRows, Model};

/// Minimum number of timed passes.
const FEWEST_PASSES: usize = 3;

/// Timing of a forward pass.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Median time of each layer.
    pub layers: Vec<Duration>,
    /// Median time of a whole pass, measured without timing layers.
    pub pass: Duration,
    /// Passes per second on all threads together, without timing layers.
    pub passes_per_second: f64,
    /// Number of passes in which layers were timed.
    pub passes: usize,
}

/// Time of each layer in the current pass.
struct Stopwatch {
    last: Instant,
    layers: Vec<Duration>,
}

impl Stopwatch {
    fn new(layers: usize) -> Self {
        Stopwatch {
            last: Instant::now(),
            layers: vec![Duration::ZERO; layers],
        }
    }
}

impl Observer for Stopwatch {
    /// Adds the time since the previous row, of any layer, to this layer.
    fn row(&mut self, layer: usize, _: usize, _: Layout, _: &[i8]) {
        let now = Instant::now();
        self.layers[layer] += now - self.last;
        self.last = now;
    }
}

fn pass<K: Kernels>(
    engine: &mut Engine<'_, '_, K>,
    input: &[i8],
    observer: &mut impl Observer,
) -> Result<(), EngineError> {
    let row_len = engine.model().input_shape().row_len();
    for row in input.chunks_exact(row_len) {
        engine.push_row_observed(row, observer)?;
    }
    engine.finish_observed(observer)?;
    Ok(())
}

/// Calls `once` for `time`, and at least [`FEWEST_PASSES`] times. Returns the results.
fn repeat<T>(
    time: Duration,
    mut once: impl FnMut() -> Result<T, EngineError>,
) -> Result<Vec<T>, EngineError> {
    let start = Instant::now();
    let mut found = Vec::new();
    while found.len() < FEWEST_PASSES || start.elapsed() < time {
        found.push(once()?);
    }
    Ok(found)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Measurements of one thread.
struct Timed {
    passes: Vec<Duration>,
    elapsed: Duration,
    layers: Vec<Vec<Duration>>,
}

fn timed<K: Kernels>(
    prepared: &Prepared<'_, K>,
    input: &[i8],
    time: Duration,
) -> Result<Timed, EngineError> {
    let mut arena = vec![0; prepared.arena_len()];
    let mut engine = prepared.engine(&mut arena)?;
    // Warms up caches and processor.
    pass(&mut engine, input, &mut ())?;
    let start = Instant::now();
    let passes = repeat(time, || {
        let start = Instant::now();
        pass(&mut engine, input, &mut ())?;
        Ok(start.elapsed())
    })?;
    let elapsed = start.elapsed();
    let count = prepared.model().layers().len();
    let layers = repeat(time, || {
        let mut stopwatch = Stopwatch::new(count);
        pass(&mut engine, input, &mut stopwatch)?;
        Ok(stopwatch.layers)
    })?;
    Ok(Timed {
        passes,
        elapsed,
        layers,
    })
}

/// Times `model` with `kernels` on a seeded input, for about twice `time`, on `threads` threads
/// that each run their own passes.
///
/// # Errors
/// None for a checked model.
pub fn profile<K: Kernels + Sync>(
    model: Model<'_>,
    kernels: K,
    threads: usize,
    time: Duration,
) -> Result<Profile, EngineError> {
    let mut input = vec![0; model.input_shape().len()];
    let mut rows = GoldenRows::new(1);
    for row in input.chunks_exact_mut(model.input_shape().row_len()) {
        rows.fill(row);
    }
    let prepared = Prepared::new(model, kernels);
    let found: Vec<Result<Timed, EngineError>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|_| scope.spawn(|| timed(&prepared, &input, time)))
            .collect();
        let mut found = vec![timed(&prepared, &input, time)];
        // A panicked thread has reported the panic itself.
        found.extend(others.into_iter().flat_map(|other| other.join()));
        found
    });
    let found = found.into_iter().collect::<Result<Vec<Timed>, _>>()?;
    let mut passes: Vec<Duration> = found
        .iter()
        .flat_map(|timed| timed.passes.clone())
        .collect();
    let rate = |timed: &Timed| timed.passes.len() as f64 / timed.elapsed.as_secs_f64();
    let all: Vec<&Vec<Duration>> = found.iter().flat_map(|timed| &timed.layers).collect();
    let layers = (0..prepared.model().layers().len()).map(|layer| {
        let mut times: Vec<Duration> = all.iter().map(|layers| layers[layer]).collect();
        median(&mut times)
    });
    Ok(Profile {
        layers: layers.collect(),
        pass: median(&mut passes),
        passes_per_second: found.iter().map(rate).sum(),
        passes: all.len(),
    })
}
