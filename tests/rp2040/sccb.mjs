// The sensor's end of its two wires, bit by bit: SCCB (OmniVision's specification, 2.2), and what can go
// wrong on it. Both wires are open drain: each side drives low or lets go.

/** Clocks of a byte: eight bits and the ninth. */
const NINTH = 8;
const AFTER_NINTH = 9;

/** The sensor on the bus. `camera` hears of transfers, `changed()` is called where the port itself lets go
 * of a wire or takes one, later than the wires' own changes. */
export class SccbPort {
  /** What is held low whatever the bus does: "scl", "sda" or null. */
  held = null;
  /** Nanoseconds that the clock is held low after each byte. */
  stretchNanos = 0;
  /** Of how many transfers one address is not acknowledged; 0: none. */
  refusesOneIn = 0;
  /** Index of a byte of each transfer that is taken and not acknowledged; 0 is the address. */
  silentByte = null;
  /** Whether a stop never comes about: data stays low. */
  stopsNever = false;

  constructor(camera, clock, changed) {
    this.camera = camera;
    this.scl = true;
    this.sda = true;
    this.drives = false;
    this.stretches = false;
    this.active = false;
    this.transfers = 0;
    this.alarm = clock.createAlarm(() => {
      this.stretches = false;
      changed();
    });
  }

  /** Ends what the sensor does to the bus. */
  oblige() {
    Object.assign(this, { refusesOneIn: 0, silentByte: null, stretchNanos: 0, stopsNever: false, stuck: false });
  }

  get drivesData() {
    return this.held === 'sda' || (this.stuck ?? false) || (this.drives && this.camera.reached);
  }

  get drivesClock() {
    return this.held === 'scl' || this.stretches;
  }

  /** Hears the levels of the wires. */
  lines(scl, sda) {
    const [wasScl, wasSda] = [this.scl, this.sda];
    [this.scl, this.sda] = [scl, sda];
    if (scl && wasScl && sda !== wasSda) {
      if (sda) this.active = false;
      else this.#start();
    } else if (scl !== wasScl && this.active) {
      if (scl) this.#rise(sda);
      else this.#fall();
    }
  }

  #start() {
    this.active = true;
    this.bits = -1;
    this.shift = 0;
    this.bytes = 0;
    this.sends = false;
    this.drives = false;
  }

  #rise(sda) {
    if (this.bits === NINTH && this.sends && this.bytes > 1) this.answered = !sda;
    if (this.bits >= 0 && this.bits < NINTH && !this.sends) this.shift = (this.shift << 1) | (sda ? 1 : 0);
  }

  #fall() {
    this.bits++;
    if (this.bits === NINTH) {
      this.drives = this.sends ? false : this.#take(this.shift & 0xff);
      if (this.stopsNever && this.bytes > 1) {
        this.stuck = true;
        this.active = false;
        this.drives = false;
      }
    } else if (this.bits === AFTER_NINTH) {
      this.bits = 0;
      this.shift = 0;
      if (!this.answered) {
        this.active = false;
        this.drives = false;
        return;
      }
      if (this.sends) {
        this.out = this.camera.readByte();
        this.bytes++;
      }
      if (this.stretchNanos > 0) {
        this.stretches = true;
        this.alarm.schedule(this.stretchNanos);
      }
      this.#drive();
    } else {
      this.#drive();
    }
  }

  #drive() {
    this.drives = this.sends && ((this.out >> (7 - this.bits)) & 1) === 0;
  }

  /** Takes a byte; whether it is acknowledged. */
  #take(byte) {
    const index = this.bytes++;
    if (index > 0) {
      this.camera.writeByte(byte);
      return this.silentByte !== index;
    }
    this.transfers++;
    const refused = this.refusesOneIn > 0 && this.transfers % this.refusesOneIn === 0;
    this.answered = this.camera.connect(byte >> 1) && !refused;
    this.sends = this.answered && (byte & 1) === 1;
    return this.answered;
  }
}
