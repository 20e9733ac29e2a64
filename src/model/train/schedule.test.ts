import { describe, expect, test } from 'vitest'
import { DatasetError } from '../errors'
import type { Recipe } from './definition'
import { recipes } from './recipes'
import { rateAt, ratePreview, rates, stepsOf, warmupSteps } from './schedule'

const llava = recipes['llava-1.5'].recipe
const cambrian = recipes['cambrian-1'].recipe

// Recorded by PyTorch from transformers' get_cosine_schedule_with_warmup, in the run that train-loop tests follow: 20
// steps of a small LLaVA, warm-up 0.03.
const LLAVA_20 = [
  0.0, 0.001, 0.0009931806517013613, 0.0009729086208503173, 0.0009397368756032445, 0.0008945702546981969,
  0.0008386407858128706, 0.0007734740790612135, 0.0007008477123264848, 0.0006227427435703996,
  0.0005412896727361663, 0.0004587103272638339, 0.00037725725642960046, 0.0002991522876735154,
  0.00022652592093878665, 0.00016135921418712956, 0.00010542974530180327, 6.026312439675552e-5,
  2.709137914968268e-5, 6.819348298638839e-6,
]

// The same over the 75 steps of the bundled model's recorded stage 1.
const BUNDLED_75 = [
  0.0, 0.0003333333333333333, 0.0006666666666666666, 0.001, 0.000999524110790929, 0.0009980973490458728,
  0.0009957224306869053, 0.000992403876506104, 0.0009881480035599667, 0.0009829629131445341,
  0.0009768584753741135, 0.0009698463103929542, 0.0009619397662556434, 0.0009531538935183251,
  0.0009435054165891108, 0.0009330127018922195, 0.0009216957229064429, 0.0009095760221444959,
  0.0008966766701456176, 0.000883022221559489, 0.000868638668405062, 0.0008535533905932737,
  0.0008377951038078302, 0.0008213938048432696, 0.0008043807145043603, 0.0007867882181755231,
  0.000768649804173412, 0.00075, 0.000730874306617517, 0.0007113091308703497, 0.000691341716182545,
  0.0006710100716628344, 0.0006503528997521365, 0.0006294095225512603, 0.0006082198069690515,
  0.0005868240888334653, 0.000565263096110026, 0.0005435778713738292, 0.0005218096936826681, 0.0005,
  0.0004781903063173321, 0.00045642212862617086, 0.00043473690388997434, 0.00041317591116653486,
  0.0003917801930309486, 0.0003705904774487396, 0.0003496471002478635, 0.0003289899283371657,
  0.0003086582838174551, 0.0002886908691296504, 0.00026912569338248315, 0.0002500000000000001,
  0.000231350195826588, 0.00021321178182447708, 0.00019561928549563967, 0.0001786061951567303,
  0.0001622048961921699, 0.00014644660940672628, 0.000131361331594938, 0.00011697777844051105,
  0.00010332332985438247, 9.042397785550405e-5, 7.830427709355725e-5, 6.698729810778065e-5,
  5.649458341088914e-5, 4.684610648167503e-5, 3.806023374435663e-5, 3.0153689607045842e-5,
  2.314152462588659e-5, 1.70370868554659e-5, 1.185199644003332e-5, 7.59612349389599e-6, 4.277569313094809e-6,
  1.9026509541272275e-6, 4.758892090711009e-7,
]

// Cambrian's two groups over 20 steps, warm-up 0.06.
const CAMBRIAN_20 = [
  0.0, 0.0005, 0.001, 0.000992403876506104, 0.0009698463103929542, 0.0009330127018922195,
  0.000883022221559489, 0.0008213938048432696, 0.00075, 0.0006710100716628344, 0.0005868240888334653, 0.0005,
  0.00041317591116653486, 0.0003289899283371657, 0.0002500000000000001, 0.0001786061951567303,
  0.00011697777844051105, 6.698729810778065e-5, 3.0153689607045842e-5, 7.59612349389599e-6,
]
const CAMBRIAN_SAMPLER_20 = [
  0.0, 5e-5, 0.0001, 9.924038765061042e-5, 9.698463103929542e-5, 9.330127018922194e-5, 8.83022221559489e-5,
  8.213938048432697e-5, 7.500000000000001e-5, 6.710100716628344e-5, 5.868240888334653e-5, 5e-5,
  4.131759111665349e-5, 3.289899283371657e-5, 2.500000000000001e-5, 1.7860619515673033e-5,
  1.1697777844051105e-5, 6.698729810778065e-6, 3.0153689607045845e-6, 7.596123493895991e-7,
]

// transformers 5.18.0 over 10 steps at 1e-3: 3 of them warm-up, then none, then all.
const LINEAR_3 = [
  0.0, 0.0003333333333333333, 0.0006666666666666666, 0.001, 0.0008571428571428571, 0.0007142857142857143,
  0.0005714285714285714, 0.00042857142857142855, 0.0002857142857142857, 0.00014285714285714284,
]
const CONSTANT_3 = [
  0.0, 0.0003333333333333333, 0.0006666666666666666, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001,
]
const COSINE_0 = [
  0.001, 0.0009755282581475768, 0.0009045084971874737, 0.0007938926261462366, 0.0006545084971874737, 0.0005,
  0.00034549150281252633, 0.00020610737385376348, 9.549150281252633e-5, 2.4471741852423235e-5,
]
const LINEAR_10 = [0.0, 0.0001, 0.0002, 0.0003, 0.0004, 0.0005, 0.0006, 0.0007, 0.0008, 0.0009000000000000001]

function expectRates(
  recipe: Recipe,
  expected: readonly number[],
  rate: (step0: number) => number | undefined = (step0) => rates(recipe, step0, expected.length).lr,
) {
  for (const [step0, lr] of expected.entries()) {
    // Scaled by the full rate: near the end, cosines are differences of almost equal numbers.
    expect(Math.abs(rate(step0)! - lr), `step ${step0}`).toBeLessThan(1e-15 * recipe.learningRate * 4)
  }
}

describe('rates', () => {
  test('follow the runs that PyTorch recorded', () => {
    expectRates(llava, LLAVA_20)
    expectRates(llava, BUNDLED_75)
    expectRates(cambrian, CAMBRIAN_20)
    expectRates(cambrian, CAMBRIAN_SAMPLER_20, (step0) => rates(cambrian, step0, 20).samplerLr)
    expect(rates(llava, 3, 20)).not.toHaveProperty('samplerLr')
  })

  test('follow transformers in every schedule', () => {
    expectRates({ ...llava, schedule: 'linear', warmupRatio: 0.3 }, LINEAR_3)
    expectRates({ ...llava, schedule: 'constant', warmupRatio: 0.3 }, CONSTANT_3)
    expectRates({ ...llava, schedule: 'cosine', warmupRatio: 0 }, COSINE_0)
    expectRates({ ...llava, schedule: 'linear', warmupRatio: 1 }, LINEAR_10)
    for (const schedule of ['cosine', 'linear', 'constant'] as const) {
      expect(rateAt({ schedule, warmupRatio: 0 }, 0, 1)).toBe(1)
      expect(rateAt({ schedule, warmupRatio: 1 }, 0, 1)).toBe(0)
    }
  })

  test('warm up over a share of the steps that is rounded up', () => {
    const steps = (warmupRatio: number, count: number) => warmupSteps({ warmupRatio }, count)
    expect([steps(0.03, 20), steps(0.03, 75), steps(0.06, 20), steps(0, 20), steps(1, 20)]).toEqual([
      1, 3, 2, 0, 20,
    ])
  })
})

test('a preview shows every step of a short run, and the ends of a long one', () => {
  expect(ratePreview(cambrian, 3, 512)).toEqual([
    { step: 1, lr: 0, samplerLr: 0 },
    { step: 2, lr: 1e-3, samplerLr: 1e-4 },
    { step: 3, ...rates(cambrian, 2, 3) },
  ])
  const long = ratePreview(llava, 10_000, 512)
  expect(long).toHaveLength(512)
  expect(long[0]).toEqual({ step: 1, lr: 0 })
  expect(long.at(-1)).toEqual({ step: 10_000, ...rates(llava, 9_999, 10_000) })
  expect(long.every(({ step }, i) => i === 0 || step > long[i - 1]!.step)).toBe(true)
  expect(ratePreview(llava, 1, 512)).toEqual([{ step: 1, lr: 0 }])
})

test('steps count what is left of an epoch, as transformers does', () => {
  const steps = (rows: number, changes: Partial<Recipe> = {}) =>
    stepsOf({ ...llava, batchSize: 4, accumulate: 4, ...changes }, rows)
  expect(steps(16)).toEqual({ steps: 1, stepsPerEpoch: 1 })
  // One row more is a micro-batch more, and that a step more.
  expect(steps(17)).toEqual({ steps: 2, stepsPerEpoch: 2 })
  expect(steps(32)).toEqual({ steps: 2, stepsPerEpoch: 2 })
  expect(steps(1)).toEqual({ steps: 1, stepsPerEpoch: 1 })
  expect(steps(17, { epochs: 3 })).toEqual({ steps: 6, stepsPerEpoch: 2 })
  expect(steps(48, { epochs: 1.5 })).toEqual({ steps: 5, stepsPerEpoch: 3 })
  expect(steps(17, { epochs: 3, steps: 5 })).toEqual({ steps: 5, stepsPerEpoch: 2 })
  expect(steps(200, { batchSize: 8, accumulate: 1, epochs: 3 })).toEqual({ steps: 75, stepsPerEpoch: 25 })
  expect(() => steps(0)).toThrow(DatasetError)
})
