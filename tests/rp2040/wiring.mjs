// The camera on the RP2040's pins: I2C0, SPI0, and GP17 for chip select. Every transfer takes its
// time on the wire. A program that does nothing but ask whether a transfer is over is answered when
// it is: the clock moves on instead of the program, which is the same and emulates faster.

const CHIP_SELECT = 17;
const I2C_RAW_INTR_STAT = 0x34;
const I2C_STATUS = 0x70;
/** Bit of the raw interrupt status. */
const I2C_TX_EMPTY = 1 << 4;
const SPI_STATUS = 0x0c;

/** One transfer at a time, over after some nanoseconds. */
class Line {
  constructor(clock) {
    this.clock = clock;
    this.alarm = clock.createAlarm(() => {
      const done = this.done;
      this.done = null;
      done();
    });
    this.done = null;
  }

  begin(nanos, done) {
    this.done = done;
    this.overAt = this.clock.nanos + nanos;
    this.alarm.schedule(nanos);
  }

  /** Waits until the transfer is over. */
  wait() {
    if (this.done) this.clock.tick(Math.max(0, this.overAt - this.clock.nanos));
  }

  /** Has reads of the registers `status` of `peripheral` wait. */
  waitsAt(peripheral, status) {
    const read = peripheral.readUint32.bind(peripheral);
    peripheral.readUint32 = (offset) => {
      if (status.includes(offset)) this.wait();
      return read(offset);
    };
  }
}

/** Connects `camera` to `rp2040`. */
export function connect(rp2040, camera) {
  const [i2c, spi] = [rp2040.i2c[0], rp2040.spi[0]];

  const sccb = new Line(rp2040.clock);
  const bits = (count) => ((i2c.sclLowPeriod + i2c.sclHighPeriod) * count * 1e9) / rp2040.clkSys;
  i2c.onStart = () => sccb.begin(bits(1), () => i2c.completeStart());
  i2c.onConnect = (address) => sccb.begin(bits(9), () => i2c.completeConnect(camera.connect(address)));
  i2c.onWriteByte = (value) =>
    sccb.begin(bits(9), () => {
      if (camera.plugged) camera.writeByte(value);
      i2c.completeWrite(camera.plugged);
    });
  // Where nobody drives the line it is high.
  i2c.onReadByte = () =>
    sccb.begin(bits(9), () => i2c.completeRead(camera.plugged ? camera.readByte() : 0xff));
  i2c.onStop = () => sccb.begin(bits(1), () => i2c.completeStop());
  sccb.waitsAt(i2c, [I2C_RAW_INTR_STAT, I2C_STATUS]);
  // A transfer that is given up leaves its queue empty, and the chip says so; the emulator does not.
  const abort = i2c.abort.bind(i2c);
  i2c.abort = (reason) => {
    abort(reason);
    i2c.setInterrupts(I2C_TX_EMPTY);
  };

  const data = new Line(rp2040.clock);
  spi.onTransmit = (out) => {
    if (spi.dataBits !== 8 || spi.spiMode !== 0 || spi.clockFrequency > 8e6) {
      throw new Error(
        `the ArduChip takes 8 bits in mode 0 at 8 MHz at most, not ${spi.dataBits} bits in mode ` +
          `${spi.spiMode} at ${spi.clockFrequency} Hz`,
      );
    }
    data.begin((8 * 1e9) / spi.clockFrequency, () => spi.completeTransmit(camera.exchange(out)));
  };
  data.waitsAt(spi, [SPI_STATUS]);
  rp2040.gpio[CHIP_SELECT].addListener((level) => camera.select(level === 0));
}
