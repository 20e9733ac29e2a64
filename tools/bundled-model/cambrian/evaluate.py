"""Accuracy per question type of an exported repository, on pictures never trained on: CIFAR-10 test, MNIST test, new scenes.

Exact match of greedy decoding: a reply matches when every token of the right answer, and the end token after it, is the most
likely one given the right answer so far, so one forward pass decides it. Pictures go through Cambrian's own preprocessing
(padding to a square, PIL's bicubic resize). `--check` compares with real generation.

  python evaluate.py trilobite-nano-cambrian --data data --n 500 --blind 200 --to accuracy.json
"""
import argparse, json, random
import numpy as np
import torch
from PIL import Image
import export as E
import pictures as P
import sva
from dialogs import picture_first
from pictures import D
import train as T


def preprocess(image):
    """A PIL picture -> (uint8 at 48 pixels, uint8 at 64 pixels), by expand2square and PIL's resize."""
    image = image.convert('RGB')
    w, h = image.size
    if w != h:
        side = max(w, h)
        square = Image.new('RGB', (side, side), P.PADDING)
        square.paste(image, ((side - w) // 2, (side - h) // 2))
        image = square
    return tuple(np.asarray(image.resize((s, s), Image.BICUBIC)) for s in (P.SMALL, P.LARGE))


def held_out(pictures, rng, kind, index=None, size=P.SQUARE):
    """A test sample without augmentation, with `original`, the picture as a user would have it."""
    if kind == 'photo':
        i = rng.randrange(len(pictures.photo_x)) if index is None else index
        original = pictures.photo_x[i]
        facts = dict(label=D.CLASSES[pictures.photo_y[i]], light=float(np.asarray(Image.fromarray(original).resize((48, 48), Image.BICUBIC), np.float32).mean()))
    elif kind == 'digit':
        i = rng.randrange(len(pictures.digit_x)) if index is None else index
        facts, (original,) = P.draw_digit(pictures.digit_x[i], rng, size, (192,), grain=False)
        facts = dict(facts, digit=int(pictures.digit_y[i]))
    else:
        facts = D.make_scene(rng, rng.choice([1, 1, 2, 2, 3]) if min(size) < 44 else None, P.band(size, D.SIZE))
        original = D.draw_scene(facts, rng, scale=8, reduce=False)
    if size != P.SQUARE:
        left, top, right, bottom = P.band(size, len(original))
        original = original[top:bottom, left:right]
    original = Image.fromarray(np.ascontiguousarray(original))
    return dict(kind=kind, facts=facts, original=original, size=original.size, images=preprocess(original))


def items(pictures, kind, question_type, n, seed, size=P.SQUARE):
    """n (sample, question, answer) of one type; photos and digits go through the test set in order."""
    rng, out, i = random.Random(seed), [], 0
    while len(out) < n:
        sample = held_out(pictures, rng, kind, None if kind == 'scene' else i % 10000, size)
        i += 1
        pair = D.question(sample, rng, question_type)
        if pair:
            out.append((sample, *pair))
    return out


def look(towers, samples, device):
    small, large = (P.pixels(np.stack([s['images'][k] for s in samples])).to(device) for k in (0, 1))
    return towers(small, large)[0]


def rows_of(size):
    a, b, c, d = sva.kept(size, 8)
    return (b - a) * (d - c + 1)


@torch.no_grad()
def right_turns(parts, dialogs, device='cpu', batch=50, spaced=False):
    """For dialogs [(sample or None, turns)]: which answers are right token by token."""
    net, towers, text = parts
    prefix, out = torch.tensor(text.prefix, device=device), []
    for at in range(0, len(dialogs), batch):
        part = dialogs[at:at + batch]
        ids, labels, _ = T.collate([text.encode(turns, rows_of(s['size']) if s else 0, spaced=spaced) for s, turns in part], device)
        samples = [s for s, _ in part if s]
        features = look(towers, samples, device) if samples else None
        logits = net.lm_head(net.hidden(prefix, ids, ids == 3, features, [s['size'] for s in samples]))
        good = (logits[:, :-1].argmax(-1) == labels[:, 1:]).cpu().numpy()
        wanted = (labels[:, 1:] != -100).cpu().numpy()
        for g, w in zip(good, wanted):
            edges = np.flatnonzero(np.diff(np.concatenate([[0], w.astype(np.int8), [0]])))
            out.append([bool(g[a:b].all()) for a, b in zip(edges[::2], edges[1::2])])
    return out


@torch.no_grad()
def generate(parts, sample, ids, most=120, seen=None):
    """Greedy continuation of published ids (-200 for the picture): new ids and the margins between the two best logits."""
    net, towers, text = parts
    features, sizes = (look(towers, [sample], 'cpu'), [sample['size']]) if sample else (None, None)
    if seen is not None and sample:
        seen.update({f'tower.{t}': f for t, f in enumerate(features)})
    rows = [i for one in ids for i in ([3] * rows_of(sample['size']) if one == -200 else [one])]
    new, margins, none = [], [], torch.zeros(0, dtype=torch.long)
    while len(new) < most:
        x = torch.tensor([rows + new])
        slots = torch.zeros_like(x, dtype=torch.bool)
        slots[0, :len(rows)] = x[0, :len(rows)] == 3
        hidden = net.hidden(none, x, slots, features, sizes, seen if not new else None)
        logits = net.lm_head(hidden)
        if seen is not None and not new:
            seen['logits'] = logits
        best = logits[0, -1].topk(2)
        new.append(int(best.indices[0]))
        margins.append(float(best.values[0] - best.values[1]))
        if new[-1] == 2:
            break
    return new, margins


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('model')
    p.add_argument('--data', default='data')
    p.add_argument('--n', type=int, default=500)
    p.add_argument('--threads', type=int, default=1)
    p.add_argument('--device', default='cpu')
    p.add_argument('--kinds', nargs='*', default=['photo', 'digit', 'scene'])
    p.add_argument('--check', type=int, default=0, help='compare this many items with real generation')
    p.add_argument('--blind', type=int, default=0, help='also ask this many items a type with another item\'s picture shown')
    p.add_argument('--photos', type=int, default=0, help='also name this many photos of the second half of the test split')
    p.add_argument('--to')
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    parts = E.read_repository(args.model)
    parts[0].to(args.device), parts[1].to(args.device)
    pictures = D.Pictures(args.data, 'test')
    ask = lambda rows: right_turns(parts, [(s, [(q, a)]) for s, q, a in rows], args.device)
    result, blind, more = {}, {}, {}
    for kind in args.kinds:
        for t in D.TYPES[kind] + ['caption', 'kind']:
            rows = items(pictures, kind, t, args.n, 7)
            result[f'{kind}: {t}'] = sum(r[0] for r in ask(rows)) / len(rows)
            if args.blind:
                part = rows[:args.blind]
                wrong = ask([(dict(s, images=part[i - 1][0]['images'], size=part[i - 1][0]['size']), q, a) for i, (s, q, a) in enumerate(part)])
                blind[f'{kind}: {t}'] = sum(r[0] for r in wrong) / len(wrong)
            print(f'{kind}: {t}', round(result[f'{kind}: {t}'], 3), round(blind.get(f'{kind}: {t}', -1), 3), flush=True)
    for t, kind in (('caption', 'scene'), ('colour', 'scene'), ('where', 'scene'), ('digit', 'digit')):
        if kind in args.kinds:
            rows = [r for size in P.SHAPES for r in items(pictures, kind, t, max(1, args.n // 6), 9, size)]
            more[f'not square, {kind}: {t}'] = sum(r[0] for r in ask(rows)) / len(rows)
    rng = random.Random(11)
    dialogs = [(None, D.dialog(None, rng)) for _ in range(args.n)]
    flat = [r for d in right_turns(parts, dialogs, args.device) for r in d]
    more['text only'] = sum(flat) / len(flat)
    dialogs = []
    for _ in range(args.n):
        s = held_out(pictures, rng, rng.choice(args.kinds))
        dialogs.append((s, picture_first(D.dialog(s, rng))))
    for name, spaced in (('dialogs, later turns (earlier answers given)', False), ('the same, replies after two spaces', True)):
        flat = [r for d in right_turns(parts, dialogs, args.device, spaced=spaced) for r in d[1:]]
        more[name] = sum(flat) / len(flat)
    classes = {}
    if args.photos:
        rows = [(held_out(pictures, rng, 'photo', 10000 - args.photos + i), 'What is this?') for i in range(args.photos)]
        right = [r[0] for r in ask([(s, q, f"This is {D.a(s['facts']['label'])}.") for s, q in rows])]
        more[f'What is this?, the last {args.photos} test photos'] = sum(right) / len(right)
        for c in D.CLASSES:
            mine = [r for r, (s, _) in zip(right, rows) if s['facts']['label'] == c]
            classes[c] = round(sum(mine) / len(mine), 4)
    print({k: round(v, 3) for k, v in more.items()}, classes, flush=True)
    for i in range(args.check):
        kind = ['photo', 'digit', 'scene'][i % 3]
        s, q, a = items(pictures, kind, 'caption' if i % 2 else D.TYPES[kind][0], 1, 100 + i, P.SQUARE if i % 4 < 3 or kind == 'photo' else (64, 40))[0]
        new, _ = generate(parts, s, parts[2].prompt_ids(parts[2].render([], q, True)))
        got = parts[2].tok.decode(new).strip()
        assert (got == a) == ask([(s, q, a)])[0][0], (got, a)
        print('check', q, '|', a, '|', got)
    if args.to:
        json.dump(dict(n=args.n, measure='exact match of greedy decoding, float32 compute', accuracy={k: round(v, 4) for k, v in {**result, **more}.items()},
                       photo_classes=classes, wrong_picture={k: round(v, 4) for k, v in blind.items()}, wrong_picture_n=args.blind), open(args.to, 'w'), indent=1)


if __name__ == '__main__':
    main()
