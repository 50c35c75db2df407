// The computer at the other end of the USB cable: it opens the board's serial port, as rp2040js does it
// (`USBCDC`), and sends only what there is to send. Four things are put right: the emulator's own would
// send empty packets one after another, would let the chip take a buffer back before a packet has come or
// gone, takes no time for a packet, and says to the device, not to the interface, that the port is open.

import { USBCDC } from 'rp2040js';

/** Buffer control registers of endpoints that receive, in the controller's memory (RP2040 data sheet,
 * 4.1.2.5.1): address of the first, bytes apart, and the bit of a buffer that waits for a packet, or is to be sent; those of endpoints that send lie 4 bytes before. */
const OUT_CONTROL = 0x84;
const IN_CONTROL = 0x80;
const STEP = 8;
const AVAILABLE = 1 << 10;
/** Nanoseconds of a packet: 19 of 64 bytes are the most in a millisecond (USB 2.0, table 5-9). */
const PACKET_NANOS = 1e6 / 19;
/** Bytes that the emulator's own queue takes. */
const QUEUE = 512;
/** SET_CONTROL_LINE_STATE to interface 0, with DTR and RTS (USB CDC PSTN 1.2, 6.3.12). */
const PORT_IS_OPEN = new Uint8Array([0x21, 0x22, 0x03, 0, 0, 0, 0, 0]);

/** GET_DESCRIPTOR of string 3, in US English, at most 255 bytes (USB 2.0, 9.4.3), which is the serial number of
 * embassy's devices; how the answer begins; and nanoseconds after which there is none. */
const GET_SERIAL_NUMBER = new Uint8Array([0x80, 0x06, 3, 3, 0x09, 0x04, 255, 0]);
const STRING = 3;
const NO_STRING_NANOS = 5e6;

/** A serial port over USB; `onBytes` hears what comes, `onSerialNumber` the device's. It is opened `opensMs`
 * after it is there. */
export class UsbPort {
  constructor(rp2040, onBytes, onSerialNumber, opensMs = 0) {
    const controller = rp2040.usbCtrl;
    this.memory = rp2040.usbDPRAMView;
    this.serial = new USBCDC(controller);
    this.serial.onSerialData = onBytes;
    const open = () => {
      controller.sendSetupPacket(PORT_IS_OPEN);
      this.serial.initialized = true;
    };
    const openInTime = () => {
      if (opensMs > 0) rp2040.clock.createAlarm(open).schedule(opensMs * 1e6);
      else open();
    };
    this.serial.cdcSetControlLineState = () => {
      this.#askSerialNumber(controller, rp2040.clock, onSerialNumber, openInTime);
    };
    this.#takeTime(controller, rp2040.clock);
    this.read = controller.onEndpointRead;
    this.unsent = [];
    this.waiting = null;
    controller.onEndpointRead = (endpoint, size) => {
      // Endpoint 0 is for control: its packets are there at once.
      if (endpoint === 0) return this.read(endpoint, size);
      this.#setAvailable(OUT_CONTROL, endpoint, true);
      this.waiting = { endpoint, size };
      this.#give();
    };
    const finish = controller.finishRead.bind(controller);
    controller.finishRead = (endpoint, bytes) => {
      this.#setAvailable(OUT_CONTROL, endpoint, false);
      finish(endpoint, bytes);
    };
  }

  /** Sends bytes, as soon as the board takes them. */
  send(bytes) {
    this.unsent.push(...bytes);
    this.#give();
  }

  /** Asks the device for its serial number, then goes on. */
  #askSerialNumber(controller, clock, onSerialNumber, then) {
    const hear = controller.onEndpointWrite;
    const goOn = () => {
      if (controller.onEndpointWrite === hear) return;
      controller.onEndpointWrite = hear;
      then();
    };
    controller.onEndpointWrite = (endpoint, bytes) => {
      if (endpoint !== 0 || bytes.length < 2 || bytes[1] !== STRING) return hear(endpoint, bytes);
      onSerialNumber(Buffer.from(bytes.subarray(2)).toString('utf16le'));
      goOn();
    };
    clock.createAlarm(goOn).schedule(NO_STRING_NANOS);
    controller.sendSetupPacket(GET_SERIAL_NUMBER);
  }

  /** Has packets take their time, each way. */
  #takeTime(controller, clock) {
    controller.readDelayMicroseconds = PACKET_NANOS / 1000;
    const ready = controller.indicateBufferReady.bind(controller);
    const alarms = [];
    controller.indicateBufferReady = (endpoint, out) => {
      if (out || endpoint === 0) return ready(endpoint, out);
      // The chip keeps the buffer until the packet is out.
      this.#setAvailable(IN_CONTROL, endpoint, true);
      alarms[endpoint] ??= clock.createAlarm(() => {
        this.#setAvailable(IN_CONTROL, endpoint, false);
        ready(endpoint, false);
      });
      alarms[endpoint].schedule(PACKET_NANOS);
    };
  }

  #give() {
    const room = QUEUE - this.serial.txFIFO.itemCount;
    for (const byte of this.unsent.splice(0, room)) this.serial.sendSerialByte(byte);
    if (this.waiting?.endpoint !== this.serial.outEndpoint || this.serial.txFIFO.empty) return;
    const { endpoint, size } = this.waiting;
    this.waiting = null;
    this.read(endpoint, size);
  }

  #setAvailable(first, endpoint, available) {
    const at = first + STEP * endpoint;
    const control = this.memory.getUint32(at, true);
    this.memory.setUint32(at, available ? control | AVAILABLE : control & ~AVAILABLE, true);
  }
}
