//! L-BFGS with a More-Thuente line search (argmin), for the logistic objective.

use std::cell::RefCell;
use std::rc::Rc;

use argmin::core::observers::{Observe, ObserverMode};
use argmin::core::{CostFunction, Error, Executor, Gradient, KV, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

use super::HeadError;
use super::objective::Objective;
use super::observer::{Approach, Meter, PARTS};
use super::precondition::Preconditioner;

/// Past steps that L-BFGS keeps, as many as in scikit-learn.
const MEMORY: usize = 10;

/// Result of the minimisation.
pub(super) struct Solution {
    /// Parameters, as [`Objective`] lays them out.
    pub(super) parameters: Vec<f64>,
    /// Objective at the solution.
    pub(super) loss: f64,
    /// Euclidean norm of the gradient at the solution.
    pub(super) gradient_norm: f64,
    /// Number of steps.
    pub(super) steps: u64,
}

/// Callback that receives the parameters after a step.
type Each<'a> = &'a mut dyn FnMut(&[f64]);

/// Minimises over the training photos `photos`, with strength `c`, in the variables of
/// `preconditioner` if there is one. Iterates from `start` until the gradient's norm is below
/// `tolerance`, or no further step lowers the loss in f64, or `max_steps` is reached. Calls `each`
/// with the parameters after every step, once all steps are done. Takes [`PARTS`] on `meter`.
pub(super) fn minimise(
    objective: &Objective<'_>,
    photos: &[usize],
    c: f64,
    start: Vec<f64>,
    (tolerance, max_steps): (f64, u64),
    preconditioner: Option<&Preconditioner>,
    (meter, each): (&dyn Meter, Option<Each<'_>>),
) -> Result<Solution, HeadError> {
    let failed = |error: Error| HeadError::Solver(error.to_string());
    let best = RefCell::new(None);
    let problem = Problem {
        best: &best,
        objective,
        photos,
        c,
        preconditioner,
        last: RefCell::new(None),
        approach: RefCell::new(Approach::new(meter, PARTS)),
    };
    let stretch = preconditioner.map_or(1.0, |preconditioner| preconditioner.stretch);
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
        .with_tolerance_grad(tolerance / stretch)
        .and_then(|solver| solver.with_tolerance_cost(0.0))
        .map_err(failed)?;
    let first = match preconditioner {
        Some(preconditioner) => preconditioner.variables(&start),
        None => start.clone(),
    };
    let trail = Trail::default();
    let mut executor = Executor::new(problem, solver)
        .configure(|state| state.param(first).max_iters(max_steps))
        .timer(false);
    if each.is_some() {
        executor = executor.add_observer(trail.clone(), ObserverMode::Always);
    }
    let (found, steps) = match executor.run() {
        Ok(mut result) => (result.state.take_best_param(), result.state.get_iter()),
        // With sums in f32, the line search may fail because nothing is left to gain.
        Err(error) => match best.take() {
            Some((_, found)) => (Some(found), 0),
            None => return Err(failed(error)),
        },
    };
    if let Some(each) = each {
        for step in trail.0.take() {
            match preconditioner {
                Some(preconditioner) => each(&preconditioner.parameters(&step)),
                None => each(&step),
            }
        }
    }
    let parameters = match (found, preconditioner) {
        (Some(found), Some(preconditioner)) => preconditioner.parameters(&found),
        (Some(found), None) => found,
        (None, _) => start,
    };
    let (loss, gradient) = objective.evaluate(&parameters, photos, c);
    Ok(Solution {
        parameters,
        loss,
        gradient_norm: gradient
            .iter()
            .map(|slope| slope * slope)
            .sum::<f64>()
            .sqrt(),
        steps,
    })
}

/// The parameters after each iteration. `Rc` because argmin keeps its observers beyond any borrow.
#[derive(Clone, Default)]
struct Trail(Rc<RefCell<Vec<Vec<f64>>>>);

impl<S: State<Param = Vec<f64>>> Observe<S> for Trail {
    fn observe_iter(&mut self, state: &S, _: &KV) -> Result<(), Error> {
        self.0.borrow_mut().extend(state.get_param().cloned());
        Ok(())
    }
}

/// The objective in argmin's interface, which asks for loss and gradient by two calls. One pass
/// over the features gives both, so the last result is kept.
struct Problem<'a> {
    /// The lowest loss so far and its variables.
    best: &'a RefCell<Option<(f64, Vec<f64>)>>,
    objective: &'a Objective<'a>,
    photos: &'a [usize],
    c: f64,
    preconditioner: Option<&'a Preconditioner>,
    last: RefCell<Option<Evaluation>>,
    approach: RefCell<Approach<'a>>,
}

struct Evaluation {
    parameters: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

impl Problem<'_> {
    fn at<R>(&self, parameters: &[f64], read: impl FnOnce(&Evaluation) -> R) -> R {
        let mut last = self.last.borrow_mut();
        if let Some(evaluation) = last.as_ref().filter(|last| last.parameters == parameters) {
            return read(evaluation);
        }
        self.approach.borrow_mut().step();
        let evaluate = |at: &[f64]| self.objective.evaluate(at, self.photos, self.c);
        let (loss, gradient) = match self.preconditioner {
            Some(preconditioner) => {
                let (loss, gradient) = evaluate(&preconditioner.parameters(parameters));
                (loss, preconditioner.gradient(gradient))
            }
            None => evaluate(parameters),
        };
        let mut best = self.best.borrow_mut();
        if loss.is_finite() && best.as_ref().is_none_or(|(least, _)| loss < *least) {
            *best = Some((loss, parameters.to_vec()));
        }
        read(last.insert(Evaluation {
            parameters: parameters.to_vec(),
            loss,
            gradient,
        }))
    }
}

impl CostFunction for Problem<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, parameters: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.at(parameters, |evaluation| evaluation.loss))
    }
}

impl Gradient for Problem<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, parameters: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.at(parameters, |evaluation| evaluation.gradient.clone()))
    }
}
