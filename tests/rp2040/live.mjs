// The Pico of a scenario as a board that is plugged in: what comes and goes by USB passes through a socket,
// and time goes on until standard input ends:
//
//     node live.mjs SCENARIO.json SOCKET
//
// Lines of standard input are actions, as in a scenario (see run.mjs). The line `now` is answered by one with
// the time. Whoever is at the other end of the socket is the computer: each connection is a cable that is plugged
// in. Standard output is as of run.mjs, and besides
//
//     {"now":true,"ms":812.4,"instructions":9034211,"operations":17,"frames":3}
//     {"cut":true,"ms":912.4,"instructions":9034280}
//
// for the erased sectors and programmed pages of flash and the pictures of the camera so far, and for power that
// has failed where an action `cut` said so. No more time passes than on the clock on the wall: a computer that
// answers late takes as long here.

import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';

import { prepare } from './scenario.mjs';

/** Instructions between looks at the socket. */
const SLICE = 5_000;
/** Milliseconds by which emulated time may be ahead. */
const AHEAD = 2;
/** Bytes that wait for a computer that does not read; more are lost. */
const WAITING = 1 << 20;

const [scenario, path] = process.argv.slice(2);
let socket = null;
const { pico, camera, act, tell } = prepare(scenario, (bytes) => {
  if (socket && socket.writableLength < WAITING) socket.write(Buffer.from(bytes));
});

/** The computer's end of the cable. */
function plug() {
  socket = connect(path);
  socket.setNoDelay(true);
  socket.on('data', (bytes) => pico.usb.send(bytes));
  socket.on('error', () => {});
}

let ended = false;
const input = createInterface({ input: process.stdin });
input.on('close', () => (ended = true));
input.on('line', (line) => {
  if (line === 'now') tell({ now: true, operations: pico.chip.operations, frames: camera.taken });
  else if (line === 'off') unplug();
  else if (line === 'on') {
    camera.plug();
    act(line);
    // The chip is a new one from here on.
    pico.run(1);
    plug();
  } else act(line);
});

/** The camera has its supply from the board. */
function unplug() {
  act('off');
  camera.unplug();
  socket?.destroy();
  socket = null;
}

pico.onCut = () => {
  socket?.destroy();
  socket = null;
  camera.unplug();
  tell({ cut: true });
};

plug();
let [wall, emulated] = [performance.now(), pico.ms];
while (!ended) {
  pico.run(SLICE);
  await turn();
  const ahead = pico.ms - emulated - (performance.now() - wall);
  if (ahead > AHEAD) await sleep(1);
  // What was lost stays lost: it is not made up for.
  else if (ahead < 0) [wall, emulated] = [performance.now(), pico.ms];
}
socket?.destroy();
process.exit(0);
