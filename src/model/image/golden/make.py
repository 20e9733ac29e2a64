"""Makes decode/ and pillow.json with Pillow, the library whose pixels this folder's code must reproduce.

    pip install pillow==12.3.0 numpy
    python3 make.py

reference/ is not made here: its pictures and pixel values were recorded from transformers 5.12 (which resizes with
torchvision 0.27) and from LLaVA's own code (which resizes with Pillow).
"""

import hashlib
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps, __version__

HERE = Path(__file__).parent
DECODE = HERE / "decode"


def noise(w, h, seed):
    """The same bytes as `noise` in resize.test.ts."""
    v = np.arange(w * h * 3, dtype=np.uint64) * 0x9E3779B1 + seed * 0x85EBCA6B & 0xFFFFFFFF
    v ^= v >> 15
    v = v * 0x2C1B3CE5 & 0xFFFFFFFF
    v ^= v >> 13
    return (v >> 8 & 255).astype(np.uint8).reshape(h, w, 3)


def edges(w, h, seed):
    """Black and white only, so that filters overshoot at every pixel."""
    return (noise(w, h, seed) >> 7) * 255


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# Resizing ------------------------------------------------------------------------------------------------------


def resize_cases():
    sizes = [
        # in w, h, out w, h
        (64, 48, 24, 24), (48, 64, 33, 17), (17, 23, 61, 83), (31, 20, 31, 45), (31, 20, 50, 20),
        (1, 1, 5, 7), (5, 7, 1, 1), (1, 90, 40, 11), (90, 1, 11, 40), (150, 88, 84, 84), (64, 150, 36, 84),
        (13, 13, 13, 13), (200, 131, 67, 29), (7, 200, 40, 60), (3, 400, 9, 50), (400, 3, 50, 9),
        (333, 10, 100, 100), (97, 89, 96, 90),
    ]  # fmt: skip
    for n, (w, h, ow, oh) in enumerate(sizes):
        for resample in range(6):
            kind = ("noise", "edges")[(n + resample) % 2]
            source = {"noise": noise, "edges": edges}[kind](w, h, n)
            out = Image.fromarray(source).resize((ow, oh), resample)
            yield {"kind": kind, "seed": n, "from": [w, h], "to": [ow, oh], "resample": resample,
                   "sha256": sha256(out.tobytes())}  # fmt: skip


# Decoding ------------------------------------------------------------------------------------------------------


def scene(w, h, seed):
    """A gradient with shapes and some noise."""
    y, x = np.mgrid[0:h, 0:w]
    base = np.stack([40 + 180 * x / w, 60 + 150 * y / h, 200 - 120 * x / w], axis=-1)
    image = Image.fromarray(np.clip(base + noise(w, h, seed) / 32, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse([w // 6, h // 5, w // 2, h * 3 // 4], fill=(230, 60, 40))
    draw.rectangle([w * 5 // 8, h // 3, w * 7 // 8, h - 3], fill=(20, 90, 200))
    draw.line([0, h - 1, w - 1, 0], fill=(255, 255, 255))
    return image


def with_alpha(image):
    w, h = image.size
    alpha = np.clip(np.add.outer(np.linspace(-40, 60, h), np.linspace(-100, 300, w)), 0, 255).astype(np.uint8)
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(alpha))
    return image


def png(w, h, depth, colour_type, rows, interlace=0):
    """A PNG file of rows that already carry their filter bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", w, h, depth, colour_type, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def unfiltered(array):
    return b"".join(b"\0" + np.ascontiguousarray(row).tobytes() for row in array)


def adam7(image):
    a = np.asarray(image)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b"".join(unfiltered(a[y::dy, x::dx]) for x, y, dx, dy in passes if a[y::dy, x::dx].size)
    return png(image.width, image.height, 8, 2, rows, interlace=1)


def gif(screen, frame, indices, palette=None, local=None, transparent=None):
    """A GIF file with one frame; the table never fills because codes are cleared often."""

    def table(p):
        return (0x80 | (len(p) // 3).bit_length() - 2, p) if p else (0, b"")

    flags, colours = table(palette)
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, flags, 2, 0) + colours
    if transparent is not None:
        out += b"!\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
    flags, colours = table(local)
    out += b"," + struct.pack("<HHHHB", *frame, flags) + colours + b"\x08"
    codes = [256]
    for n, index in enumerate(indices):
        codes.append(int(index))
        if n % 100 == 99:
            codes.append(256)
    number = sum(code << 9 * n for n, code in enumerate([*codes, 257]))
    data = number.to_bytes((9 * (len(codes) + 1) + 7) // 8, "little")
    for at in range(0, len(data), 255):
        out += bytes([len(data[at : at + 255])]) + data[at : at + 255]
    return out + b"\0;"


def decode_files():
    """Pairs of a file's name and its bytes."""
    rgb, rgba, grey = scene(41, 29, 1), with_alpha(scene(30, 22, 2)), scene(24, 33, 3).convert("L")
    other = scene(41, 29, 4)

    def saved(image, extension, **options):
        buffer = io.BytesIO()
        image.save(buffer, {"jpg": "JPEG"}.get(extension, extension.upper()), **options)
        return buffer.getvalue()

    def exif(orientation):
        tags = Image.Exif()
        tags[0x0112] = orientation
        return tags

    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="8"/></rdf:RDF></x:xmpmeta>'
    )

    for sampling in range(3):
        yield f"subsampling-{sampling}.jpg", saved(rgb, "jpg", quality=80, subsampling=sampling)
    yield "progressive.jpg", saved(rgb, "jpg", quality=70, progressive=True)
    yield "restart.jpg", saved(rgb, "jpg", quality=75, restart_marker_blocks=3)
    yield "grey.jpg", saved(grey, "jpg", quality=85)
    yield "cmyk.jpg", saved(rgb.convert("CMYK"), "jpg", quality=85)
    for orientation in range(1, 9):
        yield f"orientation-{orientation}.jpg", saved(rgb, "jpg", quality=70, exif=exif(orientation))
    yield "orientation-xmp-8.jpg", saved(rgb, "jpg", quality=70, xmp=xmp)

    yield "rgb.png", saved(rgb, "png")
    yield "rgba.png", saved(rgba, "png")
    yield "grey.png", saved(grey, "png")
    yield "grey-alpha.png", saved(grey.convert("LA"), "png")
    yield "black-white.png", saved(grey.convert("1"), "png")
    yield "palette-8.png", saved(rgb.quantize(200), "png")
    yield "palette-4.png", saved(rgb.quantize(13), "png")
    yield "palette-transparent.png", saved(rgb.quantize(200), "png", transparency=3)
    yield "colour-key.png", saved(rgb, "png", transparency=(20, 90, 200))
    yield "orientation-6.png", saved(rgb, "png", exif=exif(6))
    yield "animated.png", saved(rgb, "png", save_all=True, append_images=[other])
    yield "interlaced.png", adam7(rgb)
    deep = np.stack([noise(11, 9, s).astype(">u2") * 256 + noise(11, 9, s + 5) for s in range(2)], axis=-1).astype(">u2")
    yield "grey-16.png", png(11, 9, 16, 0, unfiltered(deep[..., 0, :1] // 128))
    yield "grey-alpha-16.png", png(11, 9, 16, 4, unfiltered(deep[..., 0, :]))
    yield "rgb-16.png", png(11, 9, 16, 2, unfiltered(deep[..., 0]))
    yield "rgba-16.png", png(11, 9, 16, 6, unfiltered(np.concatenate([deep[..., 0], deep[..., :1, 1]], axis=-1)))
    for depth in (2, 4):
        packed = noise((11 * depth + 7) // 8, 9, depth)[..., 0]
        yield f"grey-{depth}.png", png(11, 9, depth, 0, unfiltered(packed))

    yield "lossy.webp", saved(rgb, "webp", quality=75)
    yield "lossy-alpha.webp", saved(rgba, "webp", quality=80, exact=True)
    yield "lossless-alpha.webp", saved(rgba, "webp", lossless=True, exact=True)
    yield "animated.webp", saved(rgb, "webp", save_all=True, append_images=[other], duration=100, quality=80)
    yield "animated-alpha.webp", saved(
        rgba, "webp", save_all=True, append_images=[rgba.transpose(0)], duration=100, lossless=True
    )
    yield "animated-lossy-alpha.webp", saved(
        rgba, "webp", save_all=True, append_images=[rgba.transpose(0)], duration=100, quality=70
    )
    yield "orientation-6.webp", saved(rgb, "webp", quality=75, exif=exif(6))
    yield "orientation-xmp-8.webp", saved(rgb, "webp", quality=75, xmp=xmp)

    yield "plain.gif", saved(rgb.quantize(100), "gif", interlace=False)
    yield "interlaced.gif", saved(rgb.quantize(256), "gif", interlace=True)
    yield "grey.gif", saved(grey, "gif")
    yield "animated.gif", saved(rgb.quantize(30), "gif", save_all=True, append_images=[other.quantize(30)])
    yield "long-codes.gif", saved(Image.fromarray(noise(120, 90, 9)[..., 0]), "gif")
    colours, local = noise(256, 1, 6).tobytes(), noise(256, 1, 7).tobytes()
    indices, frame = noise(12, 9, 8)[..., 0].ravel(), (4, 3, 12, 9)
    yield "small-frame.gif", gif((20, 15), frame, indices, colours)
    yield "small-frame-transparent.gif", gif((20, 15), frame, indices, colours, transparent=7)
    yield "local-palette.gif", gif((20, 15), frame, indices, colours, local=local)
    yield "short-palette.gif", gif((20, 15), frame, indices, colours[: 16 * 3], transparent=40)
    yield "beyond-screen.gif", gif((10, 8), frame, indices, colours)
    yield "no-palette.gif", gif((20, 15), frame, indices)


def decode_cases():
    DECODE.mkdir(exist_ok=True)
    for name, data in decode_files():
        (DECODE / name).write_bytes(data)
        image = Image.open(io.BytesIO(data))
        mode = image.mode
        image = ImageOps.exif_transpose(image).convert("RGB")
        yield {"file": name, "mode": mode, "size": image.size, "sha256": sha256(image.tobytes())}


record = {"pillow": __version__, "resize": list(resize_cases()), "decode": list(decode_cases())}
lines = [f'  "{key}": [\n    ' + ",\n    ".join(map(json.dumps, record[key])) + "\n  ]" for key in ("resize", "decode")]
(HERE / "pillow.json").write_text(f'{{\n  "pillow": "{__version__}",\n' + ",\n".join(lines) + "\n}\n")
