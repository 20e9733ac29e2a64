"""The peer of the training benchmarks: PyTorch with transformers, in float32, on this machine's CPU.

  python bench/pytorch/train_step.py [--preset NAME]... [--threads N] [--rounds N] [--budget SECONDS] [--positions N]
  python bench/pytorch/train_step.py --serve [--threads N]

  stage1-nano        one micro-batch of 8 samples of the bundled model (public/models/trilobite-nano-stage1) through projector,
                     whole language model and cross entropy, back to the projector, gradient clipped, AdamW; the tower's
                     features are computed beforehand. Samples: the first micro-batch of e2e/stage1/order.json
  layer-qwen2-0.5b   one decoder layer of that width, --positions of a sequence (640), forward and gradient of its input, weights frozen
  layer-llama-3-8b   the same

Prints a JSON line for each preset, measured in a process of its own: {preset, ms, msHalfRange, cpuMs, peakBytes,
peakAboveStartBytes, ...}, for stage1-nano also samplesPerSecond. `ms` is the median of the rounds, each the mean of as many
steps as fit into the budget, after steps that warm up; `cpuMs` is the CPU time of all threads. `peakBytes` is the most
memory the process held, PyTorch's own code included; `peakAboveStartBytes` is without what it held before the weights.
With --serve, bench/run.mjs asks in JSON lines:
  {"do": "prepare", "preset": NAME, "positions": N}  -> {version, check, threads, firstMs}
  {"do": "measure", "units": N}                      -> {ms, cpuMs, peakBytes, peakAboveStartBytes} of N steps
Where other programs keep the cores busy, threads wait for each other: only --threads 1 and `cpuMs` mean something there.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import zipfile
from io import BytesIO

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
MODEL = os.path.join(ROOT, 'public', 'models', 'trilobite-nano-stage1')
SAMPLES = os.path.join(ROOT, 'public', 'samples', 'stage-1.zip')
ORDER = os.path.join(ROOT, 'e2e', 'stage1', 'order.json')
RUN = os.path.join(ROOT, 'e2e', 'stage1', 'loss-curve.json')

SEED = 1
WARM_UP = 3
LAYERS = {
    'layer-qwen2-0.5b': {
        'model_type': 'qwen2',
        'hidden_size': 896,
        'num_attention_heads': 14,
        'num_key_value_heads': 2,
        'intermediate_size': 4864,
        'rms_norm_eps': 1e-6,
        'rope_theta': 1e6,
    },
    'layer-llama-3-8b': {
        'model_type': 'llama',
        'hidden_size': 4096,
        'num_attention_heads': 32,
        'num_key_value_heads': 8,
        'intermediate_size': 14336,
        'rms_norm_eps': 1e-5,
        'rope_theta': 5e5,
    },
}
PRESETS = ['stage1-nano', *LAYERS]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--preset', action='append', choices=PRESETS)
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--budget', type=float, default=2.0)
    parser.add_argument('--positions', type=int, default=640)
    parser.add_argument('--serve', action='store_true')
    args = parser.parse_args()
    if args.serve:
        serve(args)
        return
    presets = args.preset or PRESETS
    if len(presets) == 1:
        print(json.dumps(measure(presets[0], args)), flush=True)
        return
    for preset in presets:
        given = ['--threads', args.threads, '--rounds', args.rounds, '--budget', args.budget]
        given += ['--positions', args.positions]
        subprocess.run([sys.executable, __file__, '--preset', preset, *map(str, given)], check=True)


def prepare(preset, threads, positions):
    """A step that has been checked, facts about it, and the bytes the process held before its weights."""
    # Only the process that measures pays for the library, and threads are counted before it starts them.
    os.environ['OMP_NUM_THREADS'] = str(threads)
    import torch
    import transformers

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    transformers.utils.logging.disable_progress_bar()
    # Modules that transformers loads on first use do not count as the step's.
    import transformers.models.llama.modeling_llama
    import transformers.models.llava.modeling_llava
    import transformers.models.qwen2.modeling_qwen2  # noqa: F401

    start = memory('VmRSS')
    step, facts = nano_step() if preset == 'stage1-nano' else layer_step(LAYERS[preset], positions)
    forget_peak()
    facts = {**facts, 'threads': torch.get_num_threads()}
    return step, {**facts, 'torch': torch.__version__, 'transformers': transformers.__version__}, start


def measure(preset, args):
    step, facts, start = prepare(preset, args.threads, args.positions)
    for _ in range(WARM_UP):
        step()
    took = timed(step, 1)[0]
    count = max(1, round(args.budget * 1e3 / took))
    rounds = [timed(step, count) for _ in range(args.rounds)]
    walls, cpus = zip(*rounds)
    ms = statistics.median(walls)
    peak = memory('VmHWM')
    result = {
        'preset': preset,
        'ms': round(ms, 3),
        'msHalfRange': round((max(walls) - min(walls)) / 2, 3),
        'cpuMs': round(statistics.median(cpus), 3),
        'peakBytes': peak,
        'peakAboveStartBytes': peak - start,
        **facts,
    }
    if 'samples' in facts:
        result['samplesPerSecond'] = round(facts['samples'] / ms * 1e3, 2)
    return {
        **result,
        'stepsPerRound': count,
        'rounds': args.rounds,
        'load': [round(load, 2) for load in os.getloadavg()],
    }


def serve(args):
    step = start = None
    for line in sys.stdin:
        try:
            command = json.loads(line)
            if command['do'] == 'prepare':
                step, facts, start = prepare(command['preset'], args.threads, command['positions'])
                first = timed(step, 1)[0]
                version = f'PyTorch {facts["torch"]}, transformers {facts["transformers"]}'
                answer = {'version': version, 'check': facts, 'threads': facts['threads'], 'firstMs': first}
            else:
                count = command['units']
                ms, cpu = timed(step, count)
                peak = memory('VmHWM')
                answer = {'ms': ms * count, 'cpuMs': cpu * count, 'peakBytes': peak, 'peakAboveStartBytes': peak - start}
        except (Exception, SystemExit) as error:  # told to the asker, who decides
            answer = {'failed': f'{type(error).__name__}: {error}'}
        print(json.dumps(answer), flush=True)


def timed(step, count):
    """Mean milliseconds of a step: of wall clock, and of CPU time over all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        step()
    return (time.perf_counter() - wall) / count * 1e3, (time.process_time() - cpu) / count * 1e3


def memory(field):
    with open('/proc/self/status', encoding='ascii') as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ':'))


def forget_peak():
    """What loading needed for a moment is no part of a step."""
    with open('/proc/self/clear_refs', 'w', encoding='ascii') as file:
        file.write('5')


def nano_step():
    import torch
    from PIL import Image
    from transformers import AutoTokenizer, LlavaForConditionalGeneration

    try:
        from transformers import CLIPImageProcessorPil as ImageProcessor
    except ImportError:
        from transformers import CLIPImageProcessor as ImageProcessor

    net = LlavaForConditionalGeneration.from_pretrained(
        MODEL, dtype=torch.float32, attn_implementation='sdpa', local_files_only=True
    ).eval()
    net.requires_grad_(False)
    tokenizer = AutoTokenizer.from_pretrained(MODEL, local_files_only=True)
    processor = ImageProcessor.from_pretrained(MODEL, local_files_only=True)
    with open(ORDER, encoding='utf-8') as file:
        chosen = json.load(file)[0][0]
    with zipfile.ZipFile(SAMPLES) as archive:
        rows = [json.loads(archive.read('train.json'))[i] for i in chosen]
        pictures = [Image.open(BytesIO(archive.read(row['image']))).convert('RGB') for row in rows]
    pixels = processor(images=pictures, return_tensors='pt')['pixel_values']
    with torch.no_grad():
        config = net.config
        hidden = net.get_submodule('model.vision_tower')(pixels, output_hidden_states=True).hidden_states
        features = hidden[config.vision_feature_layer][:, 1:].contiguous()
    # Not needed once pictures are cached.
    net.model.vision_tower = None

    head = [tokenizer.bos_token_id] + [config.image_token_id] * config.image_seq_length
    captions = [tokenizer.encode(row['conversations'][1]['value'], add_special_tokens=False) for row in rows]
    captions = [ids + [tokenizer.eos_token_id] for ids in captions]
    width = len(head) + max(map(len, captions))
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)
    labels = torch.full((len(rows), width), -100)
    for i, caption in enumerate(captions):
        end = len(head) + len(caption)
        ids[i, :end] = torch.tensor(head + caption)
        labels[i, len(head) : end] = torch.tensor(caption)
    mask = ids != tokenizer.pad_token_id
    image = slice(1, len(head))

    projector = net.get_submodule('model.multi_modal_projector')
    projector.requires_grad_(True)
    parameters = list(projector.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    embeddings = net.get_input_embeddings()(ids)

    def step():
        optimizer.zero_grad(set_to_none=True)
        x = torch.cat([embeddings[:, :1], projector(features), embeddings[:, image.stop :]], dim=1)
        y = net.model.language_model(inputs_embeds=x, attention_mask=mask, use_cache=False).last_hidden_state
        logits = net.lm_head(y[:, :-1]).float()
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss.item()

    first = step()
    with open(RUN, encoding='utf-8') as file:
        recorded = json.load(file)['steps'][0]['loss']
    if abs(first - recorded) > 1e-3:
        sys.exit(f'stage1-nano: expected the loss {recorded} of the recorded run, got {first}')
    return step, {'samples': len(rows), 'positions': width, 'firstLoss': first}


def layer_step(sizes, positions_count):
    import torch
    from transformers import AutoConfig, AutoModel

    sizes = dict(sizes)
    config = AutoConfig.for_model(
        sizes.pop('model_type'),
        **sizes,
        num_hidden_layers=1,
        vocab_size=8,
        max_position_embeddings=4096,
        attn_implementation='sdpa',
    )
    # A model of one layer and next to no vocabulary: what is called of it is the layer and its rotary embedding.
    model = AutoModel.from_config(config).float().eval().requires_grad_(False)
    layer = model.layers[0]
    x = torch.randn(1, positions_count, config.hidden_size, requires_grad=True)
    towards = torch.randn(1, positions_count, config.hidden_size)
    positions = torch.arange(positions_count)[None]
    with torch.no_grad():
        rotary = model.rotary_emb(x, positions)

    def step():
        x.grad = None
        # Without a mask, sdpa attends causally.
        y = layer(x, attention_mask=None, position_ids=positions, position_embeddings=rotary, use_cache=False)
        y = y[0] if isinstance(y, tuple) else y
        y.backward(towards)

    check_causal(layer, x, positions, rotary)
    step()
    if not torch.isfinite(x.grad).all() or x.grad.std() < 0.1:
        sys.exit('layer: expected a gradient of its input, got none')
    return step, {'positions': positions_count, 'hidden': config.hidden_size}


def check_causal(layer, x, positions, rotary):
    """Raises: SystemExit where a later position changes an earlier one's output."""
    import torch

    with torch.no_grad():
        outputs = []
        for value in (0.0, 1.0):
            changed = x.detach().clone()
            changed[:, -1] += value
            y = layer(changed, attention_mask=None, position_ids=positions, position_embeddings=rotary, use_cache=False)
            outputs.append(y[0] if isinstance(y, tuple) else y)
    before, last = (outputs[0] - outputs[1]).reshape(-1, x.shape[-1]).abs().amax(1).split([x.shape[1] - 1, 1])
    if before.max() > 1e-5 or last.max() < 1e-2:
        sys.exit('layer: expected causal attention, got an earlier position that sees a later one')


if __name__ == '__main__':
    main()
