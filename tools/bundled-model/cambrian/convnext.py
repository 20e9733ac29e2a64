"""A small ConvNeXt whose four stage outputs are the features, with the parameter names of timm's ConvNeXt."""
import torch
import torch.nn as nn
import torch.nn.functional as F

EPS = 1e-5
SIZES = {
    # name: depths, dims
    'nano': ((2, 2, 4, 2), (48, 96, 192, 384)),
    'small': ((2, 2, 6, 2), (64, 128, 256, 512)),
}


_spread = {}

def _offsets(side):
    """One-hot [side^4, 49]: which of 7x7 kernel places joins an output place and an input place."""
    if side not in _spread:
        y, x = (v.flatten() for v in torch.meshgrid(torch.arange(side), torch.arange(side), indexing='ij'))
        i, j = y[None] - y[:, None] + 3, x[None] - x[:, None] + 3
        inside = (i >= 0) & (i < 7) & (j >= 0) & (j < 7)
        _spread[side] = (F.one_hot((i * 7 + j).clamp(0, 48), 49).float() * inside[..., None]).flatten(0, 1)
    return _spread[side]


class DepthwiseOnCpu(torch.autograd.Function):
    """Depthwise 7x7 convolution with its weight gradient as batched matrix products: the library's is a third of a step's time."""
    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return F.conv2d(x, w, b, padding=3, groups=x.shape[1])

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        n, c, side, _ = x.shape
        gx = F.conv2d(g, w.flip(2, 3), padding=3, groups=c) if ctx.needs_input_grad[0] else None
        if side <= 8:
            pairs = torch.bmm(g.permute(1, 2, 3, 0).reshape(c, side * side, n), x.permute(1, 0, 2, 3).reshape(c, n, side * side))
            gw = (pairs.float().flatten(1) @ _offsets(side)).view(c, 1, 7, 7)
        else:
            rows = g.permute(1, 3, 0, 2).reshape(c, side, n * side)
            padded, out = F.pad(x.permute(1, 0, 2, 3), (0, 0, 3, 3)).contiguous(), []
            for i in range(7):
                pairs = torch.bmm(rows, padded[:, :, i:i + side].reshape(c, n * side, side)).float()
                out.append(torch.stack([pairs.diagonal(j - 3, 1, 2).sum(-1) for j in range(7)], 1))
            gw = torch.stack(out, 1)[:, None]
        return gx, gw.to(w.dtype), g.float().sum((0, 2, 3)).to(w.dtype)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of [B, C, H, W]."""
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, gamma):
        super().__init__()
        self.conv_dw = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm, self.mlp = nn.LayerNorm(dim, eps=EPS), Mlp(dim)
        self.gamma = nn.Parameter(torch.full((dim,), gamma))

    def depthwise(self, x):
        if x.device.type != 'cpu' or not torch.is_grad_enabled():
            return self.conv_dw(x)
        kind = torch.bfloat16 if torch.is_autocast_enabled('cpu') else x.dtype
        return DepthwiseOnCpu.apply(x.to(kind), self.conv_dw.weight.to(kind), self.conv_dw.bias.to(kind))

    def forward(self, x):
        y = self.mlp(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))
        return x + (self.gamma * y).permute(0, 3, 1, 2)


class Stage(nn.Module):
    def __init__(self, before, dim, depth, gamma):
        super().__init__()
        self.downsample = nn.Identity() if before is None else nn.Sequential(ChannelNorm(before, eps=EPS), nn.Conv2d(before, dim, 2, 2))
        self.blocks = nn.Sequential(*[Block(dim, gamma) for _ in range(depth)])

    def forward(self, x):
        return self.blocks(self.downsample(x))


class ConvNeXt(nn.Module):
    """Pictures [B, 3, S, S] -> the maps of the four stages, [B, dims[i], S / 4 / 2^i, ...]."""
    def __init__(self, depths, dims, gamma=.3):
        super().__init__()
        self.depths, self.dims = depths, dims
        self.stem = nn.Sequential(nn.Conv2d(3, dims[0], 4, 4), ChannelNorm(dims[0], eps=EPS))
        self.stages = nn.Sequential(*[Stage(dims[i - 1] if i else None, d, n, gamma) for i, (n, d) in enumerate(zip(depths, dims))])
        for m in self.modules():
            if isinstance(m, nn.Linear) or isinstance(m, nn.Conv2d):
                nn.init.trunc_normal_(m.weight, std=m.weight[0].numel() ** -.5)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        x, out = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            out.append(x)
        return out


def multi_stage(maps, side):
    """Stage maps -> one token grid [B, side * side, sum of dims]: bilinear, no antialiasing, float32 (Cambrian's multi-stage feature)."""
    maps = [m.float() if m.shape[-1] == side else F.interpolate(m.float(), size=(side, side), mode='bilinear', align_corners=False) for m in maps]
    return torch.cat(maps, 1).flatten(2).transpose(1, 2)
