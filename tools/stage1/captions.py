"""What a model with an exported connector says about pictures, by transformers on PyTorch.

  python tools/stage1/captions.py MODEL_FOLDER PICTURE... [--connector FILE] [--tokens N] [--to FILE]

MODEL_FOLDER is a LLaVA checkpoint in the layout of transformers; FILE a connector in safetensors whose names are
`multi_modal_projector.linear_N.*` or `model.mm_projector.N.*`. Without it the checkpoint's own connector is taken.
The prompt is that of stage 1, the plain template: BOS and the picture. Greedy, float32, one picture at a time.
Writes JSON: [{image, ids, text, smallest_margin}]; ids end with EOS where the model ended its caption, and the margin is
between the logits of the best and the second best token, over all steps.
"""
import argparse
import json
import os
import re
import sys

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoTokenizer, LlavaForConditionalGeneration

try:  # The image processor that computes as Pillow does; the other one differs by a level in a few pixels.
    from transformers import CLIPImageProcessorPil as ImageProcessor
except ImportError:
    from transformers import CLIPImageProcessor as ImageProcessor

# Position in the original's nn.Sequential -> name in transformers.
LAYERS = {'0': 'linear_1', '2': 'linear_2'}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model')
    parser.add_argument('pictures', nargs='+')
    parser.add_argument('--connector')
    parser.add_argument('--tokens', type=int, default=64)
    parser.add_argument('--to')
    args = parser.parse_args()
    net = LlavaForConditionalGeneration.from_pretrained(
        args.model, dtype=torch.float32, attn_implementation='eager', local_files_only=True
    ).eval()
    if args.connector:
        projector = net.get_submodule('model.multi_modal_projector')
        projector.load_state_dict(connector_weights(load_file(args.connector)), strict=True)
    tokenizer = AutoTokenizer.from_pretrained(args.model, local_files_only=True)
    processor = ImageProcessor.from_pretrained(args.model, local_files_only=True)
    captions = [caption(net, tokenizer, processor, path, args.tokens) for path in args.pictures]
    text = json.dumps(captions, ensure_ascii=False, indent=2)
    # A list of ids on one line.
    text = re.sub(r'\[\s+(\d[\d,\s]*?)\s+\]', lambda ids: '[' + re.sub(r'\s+', ' ', ids.group(1)) + ']', text)
    if args.to:
        with open(args.to, 'w', encoding='utf-8') as file:
            file.write(text + '\n')
    else:
        print(text)


def connector_weights(tensors):
    """State of transformers' projector from a file of either layout. Raises: SystemExit for any other."""
    weights = {}
    for name, value in tensors.items():
        hf = re.fullmatch(r'(?:model\.)?multi_modal_projector\.(linear_[12]\.(?:weight|bias))', name)
        original = re.fullmatch(r'(?:model\.)?mm_projector\.([02])\.(weight|bias)', name)
        if hf:
            weights[hf.group(1)] = value.float()
        elif original:
            weights[f'{LAYERS[original.group(1)]}.{original.group(2)}'] = value.float()
        else:
            sys.exit(f'connector: expected multi_modal_projector.linear_N.* or model.mm_projector.N.*, got "{name}"')
    return weights


@torch.no_grad()
def caption(net, tokenizer, processor, path, max_tokens):
    image = Image.open(path).convert('RGB')
    pixels = processor(images=image, return_tensors='pt')['pixel_values']
    config = net.config
    bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    prompt = torch.tensor([bos + [config.image_token_id] * config.image_seq_length])
    made = net.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        pixel_values=pixels,
        do_sample=False,
        max_new_tokens=max_tokens,
        return_dict_in_generate=True,
        output_logits=True,
    )
    ids = made.sequences[0, prompt.shape[1] :].tolist()
    margins = [float(logits[0].topk(2).values.diff().abs()) for logits in made.logits]
    return {
        'image': os.path.basename(path),
        'ids': ids,
        'text': tokenizer.decode(ids, skip_special_tokens=True).strip(),
        'smallest_margin': round(min(margins), 4),
    }


if __name__ == '__main__':
    main()
