// Reading UF2 files, as strictly as the RP2040's boot ROM does: a block that the ROM would ignore is
// an error here. Format: github.com/microsoft/uf2; rules of the ROM: RP2040 data sheet, 2.8.4.2.

const MAGIC = [0x0a324655, 0x9e5d5157];
const MAGIC_END = 0x0ab16f30;
const BLOCK = 512;
const PAYLOAD = 256;
const FLAG_FAMILY = 0x2000;
const FAMILY_RP2040 = 0xe48bff56;

/** The payloads of a UF2 file: a list of `{ address, bytes }`, 256 bytes each. */
export function readUf2(file, name) {
  const bad = (what) => new Error(`${name}: ${what}`);
  if (file.length === 0 || file.length % BLOCK !== 0) throw bad('is not whole UF2 blocks');
  const count = file.length / BLOCK;
  const blocks = [];
  for (let index = 0; index < count; index++) {
    const block = file.subarray(index * BLOCK, (index + 1) * BLOCK);
    const word = (at) => block.readUInt32LE(at);
    if (word(0) !== MAGIC[0] || word(4) !== MAGIC[1] || word(BLOCK - 4) !== MAGIC_END) {
      throw bad(`block ${index} has not UF2's magic numbers`);
    }
    if (word(8) !== FLAG_FAMILY || word(28) !== FAMILY_RP2040) {
      throw bad(`block ${index} is not for the RP2040's flash`);
    }
    if (word(16) !== PAYLOAD || word(12) % PAYLOAD !== 0) {
      throw bad(`block ${index} is not one page of 256 bytes`);
    }
    if (word(20) !== index || word(24) !== count) {
      throw bad(`block ${index} is numbered ${word(20)} of ${word(24)}, there are ${count}`);
    }
    blocks.push({ address: word(12), bytes: block.subarray(32, 32 + PAYLOAD) });
  }
  return blocks;
}
