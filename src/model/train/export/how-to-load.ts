import type { JsonObject } from '../../config-reader'
import { hasLlavaClass } from './exported-config'
import { WEIGHTS_FILE, type ConnectorLayout } from './layouts'

/** What a README says about loading: the commands of the project whose layout it is. */
export interface LoadingFacts {
  readonly layout: ConnectorLayout
  /** The model's own config. */
  readonly modelConfig: JsonObject
  /** The one beside the weights. */
  readonly config: JsonObject
  /** Linear layers, where it is made of them alone. */
  readonly layers: number
}

const code = (language: string, ...lines: string[]) => ['```' + language, ...lines, '```'].join('\n')

/** A safetensors file as the pickle that the project's loader opens. */
const convert = (from: string, to: string) =>
  code('sh', `python -c "import torch, safetensors.torch as s; torch.save(s.load_file('${from}'), '${to}')"`)

/** Markdown that says how the original project loads the exported files. */
export function howToLoad(facts: LoadingFacts): string {
  return { llava, hf, tinyllava, cambrian }[facts.layout](facts)
}

/** Source: LLaVA model/llava_arch.py (`initialize_vision_modules`), model/builder.py, scripts/v1_5/finetune.sh. */
function llava({ modelConfig, config }: LoadingFacts): string {
  const tower = config['mm_vision_tower']
  const lines = [
    '### LLaVA',
    '',
    'Make the `mm_projector.bin` that LLaVA opens:',
    '',
    convert(WEIGHTS_FILE.llava, 'mm_projector.bin'),
    '',
    'Then start stage 2 from it, beside the usual arguments of `llava/train/train_mem.py`:',
    '',
    code(
      'sh',
      '--pretrain_mm_mlp_adapter ./mm_projector.bin \\',
      `--mm_projector_type ${String(config['mm_projector_type'])} \\`,
      `--mm_vision_select_layer ${String(config['mm_vision_select_layer'])} \\`,
      `--mm_vision_select_feature ${String(config['mm_vision_select_feature'])} \\`,
      `--vision_tower ${typeof tower === 'string' ? tower : 'TOWER'}`,
    ),
    '',
  ]
  if (typeof tower !== 'string') {
    lines.push(
      'TOWER is the repository of the vision tower that this model holds; its config does not name it. `config.json` needs ' +
        'it too, as `mm_vision_tower`.',
      '',
    )
  }
  if (hasLlavaClass(modelConfig)) {
    lines.push(
      'Or chat through it at once, from this folder under a name with `llava` in it and the language model that the ' +
        'connector was trained with:',
      '',
      code(
        'sh',
        'python -m llava.serve.cli --model-path ./llava-connector --model-base LANGUAGE_MODEL --image-file a.jpg',
      ),
    )
  } else {
    lines.push(
      "LLaVA's code has no class for this language model; the weights go into a class of your own by the same names.",
    )
  }
  return lines.join('\n')
}

/** Source: transformers models/llava/modeling_llava.py. */
function hf({ layers }: LoadingFacts): string {
  const lines = ['### Transformers', '']
  if (layers !== 2) {
    lines.push(
      `This connector has ${layers} linear layer${layers === 1 ? '' : 's'}; transformers' LLaVA always has two and ` +
        'cannot load it. The key names are those that its checkpoint has.',
    )
    return lines.join('\n')
  }
  lines.push(
    'Load the base model, then put the connector into it:',
    '',
    code(
      'python',
      'from safetensors.torch import load_file',
      'from transformers import LlavaForConditionalGeneration',
      '',
      'model = LlavaForConditionalGeneration.from_pretrained(BASE_MODEL)',
      'projector = getattr(model, "model", model).multi_modal_projector',
      `weights = load_file("${WEIGHTS_FILE.hf}")`,
      'projector.load_state_dict({k.removeprefix("multi_modal_projector."): v for k, v in weights.items()})',
    ),
    '',
    'Before transformers 4.52, whose modules had the names that files have, this does the same:',
    '',
    code('python', `model.load_state_dict(load_file("${WEIGHTS_FILE.hf}"), strict=False)`),
  )
  return lines.join('\n')
}

/** Source: TinyLLaVA Factory model/connector/base.py, training_recipe/base.py. */
function tinyllava(): string {
  return [
    '### TinyLLaVA Factory',
    '',
    'Put the connector into a loaded model:',
    '',
    code(
      'python',
      'from safetensors.torch import load_file',
      '',
      `model.connector.load_state_dict(load_file("${WEIGHTS_FILE.tinyllava}"))`,
    ),
    '',
    'Or start stage 2 from it: make the `pytorch_model.bin` that the factory opens, lay it beside the `language_model` and ' +
      '`vision_tower` folders of a pretraining, and name their folder in `--pretrained_model_path`:',
    '',
    convert(WEIGHTS_FILE.tinyllava, 'connector/pytorch_model.bin'),
  ].join('\n')
}

/** Source: Cambrian-1 cambrian/model/cambrian_arch.py (`initialize_vision_modules`), scripts/cambrian/finetune_*.sh. */
function cambrian({ config }: LoadingFacts): string {
  return [
    '### Cambrian-1',
    '',
    'Make the `mm_projector.bin` that Cambrian-1 opens:',
    '',
    convert(WEIGHTS_FILE.cambrian, 'mm_projector.bin'),
    '',
    'Then start stage 2 from it, with the connector arguments of `config.json` (`connector_depth`, `query_num_list`, ' +
      '`vision_tower_aux_list` and the others) as for pretraining:',
    '',
    code(
      'sh',
      '--pretrain_mm_mlp_adapter ./mm_projector.bin \\',
      `--mm_projector_type ${String(config['mm_projector_type'])}`,
    ),
    '',
    'Or put it into a loaded model; no key is unexpected:',
    '',
    code('python', 'model.load_state_dict(torch.load("mm_projector.bin"), strict=False)'),
  ].join('\n')
}
