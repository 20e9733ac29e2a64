"""Checks this code against recorded outputs of the original: folders with checkpoint/, expected.json, expected.safetensors.

  python check.py path/to/cambrian-sva-unit        the aggregator from given tower features
  python check.py path/to/cambrian-llama3          a whole model from given tower features, and its ConvNeXt tower from pixels
"""
import glob, json, os, sys
import torch
from safetensors.torch import load_file
import cambrian as M
import convnext as C


def network(folder, tower_widths):
    config = json.load(open(os.path.join(folder, 'checkpoint', 'config.json')))
    llm = dict(vocab_size=4, num_hidden_layers=0, num_attention_heads=1, num_key_value_heads=1, intermediate_size=4, rms_norm_eps=1e-5, rope_theta=1e4)
    net = M.Cambrian({**llm, **config}, tower_widths)
    missing, extra = net.load_state_dict(M.read_tensors(os.path.join(folder, 'checkpoint')), strict=False)
    assert not extra and (not missing or 'num_hidden_layers' not in config), (missing, extra)
    return net


def aggregator(folder, expected, tensors):
    net = network(folder, expected['tower_widths'])
    sizes = [tuple(s['image_size']) for s in expected['samples']]
    grid, state = net.connect([tensors[f'input.features.{t}'] for t in range(len(expected['tower_widths']))], sizes)
    rows, _, _ = net.image_rows(grid, sizes)
    parts = rows.split([s['tokens'] for s in expected['samples']])
    return {'grid': (grid, tensors['grid']), 'queries': (torch.cat(state['queries'], 1).view_as(tensors['queries']), tensors['queries']),
            **{s['output']: (p, tensors[s['output']].view_as(p)) for s, p in zip(expected['samples'], parts)}}


def whole(folder, expected, tensors):
    turn = expected['turns'][0]
    get = lambda name: tensors[turn['tensors'][name]]
    features = [get(f'tower.{t}') for t in range(4)]
    net = network(folder, [f.shape[-1] for f in features])
    h, w = turn['final_size'][0]
    ids = torch.tensor([[i for one in turn['input_ids'] for i in ([-200] * (h * (w + 1)) if one == -200 else [one])]])
    seen = {}
    hidden = net.hidden(torch.zeros(0, dtype=torch.long), ids, ids == -200, features, [tuple(turn['image_sizes'][0])], seen)
    logits = net.lm_head(hidden)[0, -48:]
    out = {'grid': (seen['grid'], get('grid')), 'inputs_embeds': (seen['inputs_embeds'][0], get('inputs_embeds')), 'logits': (logits, tensors['turn0.logits_tail'])}

    tower = glob.glob(os.path.join(folder, 'towers', 'laion', '*'))[0]
    kwargs = json.load(open(os.path.join(tower, 'open_clip_config.json')))['model_cfg']['vision_cfg']['timm_model_kwargs']
    net = C.ConvNeXt(kwargs['depths'], kwargs['dims'])
    trunk = {k.removeprefix('visual.trunk.'): v.float() for k, v in torch.load(os.path.join(tower, 'open_clip_pytorch_model.bin')).items() if k.startswith('visual.trunk.')}
    net.load_state_dict({k: v for k, v in trunk.items() if not k.startswith('head.')})
    side = round(features[3].shape[1] ** .5)
    out['convnext'] = (C.multi_stage(net(tensors['turn0.pixel_values.3'][None]), side), features[3])      # recorded in float16
    return out


@torch.no_grad()
def main(folder):
    expected = json.load(open(os.path.join(folder, 'expected.json')))
    tensors = {k: v.float() for k, v in load_file(os.path.join(folder, 'expected.safetensors')).items()}
    for name, (got, wanted) in (aggregator if 'samples' in expected else whole)(folder, expected, tensors).items():
        error = (got - wanted).abs().max().item() / wanted.abs().max().item()
        print(name, 'largest difference, as a share of the largest value:', error)
        assert error < 1e-3, name


if __name__ == '__main__':
    torch.set_num_threads(1)
    main(sys.argv[1])
