"""Writes a trained state as Cambrian lays out its repositories: checkpoint in two float16 shards, each tower a repository of its own.

  python export.py --base ../../../public/models/trilobite-nano-llava --out out --stage finetune --to trilobite-nano-cambrian
"""
import argparse, json, os, shutil
import torch
from safetensors.torch import save_file
import pictures as P
import assistant as A
import cambrian as M
import convnext as C
import train as T
from dialogs import Text


def write_json(path, value):
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(value, f, indent=2, ensure_ascii=False)
        f.write('\n')


def half(state, prefix=''):
    return {prefix + k: v.detach().cpu().to(torch.float16).contiguous() for k, v in state.items() if 'position_ids' not in k}


def write_tensors(tensors, path):
    save_file(tensors, path, metadata={'format': 'pt'})
    os.chmod(path, 0o644)


def write_shards(tensors, folder, shards=2):
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    groups, size = [[]], 0
    for n in sorted(tensors):
        nbytes = tensors[n].numel() * tensors[n].element_size()
        if groups[-1] and size + nbytes > total / shards * 1.02 and len(groups) < shards:
            groups, size = groups + [[]], 0
        groups[-1].append(n)
        size += nbytes
    where = {}
    for i, group in enumerate(groups, 1):
        file = f'model-{i:05d}-of-{len(groups):05d}.safetensors'
        write_tensors({n: tensors[n] for n in group}, os.path.join(folder, file))
        where.update(dict.fromkeys(group, file))
    write_json(os.path.join(folder, 'model.safetensors.index.json'), {'metadata': {'total_size': total}, 'weight_map': dict(sorted(where.items()))})


def write_repository(net, towers, base, folder):
    clip_folder, conv_folder = (os.path.join(folder, 'towers', n) for n in ('clip', 'convnext-multi-stage'))
    for f in (clip_folder, conv_folder):
        os.makedirs(f, exist_ok=True)
    write_shards(half(net.state_dict()), folder)
    write_json(os.path.join(folder, 'config.json'), net.config)
    write_json(os.path.join(folder, 'generation_config.json'),
               {'_from_model_config': True, 'bos_token_id': 1, 'eos_token_id': 2, 'pad_token_id': 0, 'do_sample': False, 'max_new_tokens': 160})
    shutil.copy(os.path.join(base, 'tokenizer.json'), folder)
    of_base = json.load(open(os.path.join(base, 'tokenizer_config.json')))
    write_json(os.path.join(folder, 'tokenizer_config.json'), {k: v for k, v in of_base.items() if k not in ('processor_class', 'chat_template', 'image_token', 'extra_special_tokens')})
    special = json.load(open(os.path.join(base, 'special_tokens_map.json')))
    write_json(os.path.join(folder, 'special_tokens_map.json'), {k: v for k, v in special.items() if k != 'image_token'})

    c = towers.clip.config
    state = half(towers.clip.state_dict())
    write_tensors({k if k.startswith('vision_model.') else 'vision_model.' + k: v for k, v in state.items()}, os.path.join(clip_folder, 'model.safetensors'))
    write_json(os.path.join(clip_folder, 'config.json'), {
        'architectures': ['CLIPVisionModel'], 'model_type': 'clip_vision_model', 'torch_dtype': 'float16', 'hidden_size': c.hidden_size,
        'intermediate_size': c.intermediate_size, 'num_hidden_layers': c.num_hidden_layers, 'num_attention_heads': c.num_attention_heads,
        'num_channels': 3, 'image_size': c.image_size, 'patch_size': c.patch_size, 'hidden_act': c.hidden_act, 'layer_norm_eps': c.layer_norm_eps,
        'projection_dim': c.projection_dim, 'attention_dropout': 0.0, 'initializer_factor': 1.0, 'initializer_range': 0.02})
    write_json(os.path.join(clip_folder, 'preprocessor_config.json'), {
        'image_processor_type': 'CLIPImageProcessor', 'do_convert_rgb': True, 'do_resize': True, 'size': {'shortest_edge': c.image_size}, 'resample': 3,
        'do_center_crop': True, 'crop_size': {'height': c.image_size, 'width': c.image_size}, 'do_rescale': True, 'rescale_factor': 1 / 255,
        'do_normalize': True, 'image_mean': list(P.MEAN), 'image_std': list(P.STD)})

    v = towers.convnext
    write_tensors(half(v.state_dict(), 'visual.trunk.'), os.path.join(conv_folder, 'open_clip_model.safetensors'))
    write_json(os.path.join(conv_folder, 'open_clip_config.json'), {
        'model_cfg': {'embed_dim': v.dims[-1], 'vision_cfg': {
            'timm_model_name': 'convnext_tiny', 'timm_model_pretrained': False, 'timm_pool': '', 'timm_proj': 'linear', 'timm_drop': 0.0,
            'timm_drop_path': 0.0, 'image_size': P.LARGE,
            'timm_model_kwargs': {'depths': list(v.depths), 'dims': list(v.dims), 'norm_eps': C.EPS}}},
        'preprocess_cfg': {'mean': list(P.MEAN), 'std': list(P.STD)}})


def read_repository(folder):
    """A written repository as (net, towers, text) in float32, from nothing but its files."""
    config = json.load(open(os.path.join(folder, 'config.json')))
    clip_folder, conv_folder = (os.path.join(folder, t) for t in config['mm_vision_tower_aux_list'])
    clip_config = json.load(open(os.path.join(clip_folder, 'config.json')))
    clip = M.clip_from(clip_config)
    A.load_clip(clip, M.read_tensors(clip_folder))
    kwargs = json.load(open(os.path.join(conv_folder, 'open_clip_config.json')))['model_cfg']['vision_cfg']['timm_model_kwargs']
    convnext = C.ConvNeXt(kwargs['depths'], kwargs['dims'])
    convnext.load_state_dict({k.removeprefix('visual.trunk.'): v for k, v in M.read_tensors(conv_folder).items()})
    net = M.Cambrian(config, [clip_config['hidden_size'], sum(kwargs['dims'])])
    net.load_state_dict(M.read_tensors(folder))
    text = Text(T.M.Tokenizer.from_file(os.path.join(folder, 'tokenizer.json')))
    assert config['image_position'] == text.image_position
    return net.eval(), M.Towers(clip, convnext).eval(), text


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--base', required=True)
    p.add_argument('--out', default='out')
    p.add_argument('--stage', default='finetune', help='state in --out: finetune, connector, or none for the towers alone')
    p.add_argument('--scale', default='nano')
    p.add_argument('--to', default='trilobite-nano-cambrian')
    args = p.parse_args()
    text = Text(T.M.Tokenizer.from_file(os.path.join(args.base, 'tokenizer.json')))
    torch.manual_seed(0)
    net, towers = A.build(args.base, args.scale, text, args.out)
    if args.stage != 'none':
        state = torch.load(os.path.join(args.out, args.stage + '.pt'), map_location='cpu')
        net.load_state_dict(state['net'])
        if state['convnext'] is not None:
            towers.convnext.load_state_dict(state['convnext'])
    write_repository(net, towers, args.base, args.to)
    print('written', args.to, sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(args.to) for f in files), 'bytes')


if __name__ == '__main__':
    main()
