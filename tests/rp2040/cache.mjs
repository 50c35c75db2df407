// The cache before the RP2040's flash, 16 KiB in two ways of lines of 8 bytes (data sheet, 2.6.3.1), and what
// a line costs that is not in it. With the second core both take turns at it, as on the chip.

const FLASH = 0x10000000;
const FLASH_END = 0x11000000;
const LINE_SHIFT = 3;
const SETS = 1024;
/** Cycles for a line: 7.5 a byte, at half the core's clock over four wires, with its address. */
const MISS_CYCLES = 60;

/** Counts what flash is read past the cache. */
export class FlashCache {
  /** Lines read from flash so far. */
  misses = 0;

  constructor(rp2040) {
    this.lines = new Int32Array(2 * SETS).fill(-1);
    this.older = new Uint8Array(SETS);
    this.charged = 0;
    for (const name of ['readUint32', 'readUint16', 'readUint8']) {
      const read = rp2040[name].bind(rp2040);
      rp2040[name] = (address) => {
        if (address >= FLASH && address < FLASH_END) this.#touch(address >>> LINE_SHIFT);
        return read(address);
      };
    }
  }

  #touch(line) {
    const set = line % SETS;
    const at = 2 * set;
    if (this.lines[at] === line) this.older[set] = 1;
    else if (this.lines[at + 1] === line) this.older[set] = 0;
    else {
      this.lines[at + this.older[set]] = line;
      this.older[set] ^= 1;
      this.misses++;
    }
  }

  /** Cycles spent on misses since the last call. */
  spent() {
    const cycles = (this.misses - this.charged) * MISS_CYCLES;
    this.charged = this.misses;
    return cycles;
  }
}
