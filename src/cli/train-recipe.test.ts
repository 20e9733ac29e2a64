import { expect, test } from 'vitest'
import { DatasetError } from '../model/errors'
import { recipes } from '../model/train/recipes'
import { recipeFor, recipeOf, templateOf } from './train-recipe'

const ORDER = [[[0, 1], [1]], [[0]]]

test('an order says batch and accumulation, and how many steps there are', () => {
  const notes: string[] = []
  const of = (changes: Parameters<typeof recipeOf>[0]['changes'], order: unknown = ORDER) =>
    recipeOf({ recipe: undefined, changes }, order, (text) => notes.push(text))
  expect(of({ batchSize: 2 })).toMatchObject({ batchSize: 2, accumulate: 2, steps: 2 })
  expect(of({}, [[4, 5, 6]])).toMatchObject({ batchSize: 3, accumulate: 1, steps: 1 })
  expect(of({ steps: 1 })).toMatchObject({ steps: 1 })
  expect(notes).toEqual([])

  expect(of({ batchSize: 8, steps: 5 })).toMatchObject({ batchSize: 2, steps: 2 })
  expect(of({ epochs: 3, steps: null })).toMatchObject({ steps: 2 })
  expect(notes).toEqual([
    'the order says which rows go together: --batch-size 8 gives way to its 2',
    'the order has 2 steps, which are trained instead of --steps 5',
    'the order says every step: --epochs 3 gives way to its 2 steps',
  ])
  for (const malformed of [{}, [], [[]], [[[]]], 'x']) expect(() => of({}, malformed)).toThrow(DatasetError)
})

test('a recipe begins with the checkpoint’s connector unless a new one is asked for', () => {
  const of = (recipe: 'tinyllava' | undefined, changes = {}) =>
    recipeOf({ recipe, changes }, undefined, () => {})
  expect(of(undefined)).toEqual({ ...recipes['llava-1.5'].recipe, start: 'checkpoint' })
  expect(of('tinyllava', { start: 'fresh', learningRate: 0.5 })).toEqual({
    ...recipes.tinyllava.recipe,
    learningRate: 0.5,
  })
})

test('a model of Cambrian-1 has its recipe where none is asked for', () => {
  expect(recipeFor({ promptStyle: { project: 'cambrian' } })).toBe('cambrian-1')
  expect(recipeFor({ promptStyle: { project: 'llava' } })).toBe('llava-1.5')
  expect(recipeFor({})).toBe('llava-1.5')
  const of = (recipe: 'llava-1.5' | undefined) =>
    recipeOf({ recipe, changes: {} }, undefined, () => {}, 'cambrian-1').name
  expect([of(undefined), of('llava-1.5')]).toEqual(['cambrian-1', 'llava-1.5'])
})

test('a template is told by its own name', () => {
  const name = (template: string, templateName?: string) =>
    templateOf({ ...recipes['cambrian-1'].recipe, template }, { templateName })
  expect([name('plain', 'llama_3'), name('model', 'llama_3'), name('model')]).toEqual([
    'plain',
    'llama_3',
    "the checkpoint's own",
  ])
})
