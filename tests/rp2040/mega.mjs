// An Arducam Mega at the byte: a register file, a sensor that takes its time, and a frame buffer, behind SPI
// alone. Written from the camera's side of the wires; nothing here is taken from the driver. Registers:
// Arducam's application note on the Mega and its library for it.

/** Nanoseconds of a frame, of a sensor's reset, and of another setting of it. */
const FRAME_NANOS = 1e9 / 15;
const RESET_NANOS = 200e6;
const SETTING_NANOS = 30e6;
/** In front of what is read: none of it. */
const DUMMY = 0xd5;

const WRITE = 0x80;
const MEMORY = 0x04;
const MEMORY_CLEAR = 0x01;
const MEMORY_START = 0x02;
const RESET = 0x07;
const RESET_CACHE = 0x80;
const RESET_ALL = 0x40;
const [FORMAT, RESOLUTION] = [0x20, 0x21];
const LAST_SETTING = 0x35;
const BURST = 0x3c;
const IDENTITY = 0x40;
const STATUS = 0x44;
const STATUS_BUSY = 0x01;
const STATUS_IDLE = 0x02;
const STATUS_DONE = 0x04;
const LENGTH = 0x45;
const VERSION = 0x49;
/** Extents that posy asks for, by the register's value. */
const EXTENTS = { 1: [320, 240], 10: [96, 96], 11: [128, 128] };
const RGB565 = 2;

/** The camera. Something that no camera would be asked for is thrown as an error. */
export class Mega {
  /** Nanoseconds that somebody has waited for its bytes so far. */
  waitedNanos = 0;

  /** What the world sees to: whether it is plugged in, who it says it is, ... */
  plugged = true;
  identity = [0x81];
  /** ... whether frames reach the buffer, by how many bytes their lengths are off, */
  fills = true;
  torn = 0;
  /** and how many bytes the buffer counts behind a frame. */
  trailer = 0;
  /** Frames taken so far. */
  taken = 0;

  /** Shows `scenes`, a list of frames, one after another; `now()` is the time in nanoseconds. */
  constructor(scenes, now) {
    this.scenes = scenes;
    this.scene = 0;
    this.now = now;
    this.#powerUp();
  }

  /** Shows the next scene; the last one stays. */
  next() {
    this.scene = Math.min(this.scene + 1, this.scenes.length - 1);
  }

  /** Takes the camera off its wires: it forgets everything. */
  unplug() {
    this.plugged = false;
    this.#powerUp();
  }

  plug() {
    this.plugged = true;
    this.#powerUp();
  }

  #powerUp() {
    this.registers = new Uint8Array(128);
    this.registers[0x02] = 0x05;
    this.registers[0x06] = 0x01;
    this.idleAt = this.now() + RESET_NANOS;
    this.doneAt = null;
    this.buffer = Buffer.alloc(0);
    this.readAt = 0;
    this.fresh = false;
    this.select(false);
  }

  /** There is nobody on the wires of a Mini's sensor. */
  connect() {
    return false;
  }

  /** Selects the chip or lets go of it. */
  select(selected) {
    this.selected = selected;
    this.address = null;
    this.values = 0;
  }

  /** Exchanges a byte: the answer to `out`. Nothing drives the line where there is no answer. */
  exchange(out) {
    if (!this.plugged || !this.selected) return 0xff;
    if (this.address === null) {
      this.address = out;
      return 0;
    }
    this.values++;
    if (this.address === BURST) return this.#burst();
    if (this.address & WRITE) {
      if (this.values > 1) throw new Error('a register of the Mega was written two bytes');
      this.#write(this.address & ~WRITE, out);
      return 0;
    }
    if (this.values > 2) throw new Error(`register ${this.address} of the Mega was gone on with`);
    return this.values === 1 ? DUMMY : this.#read(this.address);
  }

  #burst() {
    if (this.fresh) {
      this.fresh = false;
      return DUMMY;
    }
    return this.buffer[this.readAt++] ?? 0;
  }

  #isBusy() {
    return this.now() < this.idleAt;
  }

  #write(register, value) {
    const isSetting = register >= FORMAT && register <= LAST_SETTING;
    if (isSetting && this.#isBusy()) throw new Error('the Mega was told something while it was busy');
    this.registers[register] = value;
    if (isSetting) this.idleAt = this.now() + SETTING_NANOS;
    if (register === RESET && value & RESET_ALL) this.#reset();
    if (register === RESET && value & RESET_CACHE) this.buffer = Buffer.alloc(0);
    if (register === MEMORY) this.#command(value);
  }

  #reset() {
    const { selected } = this;
    this.#powerUp();
    this.selected = selected;
  }

  #command(command) {
    if (command & MEMORY_CLEAR) this.doneAt = null;
    if (!(command & MEMORY_START)) return;
    const whole = Buffer.concat([this.#frame(), Buffer.alloc(this.trailer, 0x5a)]);
    const length = whole.length + this.torn;
    this.buffer = Buffer.concat([whole, Buffer.alloc(Math.max(0, this.torn))]).subarray(0, length);
    this.readAt = 0;
    this.fresh = true;
    this.taken++;
    // The frame that is under way is not kept; the one after it is.
    if (this.fills) this.doneAt = (Math.ceil(this.now() / FRAME_NANOS) + 1) * FRAME_NANOS;
  }

  /** What the sensor sends: a scene only if the settings ask for what a scene is. */
  #frame() {
    const extent = EXTENTS[this.registers[RESOLUTION]];
    if (this.#isBusy() || this.registers[FORMAT] !== RGB565 || !extent) return Buffer.alloc(5000, 0xee);
    const scene = this.scenes[this.scene];
    if (scene.length !== 2 * extent[0] * extent[1]) {
      throw new Error(`frames of ${extent[0]} x ${extent[1]} are asked for, the scene is another size`);
    }
    return scene;
  }

  #read(register) {
    switch (register) {
      case IDENTITY:
        return this.identity[0];
      case STATUS:
        return (
          (this.#isBusy() ? STATUS_BUSY : STATUS_IDLE) |
          (this.doneAt !== null && this.now() >= this.doneAt ? STATUS_DONE : 0)
        );
      case LENGTH:
      case LENGTH + 1:
      case LENGTH + 2:
        return (this.buffer.length >> (8 * (register - LENGTH))) & 0xff;
      case VERSION:
        return 0x21;
      default:
        return this.registers[register];
    }
  }
}
