// The RP2040's second core, which rp2040js does not have: another of its cores on the same buses, with
// the queues between the two (RP2040 data sheet, 2.3.1.4), its reset (2.13), and what the boot ROM has it
// wait for (2.8.2). Both cores execute an instruction in turn. Interrupts of the chip's peripherals
// reach the first core alone.

const SIO_CPUID = 0x000;
const FIFO_ST = 0x050;
const FIFO_WR = 0x054;
const FIFO_RD = 0x058;
const FIFO_DEPTH = 8;
/** Bits of FIFO_ST. */
const [VALID, READY, OVERFLOWN, UNDERFLOWN] = [1, 2, 4, 8];
/** Interrupt of the queue to each core. */
const SIO_IRQ = [15, 16];
/** Index of the power-on state machine among the peripherals, register that forces off, its bit for the
 * second core. */
const PSM = 0x40010;
const PSM_FORCE_OFF = 0x04;
const PSM_SECOND = 1 << 16;
/** Memory protection: of each core, CTRL to RASR. */
const MPU = [0xd94, 0xda0];
/** What the boot ROM of the second core wants to read before vectors, stack and start. */
const GREETING = [0, 0, 1];

/** The second core; `fail(what)` ends the run. */
export class SecondCore {
  /** Instructions that it has run. */
  instructions = 0;

  constructor(rp2040, fail) {
    this.rp2040 = rp2040;
    this.fail = fail;
    this.first = rp2040.core;
    this.core = new rp2040.core.constructor(rp2040);
    this.cores = [this.first, this.core];
    this.queues = [[], []];
    this.faults = [0, 0];
    this.started = false;
    this.greeted = [];
    this.#connectQueues();
    this.#connectReset();
    this.#connectProtection();
  }

  /** Whether it has something to do. */
  get runs() {
    return this.started && !this.core.waiting;
  }

  /** Executes an instruction; gives its cycles. */
  step() {
    const { rp2040, core } = this;
    rp2040.core = core;
    const cycles = core.executeInstruction();
    rp2040.core = this.first;
    this.instructions++;
    return cycles;
  }

  /** An event for both cores (SEV): who waits for one goes on. */
  event() {
    for (const core of this.cores) {
      if (core.waiting) core.waiting = false;
      else core.eventRegistered = true;
    }
  }

  /** Which core is running. */
  #who() {
    return this.rp2040.core === this.core ? 1 : 0;
  }

  /** Keeps the interrupt of the queue to core `who` as the queue is. */
  #interrupt(who) {
    const raised = this.queues[who].length > 0 || this.faults[who] !== 0;
    if (who === 0 || this.started) this.cores[who].setInterrupt(SIO_IRQ[who], raised);
  }

  #connectQueues() {
    const { sio } = this.rp2040;
    const read = sio.readUint32.bind(sio);
    const write = sio.writeUint32.bind(sio);
    sio.readUint32 = (offset) => {
      const who = this.#who();
      switch (offset) {
        case SIO_CPUID:
          return who;
        case FIFO_ST: {
          const valid = this.queues[who].length > 0 ? VALID : 0;
          const ready = this.queues[1 - who].length < FIFO_DEPTH ? READY : 0;
          return valid | ready | this.faults[who];
        }
        case FIFO_RD: {
          if (this.queues[who].length === 0) this.faults[who] |= UNDERFLOWN;
          const value = this.queues[who].shift() ?? 0;
          this.#interrupt(who);
          return value;
        }
        default:
          return read(offset);
      }
    };
    sio.writeUint32 = (offset, value) => {
      const who = this.#who();
      switch (offset) {
        case FIFO_ST:
          this.faults[who] = 0;
          this.#interrupt(who);
          return;
        case FIFO_WR:
          this.#send(who, 1 - who, value >>> 0);
          return;
        default:
          write(offset, value);
      }
    };
  }

  #send(from, to, value) {
    if (this.queues[to].length === FIFO_DEPTH) this.faults[from] |= OVERFLOWN;
    else this.queues[to].push(value);
    this.#interrupt(to);
    if (to === 1 && !this.started) this.#greet();
  }

  /** What the boot ROM does on the second core: gives back what it reads, and starts the program once it
   * has read all that it waits for. */
  #greet() {
    for (const value of this.queues[1].splice(0)) {
      const wanted = GREETING[this.greeted.length];
      if (wanted !== undefined && value !== wanted) {
        this.fail(`the second core was sent ${value}, where its boot ROM waits for ${wanted}`);
      }
      this.greeted.push(value);
      this.#send(1, 0, value);
    }
    const [vectors, stack, start] = this.greeted.slice(GREETING.length);
    if (start === undefined) return;
    const { core } = this;
    core.VTOR = vectors;
    core.SP = stack;
    core.PC = start & ~1;
    this.started = true;
  }

  #connectReset() {
    const psm = this.rp2040.peripherals[PSM];
    const write = psm.writeUint32.bind(psm);
    let off = false;
    psm.writeUint32 = (offset, value) => {
      write(offset, value);
      if (offset !== PSM_FORCE_OFF) return;
      const wasOff = off;
      off = (value & PSM_SECOND) !== 0;
      if (off && this.started) this.fail('the second core was reset while it ran');
      this.greeted = [];
      // The boot ROM empties its queue and says that it is there.
      if (wasOff && !off) {
        this.queues[1] = [];
        this.#send(1, 0, 0);
      }
    };
  }

  #connectProtection() {
    const { ppb } = this.rp2040;
    const registers = [new Map(), new Map()];
    const read = ppb.readUint32.bind(ppb);
    const write = ppb.writeUint32.bind(ppb);
    const isOne = (offset) => offset >= MPU[0] && offset <= MPU[1];
    ppb.readUint32 = (offset) =>
      isOne(offset) ? registers[this.#who()].get(offset) ?? 0 : read(offset);
    ppb.writeUint32 = (offset, value) =>
      isOne(offset) ? registers[this.#who()].set(offset, value) : write(offset, value);
  }
}
