// Counts what a network costs on the emulated chip: `node profile.mjs UF2...`, the images of
// boards/rp-pico's profiling program and of a model. Prints `cores CORES layer INDEX INSTRUCTIONS` for
// one core and for both; of both, it is the time that passes, in instructions of one core.

import { readFileSync, writeSync } from 'node:fs';

import { Pico } from './pico.mjs';
import { readUf2 } from './uf2.mjs';

const WATCHDOG = 0x40058;
const SCRATCH0 = 0x0c;
/** What a mark says, above 16 bits of an index. */
const [LAYER, NONE, END] = [1, 2, 3];
/** Pictures: one core, both. */
const PICTURES = 2;
const SLICE = 1000;
/** Ten times what the largest network takes. */
const LIMIT = 60e9;

const pico = new Pico(process.argv.slice(2).flatMap((name) => readUf2(readFileSync(name), name)));
const watchdog = pico.rp2040.peripherals[WATCHDOG];
const write = watchdog.writeUint32.bind(watchdog);
const counts = [[]];
let last = 0;
watchdog.writeUint32 = (offset, value) => {
  write(offset, value);
  if (offset !== SCRATCH0) return;
  const since = pico.instructions - last;
  last = pico.instructions;
  const [what, index] = [value >>> 16, value & 0xffff];
  const current = counts.at(-1);
  if (what === LAYER) current[index] = (current[index] ?? 0) + since;
  else if (what === END) counts.push([]);
  else if (what !== NONE) throw new Error('there is no model that runs');
};

try {
  while (counts.length <= PICTURES) {
    if (pico.instructions > LIMIT) throw new Error('it does not end');
    pico.run(SLICE);
  }
  counts.slice(0, PICTURES).forEach((layers, picture) =>
    layers.forEach((count, index) => writeSync(1, `cores ${picture + 1} layer ${index} ${count}\n`)),
  );
} catch (error) {
  writeSync(2, `error: ${error.message}\n`);
  process.exitCode = 1;
}
