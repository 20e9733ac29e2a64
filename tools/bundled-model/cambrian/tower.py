"""Pretrains the ConvNeXt tower: classes of photos and digits, and what covers each cell of a scene.

  python tower.py --data data --out out --procs 2 --minutes 36
  python tower.py --data data --out out --procs 2 --minutes 10 --resume     goes on with the schedule of an interrupted run

It runs for a number of minutes and the learning rate follows the share of them used.
"""
import argparse, json, os, random, sys, time
import numpy as np
import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
import pictures as P
import convnext as C
from pictures import D
import train as T

CELLS = 16          # side of the grid on which shapes and colours are asked


class Heads(nn.Module):
    """Classifiers that exist only while the tower is trained. Photos and digits from the mean of the last map; cells from all four."""
    OUT = dict(photo=10, digit=10, ink=8, background=6)
    CELL = dict(shape=7, colour=9)

    def __init__(self, dims):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(d) for d in dims])
        self.whole = nn.Linear(dims[-1], sum(self.OUT.values()))
        self.cells = nn.ModuleList([nn.Linear(d, sum(self.CELL.values()), bias=i == 0) for i, d in enumerate(dims)])

    def forward(self, maps):
        maps = [n(m.float().permute(0, 2, 3, 1)) for n, m in zip(self.norms, maps)]
        out = dict(zip(self.OUT, self.whole(maps[-1].mean((1, 2))).split(list(self.OUT.values()), 1)))
        side = maps[0].shape[1]
        cells = sum(F.interpolate(c(m).permute(0, 3, 1, 2), size=(side, side), mode='bilinear', align_corners=False) if m.shape[1] != side
                    else c(m).permute(0, 3, 1, 2) for c, m in zip(self.cells, maps))
        return out, dict(zip(self.CELL, cells.split(list(self.CELL.values()), 1)))


def targets(batch):
    """What the heads are asked, for a batch ordered photos, digits, scenes."""
    facts = {k: [s['facts'] for s in batch if s['kind'] == k] for k in ('photo', 'digit', 'scene')}
    maps = [D.scene_patches(f, CELLS) for f in facts['scene']]
    empty = np.zeros((0, CELLS, CELLS), np.int64)
    return dict(photo=np.array([D.CLASSES.index(f['label']) for f in facts['photo']], np.int64), digit=np.array([f['digit'] for f in facts['digit']], np.int64),
                ink=np.array([D.COLOUR_NAMES.index(f['colour']) for f in facts['digit']], np.int64),
                background=np.array([D.BACKGROUND_NAMES.index(f['background']) for f in facts['digit'] + facts['scene']], np.int64),
                shape=np.array([m[0] for m in maps]) if maps else empty, colour=np.array([m[1] for m in maps]) if maps else empty)


def heads_loss(heads, maps, t):
    whole, cells = heads(maps)
    p, d = len(t['photo']), len(t['digit'])
    return (F.cross_entropy(whole['photo'][:p], t['photo'], label_smoothing=.05) + .3 * F.cross_entropy(whole['digit'][p:p + d], t['digit'])
            + .1 * F.cross_entropy(whole['ink'][p:p + d], t['ink']) + .1 * F.cross_entropy(whole['background'][p:], t['background'])
            + .6 * F.cross_entropy(cells['shape'][p + d:], t['shape']) + .6 * F.cross_entropy(cells['colour'][p + d:], t['colour']))


@torch.no_grad()
def accuracy(args, net, heads, test, n=1000):
    hits = 0
    for i in range(0, n, 100):
        x = P.pixels([np.asarray(P.Image.fromarray(test.photo_x[j]).resize((P.LARGE, P.LARGE), P.Image.BICUBIC)) for j in range(i, i + 100)]).to(args.device)
        with T.autocast(args):
            maps = net(x.contiguous(memory_format=torch.channels_last))
        hits += (heads(maps)[0]['photo'].argmax(1).cpu().numpy() == test.photo_y[i:i + 100]).sum()
    return float(hits) / n


class Resumable(T.Run):
    """A stage whose weights, optimizers and clock are saved every few minutes."""
    def state(self):
        return dict(optimizers=[o.state_dict() for o in self.optimizers], spent=time.time() - self.start, steps=self.steps, seen=self.seen, log=self.log)

    def resume(self, state):
        for o, s in zip(self.optimizers, state['optimizers']):
            o.load_state_dict(s)
        self.start = time.time() - state['spent']
        self.saved = time.time()
        self.steps, self.seen, self.log = state['steps'], state['seen'], state['log']


def save(path, **parts):
    """Written beside and moved, so that a stop leaves a whole file."""
    torch.save(parts, path + '.part')
    os.replace(path + '.part', path)


def muon_names(named):
    """train.Run gives Muon the matrices whose name has `layers.`."""
    return [(n.replace('blocks.', 'layers.'), p) for n, p in named]


def worker(rank, args):
    os.makedirs(args.out, exist_ok=True)
    if args.device == 'cpu':
        torch.set_num_threads(args.threads)
    if args.procs > 1:
        dist.init_process_group('gloo', init_method='file://' + os.path.abspath(os.path.join(args.out, '.meeting')), rank=rank, world_size=args.procs)
    team = T.Team(rank, args.procs)
    torch.manual_seed(args.seed)
    source, test = P.Pictures(args.data, sizes=(P.LARGE,)), D.Pictures(args.data, 'test')
    net = C.ConvNeXt(*C.SIZES[args.scale]).to(args.device, memory_format=torch.channels_last)
    heads = Heads(net.dims).to(args.device)
    if rank == 0:
        print('parameters', sum(p.numel() for p in net.parameters()), flush=True)
    named = muon_names(list(net.named_parameters()) + [('heads.' + n, p) for n, p in heads.named_parameters()])
    run = Resumable(args, team, 'convnext', named, args.minutes, args.lr, 2 * args.lr, decay=.05, final=.005)
    path = os.path.join(args.out, 'convnext.pt')
    if args.resume:
        state = torch.load(path, map_location=args.device)
        net.load_state_dict(state['net'])
        heads.load_state_dict(state['heads'])
        run.resume(state['run'])
    make = Batches(source, args.batch)
    for batch in T.stream(argparse.Namespace(**dict(vars(args), seed=args.seed + run.steps)), team, make, 'tower'):
        x = P.pixels(batch['raw']).contiguous(memory_format=torch.channels_last)
        with T.autocast(args):
            maps = net(x)
        if not run.step(heads_loss(heads, maps, batch['targets']), len(x)):
            break
        if run.due(3):
            save(path, net=net.state_dict(), heads=heads.state_dict(), run=run.state())
            print('photo accuracy', accuracy(args, net, heads, test, 500), flush=True)
    if rank == 0:
        right = accuracy(args, net, heads, test, 2000)
        save(path, net=net.state_dict(), heads=heads.state_dict(), run=run.state())
        T.save_log(args, run, photo_accuracy=right)
        print('done', run.seen, 'pictures', run.steps, 'steps; photo accuracy', right, flush=True)


class Batches:
    def __init__(self, source, batch):
        self.source, self.size = source, batch

    def __call__(self, stage, rng):
        n = self.size
        batch = self.source.batch(rng, dict(photo=n * 48 // 64, digit=n * 6 // 64, scene=n * 10 // 64))
        return dict(raw=np.stack([s['image'] for s in batch]), targets=targets(batch))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', default='data')
    p.add_argument('--out', default='out')
    p.add_argument('--scale', default='nano', choices=list(C.SIZES))
    p.add_argument('--device', default='cpu')
    p.add_argument('--procs', type=int, default=1, help='data-parallel processes (CPU)')
    p.add_argument('--threads', type=int, default=1, help='threads a process (CPU)')
    p.add_argument('--batch', type=int, default=128, help='pictures a step and process')
    p.add_argument('--workers', type=int, default=0, help='processes that make the pictures; 0: the training process does')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--minutes', type=float, default=36)
    p.add_argument('--lr', type=float, default=1.5e-3)
    p.add_argument('--resume', action='store_true')
    args = p.parse_args()
    meeting = os.path.join(args.out, '.meeting')
    if os.path.exists(meeting):
        os.remove(meeting)
    if args.procs > 1:
        os.makedirs(args.out, exist_ok=True)
        torch.multiprocessing.spawn(worker, (args,), args.procs)
    else:
        worker(0, args)


if __name__ == '__main__':
    main()
