import { describe, expect, test } from 'vitest'
import { parseCommandLine } from './args'

const words = (line: string) => line.split(' ').filter((word) => word !== '')
const train = (line: string) => parseCommandLine(words(`train --model m --data d.json --out o ${line}`))

describe('train', () => {
  test('leaves to recipe and defaults what is not given', () => {
    expect(train('')).toEqual({
      command: 'train',
      model: 'm',
      data: 'd.json',
      out: 'o',
      dtype: 'auto',
      adapter: 'auto',
      json: false,
      resume: false,
      changes: {},
    })
  })

  test('takes every flag', () => {
    const line =
      '--images pics --recipe cambrian-1 --steps 7 --batch-size 3 --accumulate 2 --lr 1e-4 --sampler-lr none ' +
      '--warmup-ratio 0 --schedule linear --caption-end eos --template model --start fresh --max-tokens 512 ' +
      '--weight-decay 0.1 --max-grad-norm 0 --dtype q8 --seed 5 --order o.json --held-out 4 --eval-every 0 ' +
      '--captions 1 --checkpoint-every 9 --layout hf --cache c --adapter lavapipe --repos r --base b --memory 2 ' +
      '--resume --json'
    expect(train(line)).toEqual({
      command: 'train',
      model: 'm',
      data: 'd.json',
      images: 'pics',
      out: 'o',
      recipe: 'cambrian-1',
      changes: {
        steps: 7,
        batchSize: 3,
        accumulate: 2,
        learningRate: 1e-4,
        samplerLearningRate: null,
        warmupRatio: 0,
        schedule: 'linear',
        captionEnd: 'eos',
        template: 'model',
        start: 'fresh',
        maxTokens: 512,
        weightDecay: 0.1,
        maxGradNorm: 0,
        seed: 5,
      },
      dtype: 'q8',
      order: 'o.json',
      heldOut: 4,
      evaluateEvery: 0,
      captions: 1,
      checkpointEvery: 9,
      layout: 'hf',
      cache: 'c',
      adapter: 'lavapipe',
      repos: 'r',
      base: 'b',
      memoryBytes: 2e9,
      resume: true,
      json: true,
    })
    expect(train('--eval-data e.json --held-out 9 --order o.json --epochs 0.5')).toMatchObject({
      evalData: 'e.json',
      heldOut: 9,
      order: 'o.json',
      changes: { epochs: 0.5, steps: null },
    })
  })

  test.each([
    ['--steps 0', '--steps should be a whole number from 1'],
    ['--steps 1.5', 'got "1.5"'],
    ['--epochs 0', '--epochs should be a number above 0'],
    ['--steps 3 --epochs 1', 'give one of them'],
    ['--recipe llava', '--recipe should be one of llava-1.5, cambrian-1, tinyllava, got "llava"'],
    ['--batch-size 0', '--batch-size should be a whole number from 1 to 4096'],
    ['--accumulate x', '--accumulate should be'],
    ['--lr 0', '--lr should be a number above 0 and at most 1, got "0"'],
    ['--lr 1e-3x', 'got "1e-3x"'],
    ['--sampler-lr -1', '--sampler-lr should be'],
    ['--warmup-ratio 1.1', '--warmup-ratio should be a number from 0 to 1'],
    ['--schedule step', '--schedule should be one of cosine, linear, constant'],
    ['--caption-end dot', '--caption-end should be one of eos, newline'],
    ['--start zero', '--start should be one of checkpoint, fresh'],
    ['--max-tokens 1', '--max-tokens should be a whole number from 2'],
    ['--weight-decay 2', '--weight-decay should be'],
    ['--max-grad-norm -0.1', '--max-grad-norm should be'],
    ['--dtype bf16', '--dtype should be one of auto, f32, f16, q8, q4'],
    ['--seed 4294967296', '--seed should be'],
    ['--held-out -1', '--held-out should be'],
    ['--eval-every 0.5', '--eval-every should be'],
    ['--captions many', '--captions should be'],
    ['--checkpoint-every x', '--checkpoint-every should be'],
    ['--layout pytorch', '--layout should be one of llava, hf, tinyllava, cambrian'],
    ['--prompt x', "Unknown option '--prompt'"],
    ['--order', "Option '--order <value>' argument missing"],
  ])('refuses "%s"', (line, message) => {
    expect(() => train(line)).toThrow(message)
    expect(() => train(line)).toThrow(expect.objectContaining({ name: 'UsageError' }))
    expect(() => train(line)).toThrow(/^train: /)
  })

  test('needs model, data and a folder', () => {
    expect(() => parseCommandLine(words('train --data d --out o'))).toThrow('train: --model is missing')
    expect(() => parseCommandLine(words('train --model m --out o'))).toThrow('train: --data FILE is missing')
    expect(() => parseCommandLine(words('train --model m --data d'))).toThrow('train: --out DIR is missing')
    expect(parseCommandLine(words('train -h'))).toEqual({ command: 'help' })
    expect(() => train('--template=')).toThrow('--template should be')
  })
})

describe('gradcheck', () => {
  test('fills in what is not given', () => {
    expect(parseCommandLine(words('gradcheck --model m'))).toEqual({
      command: 'gradcheck',
      model: 'm',
      dtype: 'f32',
      directions: 4,
      seed: 0,
      json: false,
      adapter: 'auto',
    })
    const line = 'gradcheck --model m --directions 9 --seed 3 --dtype f16 --json'
    expect(parseCommandLine(words(line))).toMatchObject({ directions: 9, seed: 3, dtype: 'f16', json: true })
    expect(parseCommandLine(words('gradcheck --help'))).toEqual({ command: 'help' })
  })

  test.each([
    ['gradcheck', '--model is missing'],
    ['gradcheck --model m --directions 0', '--directions should be a whole number from 1'],
    ['gradcheck --model m --seed x', '--seed should be'],
    ['gradcheck --model m --dtype f64', '--dtype should be'],
  ])('refuses "%s"', (line, message) => {
    expect(() => parseCommandLine(words(line))).toThrow(message)
  })
})
