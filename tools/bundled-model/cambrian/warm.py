"""Weights for the connector before its training: the grid holds what the LLaVA model's projector makes of each patch.

The language model can read that already, so training starts from an assistant that sees, and learns what the second tower and
the windows add. Every module keeps its shape: GELU is nearly the identity on numbers around LIFT, so lifted numbers pass through
the hidden layers; attention starts out nearly even over a cell's keys, and only the CLIP tower's values are not small.
"""
import random
import numpy as np
import torch
import torch.nn as nn
import pictures as P

LIFT = 3.5


@torch.no_grad()
def start(net, towers, projector, source, n=256):
    """projector: LLaVA's, (linear, GELU, linear), for features of tower 0. source: P.Pictures to measure features on."""
    body = net.model
    batch = source.batch(random.Random(5), dict(photo=n // 2, digit=n // 8, scene=n - n // 2 - n // 8))
    small = P.pixels(np.stack([s['images'][0] for s in batch]))
    features = torch.cat([towers.look_clip(part) for part in small.split(32)])
    flat = features.flatten(0, 1)
    width = flat.shape[1]
    one = torch.eye(width)

    aux = body.mm_projector_aux_0
    aux[0].weight.copy_(torch.diag(1 / flat.std(0)))
    aux[0].bias.fill_(LIFT)
    aux[2].weight.copy_(one)
    aux[2].bias.fill_(-LIFT)

    first, *others = body.vision_sampler_0.layers
    first.proj_in.weight.mul_(.05)
    first.cross_attn.v_proj_0[1].weight.copy_(5 * one)          # a fifth of the attention falls on it
    first.cross_attn.v_proj_1[1].weight.mul_(.1)
    first.cross_attn.o_proj.weight.copy_(one)
    first.norm.bias.fill_(LIFT)
    first.proj_out.linear_1.weight.copy_(one)
    first.proj_out.linear_2.weight.copy_(one)
    body.vision_query.fill_(-LIFT)
    body.vision_query.add_(torch.randn_like(body.vision_query) * .02)
    for layer in others:
        nn.init.zeros_(layer.proj_out.linear_2.weight)

    seen = aux(flat)                                            # normalised: its scale is lost, so the projector is fitted to it
    fit = torch.linalg.lstsq(torch.cat([seen, torch.ones(len(seen), 1)], 1), flat).solution
    body.mm_projector[0].weight.copy_(projector[0].weight @ fit[:-1].T)
    body.mm_projector[0].bias.copy_(projector[0].bias + projector[0].weight @ fit[-1])
    body.mm_projector[2].load_state_dict(projector[2].state_dict())


@torch.no_grad()
def check(net, towers, projector, source, n=32):
    """Share of the projector's variance that the grid misses."""
    batch = source.batch(random.Random(6), dict(photo=n // 2, scene=n // 2))
    small, large = (P.pixels(np.stack([s['images'][k] for s in batch])) for k in (0, 1))
    features, _ = towers(small, large)
    wanted = projector(features[0])
    grid, _ = net.connect(features, [s['size'] for s in batch])
    return ((grid - wanted).square().sum() / (wanted - wanted.mean((0, 1))).square().sum()).item()
