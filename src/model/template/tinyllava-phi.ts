import { tinyLlavaLabels } from './labels/tinyllava'
import { tinyLlavaTurns } from './styles'

/** TinyLLaVA on Phi-2, StableLM and Qwen 1.5: `phi` there. Source: TinyLLaVA Factory, data/template/phi_template.py. */
export const tinyLlavaPhi = tinyLlavaTurns('tinyllava_phi', '<|endoftext|>', tinyLlavaLabels)
