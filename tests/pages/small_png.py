"""Pictures of pages with at most 256 colours: a third of the size, and nobody sees the difference."""

import struct
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping, Sequence

from playwright.sync_api import Browser

MOST_COLOURS = 256
_PIXELS = """async (picture) => {
  const bytes = Uint8Array.from(atob(picture), (each) => each.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  let text = "";
  for (let at = 0; at < pixels.length; at += 32768) text += String.fromCharCode(...pixels.subarray(at, at + 32768));
  return [bitmap.width, bitmap.height, btoa(text)];
}"""


def small_png(browser: Browser, picture: bytes) -> bytes:
    """The same picture; the browser reads it."""
    page = browser.new_page()
    width, height, pixels = page.evaluate(_PIXELS, b64encode(picture).decode())
    page.close()
    colours = memoryview(b64decode(pixels)).cast("I").tolist()
    palette, places = _palette(Counter(colours))
    rows = bytes(map(places.__getitem__, colours))
    lines = b"".join(b"\0" + rows[at : at + width] for at in range(0, len(rows), width))
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", b"".join(struct.pack("<I", each)[:3] for each in palette)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _palette(counts: "Counter[int]") -> tuple[Sequence[int], Mapping[int, int]]:
    """The most frequent colours, and the place of the nearest of them for every colour there is."""
    palette = [colour for colour, _ in counts.most_common(MOST_COLOURS)]
    known = [_parts(each) for each in palette]
    return palette, {colour: _nearest(_parts(colour), known) for colour in counts}


def _nearest(colour: Sequence[int], known: Sequence[Sequence[int]]) -> int:
    distances = (sum((a - b) ** 2 for a, b in zip(colour, each, strict=True)) for each in known)
    return min(enumerate(distances), key=lambda each: each[1])[0]


def _parts(colour: int) -> Sequence[int]:
    return struct.pack("<I", colour)[:3]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
