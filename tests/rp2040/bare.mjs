// A bare OV2640 on the RP2040's pins, line by line: eight data lines, PCLK, HREF and VSYNC, which run while the
// clock comes, and its registers over SCCB. A frame is what the registers ask for, as from the camera with a
// buffer. The PIO's machine is stepped at every edge: the emulator's own steps follow the wall clock.

import { Camera } from './camera.mjs';
import { connectSensor } from './wiring.mjs';

const [D0, PCLK, HREF, VSYNC] = [6, 14, 16, 17];
/** The slice of the PWM on GP18, which gives the clock, and the bit that it runs by. */
const CLOCK_SLICE = 1;
const CLOCK_ENABLED = 1;
/** Hertz that the sensor's clock may have. */
const [XCLK_LOW, XCLK_HIGH] = [6e6, 24e6];
/** Nanoseconds: of a frame, between frames, of a byte, between rows, and between looks at whether there is a clock. */
const FRAME_NANOS = 58e6;
const GAP_NANOS = 6e6;
const BYTE_NANOS = 1000;
const BLANK_NANOS = 150e3;
const IDLE_NANOS = 1e6;
/** Bytes that are sent together, which the PIO's buffer has room for. */
const TOGETHER = 4;
/** Instructions of the machine that an edge is time for, at most. */
const STEPS = 6;
/** DMA: index among the peripherals, and the register in which a channel is stopped: at once, which the
 * emulator does not say there. */
const DMA = 0x50000;
const DMA_ABORT = 0x444;
/** Offset of a machine's register, and its bits: they empty the buffers where they change (RP2040 data sheet,
 * SHIFTCTRL, FJOIN). */
const SHIFTCTRL = 0x08;
const FJOIN = 0xc0000000;

/** The camera: that with a buffer, without it. */
export class BareCamera extends Camera {
  trailer = 0;

  /** Whether anybody is on the sensor's wires: it is deaf without a clock. */
  get reached() {
    return super.reached && this.clocked;
  }
}

/** Sends frames for as long as there is a clock. */
class Lines {
  constructor(rp2040, camera) {
    Object.assign(this, { rp2040, camera });
    this.machine = rp2040.pio[0].machines[0];
    this.set(VSYNC, false);
    this.set(HREF, false);
    this.set(PCLK, false);
    this.alarm = rp2040.clock.createAlarm(() => this.alarm.schedule(this.#next()));
    this.steps = this.#frames();
    this.alarm.schedule(IDLE_NANOS);
  }

  #next() {
    return this.steps.next().value;
  }

  set(pin, level) {
    this.rp2040.gpio[pin].setInputValue(level);
    for (let step = 0; step < STEPS && this.machine.enabled; step++) this.machine.step();
  }

  #isClocked() {
    const { pwm, clkSys } = this.rp2040;
    const slice = pwm.channels[CLOCK_SLICE];
    const hz = clkSys / (slice.top + 1);
    const runs = (slice.csr & CLOCK_ENABLED) !== 0;
    if (runs && (hz < XCLK_LOW || hz > XCLK_HIGH)) throw new Error(`the sensor's clock is ${hz} Hz`);
    return runs;
  }

  get sends() {
    this.camera.clocked = this.#isClocked();
    return this.camera.plugged && this.camera.clocked && this.camera.fills;
  }

  /** What happens on the lines, between nanoseconds to wait. */
  *#frames() {
    for (;;) {
      this.set(HREF, false);
      this.set(VSYNC, false);
      if (!this.sends) {
        yield IDLE_NANOS;
        continue;
      }
      yield GAP_NANOS;
      const { rowBytes } = this.camera;
      const frame = this.camera.sent();
      this.set(VSYNC, true);
      yield BLANK_NANOS;
      // Nobody looks: the frame passes.
      if (!this.machine.enabled) yield FRAME_NANOS;
      for (let at = 0; at < frame.length && this.sends && this.machine.enabled; at += rowBytes) {
        // Set to something else, a sensor begins anew.
        if (this.camera.rowBytes !== rowBytes) break;
        yield* this.#row(frame.subarray(at, at + rowBytes));
        yield BLANK_NANOS;
      }
      this.camera.taken++;
    }
  }

  *#row(row) {
    this.set(HREF, true);
    for (let at = 0; at < row.length; at++) {
      for (let line = 0; line < 8; line++) {
        this.rp2040.gpio[D0 + line].setInputValue(((row[at] >> line) & 1) === 1);
      }
      this.set(PCLK, true);
      this.set(PCLK, false);
      if (at % TOGETHER === TOGETHER - 1) yield TOGETHER * BYTE_NANOS;
      if (!this.camera.plugged) return;
    }
    this.set(HREF, false);
  }
}

/** Connects `camera` to `rp2040`; the sensor's end of its registers' wires. */
export function connectBare(rp2040, camera) {
  const [pio] = rp2040.pio;
  pio.run = () => {};
  const [machine] = pio.machines;
  const write = machine.writeUint32.bind(machine);
  machine.writeUint32 = (offset, value) => {
    if (offset === SHIFTCTRL && ((value ^ machine.shiftCtrl) & FJOIN) !== 0) {
      while (!machine.rxFIFO.empty) machine.rxFIFO.pull();
      machine.updateDMARx();
    }
    write(offset, value);
  };
  const dma = rp2040.peripherals[DMA];
  const read = dma.readUint32.bind(dma);
  dma.readUint32 = (offset) => (offset === DMA_ABORT ? 0 : read(offset));
  // That the clock runs is seen in its registers; its edges, millions a second, are left out.
  rp2040.pwm.channels[CLOCK_SLICE].updateEnable = () => {};
  const lines = new Lines(rp2040, camera);
  camera.clocked = lines.sends;
  return connectSensor(rp2040, camera);
}
