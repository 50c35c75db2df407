#!/usr/bin/env python3
"""Speaks with a posy board over its serial port: prints what it is, saves a picture, pushes a model.

An example of the protocol in shared/src/link/PROTOCOL.md, without posy. Needs pyserial:

    python3 link.py /dev/ttyACM0 picture.ppm [model.posy]
"""

import random
import struct
import sys
import time
import zlib

import serial

VERSION = 1
HELLO, IDENTIFY, RESUME, CAPTURE, CHECKSUMS, ERASE, WRITE, CLEAR, COMMIT = 0, 1, 4, 6, 10, 11, 12, 13, 14
REPLY, FRAME, ROW = 0, 1, 2
REFUSED, DONE, WELCOME, IDENTITY = 0, 1, 2, 3
PIXELS = ["Rgb565Be", "Rgb565Le", "Rgb888", "Yuyv", "Grey8"]


def varint(number):
    """An unsigned integer as postcard writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


class Reader:
    """Reads postcard from the start of some bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def bytes(self):
        length = self.varint()
        self.at += length
        return self.data[self.at - length : self.at]

    def text(self):
        return self.bytes().decode()


def cobs(data):
    """Takes the zeros out."""
    out = bytearray()
    block = bytearray()
    for byte in data:
        if byte:
            block.append(byte)
        if not byte or len(block) == 254:
            out += bytes([len(block) + 1]) + block
            block.clear()
    return bytes(out + bytes([len(block) + 1]) + block)


def uncobs(data):
    """Puts them in again; None if the bytes are damaged."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        block = data[at + 1 : at + code]
        if len(block) != code - 1:
            return None
        out += block
        at += code
        if code != 255 and at < len(data):
            out.append(0)
    return bytes(out)


class Board:
    """A connection to a board."""

    def __init__(self, port):
        self.line = serial.Serial(port, 115200, timeout=0.05)
        self.epoch = random.randrange(1, 1 << 32)
        self.number = 0
        self.pieces = b""
        self.picture = None
        self.rows = []

    def messages(self):
        """Whole messages that have come; text between them is left out."""
        self.pieces += self.line.read(4096)
        *whole, self.pieces = self.pieces.split(b"\0")
        for piece in whole:
            if not piece.startswith(b"\xff"):
                continue
            data = uncobs(piece[1:])
            if data is None or len(data) < 4:
                continue
            message, crc = data[:-4], struct.unpack("<I", data[-4:])[0]
            if zlib.crc32(message) == crc:
                yield Reader(message)

    def ask(self, request):
        """Sends a request, again where no reply comes; returns the kind of reply, and what follows it."""
        self.number = (self.number + 1) & 0xFFFF
        message = varint(self.epoch) + varint(self.number) + request
        crc = struct.pack("<I", zlib.crc32(message))
        for patience in (0.5, 1, 2, 4):
            self.line.write(b"\0\xff" + cobs(message + crc) + b"\0")
            end = time.monotonic() + patience
            while time.monotonic() < end:
                for reader in self.messages():
                    epoch, kind = reader.varint(), reader.varint()
                    if kind == REPLY and reader.varint() == self.number:
                        reply = reader.varint()
                        if reply == REFUSED:
                            sys.exit(f"refused: {reader.data[reader.at :]!r}")
                        return reply, reader
                    if epoch != self.epoch:
                        continue
                    if kind == FRAME:
                        self.picture = [reader.varint() for _ in range(5)]
                        self.rows = []
                        end = time.monotonic() + patience
                    if kind == ROW and self.picture and reader.varint() == self.picture[0]:
                        if reader.varint() == len(self.rows):
                            self.rows.append(reader.bytes())
                            end = time.monotonic() + patience
        sys.exit("the board does not answer")


def rgb(row, pixels):
    """A row in red, green and blue."""
    if pixels == 2:
        return row
    if pixels == 4:
        return bytes(value for grey in row for value in (grey,) * 3)
    if pixels not in (0, 1):
        sys.exit("this example does not know YUYV")
    out = bytearray()
    for (pixel,) in struct.iter_unpack(">H" if pixels == 0 else "<H", row):
        r, g, b = pixel >> 11, pixel >> 5 & 63, pixel & 31
        out += bytes([r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2])
    return bytes(out)


def identify(board):
    """What the board says of itself."""
    _, reader = board.ask(varint(IDENTIFY))
    about = {"name": reader.text(), "version": reader.text()}
    for key in ("format", "width", "height", "pixels", "arena", "used", "stack", "slot", "sector", "word", "generation", "base"):
        about[key] = reader.varint()
    keys = ("at", "generation", "base", "head_len", "head_crc", "backbone", "backbone_len", "backbone_crc")
    about["model"] = {key: reader.varint() for key in keys} if reader.byte() else None
    return about


def write(board, about, start, data, left_out):
    """Writes a part of a model, sector by sector; the first `left_out` bytes stay erased."""
    data = b"\xff" * left_out + data[left_out:]
    data += b"\xff" * (-len(data) % about["sector"])
    for at in range(0, len(data), about["sector"]):
        sector, bytes_ = (start + at) // about["sector"], data[at : at + about["sector"]]
        ask = varint(CHECKSUMS) + varint(sector) + b"\1"
        if struct.unpack("<I", board.ask(ask)[1].bytes())[0] == zlib.crc32(bytes_):
            continue
        board.ask(varint(ERASE) + varint(sector))
        for chunk in range(0, len(bytes_), 1024):
            begin = left_out if at + chunk == 0 else chunk
            piece = bytes_[begin : chunk + 1024]
            if piece.strip(b"\xff"):
                board.ask(varint(WRITE) + varint(start + at + begin) + varint(len(piece)) + piece)
        assert struct.unpack("<I", board.ask(ask)[1].bytes())[0] == zlib.crc32(bytes_)


def push(board, file):
    """Pushes a model: its backbone, if the board has another, then its head, then the head's prelude."""
    about = identify(board)
    head_len, _, backbone_len = struct.unpack_from("<3I", file, 16)
    head, backbone = file[:head_len], file[head_len:]
    up = lambda length: -(-length // about["sector"]) * about["sector"]

    def room(length, busy):
        for start in range(0, about["slot"] - up(length) + 1, about["sector"]):
            if all(start + up(length) <= begin or end <= start for begin, end in busy):
                return start
        return None

    lies, busy, at, place = about["model"], [], None, None
    if lies:
        busy = [(lies["at"], lies["at"] + lies["head_len"]), (lies["backbone"], lies["backbone"] + lies["backbone_len"])]
    same = lies and (lies["backbone_len"], lies["backbone_crc"]) == (backbone_len, zlib.crc32(backbone))
    at = room(head_len, busy)
    if at is not None:
        place = lies["backbone"] if same else room(backbone_len, busy + [(at, at + up(head_len))])
    if place is None:
        # No room beside the running model.
        board.ask(varint(CLEAR))
        about, same, at, place = identify(board), False, 0, up(head_len)
    if not same:
        write(board, about, place, backbone, 0)
    write(board, about, at, head, 32)
    prelude = head[:8] + struct.pack("<5I", about["generation"], about["base"], head_len, place, backbone_len)
    prelude += struct.pack("<I", zlib.crc32(prelude + head[32:]))
    board.ask(varint(COMMIT) + varint(at) + varint(32) + prelude)
    board.ask(varint(RESUME))


def main():
    board = Board(sys.argv[1])
    board.ask(varint(HELLO) + varint(VERSION))
    about = identify(board)
    width, height, pixels = about["width"], about["height"], about["pixels"]
    print(f"{about['name']}, posy {about['version']}, models of format {about['format']}")
    print(f"camera: {width} x {height}, {PIXELS[pixels]}")
    # 0: the camera's frame; 1: what the network sees.
    for _ in range(3):
        board.ask(varint(CAPTURE) + varint(0))
        if len(board.rows) == board.picture[3]:
            break
    _, _, width, height, pixels = board.picture
    with open(sys.argv[2], "wb") as file:
        file.write(f"P6 {width} {height} 255\n".encode())
        file.write(b"".join(rgb(row, pixels) for row in board.rows))
    print(f"wrote {sys.argv[2]}")
    if len(sys.argv) > 3:
        with open(sys.argv[3], "rb") as file:
            push(board, file.read())
        print(f"pushed {sys.argv[3]}")


if __name__ == "__main__":
    main()
