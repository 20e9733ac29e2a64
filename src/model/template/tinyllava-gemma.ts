import { tinyLlavaGemmaLabels } from './labels/tinyllava'
import { tinyLlavaTurns } from './styles'

/** TinyLLaVA on Gemma: `gemma` there. Source: TinyLLaVA Factory, data/template/gemma_template.py. */
export const tinyLlavaGemma = tinyLlavaTurns('tinyllava_gemma', '<eos>', tinyLlavaGemmaLabels)
