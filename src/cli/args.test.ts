import { describe, expect, test } from 'vitest'
import { parseCommandLine } from './args'

const words = (line: string) => line.split(' ').filter((word) => word !== '')

describe('command line', () => {
  test('ask fills in what is not given', () => {
    expect(parseCommandLine(['ask', '--model', 'bundled', '--prompt', 'What is this?'])).toEqual({
      command: 'ask',
      model: 'bundled',
      images: [],
      prompts: ['What is this?'],
      dtype: 'auto',
      maxNewTokens: 512,
      sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 },
      raw: false,
      json: false,
      template: undefined,
      repos: undefined,
      base: undefined,
      adapter: 'auto',
      dump: undefined,
    })
  })

  test('ask takes every flag, images and prompts several times and in order', () => {
    const line =
      'ask --model a/b --image 1.png --image 2.png --prompt one --prompt two --dtype q4 --max-new-tokens 7 ' +
      '--temperature 0.5 --top-p 0.9 --top-k 40 --seed 3 --json --template chatml --repos dir --base owner/llm --adapter lavapipe --dump x --connector c'
    expect(parseCommandLine(words(line))).toEqual({
      command: 'ask',
      model: 'a/b',
      images: ['1.png', '2.png'],
      prompts: ['one', 'two'],
      dtype: 'q4',
      maxNewTokens: 7,
      sampling: { temperature: 0.5, topP: 0.9, topK: 40, repetitionPenalty: 1, seed: 3 },
      raw: false,
      json: true,
      template: 'chatml',
      repos: 'dir',
      base: 'owner/llm',
      adapter: 'lavapipe',
      dump: 'x',
      connector: 'c',
    })
  })

  test('ask takes a server, which cannot do everything', () => {
    const line = 'ask --endpoint http://localhost:8000/v1 --model large --prompt one'
    expect(parseCommandLine(words(line))).toMatchObject({
      endpoint: 'http://localhost:8000/v1',
      model: 'large',
    })
    for (const more of ['--raw', '--connector c', '--dump x'])
      expect(() => parseCommandLine(words(`${line} ${more}`))).toThrow('needs the model on this machine')
  })

  test('a prompt may begin with a dash or be empty', () => {
    const args = parseCommandLine([
      'ask',
      '--model',
      'm',
      '--prompt',
      '-1 + 2?',
      '--prompt',
      '--- hm',
      '--prompt',
      '',
    ])
    expect(args).toMatchObject({ prompts: ['-1 + 2?', '--- hm', ''] })
  })

  test('plan, info and tune take theirs', () => {
    expect(parseCommandLine(words('plan --model m --dtype f16 --json'))).toMatchObject({
      command: 'plan',
      model: 'm',
      dtype: 'f16',
      json: true,
      adapter: 'auto',
    })
    expect(parseCommandLine(words('info --adapter swiftshader'))).toEqual({
      command: 'info',
      json: false,
      adapter: 'swiftshader',
    })
    expect(parseCommandLine(words('tune --json'))).toEqual({ command: 'tune', json: true, adapter: 'auto' })
  })

  test.each([['--help'], ['-h'], ['ask --help'], ['plan -h'], ['info --help'], ['bench -h'], ['tune -h']])(
    '%s asks for help',
    (line) => {
      expect(parseCommandLine(words(line))).toEqual({ command: 'help' })
    },
  )

  test.each([
    ['', 'expected a command'],
    ['tell', 'got "tell"'],
    ['ask --prompt x', '--model is missing'],
    ['ask --model m', '--prompt TEXT is missing'],
    ['ask --model m --prompt', "Option '--prompt <value>' argument missing"],
    ['ask --model --prompt x', "Option '--model' argument is ambiguous; try --help"],
    ['ask --model m --prompt x --bogus', "Unknown option '--bogus'"],
    ['ask --model m --prompt x stray', "Unexpected argument 'stray'"],
    ['ask --model m --prompt x --dtype f64', 'one of auto, f32, f16, q8, q4, got "f64"'],
    ['ask --model m --prompt x --adapter gpu', 'one of auto, default, lavapipe, swiftshader, got "gpu"'],
    ['ask --model m --prompt x --max-new-tokens 0', 'whole number from 1'],
    ['ask --model m --prompt x --max-new-tokens 1.5', 'got "1.5"'],
    ['ask --model m --prompt x --temperature -1', 'got "-1"'],
    ['ask --model m --prompt x --temperature warm', 'got "warm"'],
    ['ask --model m --prompt x --top-p 1.1', 'number from 0 to 1'],
    ['ask --model m --prompt x --seed 4294967296', '--seed should be'],
    ['ask --model m --raw --prompt x<image> ', '1 <image> and 0 --image'],
    ['ask --model m --raw --prompt x --image a.png', '0 <image> and 1 --image'],
    ['info --model m', "Unknown option '--model'"],
    ['plan --model m --prompt x', "Unknown option '--prompt'"],
  ])('refuses "%s"', (line, message) => {
    const run = () => parseCommandLine(words(line))
    expect(run).toThrow(message)
    expect(run).toThrow(expect.objectContaining({ name: 'UsageError' }))
  })
})
