"""Held-out pictures with questions and the exported model's greedy replies: expected.json. With --tensors also the inner results of
two of them, float32, named picture/tensor: grid is the aggregator's output on the padded grid, image_rows what stands in the
prompt, layer.0 and layer.1 the decoder layers' outputs behind the samplers.

  python samples.py trilobite-nano-cambrian --data data --pictures ../../../e2e/samples --to ../../../e2e/samples-cambrian

--pictures holds the sample pictures of the first model with their expected.json; those that are not square are drawn here.
"""
import argparse, json, os, random
import torch
from PIL import Image
from safetensors.torch import save_file
import evaluate as V
import export as E
import pictures as P
from pictures import D

ASKED = {'photo': [['What is this?', 'Can it fly?', 'How many legs does it have?'], ['Describe the image.', 'Is it an animal or a vehicle?'], ['What do you see?', 'Is this a dog?'],
                   ['What is in this picture?'], ['What is this?', 'Thank you!']],
         'digit': [['Which digit is this?', 'Is it even or odd?'], ['Describe the image.']],
         'scene': [['Describe the image.', 'How many shapes are there?'], ['What shapes do you see?', 'What color is the background?'], ['Describe this picture.'], ['What is the largest shape?'],
                   ['List the shapes.']]}
# kind, (width, height) of the grid's part, pixels a unit, questions
OTHERS = [('scene', (64, 40), 4, ['Describe the image.', 'How many shapes are there?']), ('scene', (32, 64), 5, ['What shapes do you see?']),
          ('photo', (64, 48), 4, ['What is this?']), ('digit', (48, 64), 3, ['Which digit is this?'])]
TENSORS = ['08-scene.png', '13-scene-wide.png']


def drawn(pictures, folder):
    """The pictures that are not square: [(file, truth, questions)]."""
    rng, out = random.Random(81), []
    for n, (kind, size, scale, questions) in enumerate(OTHERS, 13):
        while True:
            s = V.held_out(pictures, rng, kind, None if kind == 'scene' else rng.randrange(5000), size)
            if kind != 'scene' or 2 <= len(s['facts']['items']) <= 3:
                break
        file = f"{n:02d}-{kind}-{'wide' if size[0] > size[1] else 'tall'}.png"
        s['original'].resize((size[0] * scale, size[1] * scale), Image.BICUBIC).save(os.path.join(folder, file))
        out.append((file, D.caption(s), questions))
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('model')
    p.add_argument('--data', default='data')
    p.add_argument('--pictures', required=True)
    p.add_argument('--to', default='samples')
    p.add_argument('--tensors', help='file for the inner results')
    args = p.parse_args()
    torch.set_num_threads(1)
    os.makedirs(args.to, exist_ok=True)
    parts = E.read_repository(args.model)
    text = parts[2]
    lists = {k: iter(v) for k, v in ASKED.items()}
    known = json.load(open(os.path.join(args.pictures, 'expected.json')))['samples']
    where = os.path.relpath(args.pictures, args.to)
    chosen = [(os.path.join(where, s['image']), s['truth'], next(lists[s['image'][3:8]])) for s in known]
    samples, tensors = [], {}
    for file, truth, questions in chosen + drawn(D.Pictures(args.data, 'test'), args.to):
        image = Image.open(os.path.join(args.to, file))
        sample = dict(size=image.size, images=V.preprocess(image))
        history, turns = [], []
        for q in questions:
            prompt = text.render(history, q, True)
            ids = text.prompt_ids(prompt)
            seen = {} if not history and os.path.basename(file) in TENSORS else None
            new, margins = V.generate(parts, sample, ids, seen=seen)
            reply = text.tok.decode(new)
            turns.append({'question': q, 'prompt': prompt, 'input_ids': ids, 'generated_ids': new, 'reply': reply.strip(), 'smallest_margin': round(min(margins), 4)})
            history.append((q, reply))
            if seen is not None:
                name = os.path.basename(file)
                rows, _, _ = parts[0].image_rows(seen['grid'], [sample['size']])
                keep = {f'pixel_values.{t}': P.pixels([sample['images'][t]])[0] for t in (0, 1)}
                keep |= {k: seen[k] for k in ('tower.0', 'tower.1', 'grid', 'inputs_embeds', 'logits', 'layer.0', 'layer.1')}
                keep |= {f'aux.{t}': a for t, a in enumerate(seen['aux'])} | {'queries': torch.cat(seen['queries'], 1)[None], 'image_rows': rows}
                tensors |= {f'{name}/{k}': v.detach().float().contiguous().clone() for k, v in keep.items()}
        top, bottom, left, right = V.sva.kept(sample['size'], 8)
        samples.append({'image': file, 'image_size': list(image.size), 'grid': [bottom - top, right - left], 'truth': truth, 'turns': turns})
        print(file, '|', truth, '|', [(t['question'], t['reply'], t['smallest_margin']) for t in turns], flush=True)
    E.write_json(os.path.join(args.to, 'expected.json'), {
        'decoding': 'greedy, float32 compute from the float16 weights, padding with CLIP\'s mean colour and PIL resize; input_ids hold -200 where the picture\'s rows go '
                    '(rows x (columns + 1) of grid); a reply starts with a space token, which stays in later prompts; generated_ids end with </s> (id 2)',
        'samples': samples})
    if args.tensors:
        save_file(tensors, args.tensors)


if __name__ == '__main__':
    main()
