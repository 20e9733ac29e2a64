import { describe, expect, test } from 'vitest'
import type { Recipe } from './definition'
import { checkRecipe, findRecipe, recipeFromJson, recipes } from './recipes'

const llava = recipes['llava-1.5'].recipe

describe('known recipes', () => {
  test('are whole, and every value has a source', () => {
    for (const [name, { recipe, sources }] of Object.entries(recipes)) {
      expect(checkRecipe(recipe)).toEqual(recipe)
      expect(recipe.name).toBe(name)
      const fields = Object.keys(recipe).filter((field) => field !== 'name')
      expect(Object.keys(sources).sort()).toEqual(fields.sort())
    }
  })

  test('are told apart by what the original scripts say', () => {
    expect(recipes['llava-1.5'].recipe).toMatchObject({
      template: 'plain',
      learningRate: 1e-3,
      warmupRatio: 0.03,
    })
    expect(recipes['cambrian-1'].recipe).toMatchObject({
      template: 'model',
      learningRate: 1e-3,
      samplerLearningRate: 1e-4,
      warmupRatio: 0.06,
    })
    expect(recipes.tinyllava.recipe).toEqual({ ...llava, name: 'tinyllava' })
  })

  test('are found by their exact names', () => {
    expect(findRecipe('cambrian-1')).toBe(recipes['cambrian-1'])
    for (const name of ['LLaVA-1.5', 'llava', 'toString']) {
      expect(() => findRecipe(name)).toThrow(
        `recipe: expected one of llava-1.5, cambrian-1, tinyllava, got "${name}"; choose one of these`,
      )
    }
  })
})

describe('checkRecipe', () => {
  test('keeps the fields of a recipe and no others', () => {
    const more = { ...llava, note: 'mine' }
    expect(checkRecipe(more)).toEqual(llava)
    expect(checkRecipe(more)).not.toBe(more)
  })

  test('names every field that cannot be', () => {
    expect(() =>
      checkRecipe({ ...llava, learningRate: NaN, accumulate: 0, schedule: 'step' as 'linear' }),
    ).toThrow(
      /^recipe: learningRate should be a number above 0 and at most 1 but is NaN; schedule should be "cosine" or "linear" or "constant" but is "step"; accumulate should be a whole number from 1 to 4096 but is 0$/,
    )
  })

  const wrong: { [K in keyof Recipe]: unknown[] } = {
    name: ['', '  ', 3, undefined, 'x'.repeat(201)],
    template: ['', null],
    captionEnd: ['EOS', undefined, null],
    start: ['new', 0],
    imageAspectRatio: ['anyres', null],
    learningRate: [0, -1e-3, 1.1, Infinity, NaN, '1e-3', null],
    samplerLearningRate: [0, -1, NaN, undefined],
    schedule: ['Cosine', null],
    warmupRatio: [-0.01, 1.01, NaN, '0.03'],
    beta1: [-0.1, 1, NaN],
    // As f32 the last one is 1.
    beta2: [1, 2, 0.999999999],
    epsilon: [0, -1e-8, 1e-38, 2],
    weightDecay: [-1, Infinity, null],
    maxGradNorm: [-1, Infinity, null],
    batchSize: [0, 1.5, -4, 5000, '4'],
    accumulate: [0, 0.5, NaN],
    epochs: [0, -1, Infinity, null],
    steps: [0, 1.5, -1, undefined],
    maxTokens: [1, 2048.5, 2 ** 21],
    seed: [-1, 0.5, 2 ** 32, null],
  }
  test.each(Object.entries(wrong))('refuses %s of %j', (field, values) => {
    for (const value of values) {
      const recipe = { ...llava, [field]: value } as Recipe
      expect(() => checkRecipe(recipe), String(value)).toThrow(
        new RegExp(`^recipe: ${field} should be [^;]*$`),
      )
    }
  })

  test('takes the ends of every range', () => {
    for (const changes of [
      { learningRate: 1, samplerLearningRate: 1, warmupRatio: 1, epochs: 0.1, steps: 1, maxTokens: 2 },
      { warmupRatio: 0, beta1: 0, beta2: 0, weightDecay: 0, maxGradNorm: 0, seed: 0, batchSize: 1 },
      { seed: 2 ** 32 - 1, weightDecay: 1, captionEnd: 'eos', start: 'checkpoint', schedule: 'constant' },
    ] as const) {
      expect(checkRecipe({ ...llava, ...changes })).toEqual({ ...llava, ...changes })
    }
  })
})

describe('recipeFromJson', () => {
  test('reads back what was written', () => {
    for (const { recipe } of Object.values(recipes)) {
      expect(recipeFromJson(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe)
    }
  })

  test('tells of missing fields and of misspelt ones', () => {
    const { warmupRatio, ...rest } = llava
    expect(() => recipeFromJson({ ...rest, warmup_ratio: warmupRatio })).toThrow(
      /^recipe: warmupRatio should be a number from 0 to 1 but is missing; "warmup_ratio" is not among its fields \(name, /,
    )
    for (const json of [null, [], 'llava-1.5', 3, undefined]) {
      expect(() => recipeFromJson(json)).toThrow(/^recipe: should be a JSON object but is /)
    }
  })
})
