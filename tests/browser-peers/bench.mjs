// Times the forward passes of posy and its peers in this page, in rounds, and sends the results to the
// server that the page came from.
import * as ort from '/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs';

const settings = await (await fetch('/settings')).json();
const bytes = async path => new Uint8Array(await (await fetch(path)).arrayBuffer());

// A function that runs a `.posy` model on an image of its input's size, and gives the milliseconds of the forward
// pass; those of preprocessing too where it begins `fromPixels`.
async function posy(wasm, model, side, fromPixels) {
  const {exports: engine} = await WebAssembly.instantiate(await WebAssembly.compile(await bytes(wasm)), {});
  const memory = content => {
    const at = engine.posy_allocate(content.length);
    new Uint8Array(engine.memory.buffer, at, content.length).set(content);
    return at;
  };
  const file = await bytes(model);
  const session = engine.posy_open(memory(file), file.length);
  if (!session) throw Error(`${model}: not opened`);
  const pixels = memory(noise(Uint8Array, side * side * 4, 256));
  return () => {
    let start = performance.now();
    engine.posy_begin(session, side, side);
    engine.posy_push(session, pixels, side);
    if (!fromPixels) start = performance.now();
    if (!engine.posy_finish(session)) throw Error(`${model}: no answer`);
    return performance.now() - start;
  };
}

// A function that gives the milliseconds of `run`.
const timed = run => async () => {
  const start = performance.now();
  await run();
  return performance.now() - start;
};

function noise(Kind, length, range) {
  let state = 1;
  return Kind.from({length}, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % range;
  });
}

async function onnx(path, side) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
  const session = await ort.InferenceSession.create(path, {executionProviders: ['wasm']});
  const [input] = session.inputMetadata;
  const shape = input.shape.map(size => typeof size === 'number' ? size : 1);
  const values = noise(Float32Array, side * side * 3, 2);
  const tensor = new ort.Tensor('float32', values, shape);
  return async () => {
    const outputs = await session.run({[input.name]: tensor});
    await outputs[session.outputNames[0]].getData();
  };
}

// MobileNet in the fused operations that a converted graph runs; the weights are noise, which
// changes no time.
async function tensorflow({version, width, side, classes}) {
  const tf = globalThis.tf;
  tf.wasm.setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
  tf.wasm.setThreadsCount(1);
  await tf.setBackend('wasm');
  await tf.ready();
  const steps = [];
  const weights = shape => tf.randomNormal(shape, 0, 0.05);
  const conv = (size, from, to, strides, activation = 'relu6') => {
    const [filter, bias] = [weights([size, size, from, to]), weights([to])];
    steps.push(x => tf.fused.conv2d({x, filter, strides, pad: 'same', bias, activation}));
  };
  const depthwise = (channels, strides) => {
    const [filter, bias] = [weights([3, 3, channels, 1]), weights([channels])];
    steps.push(x => tf.fused.depthwiseConv2d({x, filter, strides, pad: 'same', bias, activation: 'relu6'}));
  };
  const rounded = value => {
    const result = Math.max(8, Math.floor((value + 4) / 8) * 8);
    return result < 0.9 * value ? result + 8 : result;
  };
  let channels = rounded(32 * width);
  conv(3, 3, channels, 2);
  if (version === 1) {
    for (const [to, stride] of [[64, 1], [128, 2], [128, 1], [256, 2], [256, 1], [512, 2],
      ...Array(5).fill([512, 1]), [1024, 2], [1024, 1]]) {
      depthwise(channels, stride);
      conv(1, channels, to * width, 1);
      channels = to * width;
    }
  } else {
    for (const [expansion, base, count, first] of [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2],
      [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]) {
      const to = rounded(base * width);
      for (let block = 0; block < count; block++) {
        const stride = block ? 1 : first;
        const residual = stride === 1 && channels === to;
        let skip;
        if (residual) steps.push(x => (skip = x));
        if (expansion > 1) conv(1, channels, channels * expansion, 1);
        depthwise(channels * expansion, stride);
        conv(1, channels * expansion, to, 1, 'linear');
        if (residual) steps.push(x => tf.add(x, skip));
        channels = to;
      }
    }
    conv(1, channels, 1280, 1);
    channels = 1280;
  }
  const [filter, bias] = [weights([channels, classes]), weights([classes])];
  const input = tf.randomUniform([1, side, side, 3], -1, 1);
  return () => tf.tidy(() => {
    const map = steps.reduce((x, step) => step(x), input);
    const pooled = tf.mean(map, [1, 2]);
    tf.softmax(tf.fused.matMul({a: pooled, b: filter, bias})).dataSync();
  });
}

async function once(run, milliseconds) {
  const times = [];
  const end = performance.now() + milliseconds;
  do {
    // A page's clock is coarse: passes are taken together until they make ten milliseconds.
    let [sum, count] = [0, 0];
    for (; sum < 10; count++) sum += await run();
    times.push(sum / count);
  } while (performance.now() < end || times.length < 5);
  return times;
}

const results = [];
try {
  for (const network of settings.networks) {
    const runners = {};
    if (settings.peers) {
      runners['onnxruntime-web float'] = timed(await onnx(network.float, network.side));
      runners['onnxruntime-web int8'] = timed(await onnx(network.int8, network.side));
      runners['tfjs wasm'] = timed(await tensorflow(network));
    }
    for (const [name, wasm] of Object.entries(settings.engines)) {
      runners[name] = await posy(wasm, network.posy, network.side, false);
      runners[`${name} from pixels`] = await posy(wasm, network.posy, network.side, true);
    }
    const times = Object.fromEntries(Object.keys(runners).map(name => [name, []]));
    for (let round = 0; round <= settings.rounds; round++) {
      for (const [name, run] of Object.entries(runners)) {
        const measured = await once(run, settings.milliseconds);
        // The first round warms up.
        if (round) times[name].push(...measured);
      }
    }
    for (const list of Object.values(times)) list.sort((a, b) => a - b);
    results.push({network: network.name, times: Object.fromEntries(Object.entries(times).map(
      ([name, list]) => [name, {least: list[0], median: list[list.length >> 1], runs: list.length}]))});
  }
  await fetch('/results', {method: 'POST', body: JSON.stringify({results})});
} catch (error) {
  await fetch('/results', {method: 'POST', body: JSON.stringify({error: `${error.stack || error}`})});
}
