"""Pictures for two towers at once: each sample at 48 and at 64 pixels, a share of them wider or taller than square.

A picture that is not square comes padded to a square with CLIP's mean colour, as Cambrian's preprocessing does. `size` is
its (width, height) with the longer side 64, the numbers that decide which cells of the 8x8 grid are kept.
"""
import os, sys
import numpy as np
from PIL import Image
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import data as D

SMALL, LARGE = 48, 64
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PADDING = tuple(int(v * 255) for v in MEAN)
SHAPES = [(64, 48), (48, 64), (64, 40), (40, 64), (64, 32), (32, 64)]       # (width, height) of pictures that are not square
SQUARE = (LARGE, LARGE)


def band(size, side):
    """The part of the padded square of `side` pixels that the picture covers: (left, top, right, bottom)."""
    w, h = size[0] * side // LARGE, size[1] * side // LARGE
    return (side - w) // 2, (side - h) // 2, (side + w) // 2, (side + h) // 2


def frame(image, size):
    """The padding around a picture that is not square, painted over a square one."""
    if size == SQUARE:
        return image
    left, top, right, bottom = band(size, len(image))
    out = np.empty_like(image)
    out[:] = PADDING
    out[top:bottom, left:right] = image[top:bottom, left:right]
    return out


def draw_scene(rng, size=SQUARE, sizes=(SMALL, LARGE)):
    """A random scene: its facts and uint8 pictures, one a size."""
    facts = D.make_scene(rng, rng.choice([1, 1, 2, 2, 3]) if min(size) < 44 else None, band(size, D.SIZE))
    drawn = Image.fromarray(D.draw_scene(facts, rng, scale=4, reduce=False))
    box, grain, seed = rng.random() < .5, rng.random() < .5, rng.getrandbits(32)
    out = []
    for side in sizes:
        image = np.asarray(drawn.reduce(drawn.width // side) if box else drawn.resize((side, side), Image.BICUBIC))
        out.append(frame(D._grain(image, _Fixed(seed)) if grain else image, size))
    return facts, out


def draw_digit(mask, rng, size=SQUARE, sizes=(SMALL, LARGE), grain=True):
    """A digit in colour: its facts and uint8 pictures."""
    left, top, right, bottom = (v // 3 for v in band(size, D.SIZE))     # in steps of 3 of 48 and 4 of 64 pixels
    background = rng.choice(D.BACKGROUND_NAMES)
    colour = rng.choice([c for c in D.COLOUR_NAMES if c != background])
    most = min(right - left, bottom - top)
    side = rng.randint(min(10, most), most)
    x, y = rng.randint(left, right - side), rng.randint(top, bottom - side)
    fore, back = np.float32(D._tint(D.COLOURS[colour], rng, 14)), np.float32(D._tint(D.BACKGROUNDS[background], rng, 7))
    grain, seed, out = grain and rng.random() < .5, rng.getrandbits(32), []
    for total in sizes:
        k = total // 16
        m = np.zeros((total, total, 1), np.float32)
        m[y * k:(y + side) * k, x * k:(x + side) * k, 0] = np.asarray(Image.fromarray(mask).resize((side * k, side * k), Image.BICUBIC), np.float32) / 255
        image = np.clip(back * (1 - m) + fore * m, 0, 255).astype(np.uint8)
        out.append(frame(D._grain(image, _Fixed(seed)) if grain else image, size))
    return dict(colour=colour, background=background), out


class _Fixed:
    """Stands in for a generator where two sizes of one picture need the same seed."""
    def __init__(self, seed):
        self.seed = seed

    def getrandbits(self, bits):
        return self.seed


def shapes(n):
    """Sizes of n samples, a quarter of them not square: the same list for every n, so that tensors keep their shapes from batch to batch."""
    out = [SHAPES[i % len(SHAPES)] for i in range(n // 4)]
    return out + [SQUARE] * (n - len(out))


class Pictures(D.Pictures):
    """Random samples with `image` (the last of `sizes`), `images` (all sizes) and `size`."""
    def __init__(self, folder, split='train', sizes=(SMALL, LARGE)):
        super().__init__(folder, split)
        self.sizes = sizes

    def sample(self, kind, facts, images, size, **more):
        return dict(kind=kind, facts=facts, images=images, image=images[-1], size=size, **more)

    def batch(self, rng, counts):
        out = []
        n = counts.get('photo', 0)
        if n:
            pick = np.array([rng.randrange(len(self.photo_x)) for _ in range(n)])
            views = D.augment_photos(self.photo_x[pick], rng, self.sizes)
            views = views if len(self.sizes) > 1 else [views]
            for j, (i, size) in enumerate(zip(pick, shapes(n))):
                facts = self.photo_facts(views[-1][j], self.photo_y[i])
                out.append(self.sample('photo', facts, [frame(v[j], size) for v in views], size))
        for size in shapes(counts.get('digit', 0)):
            i = rng.randrange(len(self.digit_x))
            facts, images = draw_digit(self.digit_x[i], rng, size, self.sizes)
            out.append(self.sample('digit', dict(facts, digit=int(self.digit_y[i])), images, size))
        for size in shapes(counts.get('scene', 0)):
            out.append(self.sample('scene', *draw_scene(rng, size, self.sizes), size))
        return out


def pixels(images):
    """uint8 [B, S, S, 3] (tensor, or arrays to stack) -> float [B, 3, S, S] with CLIP's mean and deviation."""
    import torch
    images = images if torch.is_tensor(images) else torch.from_numpy(np.stack(images))
    mean, std = torch.tensor(MEAN, device=images.device), torch.tensor(STD, device=images.device)
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)
