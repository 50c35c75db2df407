// The flash chip of a Pico (Winbond W25Q16JV) as it is erased and written, and the functions of the boot ROM
// that do so (RP2040 data sheet, 2.8.3.1), which rp2040js does not have: a program finds them in the ROM's own
// tables, and what they do is done here.

import { BasePeripheral } from 'rp2040js';

/** Bytes that are erased and programmed at once. */
const SECTOR = 4096;
const BLOCK = 65536;
const PAGE = 256;
/** Typical times (W25Q16JV data sheet, 9.6), nanoseconds. */
const SECTOR_NANOS = 45e6;
const BLOCK_NANOS = 150e6;
const PAGE_NANOS = 0.4e6;

const FLASH = 0x10000000;
/** Index of the controller of the flash's wires (SSI) among the peripherals, and its data register. */
const SSI = 0x18000;
const SSI_DATA = 0x60;
/** The chip's number is sent behind four bytes of nothing (W25Q16JV data sheet, 8.2.31). */
const READ_NUMBER = 0x4b;
const NOTHING = [0, 0, 0, 0];
/** Index of the flash cache's registers among the peripherals. */
const XIP_CTRL = 0x14000;
/** End of the boot ROM. */
export const ROM_END = 0x4000;
/** Pointers in the ROM, 16 bits each (2.8.2): table of functions, table of data, the function that looks
 * something up in one. */
const [FUNCTIONS, DATA, LOOKUP] = [0x14, 0x16, 0x18];
/** Addresses of the two tables, which are empty: the lookup knows by itself. */
const TABLES = [0x100, 0x102];
/** Where the functions begin, each `bx lr`. */
const CODE = 0x200;
const BX_LR = 0x4770;

/** Power failed within an operation. */
export class PowerCut extends Error {}

/** The chip. */
export class FlashChip {
  /** Erased sectors and programmed pages so far. */
  operations = 0;
  /** The operation in which power fails, and how much of it is done before, from 0 to 1. */
  cutAt = Infinity;
  cutShare = 0;

  /** `number`: eight bytes that no other chip has. */
  constructor(memory, clock, number) {
    this.memory = memory;
    this.clock = clock;
    this.number = number;
  }

  /** Answers what the controller of the wires sends, as far as that is about the chip's number. */
  connect(rp2040) {
    const ssi = rp2040.peripherals[SSI];
    const [read, write] = [ssi.readUint32.bind(ssi), ssi.writeUint32.bind(ssi)];
    let answer = [];
    ssi.writeUint32 = (offset, value) => {
      if (offset === SSI_DATA) answer = (value & 0xff) === READ_NUMBER ? [...NOTHING, ...this.number] : [];
      write(offset, value);
    };
    ssi.readUint32 = (offset) => (offset === SSI_DATA && answer.length > 0 ? answer.shift() : read(offset));
  }

  #operation(nanos, len, change) {
    const isCut = this.operations++ === this.cutAt;
    const done = isCut ? Math.floor(this.cutShare * len) : len;
    change(done);
    this.clock.tick((nanos * done) / len);
    if (isCut) {
      this.cutAt = Infinity;
      throw new PowerCut('power failed while flash was written');
    }
  }

  /** Erases whole sectors; those of a block at once. */
  erase(offset, len) {
    if (offset % SECTOR || len % SECTOR || offset + len > this.memory.length) {
      throw new Error(`flash: ${len} bytes at ${offset} cannot be erased`);
    }
    for (let at = offset; at < offset + len; ) {
      const size = at % BLOCK === 0 && offset + len - at >= BLOCK ? BLOCK : SECTOR;
      const nanos = size === BLOCK ? BLOCK_NANOS : SECTOR_NANOS;
      this.#operation(nanos, size, (done) => this.memory.fill(0xff, at, at + done));
      at += size;
    }
  }

  /** Programs whole pages: ones become zeros. */
  program(offset, bytes) {
    if (offset % PAGE || bytes.length % PAGE || offset + bytes.length > this.memory.length) {
      throw new Error(`flash: ${bytes.length} bytes at ${offset} cannot be written`);
    }
    for (let at = 0; at < bytes.length; at += PAGE) {
      this.#operation(PAGE_NANOS, PAGE, (done) => {
        for (let byte = at; byte < at + done; byte++) this.memory[offset + byte] &= bytes[byte];
      });
    }
  }
}

/** The flash cache's registers (2.6.3.6): the cache is coherent, and no background reads are under way. */
class XipControl extends BasePeripheral {
  readUint32() {
    return 0;
  }

  writeUint32() {}
}

/** The ROM's functions for `rp2040` with this flash chip. */
export class BootRom {
  constructor(rp2040, chip) {
    this.rp2040 = rp2040;
    this.chip = chip;
    const { core } = rp2040;
    rp2040.peripherals[XIP_CTRL] = new XipControl(rp2040, 'XIP_CTRL');
    const nothing = () => {};
    this.functions = new Map([
      ['IF', nothing],
      ['EX', nothing],
      ['FC', nothing],
      ['CX', nothing],
      ['RE', () => this.#xip(() => chip.erase(this.#argument(0), this.#argument(1)))],
      ['RP', () => this.#xip(() => this.#program())],
      ['C4', () => this.#copy()],
      ['MC', () => this.#copy()],
    ]);
    this.calls = [() => this.#lookUp(), ...this.functions.values()];
    this.places = new Map([...this.functions.keys()].map((tag, index) => [tag, CODE + 2 * (index + 1)]));
    this.core = core;
    this.#set(FUNCTIONS, TABLES[0]);
    this.#set(DATA, TABLES[1]);
    this.#set(LOOKUP, CODE | 1);
    this.calls.forEach((_, index) => this.#set(CODE + 2 * index, BX_LR));
  }

  /** To be called before the instruction at an address in the ROM: does what the function there does, whose
   * one instruction returns. */
  enter() {
    this.calls[(this.core.PC - CODE) >> 1]?.();
  }

  #argument(index) {
    return this.core.registers[index] >>> 0;
  }

  #set(address, value) {
    const view = new DataView(this.rp2040.bootrom.buffer);
    view.setUint16(address, value, true);
  }

  #lookUp() {
    const tag = String.fromCharCode(this.#argument(1) & 0xff, (this.#argument(1) >> 8) & 0xff);
    const place = this.places.get(tag);
    if (this.#argument(0) !== TABLES[0] || place === undefined) {
      throw new Error(`the program looks for "${tag}" in the boot ROM, which the emulator does not have`);
    }
    this.core.registers[0] = place | 1;
  }

  #read(address, len) {
    return Uint8Array.from({ length: len }, (_, at) => this.rp2040.readUint8(address + at));
  }

  #copy() {
    const bytes = this.#read(this.#argument(1), this.#argument(2));
    bytes.forEach((byte, at) => this.rp2040.writeUint8(this.#argument(0) + at, byte));
  }

  #program() {
    const [offset, data, len] = [this.#argument(0), this.#argument(1), this.#argument(2)];
    // While it is written, flash cannot be read.
    if (data >= FLASH && data < 2 * FLASH) throw new Error('flash is written with bytes that lie in flash');
    this.chip.program(offset, this.#read(data, len));
  }

  /** Does something while which flash cannot be read: whoever is to come back there may not wait in it. */
  #xip(operate) {
    const { LR } = this.core;
    if (LR >= FLASH && LR < 2 * FLASH) throw new Error('flash is changed by code that lies in flash');
    operate();
  }
}
