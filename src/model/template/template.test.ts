import { PreTrainedTokenizer } from '@huggingface/transformers'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { chatTemplates, findTemplate, type TemplateProject } from '.'
import { chunkTokens } from './chunk-tokens'
import type { TemplateMessage } from './definition'

const GOLDEN = new URL('./golden/', import.meta.url)
const readJson = (path: string): unknown => JSON.parse(readFileSync(new URL(path, GOLDEN), 'utf8'))

interface Recorded {
  project: 'cambrian' | 'llava' | 'tinyllava' | 'vary' | 'yi-vl'
  template: string
  tokenizer?: string
  messages: { role: 'user' | 'assistant'; text: string }[]
  prompt: string
  input_ids?: number[]
}

const recorded = readJson('prompts.json') as Recorded[]
const projectOf = ({ project }: Recorded): TemplateProject => (project === 'yi-vl' ? 'yi' : project)

/** Recorded texts hold their placeholders; templates are given a count. Yi-VL's mark has another name. */
function messagesOf({ messages }: Recorded): TemplateMessage[] {
  return messages.map(({ role, text }) => {
    const words = text.replace(/^(<image>|<image_placeholder>)\n/, '')
    return { role, text: words, images: words === text ? 0 : 1 }
  })
}

const tokenizers = new Map<string, PreTrainedTokenizer>()
function tokenizerOf(name: string) {
  const found =
    tokenizers.get(name) ??
    new PreTrainedTokenizer(
      readJson(`tokenizers/${name}/tokenizer.json`) as never,
      readJson(`tokenizers/${name}/tokenizer_config.json`) as never,
    )
  tokenizers.set(name, found)
  return found as PreTrainedTokenizer & { bos_token_id?: number }
}

describe.each(recorded.map((entry, i) => ({ i, ...entry })))(
  '$i: $template of $project with $tokenizer',
  (entry) => {
    const prompt = findTemplate(entry.template, projectOf(entry)).render(messagesOf(entry))

    test('renders the recorded prompt', () => {
      expect(prompt).toBe(entry.prompt.replaceAll('<image_placeholder>', '<image>'))
    })

    test.runIf(entry.tokenizer)('tokenises it to the recorded ids', () => {
      const tokenizer = tokenizerOf(entry.tokenizer!)
      expect(chunkTokens(prompt, (text) => tokenizer.encode(text), tokenizer.bos_token_id)).toEqual(
        entry.input_ids,
      )
    })
  },
)

const user = (text: string, images = 0): TemplateMessage => ({ role: 'user', text, images })
const assistant = (text: string): TemplateMessage => ({ role: 'assistant', text, images: 0 })

/** Templates no recorded prompt covers, with the strings their projects write. */
const chat = [user('Hi', 1), assistant('Yes.'), user('Why?')]
test.each([
  [
    'chatml',
    '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<image>\nHi<|im_end|>\n' +
      '<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n',
  ],
  ['mistral_instruct', '[INST] <image>\nHi [/INST] Yes. </s>[INST] Why? [/INST]'],
  ['mistral_v2', '[INST] <image>\nHi [/INST]Yes.</s>[INST] Why? [/INST]'],
  [
    'gemma',
    '<start_of_turn>user\n<image>\nHi<end_of_turn>\n<start_of_turn>model\nYes.<end_of_turn>\n' +
      '<start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n',
  ],
  [
    'conv_gemma',
    '<end_of_turn>\n<start_of_turn>user\n<image>\nHi<end_of_turn>\n<start_of_turn>model\nYes.<end_of_turn>\n' +
      '<start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n',
  ],
])('%s renders a chat', (name, prompt) => {
  expect(findTemplate(name).render(chat)).toBe(prompt)
})

test('plain writes words as they are, and a picture alone as stage 1 trains it', () => {
  const { render } = findTemplate('plain')
  expect(render([user('What is this?', 1)])).toBe('<image>\nWhat is this?\n')
  expect(render([user('', 1)])).toBe('<image>')
})

test.each(Object.entries(chatTemplates))('%s takes a system message of its own', (name, template) => {
  const system: TemplateMessage = { role: 'system', text: 'Speak plainly.', images: 0 }
  const prompt = template.render([system, user('Hi')])
  expect(prompt.match(/Speak plainly\./g)).toHaveLength(1)
  expect(prompt.indexOf('Speak plainly.')).toBeLessThan(prompt.lastIndexOf('Hi'))
  expect(prompt).not.toBe(template.render([user('Hi')]))
})

test('a name means what the project means by it, and unknown names list the known ones', () => {
  expect(findTemplate('chatml_direct').name).toBe('chatml_direct')
  expect(findTemplate('chatml_direct', 'cambrian').name).toBe('cambrian_chatml')
  expect(() => findTemplate('vicuna')).toThrow('"vicuna" is not known; known are vicuna_v1,')
  expect(() => findTemplate('toString')).toThrow('is not known')
})

test('chunks keep one BOS and lose the first id of each only where the first begins with it', () => {
  const withBos = (text: string) => [1, ...Array.from(text, (c) => c.charCodeAt(0))]
  const without = (text: string) => Array.from(text, (c) => c.charCodeAt(0))
  expect(chunkTokens('a<image>b<image>', withBos, 1)).toEqual([1, 97, -200, 98, -200])
  expect(chunkTokens('a<image>b', without, 1)).toEqual([97, -200, 98])
  expect(chunkTokens('a<image>bc', without, 97)).toEqual([97, -200, 99])
  expect(chunkTokens('<image><image>', without, undefined)).toEqual([-200, -200])
})
