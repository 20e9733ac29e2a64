import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { OpenedModel } from './checkpoint-files'
import type { PromptStyle } from './family/definition'
import { CambrianTrainingCase, HfTrainingCase } from './testing/training-case'
import { IGNORED, type Utterance } from './train/definition'
import { expandAndCut } from './train/supervise'
import { Tokenizer } from './tokenizer'

const PROJECT = new URL('../../', import.meta.url)
const readJson = (path: string): unknown => JSON.parse(readFileSync(new URL(path, PROJECT), 'utf8'))

/** A tokenizer of the files in a folder, as if a model of that layout were open. */
function tokenizerAt(folder: string, promptStyle?: PromptStyle, config: object = {}, jinjaTemplate?: string) {
  return Tokenizer.from({
    source: { name: folder },
    files: {
      'tokenizer.json': readJson(`${folder}/tokenizer.json`),
      'tokenizer_config.json': { ...(readJson(`${folder}/tokenizer_config.json`) as object), ...config },
    },
    blueprint: { promptStyle, vision: {} },
    jinjaTemplate,
  } as unknown as OpenedModel)
}

const ask = (value: string): Utterance => ({ from: 'human', value })
const say = (value: string): Utterance => ({ from: 'gpt', value })
const EOS = { template: 'plain', captionEnd: 'eos' } as const
const MODEL = { template: 'model', captionEnd: 'eos' } as const
const ROWS = 16

/** What is learned, a list for each row of labels without a gap. */
function stretches(labels: readonly number[]): number[][] {
  const found: number[][] = []
  for (const [i, label] of labels.entries()) {
    if (label === IGNORED) continue
    if ((labels[i - 1] ?? IGNORED) === IGNORED) found.push([])
    found.at(-1)!.push(label)
  }
  return found
}

describe.each(['train-clip-llama', 'train-siglip-qwen2'] as const)('%s', (name) => {
  const golden = new HfTrainingCase(name)

  test('plain captions have the recorded ids and labels', async () => {
    const opened = await golden.open()
    const tokenizer = Tokenizer.from(opened)
    const placeholder = opened.blueprint.vision!.imageTokenId
    const rows = JSON.parse(readFileSync(golden.dataFile, 'utf8')) as { conversations: Utterance[] }[]
    expect(golden.facts.samples.length).toBeGreaterThan(0)
    for (const [i, sample] of golden.facts.samples.entries()) {
      const { conversations } = rows[i]!
      const supervised = tokenizer.supervise(conversations, EOS)
      const expanded = expandAndCut(supervised, placeholder, [ROWS], 4096)
      expect([...expanded.ids]).toEqual(sample.input_ids)
      expect([...expanded.labels]).toEqual(sample.labels)
      expect(expanded.images).toEqual([{ start: sample.input_ids.indexOf(placeholder), rows: ROWS }])
      expect(expanded.learned).toBe(sample.labels.filter((label) => label !== IGNORED).length)
      expect(expanded.unusable).toBeUndefined()
      const prompt = tokenizer.promptOf(conversations, EOS)
      expect(prompt).toEqual(supervised.ids.slice(0, prompt.length))
      expect(prompt.at(-1)).toBe(placeholder)
    }
  })

  test("the checkpoint's own template learns replies and their ends", async () => {
    const tokenizer = Tokenizer.from(await golden.open())
    const conversation = [ask('What?\n<image>'), say('A red house.'), ask('Why?'), say('A lake.')]
    const { ids, labels, masked } = tokenizer.supervise(conversation, MODEL)
    expect(masked).toBeUndefined()
    const replies = stretches(labels)
    expect(replies.map((reply) => tokenizer.decode(reply).trim())).toEqual(['A red house.', 'A lake.'])
    // LLaVA 1.5's template in transformers ends replies with a blank alone, ChatML with a mark that is EOS.
    const endsWithEos = name === 'train-siglip-qwen2'
    expect(replies.map((reply) => reply.at(-1) === tokenizer.eosTokenId)).toEqual([endsWithEos, endsWithEos])
    expect(labels.every((label, i) => label === IGNORED || label === ids[i])).toBe(true)
    // What is asked at inference is what stands before the first reply.
    const prompt = tokenizer.promptOf(conversation, MODEL)
    expect(prompt).toEqual(tokenizer.chat([{ role: 'user', text: 'What?', images: 1 }]).ids)
    expect(prompt).toEqual(ids.slice(0, prompt.length))
    expect(labels.findIndex((label) => label !== IGNORED)).toBe(prompt.length)
    expect(tokenizer.supervise([ask('What?')], MODEL).masked).toBe('nobody replies in it')
  })
})

test('cambrian-train: the samples have the recorded ids and labels', () => {
  const { facts, folder } = new CambrianTrainingCase()
  const checkpoint = `${folder.slice(folder.indexOf('e2e/'))}checkpoint`
  const tokenizer = tokenizerAt(checkpoint, { project: 'cambrian', template: 'llama_3' })
  expect(facts.samples.length).toBeGreaterThan(0)
  for (const template of [facts.template, 'model']) {
    for (const sample of facts.samples) {
      const { ids, labels, masked } = tokenizer.supervise(sample.conversations, { ...EOS, template })
      expect(masked).toBeUndefined()
      expect(ids).toEqual(sample.input_ids)
      expect(labels).toEqual(sample.labels)
      const pictures = sample.final_size ? [sample.final_size[0] * (sample.final_size[1] + 1)] : []
      const expanded = expandAndCut({ ids, labels }, -200, pictures, 4096)
      expect(expanded.ids).toHaveLength(sample.sequence_length)
      expect(expanded.learned).toBe(sample.target_tokens)
    }
  }
})

test('stage 1 of the bundled model: every caption has the recorded ids', () => {
  const tokenizer = tokenizerAt('public/models/trilobite-nano-llava')
  const captions = Object.entries(
    readJson('src/model/template/golden/stage-1-captions.json') as Record<string, number[]>,
  )
  expect(captions).toHaveLength(166)
  for (const [caption, tail] of captions) {
    const { ids, labels } = tokenizer.supervise([ask('<image>\nWrite a caption.'), say(caption)], EOS)
    expect(ids).toEqual([1, 3, ...tail])
    expect(labels).toEqual([IGNORED, IGNORED, ...tail])
  }
})

describe('templates', () => {
  const vicuna = 'src/model/template/golden/tokenizers/vicuna'
  const conversation = [ask('<image>\nWhat?'), say('A hill.')]

  test('model means the named template of a layout whose tokenizer knows no pictures', () => {
    const tokenizer = tokenizerAt(vicuna, { project: 'llava', template: 'vicuna_v1' })
    const own = tokenizer.supervise(conversation, MODEL)
    expect(own).toEqual(tokenizer.supervise(conversation, { ...MODEL, template: 'v1' }))
    expect(own.ids.filter((id) => id === -200)).toHaveLength(1)
  })

  test('a named template serves a tokenizer that knows pictures', () => {
    const tokenizer = tokenizerAt('public/models/trilobite-nano-llava')
    const { ids, masked } = tokenizer.supervise(conversation, { ...MODEL, template: 'vicuna_v1' })
    expect(masked).toBeUndefined()
    expect(ids.filter((id) => id === 3)).toHaveLength(1)
    expect(ids).not.toContain(-200)
  })

  test('names are those of the project', () => {
    const conversations = [ask('What?'), say('A hill.')]
    const chatml = 'src/model/template/golden/tokenizers/chatml'
    const options = { ...MODEL, template: 'chatml_direct' }
    const cambrian = tokenizerAt(chatml, { project: 'cambrian', template: 'chatml_direct' })
    const llava = tokenizerAt(chatml, { project: 'llava', template: 'chatml_direct' })
    expect(cambrian.supervise(conversations, options).masked).toBeUndefined()
    expect(llava.supervise(conversations, options).masked).toContain(
      'the original project learns nothing of it',
    )
  })

  test.each([
    [{ legacy: false }, true],
    [{ legacy: true }, false],
    [{ tokenizer_class: 'LlamaTokenizer' }, false],
    [{}, true],
  ])('the legacy flag is read from %o', (config, addsUp) => {
    const chatml = 'src/model/template/golden/tokenizers/chatml'
    const tokenizer = tokenizerAt(chatml, { project: 'cambrian', template: 'chatml_direct' }, config)
    const rounds = [ask('What?'), say('A hill.'), ask('Why?'), say('A lake.')]
    expect(tokenizer.supervise(rounds, MODEL).masked === undefined).toBe(addsUp)
  })

  test('templates that nobody trains with say which can be', () => {
    const tokenizer = tokenizerAt(vicuna, { project: 'yi', template: 'mm_default' })
    for (const template of ['model', 'mm_default', 'gemma']) {
      expect(() => tokenizer.supervise(conversation, { ...EOS, template })).toThrow(
        /no project says what is learned of .* Train with plain, with one of vicuna_v1, v1,/,
      )
    }
    expect(() => tokenizer.supervise(conversation, { ...EOS, template: 'vicuna' })).toThrow('is not known')
    expect(() => tokenizerAt(vicuna).supervise(conversation, MODEL)).toThrow('this checkpoint brings none')
  })

  const last = '{% if loop.last %}!{% endif %}'
  const turn = (inner: string) =>
    `{% for m in messages %}${inner}{{ m['role'] }}: {{ m['content'][-1]['text'] }}\n{% endfor %}` +
    '{% if add_generation_prompt %}assistant:{% endif %}'

  test("a checkpoint's own template whose beginnings change is refused", () => {
    const rounds = [...conversation, ask('Why?'), say('A lake.')]
    const tokenizer = tokenizerAt(vicuna, undefined, {}, turn(last))
    expect(() => tokenizer.supervise(rounds, MODEL)).toThrow('renders turn 2 otherwise')
  })

  test('without an EOS a reply ends with whatever the template writes behind it', () => {
    const tokenizer = tokenizerAt(vicuna, undefined, {}, turn(''))
    const { labels } = tokenizer.supervise([ask('What?'), say('A hill.'), ask('Why?')], MODEL)
    expect(stretches(labels).map((reply) => tokenizer.decode(reply))).toEqual(['A hill.\n'])
  })
})
