import { tinyLlavaLlamaLabels } from './labels/tinyllava'
import { tinyLlavaTurns } from './styles'

/** TinyLLaVA on TinyLlama and OpenELM: `llama` there. Source: TinyLLaVA Factory, data/template/llama_template.py. */
export const tinyLlavaLlama = tinyLlavaTurns('tinyllava_llama', '</s>', tinyLlavaLlamaLabels)
