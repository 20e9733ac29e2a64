import { describe, expect, test } from 'vitest'
import { recipes } from '../../model/train/recipes'
import type { KnownRecipe, Recipe } from '../../worker/client'
import {
  describeValue,
  differingFields,
  FIELDS,
  heldOutHint,
  heldOutProblem,
  parseField,
  startField,
  type FieldKey,
} from './recipe-fields'
import { RecipeForm } from './recipe-form.svelte'

const recipe: Recipe = {
  ...recipes['llava-1.5'].recipe,
  imageAspectRatio: 'model',
  batchSize: 8,
  accumulate: 1,
}
const known: KnownRecipe = { title: 'LLaVA 1.5', recipe, sources: {} }
const field = (key: FieldKey) => FIELDS.find((candidate) => candidate.key === key)!
const parse = (key: FieldKey, text: string) => parseField(field(key), text)

test('every setting of a recipe has a field', () => {
  const keys = Object.keys(recipe).filter((key) => key !== 'name')
  expect(FIELDS.map(({ key }) => key).sort()).toEqual(keys.sort())
})

describe('parseField', () => {
  test.each([
    ['learningRate', '1e-3', 0.001],
    ['learningRate', ' 0.5 ', 0.5],
    ['epsilon', '1e-8', 1e-8],
    ['warmupRatio', '0', 0],
    ['beta1', '0', 0],
    ['batchSize', '16', 16],
    ['seed', '0', 0],
    ['steps', '', null],
    ['samplerLearningRate', '', null],
    ['warmupRatio', '1', 1],
    ['template', 'vicuna_v1', 'vicuna_v1'],
    ['schedule', 'linear', 'linear'],
  ] as const)('%s takes %j', (key, text, value) => {
    expect(parse(key, text)).toEqual({ value })
  })

  test.each([
    ['learningRate', '0', 'must be above 0'],
    ['learningRate', '-1', 'must be above 0'],
    ['learningRate', '1,5', 'is not a number'],
    ['learningRate', '', 'must be given'],
    ['learningRate', 'Infinity', 'is not a number'],
    ['samplerLearningRate', '0', 'must be above 0'],
    ['warmupRatio', '1.1', 'must be 1 or less'],
    ['beta2', '1', 'must be below 1'],
    ['batchSize', '2.5', 'must be a whole number'],
    ['batchSize', '0', 'must be 1 or more'],
    ['batchSize', '5000', 'must be 4096 or less'],
    ['template', ' ', 'must be given'],
    ['schedule', 'sine', 'must be one of the list'],
  ] as const)('%s refuses %j in words', (key, text, words) => {
    expect(parse(key, text)).toEqual({ problem: expect.stringContaining(words) })
  })
})

test('the connector in use is offered by its name, and only while there is one', () => {
  const start = field('start')
  const offered = (inUse: string | undefined, chosen: string) =>
    startField(start, inUse, chosen).options!.map(({ value, label }) => `${value}: ${label}`)
  const own = ['fresh: new random weights', 'checkpoint: the checkpoint’s weights']
  expect(offered(undefined, 'fresh')).toEqual(own)
  expect(offered('Mine', 'fresh')).toEqual([...own, 'in-use: the connector you chat with now: Mine'])
  // A choice that stands is shown, with the problem beneath.
  expect(offered(undefined, 'in-use')).toEqual([...own, 'in-use: the connector in use'])
  expect(startField(field('seed'), 'Mine', 'fresh')).toBe(field('seed'))
})

test('what held-out rows are depends on the data', () => {
  expect(heldOutHint({ usable: 200, heldOutRows: 0 })).toMatch(/so many of the 200, .* 0 keeps none/)
  expect(heldOutHint({ usable: 200, heldOutRows: 1500 })).toMatch(/Of the 1,500 .* 0 takes all/)
  expect(heldOutProblem(199, { usable: 200, heldOutRows: 0 })).toBeUndefined()
  expect(heldOutProblem(200, { usable: 200, heldOutRows: 0 })).toContain('199 or fewer')
  expect(heldOutProblem(500, { usable: 200, heldOutRows: 1 })).toBeUndefined()
  expect(heldOutProblem(500, undefined)).toBeUndefined()
})

describe('differingFields', () => {
  test('tells only what differs, in words', () => {
    const other = { ...recipe, learningRate: 5e-4, steps: 100, start: 'checkpoint' as const }
    expect(differingFields([recipe, other])).toEqual([
      {
        key: 'start',
        label: 'Connector starts from',
        values: ['new random weights', 'the checkpoint’s weights'],
      },
      { key: 'steps', label: 'Steps', values: ['as epochs say', '100'] },
      { key: 'learningRate', label: 'Learning rate', values: ['0.001', '0.0005'] },
    ])
  })

  test('names come first, and equal recipes differ in nothing', () => {
    expect(differingFields([recipe, { ...recipe, name: 'mine' }])[0]?.label).toBe('Recipe')
    expect(differingFields([recipe, { ...recipe }])).toEqual([])
    expect(differingFields([])).toEqual([])
    expect(describeValue('epsilon', 1e-8)).toBe('1e-8')
  })
})

describe('RecipeForm', () => {
  test('a chosen recipe comes back unchanged', () => {
    const form = new RecipeForm()
    expect(form.recipe).toBeUndefined()
    form.choose(known)
    expect(form.recipe).toEqual(recipe)
    expect(form.changedCount).toBe(0)
  })

  test('an edited field changes the recipe until it is reset', () => {
    const form = new RecipeForm()
    form.choose(known)
    form.texts.learningRate = '2e-3'
    form.texts.steps = '30'
    expect(form.recipe).toEqual({ ...recipe, learningRate: 0.002, steps: 30 })
    expect([form.isChanged('learningRate'), form.isChanged('seed'), form.changedCount]).toEqual([
      true,
      false,
      2,
    ])
    form.reset('steps')
    expect(form.recipe?.steps).toBeNull()
    form.reset()
    expect(form.recipe).toEqual(recipe)
  })

  test('another spelling of the same number is no change', () => {
    const form = new RecipeForm()
    form.choose(known)
    form.texts.learningRate = '1e-3'
    expect(form.isChanged('learningRate')).toBe(false)
  })

  test('there is no recipe while a field cannot stay', () => {
    const form = new RecipeForm()
    form.choose(known)
    form.texts.batchSize = 'many'
    expect(form.recipe).toBeUndefined()
    expect(form.problems).toEqual({ batchSize: expect.stringContaining('not a number') })
  })
})
