"""Checks the aggregator against recorded outputs of the original code: folders with checkpoint/, expected.json, expected.safetensors.

  python check.py path/to/cambrian-sva-unit
"""
import json, os, sys
import torch
from safetensors.torch import load_file
import cambrian as M


def main(folder):
    config = json.load(open(os.path.join(folder, 'checkpoint', 'config.json')))
    expected = json.load(open(os.path.join(folder, 'expected.json')))
    tensors = {k: v.float() for k, v in load_file(os.path.join(folder, 'expected.safetensors')).items()}
    weights = M.read_tensors(os.path.join(folder, 'checkpoint'))
    llm = dict(vocab_size=4, num_hidden_layers=0, num_attention_heads=1, num_key_value_heads=1, intermediate_size=4, rms_norm_eps=1e-5, rope_theta=1e4)
    net = M.Cambrian({**llm, **config, 'num_of_vision_sampler_layers': 0}, expected['tower_widths'])
    missing, extra = net.load_state_dict(weights, strict=False)
    assert not extra and all('embed_tokens' in k or 'norm.weight' in k or 'lm_head' in k for k in missing), (missing, extra)
    features = [tensors[f'input.features.{t}'] for t in range(len(expected['tower_widths']))]
    sizes = [tuple(s['image_size']) for s in expected['samples']]
    with torch.no_grad():
        grid, state = net.connect(features, sizes)
        rows, newline, keep = net.image_rows(grid, sizes)
    worst = (grid - tensors['grid']).abs().max().item()
    at = 0
    for i, s in enumerate(expected['samples']):
        worst = max(worst, (rows[at:at + s['tokens']] - tensors[s['output']].view(s['tokens'], -1)).abs().max().item())
        at += s['tokens']
    assert at == len(rows)
    for t, kv in enumerate(state['kv']):
        if f'kv.{t}' not in tensors:
            continue
        worst = max(worst, (kv[keep] - tensors[f'kv.{t}']).abs().max().item())
    print('largest difference', worst)
    assert worst < 1e-4


if __name__ == '__main__':
    torch.set_num_threads(1)
    main(sys.argv[1])
