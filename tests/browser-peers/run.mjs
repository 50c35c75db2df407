// Times posy, onnxruntime-web and TensorFlow.js in headless Chromium, one thread, in one run.
//
//   node tests/browser-peers/run.mjs FOLDER [--rounds N] [--no-peers] [--engine NAME=FILE]...
//
// FOLDER has node_modules with the peers and the networks; run.sh makes it.
import {spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {dirname, join, normalize} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const [folder, ...options] = process.argv.slice(2);
const network = (name, version, width, side, classes) => ({
  name, version, width, side, classes,
  posy: `/networks/${name}.posy`, float: `/networks/${name}.onnx`, int8: `/networks/${name}.int8.onnx`,
});
const settings = {
  rounds: 5, milliseconds: 600, peers: true, engines: {},
  networks: [
    network('v1_0.25_128', 1, 0.25, 128, 1001), network('v1_0.50_224', 1, 0.5, 224, 1001),
    network('v1_1.0_224', 1, 1, 224, 5), network('v2_0.5_224', 2, 0.5, 224, 1001),
  ],
};
const engines = {};
while (options.length) {
  const option = options.shift();
  if (option === '--rounds') settings.rounds = Number(options.shift());
  else if (option === '--no-peers') settings.peers = false;
  else if (option === '--engine') {
    const [name, file] = options.shift().split('=');
    engines[name] = file;
    settings.engines[name] = `/engines/${name}`;
  } else throw Error(`${option}?`);
}
if (!Object.keys(engines).length) {
  engines.posy = join(here, '../../host/assets/posy-simd128.wasm');
  settings.engines.posy = '/engines/posy';
}

const types = {html: 'text/html', mjs: 'text/javascript', js: 'text/javascript', wasm: 'application/wasm'};
let finish;
const finished = new Promise(resolve => (finish = resolve));
const server = createServer((request, response) => {
  if (process.env.VERBOSE) console.error(request.url);
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
  if (path === '/settings') return response.end(JSON.stringify(settings));
  if (path === '/results') {
    let body = '';
    request.on('data', part => (body += part)).on('end', () => {
      response.end();
      finish(JSON.parse(body));
    });
    return;
  }
  const engine = engines[path.split('/engines/')[1]];
  const file = engine ?? (path.startsWith('/bench') ? join(here, path) : join(folder, path));
  try {
    const content = readFileSync(file);
    response.setHeader('content-type', types[file.split('.').pop()] ?? 'application/octet-stream');
    response.end(content);
  } catch {
    response.statusCode = 404;
    response.end();
  }
});
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
const profile = mkdtempSync(join(tmpdir(), 'posy-bench-'));
const browser = spawn(process.env.CHROMIUM ?? 'chromium', ['--headless', '--no-sandbox', '--disable-gpu',
  '--disable-dev-shm-usage', '--no-first-run', '--no-proxy-server', `--user-data-dir=${profile}`,
  `http://127.0.0.1:${server.address().port}/bench.html`], {stdio: 'ignore'});
const {results, error} = await finished;
const closed = new Promise(resolve => browser.on('exit', resolve));
browser.kill();
await closed;
server.close();
rmSync(profile, {recursive: true, force: true, maxRetries: 5});
if (error) throw Error(error);
const shown = value => value.toFixed(2);
for (const {network, times} of results) {
  const posy = Object.keys(times).filter(name => name.replace(/ from pixels$/, '') in engines);
  const peers = Object.keys(times).filter(name => !posy.includes(name));
  for (const [name, {least, median, runs}] of Object.entries(times)) {
    console.log(`${network}  ${name}: least ${shown(least)} ms, median ${shown(median)} ms of ${runs} samples`);
  }
  if (!peers.length) continue;
  for (const name of posy) {
    const ratio = kind => Math.min(...peers.map(peer => times[peer][kind])) / times[name][kind];
    console.log(`${network}  ${name}: ${shown(ratio('least'))} (least), ${shown(ratio('median'))} (median) ` +
      `times the fastest peer; ${Math.round(1000 / times[name].median)} frames/s`);
  }
}
