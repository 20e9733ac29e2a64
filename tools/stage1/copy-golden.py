"""Copies the training cases into e2e/golden, smaller: what follows from other tensors of a case is left out.

  python tools/stage1/copy-golden.py REFERENCE_FOLDER

REFERENCE_FOLDER has hf/train-clip-llama, hf/train-siglip-qwen2 and original/cambrian-train as they were recorded. Here
  - `after1.*` is left out: the first step's rate is 0, so it equals the stored weights (checked)
  - `pixel_values` become the bytes they were made of, `pixels`: (byte - 255 mean) / (255 std) in float32 gives back
    every bit (checked)
  - Cambrian's `after2.*` is left out: the first two steps have the same gradient, so Adam's second step follows from
    `grad.*` (checked); `after5.*` becomes `change5.*`, float16, relative to the stored weights (checked to 2e-6)
  - JSON is written without spaces
"""
import argparse
import json
import os
import shutil

import numpy as np
from safetensors.numpy import load_file, save_file

GOLDEN = os.path.join(os.path.dirname(__file__), '..', '..', 'e2e', 'golden')
HF = ['train-clip-llama', 'train-siglip-qwen2']
CAMBRIAN = 'cambrian-train'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('reference')
    reference = parser.parse_args().reference
    for name in HF:
        copy(os.path.join(reference, 'hf', name), os.path.join(GOLDEN, name), reduce_hf)
    copy(os.path.join(reference, 'original', CAMBRIAN), os.path.join(GOLDEN, 'original', CAMBRIAN), reduce_cambrian)


def copy(source, target, reduce):
    if os.path.exists(target):
        shutil.rmtree(target)
    # Files alone, without the modes of where they come from.
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    os.chmod(target, 0o755)
    os.chmod(os.path.join(target, 'checkpoint'), 0o755)
    facts = read_json(os.path.join(source, 'expected.json'))
    with open(os.path.join(target, 'expected.json'), 'w', encoding='utf-8') as file:
        json.dump(facts, file, separators=(',', ':'), ensure_ascii=False)
    path = os.path.join(target, 'expected.safetensors')
    tensors = reduce(load_file(path), checkpoint_tensors(target), facts, target)
    save_file(tensors, path, metadata={'format': 'pt'})
    os.chmod(path, 0o644)


def reduce_hf(tensors, stored, facts, folder):
    out = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition('.')
        if kind == 'after1':
            assert np.array_equal(value, stored[rest]), name
        elif name == 'pixel_values':
            out['pixels'] = to_bytes(value, read_json(os.path.join(folder, 'checkpoint', 'preprocessor_config.json')))
        else:
            out[name] = value
    return out


def to_bytes(values, processor):
    mean, std = (np.float32(processor[key])[:, None, None] * np.float32(255) for key in ('image_mean', 'image_std'))
    pixels = np.rint(values * std + mean).astype(np.uint8)
    assert np.array_equal((pixels.astype(np.float32) - mean) / std, values)
    return pixels


def reduce_cambrian(tensors, stored, facts, folder):
    optimizer = facts['optimizer']
    clip = min(1, optimizer['max_grad_norm'] / (facts['grad_norm'][0] + 1e-6))
    out, worst = {}, {'after2': 0., 'change5': 0.}
    for name, value in tensors.items():
        kind, _, parameter = name.partition('.')
        if kind == 'after2':
            sampler = 'vision_sampler' in parameter or 'vision_query' in parameter
            rate = facts['sampler_lr' if sampler else 'lr'][1]
            gradient = tensors[f'grad.{parameter}'].astype(np.float64) * clip
            want = stored[parameter] - rate * gradient / (np.abs(gradient) + optimizer['eps'])
            worst['after2'] = max(worst['after2'], np.abs(want - value).max())
        elif kind == 'after5':
            change = (value - stored[parameter]).astype(np.float16)
            out[f'change5.{parameter}'] = change
            back = stored[parameter] + change.astype(np.float32)
            worst['change5'] = max(worst['change5'], np.abs(back - value).max())
        else:
            out[name] = value
    print(os.path.basename(folder), worst)
    # The recorded steps themselves carry an error of 2.6e-6, see float32_vs_float64.
    assert max(worst.values()) < 2.6e-6
    return out


def checkpoint_tensors(folder):
    checkpoint = os.path.join(folder, 'checkpoint')
    tensors = {}
    for file in sorted(os.listdir(checkpoint)):
        if file.endswith('.safetensors'):
            tensors.update(load_file(os.path.join(checkpoint, file)))
    return tensors


def read_json(path):
    with open(path, encoding='utf-8') as file:
        return json.load(file)


if __name__ == '__main__':
    main()
