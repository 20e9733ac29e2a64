import { tinyLlavaLabels } from './labels/tinyllava'
import { tinyLlavaTurns } from './styles'

/** TinyLLaVA on Qwen2 and Qwen2.5 base models: `qwen2_base` there. Source: TinyLLaVA Factory, data/template/qwen2_base_template.py. */
export const tinyLlavaQwen2Base = tinyLlavaTurns('tinyllava_qwen2_base', '<|endoftext|>', tinyLlavaLabels)
