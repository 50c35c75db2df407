// A scenario: its board with a camera, and what it prints and is done to.

import { readFileSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { BareCamera, connectBare } from './bare.mjs';
import { Camera } from './camera.mjs';
import { Mega } from './mega.mjs';
import { Pico } from './pico.mjs';
import { Script } from './script.mjs';
import { readUf2 } from './uf2.mjs';
import { connect } from './wiring.mjs';

/** Bytes that come in, cut into lines. */
class Lines {
  constructor(onLine) {
    this.bytes = [];
    this.onLine = onLine;
  }

  push(bytes) {
    for (const byte of bytes) {
      if (byte !== 0x0a) {
        this.bytes.push(byte);
        continue;
      }
      const line = Buffer.from(this.bytes).toString().replace(/\r$/, '');
      this.bytes = [];
      this.onLine(line);
    }
  }
}

function action(text, pico, camera, sensor) {
  const [name, argument] = [text.split(' ', 1)[0], text.slice(text.indexOf(' ') + 1)];
  switch (name) {
    case 'unplug':
      return camera.unplug();
    case 'plug':
      return camera.plug();
    case 'identity':
      camera.identity = [...Buffer.from(argument, 'hex')];
      return;
    case 'loose':
    case 'wired':
      camera.wired = name === 'wired';
      return;
    case 'stuck':
    case 'fills':
      camera.fills = name === 'fills';
      return;
    case 'torn':
      camera.torn = Number(argument);
      return;
    case 'trailer':
      camera.trailer = Number(argument);
      return;
    case 'revision':
      camera.revision = parseInt(argument, 16);
      return;
    case 'errors': {
      const [probability, above] = argument.split(' ').map(Number);
      camera.errors = { probability, above };
      return;
    }
    case 'line':
      camera.pixels = argument;
      return;
    case 'floating':
      camera.floating = true;
      return;
    case 'good':
      camera.good();
      sensor.port.oblige();
      return sensor.update();
    case 'rate':
      camera.rate = Number(argument);
      return;
    case 'exposes':
      camera.exposes = Number(argument);
      return;
    case 'forgets':
      camera.forgets = parseInt(argument, 16);
      return;
    case 'drift':
      camera.drift = Number(argument);
      return;
    case 'drops':
    case 'keeps':
      camera.drops = name === 'drops';
      return;
    case 'loses':
      camera.loses = parseInt(argument, 16);
      return;
    case 'hold':
      sensor.port.held = argument;
      return sensor.update();
    case 'let-go':
      sensor.port.held = null;
      return sensor.update();
    case 'refuse':
      sensor.port.refusesOneIn = Number(argument);
      return;
    case 'silent':
      sensor.port.silentByte = Number(argument);
      return;
    case 'stretch':
      sensor.port.stretchNanos = Number(argument) * 1000;
      return;
    case 'unstoppable':
      sensor.port.stopsNever = true;
      return;
    case 'obliging':
      sensor.port.oblige();
      return sensor.update();
    case 'stall':
      pico.stuck = true;
      return;
    case 'dip':
      return pico.dip();
    case 'off':
    case 'on':
      return pico.supply(name === 'on');
    case 'cut': {
      const [operation, share] = argument.split(' ').map(Number);
      return pico.cut(operation, share);
    }
    case 'fault':
      return pico.hardFault();
    case 'frame':
      camera.scene = Number(argument);
      return;
    case 'send':
      return pico.send('uart', argument);
    case 'send-usb':
      return pico.send('usb', argument);
    case 'press':
      return pico.press(Number(argument));
    default:
      throw new Error(`no such action: ${text}`);
  }
}

/** Prepares the scenario in the file `path`; `onUsb`, if any, hears what comes by USB, in place of its lines. */
export function prepare(path, onUsb) {
  const scenario = JSON.parse(readFileSync(path));
  const file = (name) => resolve(dirname(path), name);
  const blocks = scenario.images.flatMap((name) => readUf2(readFileSync(file(name)), name));
  const pico = new Pico(blocks, scenario);
  const frames = (scenario.frames ?? []).map((name) => readFileSync(file(name)));
  const kind = scenario.camera ?? 'mini';
  const camera = new { mini: Camera, mega: Mega, bare: BareCamera }[kind](frames, () => pico.clock.nanos);
  let sensor;
  pico.attach((rp2040) => {
    sensor = (kind === 'bare' ? connectBare : connect)(rp2040, camera);
  });

  const tell = (what) => {
    const { ms, instructions } = pico;
    writeSync(1, `${JSON.stringify({ ...what, ms: Math.round(ms * 1000) / 1000, instructions })}\n`);
  };
  const act = (text) => action(text, pico, camera, sensor);
  const script = new Script(
    scenario.steps ?? [],
    pico.clock,
    act,
    (step) => tell({ step }),
  );
  const next = scenario.next && new RegExp(scenario.next);
  const lines = (port) =>
    new Lines((line) => {
      tell({ port, line, waited: Math.round(camera.waitedNanos / 1e3) / 1e3 });
      if (port === 'uart' && next?.test(line)) camera.next();
      script.line(port, line);
    });
  const ports = { uart: lines('uart'), usb: onUsb ? { push: onUsb } : lines('usb') };
  pico.listen(
    (port, bytes) => ports[port].push(bytes),
    (number) => tell({ serialNumber: number }),
  );
  return { scenario, pico, camera, script, act, tell, rtt: scenario.rtt && file(scenario.rtt) };
}
