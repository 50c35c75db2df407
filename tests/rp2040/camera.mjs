// An ArduCAM Mini 2MP at register level: the OV2640's two banks of registers behind I2C (SCCB),
// the ArduChip's registers and frame buffer behind SPI. Written from the camera's side of the wires;
// nothing here is taken from the driver. Register names and bits: OV2640 data sheet and ArduCAM's
// "ArduChip" hardware page.

/** SCCB address, 7 bits. */
export const ADDRESS = 0x30;

/** Frames in a second of the OV2640's full array, and for each of them, of its smallest part (CIF). */
const RATE = 15;
const CIF_FRAMES = 4;
/** Extent of the two. */
const ARRAY = [1600, 1200];
const CIF_ARRAY = [400, 296];
/** Pixels in a row of a scene. */
const SCENE_WIDTH = 320;
/** Nanoseconds after a reset for which the sensor is deaf. */
const DEAF_NANOS = 100e6;
/** Registers of the signal processor after a reset, where a driver may rely on them: the data sheet's. */
const DEFAULTS = { 0x05: 0x01, 0x50: 0x00, 0x51: 0x40, 0x52: 0xf0, 0xc2: 0x0c, 0xc3: 0xff, 0xda: 0x00, 0xe0: 0x04 };

// Banks of the sensor, and registers: of the signal processor,
const DSP = 0;
const SENSOR = 1;
const BANK = 0xff;
const R_BYPASS = 0x05;
const CTRLI = 0x50;
const [HSIZE, VSIZE, VHYX, TEST] = [0x51, 0x52, 0x55, 0x57];
const [ZMOW, ZMOH, ZMHH] = [0x5a, 0x5b, 0x5c];
const [HSIZE8, VSIZE8] = [0xc0, 0xc1];
const IMAGE_MODE = 0xda;
const RESET = 0xe0;
// of the sensor,
const [PIDH, PIDL] = [0x0a, 0x0b];
const COM7 = 0x12;
const COM7_RESET = 0x80;
const COM7_COLOUR_BARS = 0x02;
const COM7_PART = 0x70;
const COM7_CIF = 0x20;
// and of the ArduChip.
const CHIP_WRITE = 0x80;
const CHIP_FRAMES = 0x01;
const CHIP_FIFO = 0x04;
const CHIP_FIFO_CLEAR = 0x01;
const CHIP_FIFO_START = 0x02;
const CHIP_RESET = 0x07;
const CHIP_BURST = 0x3c;
const CHIP_SINGLE = 0x3d;
const CHIP_REVISION = 0x40;
/** Revision whose first burst after a capture begins with the frame; others send a byte too many. */
const CHIP_EXACT = 0x73;
const CHIP_STATUS = 0x41;
const CHIP_STATUS_DONE = 0x08;
const CHIP_LENGTH = 0x42;

/** Numbers from 0 to 1 that are the same in every run. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Changes the bytes of a frame as a fault of the sensor's wires does. */
function spoil(frame, how) {
  const [kind, line] = how.split(' ');
  const bit = 1 << Number(line);
  switch (kind) {
    case 'clean':
      return;
    case 'stuck-low':
      frame.forEach((byte, at) => (frame[at] = byte & ~bit));
      return;
    case 'stuck-high':
      frame.forEach((byte, at) => (frame[at] = byte | bit));
      return;
    case 'swapped':
      frame.subarray(0, frame.length & ~1).swap16();
      return;
    case 'late':
      frame.copyWithin(1, 0);
      return;
    default:
      throw new Error(`no such fault of a frame: ${how}`);
  }
}

/** `frame` with its colours scaled. */
function tinted(frame, red, green, blue) {
  const out = Buffer.alloc(frame.length);
  for (let at = 0; at < frame.length; at += 2) {
    const pixel = frame.readUInt16BE(at);
    const r = Math.min(31, Math.round((pixel >> 11) * red));
    const g = Math.min(63, Math.round(((pixel >> 5) & 63) * green));
    const b = Math.min(31, Math.round((pixel & 31) * blue));
    out.writeUInt16BE((r << 11) | (g << 5) | b, at);
  }
  return out;
}

/** A scene of 320 x 240 at half that, if `width` asks for it: every other pixel. */
function scaled(scene, width) {
  if (2 * width !== SCENE_WIDTH) return scene;
  const half = Buffer.alloc(scene.length / 4);
  for (let at = 0; at < half.length / 2; at++) {
    const [x, y] = [at % width, Math.floor(at / width)];
    scene.copy(half, 2 * at, 4 * (y * SCENE_WIDTH + x), 4 * (y * SCENE_WIDTH + x) + 2);
  }
  return half;
}

/** A frame as RGB565, high byte first: the sensor's test pattern of eight columns. */
function colourBars(width, height) {
  const colours = [0xffff, 0xffe0, 0x07ff, 0x07e0, 0xf81f, 0xf800, 0x001f, 0x0000];
  const frame = Buffer.alloc(2 * width * height);
  for (let at = 0; at < width * height; at++) {
    frame.writeUInt16BE(colours[Math.floor(((at % width) * 8) / width)], 2 * at);
  }
  return frame;
}

/** A camera on good wires. */
const GOOD = {
  identity: [0x26, 0x42],
  /** Whether its sensor is on the I2C wires, */
  wired: true,
  /** whether frames reach the buffer, */
  fills: true,
  /** by how many bytes their lengths are off, */
  torn: 0,
  /** how many bytes the buffer counts behind an uncompressed frame, */
  trailer: 8,
  /** the buffer's generation, */
  revision: CHIP_EXACT,
  /** how the bytes of frames are changed: "stuck-low 3", "stuck-high 3", "swapped", "late" or "clean", */
  pixels: 'clean',
  /** bit errors: with this probability a bit, above this clock in hertz, */
  errors: { probability: 0, above: 0 },
  /** whether a line that nobody drives is at random, not high, */
  floating: false,
  /** frames in a second, */
  rate: RATE,
  /** frames in which exposure comes to rest after a reset, and in which white balance does behind it, */
  exposes: 0,
  drift: 0,
  /** whether the supply drops as frames are begun, */
  drops: false,
  /** the register of the signal processor that the next write to is lost of, and that all are. */
  loses: null,
  forgets: null,
};

/** The camera. Something that no camera would be asked for is thrown as an error. */
export class Camera {
  /** What the world sees to: whether it is plugged in, and what `good` says. */
  plugged = true;
  /** Frames taken so far. */
  taken = 0;
  /** Nanoseconds that somebody has waited for a frame, or for its bytes, so far. */
  waitedNanos = 0;

  /** Shows `scenes`, a list of frames, one after another; `now()` is the time in nanoseconds. */
  constructor(scenes, now) {
    this.scenes = scenes;
    this.scene = 0;
    this.now = now;
    this.random = random(1);
    this.good();
    this.#powerUp();
  }

  /** Ends everything that is wrong with it. */
  good() {
    Object.assign(this, GOOD);
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
  }

  #powerUp() {
    this.bank = DSP;
    this.pointer = 0;
    this.sensor = [new Uint8Array(256), new Uint8Array(256)];
    this.#reset();
    this.chip = new Uint8Array(128);
    this.#clear();
    this.buffer = Buffer.alloc(0);
    this.select(false);
  }

  /** Whether anybody is on the sensor's wires. */
  get reached() {
    return this.plugged && this.wired;
  }

  /** What the sensor's registers are after a reset: not zeros. */
  #reset() {
    this.sensor.forEach((bank, number) => bank.forEach((_, at) => (bank[at] = (at * 73 + 41 * number + 5) & 0xff)));
    for (const [register, value] of Object.entries(DEFAULTS)) this.sensor[DSP][register] = value;
    this.sensor[SENSOR][COM7] = 0;
    this.resetAt = this.now();
    this.deafUntil = this.resetAt;
  }

  // The sensor: one register is addressed, then written or read; a transfer for each.

  /** Whether the sensor answers at `address`. */
  connect(address) {
    this.written = 0;
    this.read = 0;
    return this.reached && address === ADDRESS && this.now() >= this.deafUntil;
  }

  /** A byte of a transfer to the sensor. */
  writeByte(value) {
    this.written++;
    if (this.written === 1) this.pointer = value;
    else if (this.written === 2) this.#writeSensor(this.pointer, value);
    else throw new Error('a third byte was written to the sensor: SCCB has no such transfer');
  }

  /** A byte of a transfer from the sensor. */
  readByte() {
    this.read++;
    if (this.read > 1 || this.written > 0) {
      throw new Error('SCCB reads one byte, in a transfer of its own');
    }
    if (this.bank === SENSOR && this.pointer === PIDH) return this.identity[0];
    if (this.bank === SENSOR && this.pointer === PIDL) return this.identity[1];
    return this.sensor[this.bank][this.pointer];
  }

  #writeSensor(register, value) {
    if (register === BANK) {
      this.bank = value & 1;
    } else if (this.bank === SENSOR && register === COM7 && value & COM7_RESET) {
      this.#reset();
      this.deafUntil = this.resetAt + DEAF_NANOS;
    } else if (this.bank === DSP && register === this.loses) {
      this.loses = null;
    } else if (this.bank === DSP && register === this.forgets) {
      return;
    } else {
      this.sensor[this.bank][register] = value;
    }
  }

  #isCif() {
    return (this.sensor[SENSOR][COM7] & COM7_PART) === COM7_CIF;
  }

  #frameNanos() {
    return 1e9 / (this.#isCif() ? CIF_FRAMES * this.rate : this.rate);
  }

  /** What the sensor sends, given its registers: a scene only if they ask for what a scene is. */
  #frame() {
    const dsp = this.sensor[DSP];
    const width = 4 * (dsp[ZMOW] | ((dsp[ZMHH] & 0x03) << 8));
    const height = 4 * (dsp[ZMOH] | ((dsp[ZMHH] & 0x04) << 6));
    const window = [
      4 * (dsp[HSIZE] | ((dsp[VHYX] & 0x08) << 5) | ((dsp[TEST] & 0x80) << 2)),
      4 * (dsp[VSIZE] | ((dsp[VHYX] & 0x80) << 1)),
    ];
    const array = this.#isCif() ? CIF_ARRAY : ARRAY;
    const wholeArray =
      8 * dsp[HSIZE8] === array[0] && 8 * dsp[VSIZE8] === array[1] && window[0] === array[0] && window[1] === array[1];
    const scales = window[0] >> (dsp[CTRLI] & 7) >= width && window[1] >> ((dsp[CTRLI] >> 3) & 7) >= height;
    const rgb565 = dsp[IMAGE_MODE] === 0x08 && dsp[R_BYPASS] === 0 && dsp[RESET] === 0;
    if (!(wholeArray && scales && rgb565)) return Buffer.alloc(1600 * 1200 * 2, 0xee);
    if (this.sensor[SENSOR][COM7] & COM7_COLOUR_BARS) return colourBars(width, height);
    const scene = scaled(this.scenes[this.scene], width);
    if (scene.length !== 2 * width * height) {
      throw new Error(`frames of ${width} x ${height} are asked for, the scene is another size`);
    }
    const frames = (this.now() - this.resetAt) / this.#frameNanos();
    if (frames >= this.exposes + this.drift) return scene;
    const exposed = Math.min(1, (frames + 1) / Math.max(1, this.exposes));
    const left = Math.min(this.drift, this.exposes + this.drift - frames) / Math.max(1, this.drift);
    return tinted(scene, exposed * (1 - 0.5 * left), exposed, exposed * (1 + 0.8 * left));
  }

  /** Bytes of a row, by the registers. */
  get rowBytes() {
    const dsp = this.sensor[DSP];
    return 2 * 4 * (dsp[ZMOW] | ((dsp[ZMHH] & 0x03) << 8));
  }

  /** A frame as a sensor without a buffer sends it. */
  sent() {
    const frame = Buffer.from(this.#frame());
    spoil(frame, this.pixels);
    const longer = Buffer.concat([frame, Buffer.alloc(Math.max(0, this.torn))]);
    return longer.subarray(0, frame.length + this.torn);
  }

  // The ArduChip: in each selection an address, then what is written there or read from there.

  /** Selects the chip or lets go of it. */
  select(selected) {
    this.selected = selected;
    this.address = null;
    this.values = 0;
  }

  /** Exchanges a byte at `hz`: the answer to `out`. Nothing drives the line where there is no answer. */
  exchange(out, hz = 0) {
    if (!this.plugged || !this.selected) return this.floating ? Math.floor(this.random() * 256) : 0xff;
    const byte = this.#answer(out);
    const { probability, above } = this.errors;
    if (probability === 0 || hz <= above) return byte;
    let flipped = byte;
    for (let bit = 0; bit < 8; bit++) if (this.random() < probability) flipped ^= 1 << bit;
    return flipped;
  }

  #answer(out) {
    if (this.address === null) {
      this.address = out;
      return 0;
    }
    this.values++;
    const register = this.address & ~CHIP_WRITE;
    if (this.values > 1 && this.address !== CHIP_BURST) {
      throw new Error(`register ${register} of the ArduChip was gone on with: only a burst goes on`);
    }
    if (!(this.address & CHIP_WRITE)) return this.#readChip(register);
    this.chip[register] = out;
    if (register === CHIP_FIFO) this.#command(out);
    if (register === CHIP_RESET && out & 0x80) this.#clear();
    return 0;
  }

  #clear() {
    this.askedAt = null;
    this.readAt = 0;
    this.doneAt = null;
  }

  #command(command) {
    if (this.chip[CHIP_RESET] & 0x80) return;
    if (command & CHIP_FIFO_CLEAR) this.#clear();
    if (!(command & CHIP_FIFO_START)) return;
    const frames = Array(1 + (this.chip[CHIP_FRAMES] & 7)).fill(this.#frame());
    if (this.drops) {
      this.#powerUp();
      return;
    }
    const whole = Buffer.concat([...frames, Buffer.alloc(this.trailer, 0x5a)]);
    spoil(whole, this.pixels);
    this.late = this.revision !== CHIP_EXACT;
    this.buffer = Buffer.concat([whole, Buffer.alloc(Math.max(0, this.torn))]).subarray(
      0,
      whole.length + this.torn,
    );
    this.taken++;
    // The frame that is under way is not kept; the one after it is. A chip that was not cleared still
    // says that it is done.
    const nanos = this.#frameNanos();
    const begins = Math.ceil(this.now() / nanos) * nanos;
    if (this.fills) this.doneAt ??= begins + nanos;
  }

  /** Whether the frame is there, as somebody asks who waits for it. */
  #isDone() {
    const now = this.now();
    this.waitedNanos += now - (this.askedAt ?? now);
    const done = this.doneAt !== null && now >= this.doneAt;
    this.askedAt = done ? null : now;
    return done;
  }

  #readChip(register) {
    switch (register) {
      case CHIP_STATUS:
        return this.#isDone() ? CHIP_STATUS_DONE : 0;
      case CHIP_LENGTH:
      case CHIP_LENGTH + 1:
      case CHIP_LENGTH + 2:
        return (this.buffer.length >> (8 * (register - CHIP_LENGTH))) & 0xff;
      case CHIP_REVISION:
        return this.revision;
      case CHIP_BURST:
      case CHIP_SINGLE:
        if (this.late) {
          this.late = false;
          return 0;
        }
        return this.buffer[this.readAt++] ?? 0;
      default:
        return this.chip[register];
    }
  }
}
