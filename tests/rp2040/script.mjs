// What happens to the board and when: the steps of a scenario, one after another.

/** Carries out the steps of a scenario. */
export class Script {
  /** `act(action)` carries an action out, `passed(index)` hears of every step that is done. */
  constructor(steps, clock, act, passed) {
    this.steps = steps.map((step) => compiled(step));
    this.clock = clock;
    this.act = act;
    this.passed = passed;
    this.index = 0;
    this.#arm();
  }

  get done() {
    return this.index === this.steps.length;
  }

  /** Hears a line of a port. */
  line(port, line) {
    const step = this.steps[this.index];
    if (step?.line && step.port === port && step.line.test(line) && --step.times === 0) this.#pass();
  }

  #arm() {
    const step = this.steps[this.index];
    if (step?.ms !== undefined) {
      this.clock.createAlarm(() => this.#pass()).schedule(step.ms * 1e6);
    } else if (step && !step.line) {
      this.#pass();
    }
  }

  #pass() {
    const { actions } = this.steps[this.index];
    this.passed(this.index);
    this.index++;
    actions.forEach((action) => this.act(action));
    this.#arm();
  }
}

function compiled({ after = {}, actions = [] }) {
  const { line, times = 1, port = 'uart', ms } = after;
  return { line: line === undefined ? null : new RegExp(line), times, port, ms, actions };
}
