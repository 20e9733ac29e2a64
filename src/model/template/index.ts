import { TemplateError } from '../errors'
import { cambrianChatMl } from './cambrian-chatml'
import { chatMl } from './chatml'
import { chatMlDirect } from './chatml-direct'
import { convGemma } from './conv-gemma'
import type { ChatTemplate } from './definition'
import { gemma } from './gemma'
import { llama3 } from './llama-3'
import { llavaLlama2 } from './llava-llama-2'
import { llavaV0 } from './llava-v0'
import { llavaV1 } from './llava-v1'
import { mistralInstruct } from './mistral-instruct'
import { mistralV2 } from './mistral-v2'
import { mmDefault } from './mm-default'
import { cambrianMpt, mpt } from './mpt'
import { phi3 } from './phi3'
import { plain } from './plain'
import { tinyLlavaGemma } from './tinyllava-gemma'
import { tinyLlavaLlama } from './tinyllava-llama'
import { tinyLlavaPhi } from './tinyllava-phi'
import { tinyLlavaQwen2Base } from './tinyllava-qwen2-base'
import { tinyLlavaQwen2Instruct } from './tinyllava-qwen2-instruct'
import { v0 } from './v0'
import { varyMpt } from './vary-mpt'
import { vicunaV1 } from './vicuna-v1'

/** Chat templates by the field's names. */
export const chatTemplates: Readonly<Record<string, ChatTemplate>> = {
  vicuna_v1: vicunaV1,
  v1: vicunaV1,
  llava_v1: llavaV1,
  llava_v0: llavaV0,
  v0,
  llava_llama_2: llavaLlama2,
  llama_3: llama3,
  llama_v3: llama3,
  chatml: chatMl,
  qwen_1_5: chatMl,
  chatml_direct: chatMlDirect,
  cambrian_chatml: cambrianChatMl,
  mpt,
  vary_mpt: varyMpt,
  phi3,
  mistral: mistralInstruct,
  mistral_instruct: mistralInstruct,
  mistral_v2: mistralV2,
  gemma,
  conv_gemma: convGemma,
  mm_default: mmDefault,
  plain,
  tinyllava_llama: tinyLlavaLlama,
  tinyllava_phi: tinyLlavaPhi,
  tinyllava_gemma: tinyLlavaGemma,
  tinyllava_qwen2_base: tinyLlavaQwen2Base,
  tinyllava_qwen2_instruct: tinyLlavaQwen2Instruct,
}

/** A project whose checkpoints understand a name in its own way. */
export type TemplateProject = 'llava' | 'cambrian' | 'tinyllava' | 'vary' | 'yi'

/** Names that mean something else in a project than in `chatTemplates`. */
const PROJECT_NAMES: Readonly<Record<TemplateProject, Readonly<Record<string, ChatTemplate>>>> = {
  llava: {},
  cambrian: {
    chatml_direct: cambrianChatMl,
    mistral_direct: cambrianChatMl,
    cambrian_v1: llavaV1,
    mpt: cambrianMpt,
  },
  tinyllava: {
    llama: tinyLlavaLlama,
    phi: tinyLlavaPhi,
    gemma: tinyLlavaGemma,
    qwen2_base: tinyLlavaQwen2Base,
    qwen2_instruct: tinyLlavaQwen2Instruct,
    pretrain: plain,
  },
  vary: { mpt: varyMpt },
  yi: {},
}

/**
 * A chat template by its name, as the checkpoint's own project understands it.
 *
 * Throws: TemplateError naming the known ones.
 */
export function findTemplate(name: string, project: TemplateProject = 'llava'): ChatTemplate {
  for (const table of [PROJECT_NAMES[project], chatTemplates]) {
    if (Object.hasOwn(table, name)) return table[name]!
  }
  throw new TemplateError(
    `chat template: "${name}" is not known; known are ${namesOf(project, () => true).join(', ')}.`,
  )
}

/** Names of the chat templates that a project, or else LLaVA, says how to train with. */
export const trainableTemplates = (project: TemplateProject = 'llava'): string[] =>
  namesOf(project, ({ labels }) => labels !== undefined)

function namesOf(project: TemplateProject, wanted: (template: ChatTemplate) => boolean): string[] {
  const all = { ...chatTemplates, ...PROJECT_NAMES[project] }
  const names = new Set([...Object.keys(PROJECT_NAMES[project]), ...Object.keys(chatTemplates)])
  return [...names].filter((name) => wanted(all[name]!))
}
