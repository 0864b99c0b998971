"""Pictures as bytes: what they are, how large, and the same without anything that is not the picture.

A file is taken apart by its own format and put together again from the parts that show something. So its kind is
what its bytes say, nothing hides behind the end of it, and what cameras and editors note down (place, time, owner,
comments) is gone. Of a photograph the orientation is kept. Nothing is decoded: a picture that claims many pixels
costs nothing here.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MOST_PIXELS = 40_000_000
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs"}
_PNG_KEPT |= {b"acTL", b"fcTL", b"fdAT"}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"}
# Flags of a WebP for parts that are left out: colour profile, Exif, XMP.
_WEBP_LEFT_OUT = 0x20 | 0x08 | 0x04
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_STANDALONE = {0x01, *range(0xD0, 0xD8)}


class NotAPicture(Exception):
    """The sentence says why it is not taken."""


@dataclass(frozen=True)
class Picture:
    """`kind` is png, jpeg, gif or webp; `data` the picture without anything else."""

    kind: str
    width: int
    height: int
    data: bytes


def clean(data: bytes) -> Picture:
    """The picture in `data`. Raises `NotAPicture`."""
    taken = next((take for magic, take in _TAKERS if data.startswith(magic)), None)
    if taken is None:
        raise NotAPicture("This is no picture: PNG, JPEG, GIF and WebP are taken.")
    try:
        picture = taken(data)
    except (IndexError, struct.error, ValueError) as error:
        raise NotAPicture("This picture is damaged, so it is not taken.") from error
    if not picture.width or not picture.height:
        raise NotAPicture("This picture is damaged, so it is not taken.")
    if picture.width * picture.height > MOST_PIXELS:
        raise NotAPicture(f"A picture has at most {MOST_PIXELS // 1_000_000} million pixels; make it smaller.")
    return picture


def _png(data: bytes) -> Picture:
    parts, width, height, shows = [_PNG], 0, 0, False
    for name, body in _png_chunks(data):
        if name == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        shows = shows or name == b"IDAT"
        if name in _PNG_KEPT:
            parts.append(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)))
    if not shows:
        raise ValueError("no data")
    return Picture("png", width, height, b"".join(parts))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while True:
        (length,) = struct.unpack_from(">I", data, at)
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack_from(">I", data, at + 8 + length)
        if crc != zlib.crc32(name + body) or (at == len(_PNG)) != (name == b"IHDR"):
            raise ValueError("broken chunk")
        yield name, body
        if name == b"IEND":
            return
        at += 12 + length


def _jpeg(data: bytes) -> Picture:
    parts, size, orientation, shows = [b"\xff\xd8"], (0, 0), 0, False
    for marker, segment in _jpeg_segments(data):
        if marker == 0xE1:
            orientation = orientation or _orientation(segment[4:])
        elif marker in _SOF:
            height, width = struct.unpack_from(">HH", segment, 5)
            size = (width, height)
        shows = shows or marker == 0xDA
        if marker in {0xE0, 0xEE} or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            parts.append(segment)
    if not shows:
        raise ValueError("no data")
    if orientation:
        parts.insert(1, _exif(orientation))
    return Picture("jpeg", *size, b"".join(parts))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and bytes of each segment; the one of a scan goes on with its data."""
    at = 2
    while True:
        while data[at + 1] == 0xFF:
            at += 1
        if data[at] != 0xFF:
            raise ValueError("no marker")
        marker = data[at + 1]
        if marker == 0xD9:
            yield marker, b"\xff\xd9"
            return
        if marker in _STANDALONE:
            end = at + 2
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            end = at + 2 + length
            if length < 2 or end > len(data):
                raise ValueError("broken segment")
        if marker == 0xDA:
            end = _end_of_scan(data, end)
        yield marker, data[at:end]
        at = end


def _end_of_scan(data: bytes, at: int) -> int:
    while True:
        at = data.index(b"\xff", at)
        if data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
            at += 2
        elif data[at + 1] == 0xFF:
            at += 1
        else:
            return at


def _orientation(body: bytes) -> int:
    """How a camera was held, from the first directory of an Exif segment; 0 for upright or unknown."""
    if not body.startswith(b"Exif\0\0") or body[6:8] not in {b"II", b"MM"}:
        return 0
    tiff, order = body[6:], "<" if body[6:8] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(min(count, 100)):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, at + 2 + 12 * entry)
            if tag == 0x0112:
                return value if 2 <= value <= 8 else 0
    except struct.error:
        return 0
    return 0


def _exif(orientation: int) -> bytes:
    directory = struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + struct.pack(">2sHI", b"MM", 42, 8) + directory
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _gif(data: bytes) -> Picture:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _palette(flags)
    parts, shows = [data[:at]], False
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            end = _end_of_blocks(data, at + 11 + _palette(data[at + 9]))
            shows = kept = True
        elif data[at] == 0x21:
            end = _end_of_blocks(data, at + 2)
            kept = data[at + 1] == 0xF9 or data[at + 1 : at + 14] == b"\xff\x0bNETSCAPE2.0"
        else:
            raise ValueError("unknown block")
        if kept:
            parts.append(data[at:end])
        at = end
    if not shows:
        raise ValueError("no data")
    return Picture("gif", width, height, b"".join([*parts, b"\x3b"]))


def _palette(flags: int) -> int:
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def _end_of_blocks(data: bytes, at: int) -> int:
    while length := data[at]:
        at += 1 + length
    return at + 1


def _webp(data: bytes) -> Picture:
    if data[8:12] != b"WEBP":
        raise ValueError("another RIFF")
    parts, size, shows = [], (0, 0), False
    for name, body in _riff_chunks(data):
        size = size if any(size) else _webp_size(name, body)
        shows = shows or name in {b"VP8 ", b"VP8L", b"ANMF"}
        kept = bytes([body[0] & ~_WEBP_LEFT_OUT]) + body[1:] if name == b"VP8X" else body
        if name in _WEBP_KEPT:
            parts.append(name + struct.pack("<I", len(kept)) + kept + b"\0" * (len(kept) % 2))
    if not shows:
        raise ValueError("no data")
    inner = b"WEBP" + b"".join(parts)
    return Picture("webp", *size, b"RIFF" + struct.pack("<I", len(inner)) + inner)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    (length,) = struct.unpack_from("<I", data, 4)
    at, end = 12, 8 + length
    if end > len(data):
        raise ValueError("cut off")
    while at + 8 <= end:
        (size,) = struct.unpack_from("<I", data, at + 4)
        if at + 8 + size > end:
            raise ValueError("broken chunk")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _webp_size(name: bytes, body: bytes) -> tuple[int, int]:
    if name == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if name == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


_TAKERS: tuple[tuple[bytes, Callable[[bytes], Picture]], ...] = (
    (_PNG, _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
    (b"RIFF", _webp),
)
