// Runs the Pico's firmware in an emulated RP2040 with a simulated camera:
//
//     npm ci && node run.mjs SCENARIO.json
//
// The images are the UF2 files that a real board is given. Standard output is JSON, one line each:
//
//     {"port":"uart","ms":812.4,"instructions":9034211,"line":"posy: golden check passed","waited":0}
//     {"step":0,"ms":812.4,"instructions":9034211}
//     {"serialNumber":"E6614103E7452D2F","ms":12.1,"instructions":72118}
//
// for a line that the board has printed (without its end), for a step that is done, and for what the board says
// on USB as its serial number. `ms` is
// emulated time, `waited` is what of it the program has waited for the camera; nothing depends on the clock on the
// wall. A scenario (paths are relative to it):
//
//     {
//       "images": ["program.uf2", "model.uf2"],
//       "camera": "mega",                     // "mini" where it is not said, or "bare": an OV2640 alone
//       "frames": ["0.rgb565", ...],          // 320 x 240 RGB565, high byte first
//       "next": " ms$",                       // a UART line that brings the next frame; the last stays
//       "steps": [                            // one after another; the run ends with the last
//         { "after": { "line": " ms$", "times": 2, "port": "uart" }, "actions": ["unplug"] },
//         { "after": { "ms": 3000 }, "actions": ["plug", "send c"] }
//       ],
//       "limits": { "ms": 60000, "instructions": 2000000000 },
//       "rtt": "rtt.bin",                     // raw bytes of RTT's up-channel 0, such as defmt's
//       "restarts": true,                     // a reset starts the program again, and is no error
//       "writes": true,                       // the program may write flash
//       "cached": true,                       // what is read of flash past its cache takes time
//       "opens": 3000,                        // milliseconds until the USB port is opened
//       "chip": "e6614103e7452d2f"            // number of the flash chip
//     }
//
// `line` is a regular expression, `times` 1 where it is not said and `port` "uart" (or "usb"); `ms`
// counts from the step before; a step that waits for nothing is done at once. Actions:
//
//     unplug, plug               the camera leaves its wires, and is back as after power-up
//     identity 2642              what the sensor gives as its product number; a Mega one byte
//     loose, wired               the sensor leaves the I2C wires, and is back on them
//     stuck, fills               frames do not reach the buffer, and reach it
//     torn N                     frames are N bytes longer, or shorter where N is negative
//     trailer N                  the buffer counts N bytes behind a frame
//     revision 55                the buffer's generation; all but 73 send a byte too many
//     errors P HZ                bits from the buffer are wrong with probability P, above HZ
//     line stuck-low N, line stuck-high N, line swapped, line late, line clean   what becomes of frames: a
//                                line of the sensor never changes, the bytes of pixels are swapped, or one late
//     floating                   a line that nobody drives is at random
//     good                       nothing is wrong with camera and sensor any more; only a held wire stays
//     rate N                     the sensor sends N frames a second
//     exposes N                  exposure rests N frames after a reset
//     drift N                    white balance rests N frames after exposure does
//     drops, keeps               the camera loses its supply as a frame is begun, and keeps it
//     loses 5a                   the next write to a register of the signal processor is lost
//     forgets 5a                 every write to it is
//     hold scl, hold sda, let-go a wire of the sensor is held low, and let go of
//     refuse N, silent N, stretch US, unstoppable, obliging   of N transfers one address is refused; byte N of
//                                each is taken in silence; the clock is held; stops never come; nothing of it
//     frame N                    shows frame N
//     stall                      the program goes on no more
//     fault                      the core takes a hard fault
//     dip                        the supply is gone shortly: the chip starts again, with its memory
//     off, on                    the supply is gone, and back
//     cut N SHARE                it goes within the Nth write to flash from now on, that is done to a share
//     send TEXT, send-usb TEXT   sends to a serial port
//     press MS                   holds the button down
//
// Exit code: 0 done, 1 the program has failed, 2 the scenario cannot be run, 3 a limit was reached.

import { writeFileSync, writeSync } from 'node:fs';

import { prepare } from './scenario.mjs';

const [DONE, FAILED, CANNOT, LIMIT] = [0, 1, 2, 3];
/** Instructions between looks at limits and RTT. */
const SLICE = 10_000;

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
    if (!scenario.writes) pico.checkFlash();
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
