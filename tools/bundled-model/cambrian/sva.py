"""Cambrian's spatial vision aggregator: every cell of a grid asks the windows of all towers' maps that lie over it.

Names of modules are those of published checkpoints. Everything works on flat lists of cells, so that pictures whose
letterbox is cut away (fewer cells) share a batch with square ones.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

HEADS = 16      # a constant of the architecture: vision_hidden_size must be a multiple of it


class CrossAttention(nn.Module):
    def __init__(self, width, towers):
        super().__init__()
        entry = lambda: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width, bias=False))
        self.towers = towers
        self.q_proj = entry()
        for t in range(towers):
            setattr(self, f'k_proj_{t}', entry())
            setattr(self, f'v_proj_{t}', entry())
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x, kv, masks):
        """x [N, V], kv[t] [N, r_t^2, V], masks[t] bool [N, r_t^2] -> [N, V]."""
        n, width = x.shape
        split = lambda v: v.view(n, -1, HEADS, width // HEADS)
        q = split(self.q_proj(x))
        k = split(torch.cat([getattr(self, f'k_proj_{t}')(kv[t]) for t in range(self.towers)], 1))
        v = split(torch.cat([getattr(self, f'v_proj_{t}')(kv[t]) for t in range(self.towers)], 1))
        score = (q * k).sum(-1).float() * (width // HEADS) ** -.5               # [N, keys, heads]
        share = score.masked_fill(~torch.cat(masks, 1)[..., None], float('-inf')).softmax(1)
        return self.o_proj((share[..., None].to(v.dtype) * v).sum(1).reshape(n, width))


class ProjOut(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(width, width, bias=False), nn.Linear(width, out, bias=False)

    def forward(self, x):
        return self.linear_2(F.gelu(self.linear_1(x)))


class VisionCrossAttentionLayer(nn.Module):
    def __init__(self, query_width, width, windows):
        """windows: side of each tower's window, r_t."""
        super().__init__()
        self.windows = windows
        self.proj_context = nn.Linear(width, width, bias=False)
        self.proj_in = nn.Linear(query_width + width, width, bias=False)
        self.proj_out = ProjOut(width, query_width)
        self.norm = nn.LayerNorm(width)
        self.cross_attn = CrossAttention(width, len(windows))
        for t, r in enumerate(windows):
            if r > 1:
                setattr(self, f'pos_embed_{t}', nn.Parameter(torch.randn(r * r, width)))

    def forward(self, q, context, kv, masks):
        """q [N, Q], context [N, V] (unmasked mean of tower 0), kv and masks per tower -> [N, Q]."""
        x = self.proj_in(torch.cat([q, self.proj_context(context)], 1))
        kv = [a + getattr(self, f'pos_embed_{t}').to(a.dtype) if r > 1 else a for t, (a, r) in enumerate(zip(kv, self.windows))]
        x = self.norm(x + self.cross_attn(x, kv, masks))
        return self.proj_out(x) + q


class Sampler(nn.Module):
    def __init__(self, query_width, width, windows, depth):
        super().__init__()
        self.layers = nn.ModuleList([VisionCrossAttentionLayer(query_width, width, windows) for _ in range(depth)])

    def forward(self, q, context, kv, masks):
        for layer in self.layers:
            q = layer(q, context, kv, masks)
        return q


def windows_of(maps, side):
    """[B, S*S, ...] -> [B*side*side, r*r, ...]: to each cell its own r x r block, row by row."""
    b, tokens, *rest = maps.shape
    r = round(tokens ** .5) // side
    view = maps.reshape(b, side, r, side, r, *rest).transpose(2, 3)
    return view.reshape(b * side * side, r * r, *rest)


def kept(size, side):
    """The rows and columns of a side x side map that the picture covers: (rows start, stop, columns start, stop), by Cambrian's arithmetic."""
    w, h = size
    if w / h > 1:
        p = (side - int(h * (side / w))) // 2
        return p, side - p, 0, side
    p = (side - int(w * (side / h))) // 2
    return 0, side, p, side - p


_masks = {}

def mask(sizes, side):
    """bool [B, side, side]: which places of a map the pictures cover."""
    out = []
    for size in sizes:
        if (size, side) not in _masks:
            top, bottom, left, right = kept(size, side)
            m = torch.zeros(side, side, dtype=torch.bool)
            m[top:bottom, left:right] = True
            _masks[size, side] = m
        out.append(_masks[size, side])
    return torch.stack(out)


def window_masks(sizes, side, tower_sides, device):
    """Per tower bool [B*side*side, r*r]; a window without any picture is opened wholly, so that its softmax is defined."""
    out = []
    for s in tower_sides:
        m = windows_of(mask(sizes, s).flatten(1), side)
        out.append((m | ~m.any(1, keepdim=True)).to(device))
    return out
