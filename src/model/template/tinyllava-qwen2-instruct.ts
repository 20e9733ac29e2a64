import { tinyLlavaLabels } from './labels/tinyllava'
import { tinyLlavaTurns } from './styles'

/** TinyLLaVA on Qwen2 and Qwen2.5 Instruct, without their ChatML: `qwen2_instruct` there. Source: TinyLLaVA Factory, data/template/qwen2_instruct_template.py. */
export const tinyLlavaQwen2Instruct = tinyLlavaTurns(
  'tinyllava_qwen2_instruct',
  '<|im_end|>',
  tinyLlavaLabels,
)
