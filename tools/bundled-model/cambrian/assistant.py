"""Trains the assistant around the pretrained towers, Cambrian's recipe in miniature.

  connector   stage 1: aux projectors, aggregator, samplers inside the language model and newline learn; towers and language model are frozen. It starts from an aggregator that does what the LLaVA model's projector did (warm.py)
  finetune    stage 2: connector and language model learn; the towers stay frozen (--tower-rate lets the ConvNeXt learn too)

In both stages heads that exist only here ask the aggregator's grid what its cells show: a dialog's few tokens alone tell it little.

  python assistant.py connector --data data --out out --base ../../../public/models/trilobite-nano-llava --procs 2 --minutes 8
  python assistant.py finetune --data data --out out --base ... --procs 2 --minutes 40 [--resume | --start finetune]

The language model and the CLIP tower start from the LLaVA model in --base. Both stages use the whole vicuna_v1 template.
"""
import argparse, json, os, random, sys
import numpy as np
import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
import pictures as P
import convnext as C
import cambrian as M
import sva
import tower as W
import warm
from dialogs import Text, picture_first
from pictures import D
import train as T

LIMIT = 160         # ids of a training dialog behind the prefix


def build(base, scale, text, out=None):
    """Towers and model before stage 1: language model and CLIP from the LLaVA repository, the ConvNeXt from `out`/convnext.pt."""
    config = json.load(open(os.path.join(base, 'config.json')))
    weights = M.read_tensors(base)
    clip = M.clip_from(config['vision_config'])
    vision = {k.removeprefix('vision_tower.'): v for k, v in weights.items() if k.startswith('vision_tower.')}
    M.renormalise(vision, P.MEAN, P.STD)
    load_clip(clip, vision)
    convnext = C.ConvNeXt(*C.SIZES[scale])
    path = os.path.join(out or '', 'convnext.pt')
    if out and os.path.exists(path):
        convnext.load_state_dict(torch.load(path, map_location='cpu')['net'])
    widths = [config['vision_config']['hidden_size'], sum(convnext.dims)]
    net = M.Cambrian(M.configuration(config, scale, text.image_position, sum(widths)), widths)
    llm = {k.removeprefix('language_model.'): v for k, v in weights.items() if k.startswith('language_model.')}
    missing, extra = net.load_state_dict(llm, strict=False)
    assert not extra and all(is_connector(k) for k in missing), (missing, extra)
    for layer in net.model.vision_sampler_layers:            # the language model starts as it was
        nn.init.zeros_(layer.layers[0].proj_out.linear_2.weight)
    return net, M.Towers(clip, convnext)


def load_clip(clip, state):
    """Weights under HF's `vision_model.` names, whichever names this version of the class has."""
    own = clip.state_dict()
    state = {k if k in own else k.removeprefix('vision_model.'): v for k, v in state.items()}
    missing, extra = clip.load_state_dict(state, strict=False)
    assert not extra and not [k for k in missing if 'position_ids' not in k], (missing, extra)


def llava_projector(base):
    """The LLaVA model's projector, frozen."""
    w = {k.split('projector.')[1]: v for k, v in M.read_tensors(base).items() if 'multi_modal_projector.' in k}
    net = nn.Sequential(nn.Linear(*w['linear_1.weight'].shape[::-1]), nn.GELU(), nn.Linear(*w['linear_2.weight'].shape[::-1]))
    net.load_state_dict({f'{at}.{part}': w[f'linear_{n}.{part}'] for at, n in ((0, 1), (2, 2)) for part in ('weight', 'bias')})
    return net.requires_grad_(False)


def is_connector(name):
    """The parameters that Cambrian's first stage trains."""
    return any(part in name for part in ('mm_projector', 'pos_embed', 'vision_sampler', 'vision_query', 'image_newline'))


class GridHeads(nn.Module):
    """What the cells of the aggregator's grid show: shapes and colours of scenes cell by cell, photo classes and digits from their mean."""
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.cell, self.whole = nn.Linear(width, 7 + 9), nn.Linear(width, 10 + 10)

    def loss(self, grid, t):
        grid = self.norm(grid.float())
        p, d = len(t['photo']), len(t['digit'])
        whole, cells = self.whole(grid[:p + d].mean(1)), self.cell(grid[p + d:])
        return (F.cross_entropy(whole[:p, :10], t['photo'], label_smoothing=.05) + .5 * F.cross_entropy(whole[p:, 10:], t['digit'])
                + F.cross_entropy(cells[..., :7].flatten(0, 1), t['shape8']) + F.cross_entropy(cells[..., 7:].flatten(0, 1), t['colour8']))


class Batches:
    def __init__(self, source, text, batch, shares):
        self.source, self.text, self.batch, self.counts = source, text, batch, T.mix(batch, shares)
        self.sizes = [s for kind in ('photo', 'digit', 'scene') for s in P.shapes(self.counts[kind])]
        self.rows = [(b - a) * (d - c + 1) for a, b, c, d in (sva.kept(s, 8) for s in self.sizes)]

    def __call__(self, stage, rng):
        samples = self.source.batch(rng, self.counts)
        rows = []
        for s, n in zip(samples, self.rows):
            if stage == 'connector' and rng.random() < .5:
                turns = [(rng.choice(D.CAPTION_PROMPTS), D.caption(s), True)]
            else:
                turns = picture_first(D.dialog(s, rng, rng.choice([2, 4, 6, 8])))
            rows.append(self.text.encode(turns, n, LIMIT, rng.random() < .5))
        if stage == 'finetune':
            rows += [self.text.encode(D.dialog(None, rng), 0, LIMIT, rng.random() < .5) for _ in range(self.batch // 16)]
        cells = [D.scene_patches(s['facts']) for s in samples if s['kind'] == 'scene']
        more = dict(shape8=np.array([c[0] for c in cells]).ravel(), colour8=np.array([c[1] for c in cells]).ravel())
        return dict(raw=np.stack([s['images'][-1] for s in samples]), raw_small=np.stack([s['images'][0] for s in samples]), targets={**W.targets(samples), **more}, rows=rows)


def answer_loss(net, prefix, ids, labels, features, sizes, seen=None):
    """Cross entropy of the answers' tokens."""
    hidden = net.hidden(prefix, ids, ids == 3, features, sizes, seen)
    target = labels[:, 1:].flatten()
    keep = (target != -100).nonzero()[:, 0]
    keep = F.pad(keep, (0, -len(keep) % 512))
    rows = keep + keep // (labels.shape[1] - 1)
    return F.cross_entropy(net.lm_head(hidden.flatten(0, 1)[rows]).float(), target[keep])


def worker(rank, args):
    os.makedirs(args.out, exist_ok=True)
    if args.device == 'cpu':
        torch.set_num_threads(args.threads)
    if args.procs > 1:
        dist.init_process_group('gloo', init_method='file://' + os.path.abspath(os.path.join(args.out, '.meeting')), rank=rank, world_size=args.procs)
    team = T.Team(rank, args.procs)
    torch.manual_seed(args.seed)
    text = Text(T.M.Tokenizer.from_file(os.path.join(args.base, 'tokenizer.json')))
    net, towers = build(args.base, args.scale, text, args.out)
    heads = W.Heads(towers.convnext.dims)
    grid_heads = GridHeads(net.config['hidden_size'])
    tower_path = os.path.join(args.out, 'convnext.pt')
    if os.path.exists(tower_path):
        heads.load_state_dict(torch.load(tower_path, map_location='cpu')['heads'])
    start = args.stage if args.resume else args.start or (None if args.stage == 'connector' else 'connector')
    state = start and torch.load(os.path.join(args.out, start + '.pt'), map_location='cpu')
    if state:
        net.load_state_dict(state['net'])
        grid_heads.load_state_dict(state['grid_heads'])
        if state['convnext'] is not None:
            towers.convnext.load_state_dict(state['convnext'])
            heads.load_state_dict(state['heads'])
    source = P.Pictures(args.data)
    if not state:
        projector = llava_projector(args.base)
        warm.start(net, towers, projector, source)
        if rank == 0:
            print('share of the projector that the grid misses at the start:', round(warm.check(net, towers, projector, source), 4), flush=True)
    for part in (net, towers, heads, grid_heads):
        part.to(args.device)
    towers.convnext.to(memory_format=torch.channels_last)
    towers.clip.requires_grad_(False).eval()
    first = args.stage != 'finetune'
    frozen = first or args.tower_rate == 0
    if frozen:
        towers.requires_grad_(False)
    if first:
        for n, p in net.named_parameters():
            p.requires_grad_(is_connector(n))
    named = list(net.named_parameters()) + [('grid_heads.' + n, p) for n, p in grid_heads.named_parameters()]
    if not frozen:
        named += W.muon_names([('towers.' + n, p) for n, p in towers.named_parameters()] + [('towers.heads.' + n, p) for n, p in heads.named_parameters()])
    run = W.Resumable(args, team, args.stage, named, args.minutes, args.lr, args.lr, decay=0. if first else .02, final=.02,
                      slow=('towers', args.tower_rate))
    if args.resume:
        run.resume(state['run'])
    if rank == 0:
        print('parameters: connector', sum(p.numel() for n, p in net.named_parameters() if is_connector(n)), 'language model',
              sum(p.numel() for n, p in net.named_parameters() if not is_connector(n)), 'towers', sum(p.numel() for p in towers.parameters()),
              'image_position', text.image_position, flush=True)
    make = Batches(source, text, args.batch, args.mix)
    prefix = torch.tensor(text.prefix, device=args.device)
    path = os.path.join(args.out, args.stage + '.pt')
    keep = lambda: W.save(path, net=net.state_dict(), convnext=None if frozen else towers.convnext.state_dict(), heads=heads.state_dict(),
                          grid_heads=grid_heads.state_dict(), run=run.state())
    for batch in T.stream(argparse.Namespace(**dict(vars(args), seed=args.seed + 7 * run.steps)), team, make, args.stage):
        seen = {}
        with T.autocast(args):
            with torch.set_grad_enabled(not frozen):
                features, maps = towers(P.pixels(batch['raw_small']), P.pixels(batch['raw']))
            loss = answer_loss(net, prefix, *batch['text'][:2], features, make.sizes, seen)
        cells = grid_heads.loss(seen['grid'], batch['targets'])
        total = loss + args.aux * cells + (0. if frozen else args.aux * W.heads_loss(heads, maps, batch['targets']))
        if not run.step(total, len(batch['text'][0])):
            break
        if rank == 0 and run.steps % 50 == 0:
            print('  loss', round(loss.item(), 4), 'grid', round(cells.item(), 4), flush=True)
        if run.due(3):
            keep()
    if rank == 0:
        keep()
        T.save_log(args, run)
        print('done', run.seen, 'dialogs', run.steps, 'steps', flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('stage', choices=['connector', 'finetune'])
    p.add_argument('--data', default='data')
    p.add_argument('--out', default='out')
    p.add_argument('--base', required=True, help='repository of the LLaVA model that gives language model, CLIP tower and tokenizer')
    p.add_argument('--start', help='a state in --out to start from; by default that of the stage before')
    p.add_argument('--resume', action='store_true', help='go on with an interrupted run of this stage')
    p.add_argument('--scale', default='nano', choices=list(M.SCALES))
    p.add_argument('--device', default='cpu')
    p.add_argument('--procs', type=int, default=1)
    p.add_argument('--threads', type=int, default=1)
    p.add_argument('--batch', type=int, default=64, help='pictures a step and process; a multiple of 32 keeps the shares of aspect ratios')
    p.add_argument('--workers', type=int, default=0)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--minutes', type=float, default=8)
    p.add_argument('--lr', type=float, default=2e-3)
    p.add_argument('--tower-rate', type=float, default=0., help="the ConvNeXt's learning rate in stage 2, as a share of the others'; 0: frozen")
    p.add_argument('--mix', type=int, nargs=3, default=(26, 10, 28), help='shares of photos, digits and scenes')
    p.add_argument('--aux', type=float, default=.3, help="weight of the grid's tasks, and of the ConvNeXt's own where it learns")
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
