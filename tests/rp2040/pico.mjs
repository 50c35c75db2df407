// A Raspberry Pi Pico in rp2040js: UF2 files in flash, two cores that run, serial ports, a button, RTT.
// Faults end the run with an error: the emulator itself goes on after what a real core stops at.

import { RP2040 } from 'rp2040js';

import { FlashCache } from './cache.mjs';
import { BootRom, FlashChip, PowerCut, ROM_END } from './flash.mjs';
import { SecondCore } from './second-core.mjs';
import { UsbPort } from './usb.mjs';

const FLASH = 0x10000000;
const FLASH_LEN = 2 * 1024 * 1024;
const RAM = 0x20000000;
/** The boot stage, and behind it the vectors of the program. */
const BOOT_LEN = 0x100;
const BUTTON = 15;
/** Number of a flash chip. */
const CHIP = 'e6614103e7452d2f';
/** Cause of a reset that clears the watchdog's registers too. */
const DIP = 'the supply has dipped';
/** Number of the exception. */
const HARD_FAULT = 3;
/** Index of the watchdog among the peripherals. */
const WATCHDOG = 0x40058;
/** Nanoseconds by which a chip that is stuck ages at once. */
const STUCK_NANOS = 1e6;
/** Index of the timer among the peripherals: bits 14 and up of its address, 0x40054000. */
const TIMER = 0x40054;
const TIMER_LOW = [0x0c, 0x28];
/** `b .` */
const BRANCH_TO_ITSELF = 0xe7fe;

/** CRC-32 with the polynomial 04C11DB7, not reflected, initial value FFFFFFFF, no final XOR: that of
 * the boot stage (RP2040 data sheet, 2.8.1.3.1). */
function bootCrc(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}

/** The core has come to where a real one stops. */
export class Fault extends Error {}

const hex = (number) => `0x${(number >>> 0).toString(16).padStart(8, '0')}`;

/** The board. */
export class Pico {
  /** Instructions run so far: while both cores run, those of one. */
  instructions = 0;

  /** What is connected to the chip, anew after each restart. */
  attached = [];
  /** Restarts so far: by the watchdog, or by the program itself. */
  restarts = 0;
  /** Whether the program is stuck: time goes on, and it does not. */
  stuck = false;
  /** Whether there is no supply: time goes on. */
  off = false;
  /** Called where power has failed within a write to flash. */
  onCut = () => {};

  /** Writes `blocks` into erased flash and starts as after reset. `restarts`: whether a reset of the chip
   * starts it again, and is no error; `cached`: whether flash is read through its cache, and what is not
   * there costs time; `opens`: milliseconds after which the computer opens the USB port; `chip`: number of the
   * flash chip. */
  constructor(blocks, { restarts = false, cached = false, opens = 0, chip = CHIP } = {}) {
    this.opensMs = opens;
    this.chipNumber = [...Buffer.from(chip, 'hex')];
    this.mayRestart = restarts;
    this.cached = cached;
    this.#power(new RP2040());
    this.#load(blocks);
    this.#start();
  }

  #power(rp2040) {
    this.rp2040 = rp2040;
    this.clock = rp2040.clock;
    const chip = new FlashChip(rp2040.flash.subarray(0, FLASH_LEN), this.clock, this.chipNumber);
    chip.connect(rp2040);
    chip.operations = this.chip?.operations ?? 0;
    this.chip = chip;
    this.rom = new BootRom(rp2040, chip);
    this.second = new SecondCore(rp2040, (what) => this.#fault(what));
    this.rtt = undefined;
    this.#watch();
    this.#hurry();
    if (this.cached) this.cache = new FlashCache(rp2040);
    // Pulled up by the pin, which the emulator leaves to what is outside.
    rp2040.gpio[BUTTON].setInputValue(true);
  }

  #start() {
    const { core } = this.rp2040;
    core.VTOR = FLASH + BOOT_LEN;
    core.reset();
  }

  /** Connects something to the chip by `connect(rp2040)`, now and after each restart. */
  attach(connect) {
    this.attached.push(connect);
    connect(this.rp2040);
  }

  /** A chip that was reset: memory and the watchdog's registers are as they were, all else is new. */
  #restart() {
    const old = this.rp2040;
    const [before, after] = [old, new RP2040(old.clock)].map((chip) => chip.peripherals[WATCHDOG]);
    const rp2040 = after.rp2040;
    before.onWatchdogTrigger = () => {};
    before.alarm.enable = false;
    rp2040.sram.set(old.sram);
    rp2040.flash.set(old.flash);
    if (this.resetBy !== DIP) {
      after.reason = before.reason;
      after.scratchData.set(before.scratchData);
    }
    this.restarts++;
    this.resetBy = null;
    this.stuck = false;
    this.off = false;
    this.#power(rp2040);
    this.attached.forEach((connect) => connect(rp2040));
    this.#start();
  }

  #reset(what) {
    if (!this.mayRestart) this.#fault(what);
    this.resetBy = what;
  }

  /** Takes the supply away for so short a time that memory keeps what it holds. */
  dip() {
    this.#reset(DIP);
  }

  /** Has power fail in the `number`th erased sector or programmed page from now on, from 0; that is done to
   * a share, from 0 to 1. */
  cut(number, share) {
    this.chip.cutAt = this.chip.operations + number;
    this.chip.cutShare = share;
  }

  /** Takes the supply away, or gives it back: then the program starts anew. */
  supply(on) {
    // Memory forgets, other than in a dip.
    this.rp2040.sram.fill(0x5a);
    if (on) this.#reset(DIP);
    this.off = !on;
  }

  /** Has the core take a fault, as at an access that nothing answers. */
  hardFault() {
    this.rp2040.core.exceptionEntry(HARD_FAULT);
  }

  /** Emulated milliseconds since the start. */
  get ms() {
    return this.clock.nanos / 1e6;
  }

  #load(blocks) {
    const { rp2040 } = this;
    const written = new Set();
    for (const { address, bytes } of blocks) {
      const at = address - FLASH;
      if (at < 0 || at + bytes.length > FLASH_LEN) throw new Error(`${hex(address)} is not in flash`);
      if (written.has(address)) throw new Error(`${hex(address)} is in two images`);
      written.add(address);
      rp2040.flash.set(bytes, at);
    }
    const boot = Buffer.from(rp2040.flash.subarray(0, BOOT_LEN));
    if (bootCrc(boot.subarray(0, BOOT_LEN - 4)) !== boot.readUInt32LE(BOOT_LEN - 4)) {
      throw new Error('the boot stage has a wrong checksum: the boot ROM would not start the program');
    }
    // What the boot ROM and the boot stage come to: the flash that they would set up can be read from the
    // start.
    this.image = Buffer.from(rp2040.flash.subarray(0, FLASH_LEN));
  }

  /** What a real core faults at is a warning to the emulator: here it is an error. */
  #watch() {
    const fault = (component, what) => {
      if (component === 'RP2040' || component === 'CortexM0Core') this.#fault(what);
    };
    const quiet = () => {};
    // Events between cores are all that the emulator has to tell.
    const info = (component, what) => {
      if (component === 'CortexM0Core' && what === 'SEV') this.second.event();
    };
    this.rp2040.logger = { debug: quiet, info, warn: fault, error: fault };
    this.rp2040.onBreak = () =>
      this.#fault('a breakpoint or an undefined instruction: the program has panicked');
    const watchdog = this.rp2040.peripherals[WATCHDOG];
    watchdog.onWatchdogTrigger = () => {
      // It would go on triggering, at the same moment.
      watchdog.alarm.enable = false;
      this.#reset('the watchdog has reset the chip');
    };
    // Application interrupt and reset control: a reset is asked for by bit 2.
    const { ppb } = this.rp2040;
    const write = ppb.writeUint32.bind(ppb);
    ppb.writeUint32 = (offset, value) => {
      if (offset === 0xd0c && value & 4) this.#fault('the program has reset the chip');
      write(offset, value);
    };
  }

  #fault(what) {
    const { PC, LR, SP } = this.rp2040.core;
    throw new Fault(`${what} (near PC ${hex(PC)}, LR ${hex(LR)}, SP ${hex(SP)})`);
  }

  /** A program that does nothing but read the timer waits: then the clock moves on by itself, by 1
   * microsecond and each time twice as much, at most 100, so that waiting costs few instructions and short
   * waits stay short. */
  #hurry() {
    const { clock } = this;
    const { core } = this.rp2040;
    const timer = this.rp2040.peripherals[TIMER];
    const read = timer.readUint32.bind(timer);
    let [lastPc, lastNanos, leap] = [0, 0, 1e3];
    timer.readUint32 = (offset) => {
      if (TIMER_LOW.includes(offset)) {
        if (core.PC === lastPc && clock.nanos - lastNanos < 20e3) {
          clock.tick(clock.nextAlarm ? Math.min(leap, Math.max(0, clock.nanosToNextAlarm)) : leap);
          leap = Math.min(2 * leap, 100e3);
        } else {
          leap = 1e3;
        }
        [lastPc, lastNanos] = [core.PC, clock.nanos];
      }
      return read(offset);
    };
  }

  /** Runs about `count` instructions. */
  run(count) {
    if (this.resetBy) this.#restart();
    if (this.stuck || this.off) {
      this.clock.tick(STUCK_NANOS);
      return;
    }
    try {
      this.#execute(count);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.supply(false);
      this.onCut();
    }
  }

  #execute(count) {
    const { clock, rp2040, second, cache, rom } = this;
    const { core } = rp2040;
    const nanosPerCycle = 1e9 / rp2040.clkSys;
    for (let left = count; left > 0 && !this.resetBy; left--) {
      if (!core.waiting) {
        if (core.PC < ROM_END) rom.enter();
        let cycles = core.executeInstruction();
        if (second.runs) second.step();
        if (cache) cycles += cache.spent();
        clock.tick(cycles * nanosPerCycle);
        this.instructions++;
      } else if (second.runs) {
        clock.tick(second.step() * nanosPerCycle);
        this.instructions++;
      } else {
        if (!clock.nextAlarm) this.#fault('the core sleeps and nothing will wake it');
        clock.tick(clock.nanosToNextAlarm);
      }
    }
    if (this.resetBy) return;
    for (const { PC } of [core, second.core]) {
      if (rp2040.readUint16(PC & ~1) === BRANCH_TO_ITSELF) {
        this.#fault('the core runs in a circle of one instruction: a fault or a panic');
      }
    }
  }

  /** Fails where the program has written to its flash. */
  checkFlash() {
    if (this.image.compare(this.rp2040.flash, 0, FLASH_LEN) !== 0) {
      throw new Fault('the program has written to flash');
    }
  }

  /** Calls `onBytes(port, bytes)` for what comes out of a port: "uart" or "usb", and `onSerialNumber` with what
   * the device says as its serial number. */
  listen(onBytes, onSerialNumber) {
    this.attach((rp2040) => {
      rp2040.uart[0].onByte = (byte) => onBytes('uart', [byte]);
      this.usb = new UsbPort(rp2040, (bytes) => onBytes('usb', bytes), onSerialNumber, this.opensMs);
    });
  }

  /** Sends `text` into a port. */
  send(port, text) {
    const bytes = Buffer.from(text);
    if (port === 'usb') this.usb.send(bytes);
    else bytes.forEach((byte) => this.rp2040.uart[0].feedByte(byte));
  }

  /** Holds the button down for `ms`. */
  press(ms) {
    const button = this.rp2040.gpio[BUTTON];
    button.setInputValue(false);
    this.clock.createAlarm(() => button.setInputValue(true)).schedule(ms * 1e6);
  }

  /** Takes what the program has logged by RTT out of up-channel 0, as a debug probe does. The control
   * block is found by its name; layout: SEGGER's RTT (`SEGGER_RTT.h`). */
  drainRtt() {
    const ram = Buffer.from(this.rp2040.sram.buffer);
    this.rtt ??= [ram.indexOf('SEGGER RTT\0')].find((at) => at >= 0 && at % 4 === 0);
    if (this.rtt === undefined) return Buffer.alloc(0);
    // Behind 16 bytes of name and two counts: name, buffer, size, write and read offset.
    const [bufferAt, size, writeAt, readAt] = [28, 32, 36, 40].map((at) => ram.readUInt32LE(this.rtt + at));
    const buffer = ram.subarray(bufferAt - RAM, bufferAt - RAM + size);
    ram.writeUInt32LE(writeAt, this.rtt + 40);
    if (writeAt >= readAt) return Buffer.from(buffer.subarray(readAt, writeAt));
    return Buffer.concat([buffer.subarray(readAt), buffer.subarray(0, writeAt)]);
  }
}
