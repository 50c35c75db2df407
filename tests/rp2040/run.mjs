// Runs the Pico's firmware in an emulated RP2040 with a simulated camera:
//
//     npm ci && node run.mjs SCENARIO.json
//
// The images are the UF2 files that a real board is given. Standard output is JSON, one line each:
//
//     {"port":"uart","ms":812.4,"instructions":9034211,"line":"posy: golden check passed"}
//     {"step":0,"ms":812.4,"instructions":9034211}
//
// for a line that the board has printed (without its end), and for a step that is done. `ms` is
// emulated time; nothing depends on the clock on the wall. A scenario (paths are relative to it):
//
//     {
//       "images": ["program.uf2", "model.uf2"],
//       "frames": ["0.rgb565", ...],          // 320 x 240 RGB565, high byte first
//       "next": " ms$",                       // a UART line that brings the next frame; the last stays
//       "steps": [                            // one after another; the run ends with the last
//         { "after": { "line": " ms$", "times": 2, "port": "uart" }, "actions": ["unplug"] },
//         { "after": { "ms": 3000 }, "actions": ["plug", "send c"] }
//       ],
//       "limits": { "ms": 60000, "instructions": 2000000000 },
//       "rtt": "rtt.bin",                     // raw bytes of RTT's up-channel 0, such as defmt's
//       "restarts": true,                     // a reset starts the program again, and is no error
//       "cached": true,                       // what is read of flash past its cache takes time
//       "opens": 3000                         // milliseconds until the USB port is opened
//     }
//
// `line` is a regular expression, `times` 1 where it is not said and `port` "uart" (or "usb"); `ms`
// counts from the step before; a step that waits for nothing is done at once. Actions:
//
//     unplug, plug               the camera leaves its wires, and is back as after power-up
//     identity 2642              what the sensor gives as its product number
//     loose, wired               the sensor leaves the I2C wires, and is back on them
//     stuck, fills               frames do not reach the buffer, and reach it
//     torn N                     frames are N bytes longer, or shorter where N is negative
//     trailer N                  the buffer counts N bytes behind a frame
//     revision 55                the buffer's generation; all but 73 send a byte too many
//     errors P HZ                bits from the buffer are wrong with probability P, above HZ
//     line stuck-low N, line stuck-high N, line swapped, line late, line clean   what becomes of frames: a
//                                line of the sensor never changes, the bytes of pixels are swapped, or one late
//     floating                   a line that nobody drives is at random
//     drift N                    white balance rests N frames after a reset
//     drops, keeps               the camera loses its supply as a frame is begun, and keeps it
//     loses 5a                   the next write to a register of the signal processor is lost
//     hold scl, hold sda, let-go a wire of the sensor is held low, and let go of
//     refuse N, silent N, stretch US, unstoppable, obliging   of N transfers one address is refused; byte N of
//                                each is taken in silence; the clock is held; stops never come; nothing of it
//     frame N                    shows frame N
//     stall                      the program goes on no more
//     fault                      the core takes a hard fault
//     dip                        the supply is gone shortly: the chip starts again, with its memory
//     send TEXT, send-usb TEXT   sends to a serial port
//     press MS                   holds the button down
//
// Exit code: 0 done, 1 the program has failed, 2 the scenario cannot be run, 3 a limit was reached.

import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { Camera } from './camera.mjs';
import { Pico } from './pico.mjs';
import { Script } from './script.mjs';
import { readUf2 } from './uf2.mjs';
import { connect } from './wiring.mjs';

const [DONE, FAILED, CANNOT, LIMIT] = [0, 1, 2, 3];
/** Instructions between looks at limits and RTT. */
const SLICE = 10_000;

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
      Object.assign(sensor.port, { refusesOneIn: 0, silentByte: null, stretchNanos: 0, stopsNever: false, stuck: false });
      return sensor.update();
    case 'stall':
      pico.stuck = true;
      return;
    case 'dip':
      return pico.dip();
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

function prepare(path) {
  const scenario = JSON.parse(readFileSync(path));
  const file = (name) => resolve(dirname(path), name);
  const blocks = scenario.images.flatMap((name) => readUf2(readFileSync(file(name)), name));
  const pico = new Pico(blocks, scenario);
  const frames = (scenario.frames ?? []).map((name) => readFileSync(file(name)));
  const camera = new Camera(frames, () => pico.clock.nanos);
  let sensor;
  pico.attach((rp2040) => {
    sensor = connect(rp2040, camera);
  });

  const tell = (what) => {
    const { ms, instructions } = pico;
    writeSync(1, `${JSON.stringify({ ...what, ms: Math.round(ms * 1000) / 1000, instructions })}\n`);
  };
  const script = new Script(
    scenario.steps,
    pico.clock,
    (text) => action(text, pico, camera, sensor),
    (step) => tell({ step }),
  );
  const next = scenario.next && new RegExp(scenario.next);
  const lines = (port) =>
    new Lines((line) => {
      tell({ port, line });
      if (port === 'uart' && next?.test(line)) camera.next();
      script.line(port, line);
    });
  const ports = { uart: lines('uart'), usb: lines('usb') };
  pico.listen((port, bytes) => ports[port].push(bytes));
  return { scenario, pico, script, rtt: scenario.rtt && file(scenario.rtt) };
}

/** Runs the scenario to its end; why it ended too early, if it did. */
function run({ scenario, pico, script, rtt }) {
  const limits = { ms: Infinity, instructions: Infinity, ...scenario.limits };
  const logged = [];
  try {
    while (!script.done) {
      if (pico.ms > limits.ms || pico.instructions > limits.instructions) {
        return `a limit was reached while waiting for step ${script.index}`;
      }
      pico.run(SLICE);
      if (rtt) logged.push(pico.drainRtt());
    }
    pico.checkFlash();
    return null;
  } finally {
    // What was logged last tells why, where the program has panicked.
    if (rtt) writeFileSync(rtt, Buffer.concat([...logged, pico.drainRtt()]));
  }
}

function main(path) {
  const fail = (code, message, pico) => {
    const when = pico ? ` (at ${pico.ms.toFixed(3)} ms, ${pico.instructions} instructions)` : '';
    writeSync(2, `error: ${message}${when}\n`);
    return code;
  };
  if (!path) return fail(CANNOT, 'usage: node run.mjs SCENARIO.json');
  let prepared;
  try {
    prepared = prepare(path);
  } catch (error) {
    return fail(CANNOT, error.message);
  }
  try {
    const early = run(prepared);
    return early === null ? DONE : fail(LIMIT, early, prepared.pico);
  } catch (error) {
    return fail(FAILED, error.message, prepared.pico);
  }
}

process.exitCode = main(process.argv[2]);
