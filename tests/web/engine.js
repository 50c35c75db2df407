// Drives posy's engine for browsers, in Node.js and in a page: `posyEngine(job)` gives what came of it.
//
// A job: {wasm, calls}, bytes in base64. A call gives a string or an array:
//   {model, pictures: [{width, height, rgba}]}   the outputs of each picture, or the error's text
//   {layers: model, inputs: [bytes]}             the checksums of each layer; with the exports of tests
//   {kernels: true}                              "" or the case that differs; with the exports of tests
'use strict';
globalThis.posyEngine = async job => {
  const bytes = text => Uint8Array.from(atob(text), character => character.charCodeAt(0));
  const {instance: {exports: engine}} = await WebAssembly.instantiate(bytes(job.wasm), {});
  const word = engine.posy_allocate(4);
  const text = () => {
    const from = engine.posy_text(word);
    const length = new DataView(engine.memory.buffer).getUint32(word, true);
    return new TextDecoder().decode(new Uint8Array(engine.memory.buffer, from, length));
  };
  const put = content => {
    const at = engine.posy_allocate(content.length);
    new Uint8Array(engine.memory.buffer, at, content.length).set(content);
    return at;
  };
  const picture = (session, {width, height, rgba}) => {
    const content = bytes(rgba);
    const pixels = put(content);
    if (!engine.posy_begin(session, width, height)) return text();
    // A strip at a time, as a page hands a large photo over.
    const strip = 7;
    for (let y = 0; y < height; y += strip) {
      const rows = Math.min(strip, height - y);
      if (!engine.posy_push(session, pixels + y * width * 4, rows)) return text();
    }
    const answer = engine.posy_finish(session);
    if (!answer) return text();
    const view = new DataView(engine.memory.buffer);
    const [outputs, outputCount, ranked, rankedCount, unknown] =
      [0, 4, 8, 12, 16].map(offset => view.getUint32(answer + offset, true));
    const result = {
      outputs: [...new Int8Array(engine.memory.buffer, outputs, outputCount)],
      ranked: Array.from({length: rankedCount}, (_, place) =>
        [0, 4].map(offset => view.getUint32(ranked + 8 * place + offset, true))),
      unknown: unknown === 1,
    };
    engine.posy_release(pixels, content.length);
    return result;
  };
  return job.calls.map(call => {
    if (call.kernels) return engine.posy_check_kernels() ? '' : text();
    if (call.layers) {
      const file = bytes(call.layers);
      const at = put(file);
      return call.inputs.map(input => {
        const values = bytes(input);
        engine.posy_check_layers(at, file.length, put(values), values.length);
        return text();
      });
    }
    const file = bytes(call.model);
    const session = engine.posy_open(put(file), file.length);
    if (!session) return text();
    const answers = call.pictures.map(one => picture(session, one));
    engine.posy_close(session);
    return answers;
  });
};

if (typeof process === 'object' && process.argv[2]) {
  const {readFileSync} = require('node:fs');
  globalThis.posyEngine(JSON.parse(readFileSync(process.argv[2], 'utf8')))
    .then(result => console.log(JSON.stringify(result)));
}
