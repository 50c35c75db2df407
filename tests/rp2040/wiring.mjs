// The camera on the RP2040's pins: GP4 and GP5 to the sensor, bit by bit, SPI0, and GP17 for chip select.
// Every transfer takes its time on the wire. A program that does nothing but ask whether a transfer is over
// is answered when it is: the clock moves on instead of the program, which is the same and emulates faster.

import { SccbPort } from './sccb.mjs';

const [DATA, CLOCK] = [4, 5];
const CHIP_SELECT = 17;
const SPI_STATUS = 0x0c;
/** DMA: index among the peripherals, registers of a channel, its control register and the bit that it is
 * busy by. */
const DMA = 0x50000;
const DMA_CHANNEL = 0x40;
const DMA_CHANNELS = 12;
const DMA_CONTROL = 0x0c;
const DMA_BUSY = 1 << 24;

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

/** Connects the sensor to two pins that drive low or let go, and gives its end of the wires. */
export function connectSensor(rp2040, camera) {
  const [data, clock] = [rp2040.gpio[DATA], rp2040.gpio[CLOCK]];
  const isLow = (pin) => {
    if (!pin.outputEnable) return false;
    if (pin.outputValue) throw new Error(`GP${pin.index} drives a wire high that others may drive low`);
    return true;
  };
  const update = () => {
    // The sensor may answer to what it hears.
    for (;;) {
      const scl = !(isLow(clock) || port.drivesClock);
      const sda = !(isLow(data) || port.drivesData);
      if (scl === port.scl && sda === port.sda) break;
      // One wire at a time, the clock first where it falls.
      if (scl !== port.scl) port.lines(scl, port.sda);
      else port.lines(scl, sda);
    }
    clock.setInputValue(port.scl);
    data.setInputValue(port.sda);
  };
  const port = new SccbPort(camera, rp2040.clock, update);
  clock.addListener(update);
  data.addListener(update);
  update();
  return { port, update };
}

/** Connects `camera` to `rp2040`; the sensor's end of its wires. */
export function connect(rp2040, camera) {
  const spi = rp2040.spi[0];
  const data = new Line(rp2040.clock);
  spi.onTransmit = (out) => {
    if (spi.dataBits !== 8 || spi.spiMode !== 0 || spi.clockFrequency > 8e6) {
      throw new Error(
        `the ArduChip takes 8 bits in mode 0 at 8 MHz at most, not ${spi.dataBits} bits in mode ` +
          `${spi.spiMode} at ${spi.clockFrequency} Hz`,
      );
    }
    const hz = spi.clockFrequency;
    data.begin((8 * 1e9) / hz, () => spi.completeTransmit(camera.exchange(out, hz)));
  };
  data.waitsAt(spi, [SPI_STATUS]);
  rp2040.gpio[CHIP_SELECT].addListener((level) => camera.select(level === 0));

  // Who asks a channel whether it is busy waits for it.
  const dma = rp2040.peripherals[DMA];
  const read = dma.readUint32.bind(dma);
  dma.readUint32 = (offset) => {
    const value = read(offset);
    const isControl = offset < DMA_CHANNELS * DMA_CHANNEL && offset % DMA_CHANNEL === DMA_CONTROL;
    if (isControl && value & DMA_BUSY && rp2040.clock.nextAlarm) {
      const nanos = Math.max(0, rp2040.clock.nanosToNextAlarm);
      camera.waitedNanos += nanos;
      rp2040.clock.tick(nanos);
    }
    return value;
  };
  return connectSensor(rp2040, camera);
}
