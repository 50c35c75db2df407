'use strict';
// posy's engine in a page: a model's bytes and a picture's pixels in, logits and ranking out. The report, the page
// for a phone and the studio share it; `host/web/src/lib.rs` describes the exports behind it.

const posyEngine = (() => {
  // Bytes of pixels that are handed over together, and rows of them.
  const STRIP = 4 << 20, ROWS = 4096;

  // Compiles the first of these programs that the browser takes; each is a function that gives its bytes.
  async function compile(programs) {
    let code;
    for (const program of programs) {
      code = await program();
      if (WebAssembly.validate(code)) break;
    }
    return WebAssembly.compile(code);
  }

  // Opens the bytes of a `.posy` file, and runs its golden check: {labels, answer}.
  async function open(program, file) {
    const engine = (await WebAssembly.instantiate(program, {})).exports;
    const canvas = document.createElement('canvas');
    const bytes = (address, length) => new Uint8Array(engine.memory.buffer, address, length);
    const word = engine.posy_allocate(4);

    // The text that the last call left.
    function text() {
      const from = engine.posy_text(word);
      const length = new DataView(engine.memory.buffer).getUint32(word, true);
      return new TextDecoder().decode(bytes(from, length));
    }

    function checked(result) {
      if (!result) throw Error(text());
      return result;
    }

    const address = checked(engine.posy_allocate(file.length));
    bytes(address, file.length).set(file);
    const session = checked(engine.posy_open(address, file.length));
    const labels = [];
    for (let index = 0; engine.posy_label(session, index); index++) labels.push(text());

    // The answer for a picture of `width` x `height` pixels that `draw(context, y)` draws, from row `y` of it up.
    function answer(width, height, draw) {
      const rows = Math.min(height, ROWS, Math.max(1, Math.floor(STRIP / (4 * width))));
      // Kept for the next picture, which mostly is as large.
      if (canvas.width !== width || canvas.height !== rows) [canvas.width, canvas.height] = [width, rows];
      const context = canvas.getContext('2d', {willReadFrequently: true});
      if (!context) throw Error('the browser has no memory left for the picture; close other pages');
      const length = width * rows * 4;
      const pixels = checked(engine.posy_allocate(length));
      let milliseconds = 0;
      try {
        checked(engine.posy_begin(session, width, height));
        for (let y = 0; y < height; y += rows) {
          const count = Math.min(rows, height - y);
          // Transparent parts are laid on white.
          context.fillStyle = '#fff';
          context.fillRect(0, 0, width, rows);
          draw(context, y);
          const {data} = context.getImageData(0, 0, width, count);
          const start = performance.now();
          bytes(pixels, length).set(data);
          checked(engine.posy_push(session, pixels, count));
          milliseconds += performance.now() - start;
        }
        const start = performance.now();
        const from = checked(engine.posy_finish(session));
        milliseconds += performance.now() - start;
        const view = new DataView(engine.memory.buffer);
        const [outputs, outputCount, ranked, rankedCount, unknown] =
          [0, 4, 8, 12, 16].map(offset => view.getUint32(from + offset, true));
        return {
          milliseconds, unknown: unknown === 1,
          outputs: [...new Int8Array(engine.memory.buffer, outputs, outputCount)],
          ranking: Array.from({length: rankedCount}, (_, place) => {
            const index = view.getUint32(ranked + 8 * place, true);
            return {index, label: labels[index], score: view.getUint32(ranked + 8 * place + 4, true) / 65536};
          }),
        };
      } finally {
        engine.posy_release(pixels, length);
      }
    }

    return {labels, answer};
  }

  return {compile, open};
})();
