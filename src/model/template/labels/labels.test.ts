import { PreTrainedTokenizer } from '@huggingface/transformers'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { findTemplate, trainableTemplates, type TemplateProject } from '..'
import { IGNORED, type Utterance } from '../../train/definition'
import { trainingTokenizer } from './training-tokenizer'

const GOLDEN = new URL('../golden/', import.meta.url)
const readJson = (path: string): unknown => JSON.parse(readFileSync(new URL(path, GOLDEN), 'utf8'))

interface Recorded {
  project: TemplateProject
  template: string
  tokenizer: string
  tokenizer_legacy: boolean
  conversations: Utterance[]
  input_ids: number[]
  labels: number[]
  all_masked: boolean
}

const recorded = readJson('training.json') as Recorded[]

const fast = (name: string) =>
  new PreTrainedTokenizer(
    readJson(`tokenizers/${name}/tokenizer.json`) as never,
    readJson(`tokenizers/${name}/tokenizer_config.json`) as never,
  )
const tokenizers = new Map([...new Set(recorded.map(({ tokenizer }) => tokenizer))].map((n) => [n, fast(n)]))
const tokenizerOf = (name: string, legacy = false, imageMark?: string) =>
  trainingTokenizer(tokenizers.get(name)!, { knowsImages: false, legacy, imageMark })
const labelsOf = (name: string, project?: TemplateProject) => findTemplate(name, project).labels!

const NEWLINE = { captionEnd: 'newline' } as const

test('all records are here', () => {
  expect(recorded).toHaveLength(38)
})

describe.each(recorded.map((entry, i) => ({ i, ...entry })))(
  '$i: $template of $project with $tokenizer',
  (entry) => {
    const { supervise, prompt } = labelsOf(entry.template, entry.project)
    const tokenizer = tokenizerOf(entry.tokenizer, entry.tokenizer_legacy)
    const { ids, labels, masked } = supervise(entry.conversations, tokenizer, NEWLINE)

    test('makes the recorded ids and labels', () => {
      expect(ids).toEqual(entry.input_ids)
      expect(labels).toEqual(entry.labels)
    })

    test('tells why where nothing is learned', () => {
      expect(masked !== undefined).toBe(entry.all_masked)
      if (entry.all_masked) expect(masked).toMatch(/its rounds come to \d+ tokens and it has 275/)
    })

    test('asks with the ids that stand before the first reply', () => {
      const before = prompt(entry.conversations, tokenizer)
      expect(before).toEqual(ids.slice(0, before.length))
      // llava_v0 learns marks too; llama_3 masks three ids of a header, which are more in this tokenizer.
      if (!['llava_v0', 'llama_3'].includes(entry.template)) {
        const first = labels.findIndex((label) => label !== IGNORED)
        expect(first - before.length).toBeGreaterThanOrEqual(0)
        expect(first - before.length).toBeLessThanOrEqual(1)
      }
    })
  },
)

const ask = (value: string): Utterance => ({ from: 'human', value })
const say = (value: string): Utterance => ({ from: 'gpt', value })

describe('traps', () => {
  const v1 = labelsOf('v1')
  const vicuna = tokenizerOf('vicuna', true)
  const ofV1 = (conversation: Utterance[], tokenizer = vicuna) =>
    v1.supervise(conversation, tokenizer, NEWLINE)

  test('a picture moves to the front of its sentence, one of several remains, blanks around go', () => {
    const { ids } = ofV1([ask('<image>\nWhat is it?'), say('A hill.')])
    for (const value of [
      'What is it?<image>',
      '<image> What is it? <image>\n',
      '\x1cWhat is it?\n<image>\x85',
    ]) {
      expect(ofV1([ask(value), say('A hill.')]).ids).toEqual(ids)
    }
    // Without a picture words stay as they are.
    expect(ofV1([ask(' What? '), say('A hill.')]).ids).not.toEqual(ofV1([ask('What?'), say('A hill.')]).ids)
  })

  test('marks around pictures are those of the project', () => {
    const conversation = [ask('What?<image>'), say('A hill.')]
    const marked = ofV1(conversation, tokenizerOf('vicuna', true, '<im_start><image><im_end>'))
    const start = tokenizers.get('vicuna')!.encode('x<im_start>').length
    expect(marked.ids.length).toBeGreaterThan(ofV1(conversation).ids.length + start)
    expect(marked.ids.filter((id) => id === -200)).toHaveLength(1)
  })

  test("a reply at the beginning is dropped; system words replace the template's", () => {
    const conversation = [ask('What?'), say('A hill.')]
    expect(ofV1([say('Hello.'), ...conversation])).toEqual(ofV1(conversation))
    const own = ofV1([{ from: 'system', value: 'Be brief.' }, ...conversation])
    expect(own.masked).toBeUndefined()
    expect(own.ids.length).toBeLessThan(ofV1(conversation).ids.length)
    expect(own.labels.filter((label) => label >= 0)).toEqual(
      ofV1(conversation).labels.filter((label) => label >= 0),
    )
  })

  test.each([
    ['two questions in a row', [ask('What?'), ask('Why?')], 'do not take turns: "human" speaks where "gpt"'],
    ['a system message later', [ask('What?'), { from: 'system', value: 'x' }], '"system" speaks where "gpt"'],
    ['a reply without words', [ask('What?'), say('')], '"gpt" says nothing'],
    ['nothing', [], 'nobody asks anything'],
    ['a question without a reply', [ask('What?'), say('A hill.'), ask('Why?')], 'its rounds come to'],
    ['the mark of a reply inside one', [ask('What?'), say('x ASSISTANT: y')], 'its rounds come to'],
    ['the end inside a reply', [ask('What?'), say('A</s>B')], 'its rounds come to'],
  ] as [string, Utterance[], string][])('%s: nothing is learned, and why', (_, conversation, reason) => {
    const { ids, labels, masked } = ofV1(conversation)
    expect(masked).toContain(reason)
    expect(labels).toEqual(ids.map(() => IGNORED))
  })

  test('an unknown token is counted as padding, so that the row is given up', () => {
    expect(ofV1([ask('What?'), say('A <unk> hill.')]).masked).toContain('its rounds come to')
  })

  test("v1 needs a BOS, TinyLLaVA's Qwen2 none", () => {
    const conversation = [ask('What?'), say('A hill.')]
    expect(ofV1(conversation, tokenizerOf('qwen2')).masked).toContain('its rounds come to')
    const { supervise } = labelsOf('qwen2_instruct', 'tinyllava')
    expect(supervise(conversation, tokenizerOf('qwen2'), NEWLINE).masked).toBeUndefined()
    expect(supervise(conversation, vicuna, NEWLINE).masked).toContain('its rounds come to')
  })

  /** Characters, `</s>` as one token, and a dummy blank at the beginning or behind every special token. */
  const toy = (everywhere: boolean) =>
    trainingTokenizer(
      Object.assign(
        {
          encode: (text: string, { add_special_tokens: special = true } = {}) => [
            ...(special ? [1] : []),
            ...text
              .split(/(<\/s>)/)
              .flatMap((piece, i) =>
                piece === '</s>'
                  ? [2]
                  : Array.from((everywhere || i === 0) && piece ? ` ${piece}` : piece, (c) =>
                      c.charCodeAt(0),
                    ),
              ),
          ],
        },
        { bos_token_id: 1, eos_token_id: 2, unk_token_id: 0 },
      ),
      { knowsImages: false, legacy: everywhere },
    )

  test.each([
    ['vicuna_v1', undefined],
    ['llama', 'tinyllava'],
  ] as const)('%s adds up wherever the dummy blank goes', (name, project) => {
    const conversation = [ask('a'), say('bc'), ask('d'), say('ef'), ask('g'), say('hi')]
    for (const everywhere of [true, false]) {
      const { labels, masked } = labelsOf(name, project).supervise(conversation, toy(everywhere), NEWLINE)
      expect(masked).toBeUndefined()
      const learned = labels.map((label) => (label === 2 ? '|' : label < 0 ? '' : String.fromCharCode(label)))
      expect(learned.join('').replace(/ /g, '')).toBe('bc|ef|hi|')
    }
    // Alike in every round: Gemma's tokenizer has no dummy blank.
    const gemma = labelsOf('gemma', 'tinyllava').supervise(conversation, toy(false), NEWLINE)
    expect(gemma.masked).toContain('its rounds come to')
  })

  test('chatml adds up in Cambrian, hardly ever in LLaVA', () => {
    const two = [ask('What?'), say('A hill.'), ask('Why?'), say('A lake.')]
    const conversations = [two.slice(0, 2), two, [...two, ask('Who?'), say('A house.')]]
    const outcome = (project: TemplateProject, legacy: boolean) =>
      conversations.map((conversation) => {
        const { supervise } = labelsOf('mpt', project)
        return supervise(conversation, tokenizerOf('chatml', legacy), NEWLINE).masked === undefined
      })
    expect(outcome('cambrian', false)).toEqual([true, true, true])
    expect(outcome('cambrian', true)).toEqual([true, false, false])
    expect(outcome('llava', false)).toEqual([false, false, false])
    expect(outcome('llava', true)).toEqual([false, true, false])
  })

  test('phi3 adds up over several rounds only where the tokenizer is not legacy', () => {
    const conversation = [ask('What?'), say('A hill.'), ask('Why?'), say('A lake.')]
    const { supervise } = labelsOf('phi3')
    expect(supervise(conversation, tokenizerOf('phi3', false), NEWLINE).masked).toBeUndefined()
    expect(supervise(conversation, tokenizerOf('phi3', true), NEWLINE).masked).toContain('its rounds come to')
  })

  test('llama_3 counts a picture in the first question alone', () => {
    const { supervise } = labelsOf('llama_3')
    const later = [ask('What?'), say('A hill.'), ask('Why?<image>'), say('A lake.')]
    const first = [ask('What?<image>'), ...later.slice(1, 2), ask('Why?'), say('A lake.')]
    expect(supervise(first, tokenizerOf('llama3'), NEWLINE).masked).toBeUndefined()
    expect(supervise(later, tokenizerOf('llama3'), NEWLINE).masked).toContain('its rounds come to')
  })

  test('mistral_instruct learns replies with the blank before them', () => {
    const { ids, labels, masked } = labelsOf('mistral_instruct').supervise(
      [ask('What?'), say('A hill.')],
      vicuna,
      NEWLINE,
    )
    expect(masked).toBeUndefined()
    const inner = tokenizers.get('vicuna')!
    const learned = labels.filter((label) => label >= 0)
    expect(inner.decode(learned)).toContain('A hill. </s>')
    expect(ids.slice(-learned.length)).toEqual(learned)
  })

  test('TinyLLaVA drops what is not human at the beginning, and takes no question without an answer', () => {
    const { supervise } = labelsOf('llama', 'tinyllava')
    const conversation = [ask('What?'), say('A hill.')]
    const plain = supervise(conversation, vicuna, NEWLINE)
    expect(supervise([{ from: 'system', value: 'x' }, ...conversation], vicuna, NEWLINE)).toEqual(plain)
    expect(supervise([ask('What?')], vicuna, NEWLINE).masked).toBe('its last question has no answer')
    // Only a picture makes it trim a question.
    expect(supervise([ask('What? '), say('A hill.')], vicuna, NEWLINE).ids).not.toEqual(plain.ids)
  })

  test('plain takes one question and one caption', () => {
    const { supervise, prompt } = labelsOf('plain')
    const caption = say('A hill.')
    const eos = supervise([ask('<image>\nWhat?'), caption], vicuna, { captionEnd: 'eos' })
    expect(eos.ids.slice(0, 2)).toEqual([1, -200])
    expect(eos.ids.at(-1)).toBe(2)
    expect(supervise([ask('Words alone'), caption], vicuna, { captionEnd: 'eos' })).toEqual(eos)
    expect(supervise([ask('<image><image>'), caption], vicuna, { captionEnd: 'eos' })).toEqual(eos)
    const line = supervise([ask('<image>'), caption], vicuna, NEWLINE)
    expect(line.ids.slice(0, eos.ids.length - 1)).toEqual(eos.ids.slice(0, -1))
    expect(prompt([], vicuna)).toEqual([1, -200])
    expect(prompt([], tokenizerOf('qwen2'))).toEqual([-200])
    expect(supervise([ask('a'), caption, ask('b'), caption], vicuna, NEWLINE).masked).toContain(
      'it has 4 turns',
    )
    expect(supervise([ask('a'), say('A <image>.')], vicuna, NEWLINE).masked).toContain('its caption holds')
    const withoutEos = { ...vicuna, eosTokenId: undefined }
    expect(() => supervise([ask('a'), caption], withoutEos, { captionEnd: 'eos' })).toThrow(
      'has no eos_token',
    )
  })
})

test('templates that nobody trains with have no rule', () => {
  const known = trainableTemplates()
  expect(known).toContain('vicuna_v1')
  expect(known).toContain('plain')
  for (const name of ['gemma', 'conv_gemma', 'mistral_v2', 'mm_default', 'vary_mpt', 'chatml']) {
    expect(findTemplate(name).labels).toBeUndefined()
    expect(known).not.toContain(name)
  }
  expect(trainableTemplates('tinyllava').slice(0, 6)).toEqual([
    'llama',
    'phi',
    'gemma',
    'qwen2_base',
    'qwen2_instruct',
    'pretrain',
  ])
})
