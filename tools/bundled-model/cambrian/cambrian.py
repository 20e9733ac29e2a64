"""A Cambrian-1 model small enough for a laptop: CLIP and ConvNeXt towers, spatial vision aggregator, Llama with samplers inside.

Parameter names and configuration fields are those of published Cambrian checkpoints.
"""
import json, os
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import CLIPVisionConfig, CLIPVisionModel
import convnext as C
import sva

SYSTEM = ('A chat between a curious user and an artificial intelligence assistant. '
          "The assistant gives helpful, detailed, and polite answers to the user's questions.")
SCALES = {
    # name: vision_hidden_size, connector_depth, samplers inside the language model (count, start, stride)
    'nano': (192, 2, (2, 0, 2)),
    'small': (256, 3, (3, 0, 2)),
}


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)).to(x.dtype) * self.weight.to(x.dtype)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, self.heads, self.kv = c['hidden_size'], c['num_attention_heads'], c['num_key_value_heads']
        self.size = d // self.heads
        self.q_proj, self.o_proj = nn.Linear(d, d, bias=False), nn.Linear(d, d, bias=False)
        self.k_proj, self.v_proj = nn.Linear(d, self.kv * self.size, bias=False), nn.Linear(d, self.kv * self.size, bias=False)

    def qkv(self, x, turn):
        b, t, _ = x.shape
        split = lambda y, h: y.view(b, t, h, self.size).transpose(1, 2)
        return rotate(split(self.q_proj(x), self.heads), turn), rotate(split(self.k_proj(x), self.kv), turn), split(self.v_proj(x), self.kv)

    def attend(self, q, k, v):
        """Causal attention of q [B, H, T, d] to k and v [B, kv, P + T, d], whose last T rows are q's own.

        Plain products in two blocks of queries, the first without the keys that it may not see: on a CPU this takes 0.4 of
        the time of the library's fused attention, forward and backward.
        """
        b, _, t, d = q.shape
        p, group = k.shape[2] - t, self.heads // self.kv
        q, k = (q.to(v.dtype) * d ** -.5).view(b, self.kv, group, t, d), k.to(v.dtype)
        step, out = t // 2 if t % 2 == 0 and t >= 64 else t, []
        for start in range(0, t, step):
            stop = start + step
            score = (q[:, :, :, start:stop].reshape(b, self.kv, group * step, d) @ k[:, :, :p + stop].transpose(2, 3)).view(b, self.kv, group, step, p + stop)
            future = torch.ones(step, p + stop, dtype=torch.bool, device=q.device).triu(p + start + 1)
            share = (score + torch.zeros_like(future, dtype=score.dtype).masked_fill(future, float('-inf'))).softmax(-1).to(v.dtype)
            out.append((share.view(b, self.kv, group * step, p + stop) @ v[:, :, :p + stop]).view(b, self.kv, group, step, d))
        return self.o_proj(torch.cat(out, 3).view(b, self.heads, t, d).transpose(1, 2).flatten(2))


def rotate(x, turn):
    cos, sin = turn
    half = x.shape[-1] // 2
    return (x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin).to(x.dtype)


class GatedMlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, h = c['hidden_size'], c['intermediate_size']
        self.gate_proj, self.up_proj, self.down_proj = nn.Linear(d, h, bias=False), nn.Linear(d, h, bias=False), nn.Linear(h, d, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), GatedMlp(c)
        self.input_layernorm = RmsNorm(c['hidden_size'], c['rms_norm_eps'])
        self.post_attention_layernorm = RmsNorm(c['hidden_size'], c['rms_norm_eps'])

    def forward(self, prefix, x, turns):
        """prefix [1, P, D] is the same for the whole batch x [B, T, D] and is computed once."""
        at, (turn_prefix, turn) = self.self_attn, turns
        q, k, v = at.qkv(self.input_layernorm(x), turn)
        if prefix is not None:
            pq, pk, pv = at.qkv(self.input_layernorm(prefix), turn_prefix)
            k, v = (torch.cat([one.expand(len(x), -1, -1, -1), many], 2) for one, many in ((pk, k), (pv, v)))
            prefix = prefix + at.attend(pq, pk, pv)
            prefix = prefix + self.mlp(self.post_attention_layernorm(prefix))
        x = x + at.attend(q, k, v)
        return prefix, x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    """What a checkpoint calls `model.`: language model and connector."""
    def __init__(self, c, tower_widths):
        super().__init__()
        d, v = c['hidden_size'], c['vision_hidden_size']
        self.embed_tokens = nn.Embedding(c['vocab_size'], d)
        self.layers = nn.ModuleList([Layer(c) for _ in range(c['num_hidden_layers'])])
        self.norm = RmsNorm(d, c['rms_norm_eps'])
        side = round(c['image_token_len'] ** .5)
        windows = [round(n ** .5) // side for n in c['mm_vision_tower_aux_token_len_list']]
        for t, width in enumerate(tower_widths):
            setattr(self, f'mm_projector_aux_{t}', nn.Sequential(nn.Linear(width, v), nn.GELU(), nn.Linear(v, v), nn.LayerNorm(v)))
        self.vision_query = nn.Parameter(torch.randn(c['num_query_group'], v) * v ** -.5)
        for g in range(c['num_query_group']):
            setattr(self, f'vision_sampler_{g}', sva.Sampler(v, v, windows, c['connector_depth']))
        self.mm_projector = nn.Sequential(nn.Linear(v * c['num_query_group'], d), nn.GELU(), nn.Linear(d, d))
        self.image_newline = nn.Parameter(torch.randn(d) * d ** -.5)
        if not c['connector_only']:
            self.vision_sampler_layers = nn.ModuleList([sva.Sampler(d, v, windows, 1) for _ in range(c['num_of_vision_sampler_layers'])])


class Cambrian(nn.Module):
    def __init__(self, config, tower_widths):
        super().__init__()
        self.config, self.towers = config, len(tower_widths)
        self.model = Body(config, tower_widths)
        self.lm_head = nn.Linear(config['hidden_size'], config['vocab_size'], bias=False)
        self.side = round(config['image_token_len'] ** .5)
        self.sides = [round(n ** .5) for n in config['mm_vision_tower_aux_token_len_list']]

    def connect(self, features, sizes):
        """Tower features [B, n_t, C_t] and picture sizes -> grid [B, side^2, D] and what the samplers inside need."""
        m, b, cells = self.model, len(features[0]), self.side ** 2
        aux = [getattr(m, f'mm_projector_aux_{t}')(f) for t, f in enumerate(features)]
        mean = aux[0].mean(1)
        kv = [sva.windows_of(a, self.side) for a in aux]
        masks = sva.window_masks(sizes, self.side, self.sides, mean.device)
        context = mean[:, None].expand(b, cells, -1).reshape(b * cells, -1)
        queries = [getattr(m, f'vision_sampler_{g}')(m.vision_query[g].expand(b * cells, -1).to(mean.dtype), context, kv, masks)
                   for g in range(len(m.vision_query))]
        grid = m.mm_projector(torch.cat(queries, 1)).view(b, cells, -1)
        return grid, dict(aux=aux, context=context, kv=kv, masks=masks, queries=queries)

    def image_rows(self, grid, sizes):
        """-> rows of all pictures one after another [sum h*(w+1), D], which of them are newlines, which cells of the grid were kept."""
        b = len(grid)
        keep = sva.mask(sizes, self.side).to(grid.device)
        newline = self.model.image_newline.to(grid.dtype).expand(b, self.side, 1, -1)
        rows = torch.cat([grid.view(b, self.side, self.side, -1), newline], 2)
        kept = torch.cat([keep, keep.any(2, keepdim=True)], 2)
        last = torch.zeros_like(kept)
        last[:, :, -1] = True
        return rows[kept], last[kept], keep.flatten()

    def embed(self, ids, slots, rows):
        """ids [B, T]; slots bool [B, T]: where image rows go, in order."""
        x = self.model.embed_tokens(ids.clamp(min=0))
        return x if rows is None else x.masked_scatter(slots[..., None], rows.to(x.dtype))

    def turns(self, start, stop, device, dtype):
        size = self.config['hidden_size'] // self.config['num_attention_heads']
        rate = 1 / self.config['rope_theta'] ** (torch.arange(0, size, 2, device=device).float() / size)
        angle = torch.arange(start, stop, device=device).float()[:, None] * rate
        angle = torch.cat([angle, angle], 1)
        return angle.cos().to(dtype), angle.sin().to(dtype)

    def hidden(self, prefix, ids, slots, features=None, sizes=None, seen=None):
        """Last hidden states [B, T, D] of ids that follow `prefix` (ids [P], the same for all). slots: where image rows stand."""
        m, c = self.model, self.config
        rows = state = None
        if features is not None:
            grid, state = self.connect(features, sizes)
            rows, newline, keep = self.image_rows(grid, sizes)
            at = slots.flatten().nonzero()[:, 0]
            assert len(at) == len(rows), f'{len(at)} places for {len(rows)} image rows'
            at = at[~newline]
            kept = [state['context'][keep], [a[keep] for a in state['kv']], [a[keep] for a in state['masks']]]
        x = self.embed(ids, slots, rows)
        before = m.embed_tokens(prefix)[None] if len(prefix) else None
        p, t = len(prefix), ids.shape[1]
        turns = self.turns(0, p, x.device, x.dtype), self.turns(p, p + t, x.device, x.dtype)
        if seen is not None:
            seen.update(state or {}, grid=grid if features is not None else None, inputs_embeds=x)
        inside = {} if c['connector_only'] else {c['start_of_vision_sampler_layers'] + i * c['stride_of_vision_sampler_layers']: i
                                                 for i in range(c['num_of_vision_sampler_layers'])}
        for i, layer in enumerate(m.layers):
            before, x = layer(before, x, turns)
            if features is not None and i in inside:
                flat = x.flatten(0, 1)
                new = m.vision_sampler_layers[inside[i]](flat[at], *kept)
                x = flat.index_copy(0, at, new.to(flat.dtype)).view_as(x)
            if seen is not None:
                seen[f'layer.{i}'] = x
        return m.norm(x)

# ---------------------------------------------------------------- towers

class Towers(nn.Module):
    def __init__(self, clip, convnext, side=16):
        super().__init__()
        self.clip, self.convnext, self.side = clip, convnext, side

    def look_clip(self, small):
        return self.clip(pixel_values=small, output_hidden_states=True).hidden_states[-2][:, 1:]

    def forward(self, small, large):
        """Normalised pictures at 48 and 64 pixels -> features of both towers and the ConvNeXt's maps."""
        maps = self.convnext(large.contiguous(memory_format=torch.channels_last))
        return [self.look_clip(small), C.multi_stage(maps, self.side)], maps


def clip_from(config):
    net = CLIPVisionModel(CLIPVisionConfig(**{k: v for k, v in config.items() if k not in ('model_type', 'architectures', 'torch_dtype')}))
    net.set_attn_implementation('eager')
    return net


@torch.no_grad()
def renormalise(state, mean, std):
    """Makes a tower that was trained on pixels (x - .5) / .5 take (x - mean) / std, exactly: scale into the patch filter, shift into the positions."""
    key = next(k for k in state if k.endswith('patch_embedding.weight'))
    place = key.replace('patch_embedding', 'position_embedding')
    mean, std, w = torch.tensor(mean), torch.tensor(std), state[key].double()
    shift = ((mean - .5) / .5).double()                         # old pixel = new pixel * std / .5 + shift
    state[place] = state[place].clone()
    state[place][1:] += (w * shift.view(1, 3, 1, 1)).sum((1, 2, 3)).to(state[place].dtype)
    state[key] = (w * (std.double() / .5).view(1, 3, 1, 1)).to(state[key].dtype)


def read_tensors(folder):
    """All tensors of a repository's safetensors shards, in float32."""
    out = {}
    for f in sorted(os.listdir(folder)):
        if f.endswith('.safetensors'):
            out.update({k: v.float() for k, v in load_file(os.path.join(folder, f)).items()})
    return out


def configuration(base, scale, image_position, tower_width):
    """Cambrian's config.json for a language model's fields."""
    v, depth, (count, start, stride) = SCALES[scale]
    t = base['text_config'] if 'text_config' in base else base
    fields = ['vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'num_key_value_heads', 'hidden_act',
              'max_position_embeddings', 'rms_norm_eps', 'rope_theta', 'rope_scaling', 'tie_word_embeddings', 'initializer_range', 'use_cache',
              'pad_token_id', 'bos_token_id', 'eos_token_id']
    towers, lengths = ['./towers/clip', './towers/convnext-multi-stage'], [64, 256]
    return {
        'architectures': ['CambrianLlamaForCausalLM'], 'model_type': 'cambrian_llama', 'torch_dtype': 'float16', **{k: t[k] for k in fields},
        'mm_vision_tower_aux_list': towers, 'mm_vision_tower_aux_token_len_list': lengths, 'image_token_len': 64, 'num_query_group': 1,
        'query_num_list': [64], 'connector_depth': depth, 'vision_hidden_size': v, 'connector_only': False, 'num_of_vision_sampler_layers': count,
        'start_of_vision_sampler_layers': start, 'stride_of_vision_sampler_layers': stride, 'mm_projector_type': 'sva', 'use_mm_proj': True,
        'mm_hidden_size': tower_width, 'mm_vision_select_layer': -2, 'mm_vision_select_feature': 'patch', 'image_aspect_ratio': 'pad',
        'image_position': image_position, 'mm_use_im_start_end': False, 'mm_use_im_patch_token': False, 'unfreeze_mm_vision_tower': False,
        'tune_mm_mlp_adapter': False, 'freeze_mm_mlp_adapter': False, 'mm_projector_lr': None, 'mm_vision_sampler_lr': None, 'mm_vision_tower_lr': None,
        'tokenizer_padding_side': 'right', 'tokenizer_model_max_length': t['max_position_embeddings']}
