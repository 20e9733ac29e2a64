import { describe, expect, test } from 'vitest'
import { elementCount } from '../../kernels'
import { gridConnector } from '../connector/grid'
import { rowConnector } from '../connector'
import { sva } from '../connector/sva'
import { matrix, vector, type ParameterSpecs } from '../parameters'
import { newConnector } from './initialise'

/** Wide enough for distributions to show, with two query groups of which one is smaller, and two samplers. */
const svaSpecs = sva({
  textWidth: 192,
  visionWidths: [72, 40],
  tokens: [144, 576],
  hidden: 64,
  queryGroups: 2,
  queryCounts: [144, 36],
  imageTokens: 144,
  depth: 2,
  samplerLayers: [0, 2],
  heads: 16,
}).params()

const rowsOf = async (type: string) => {
  const slot = await rowConnector(type)
  return slot.params({ visionWidth: 96, textWidth: 64, activation: 'gelu', bias: true })
}

/** Evenly spread over [-bound, bound): all of it, no more, and with its mean and variance. */
function expectUniform(values: Float32Array, bound: number, name: string): void {
  const n = values.length
  const scaled = Float64Array.from(values, (value) => value / bound)
  expect(Math.max(...scaled.map(Math.abs)), name).toBeLessThanOrEqual(1 + 1e-7)
  // Of n numbers none is so near an end once in 22,000 draws.
  expect(Math.max(...scaled), name).toBeGreaterThan(1 - 20 / n)
  expect(Math.min(...scaled), name).toBeLessThan(-1 + 20 / n)
  // Five deviations of each mean.
  expect(Math.abs(mean(scaled)), name).toBeLessThan(5 / Math.sqrt(3 * n))
  expect(Math.abs(mean(scaled.map((x) => x * x)) - 1 / 3), name).toBeLessThan(5 * Math.sqrt(4 / 45 / n))
}

/** Five deviations of the mean, the variance and the fourth moment, by which a uniform distribution would show. */
function expectNormal(values: Float32Array, deviation: number, name: string): void {
  const n = values.length
  const scaled = Float64Array.from(values, (value) => value / deviation)
  expect(Math.abs(mean(scaled)), name).toBeLessThan(5 / Math.sqrt(n))
  expect(Math.abs(mean(scaled.map((x) => x ** 2)) - 1), name).toBeLessThan(5 * Math.sqrt(2 / n))
  expect(Math.abs(mean(scaled.map((x) => x ** 4)) - 3), name).toBeLessThan(5 * Math.sqrt(96 / n))
}

const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length

const all = (values: Float32Array, value: number) => values.every((x) => x === value)

/** Inputs of the linear layer that a weight or a bias is of. */
const fanIn = (specs: ParameterSpecs, name: string) => specs[name.replace(/bias$/, 'weight')]!.shape[1]!

describe('newConnector', () => {
  // torch.nn.Linear: kaiming_uniform_(weight, a = sqrt(5)) is uniform up to 1 / sqrt(in); the bias is too, by the same `in`.
  test.each(['linear', 'mlp2x_gelu', 'mlp3x_gelu'])('%s: linear layers as torch draws them', async (type) => {
    const specs = await rowsOf(type)
    const values = newConnector(specs, 0)
    expect([...values.keys()]).toEqual(Object.keys(specs))
    for (const [name, drawn] of values) {
      expect(drawn.length, name).toBe(elementCount(specs[name]!.shape))
      expectUniform(drawn, 1 / Math.sqrt(fanIn(specs, name)), name)
    }
  })

  test('sva: each kind of parameter as Cambrian-1 draws it', () => {
    const values = newConnector(svaSpecs, 0)
    expect([...values.keys()]).toEqual(Object.keys(svaSpecs))
    const counts = { linear: 0, gains: 0, offsets: 0, positions: 0 }
    for (const [name, drawn] of values) {
      expect(drawn.length, name).toBe(elementCount(svaSpecs[name]!.shape))
      if (name === 'vision_query') expectNormal(drawn, 1 / Math.sqrt(64), name)
      else if (name === 'image_newline') expectNormal(drawn, 1 / Math.sqrt(192), name)
      else if (/\.pos_embed_\d$/.test(name)) {
        counts.positions++
        expectNormal(drawn, 1, name)
      } else if (/(\.norm|[qkv]_proj(_\d)?\.0|aux_\d\.3)\.weight$/.test(name)) {
        counts.gains++
        expect(all(drawn, 1), name).toBe(true)
      } else if (/(\.norm|[qkv]_proj(_\d)?\.0|aux_\d\.3)\.bias$/.test(name)) {
        counts.offsets++
        expect(all(drawn, 0), name).toBe(true)
      } else {
        counts.linear++
        expectUniform(drawn, 1 / Math.sqrt(fanIn(svaSpecs, name)), name)
      }
    }
    // Six attention layers: two in each of two groups, and two samplers. Each has a norm, and one before q and every k and v.
    const norms = 6 * (1 + 1 + 2 * 2) + 2
    expect(counts.gains).toBe(norms)
    expect(counts.offsets).toBe(norms)
    // Those of a group of 36 queries look at windows of both maps, the others at windows of the second.
    expect(counts.positions).toBe(2 * 2 + 2 + 2)
    // In each layer q, k, v, o, two in and two out; then weights and biases of the projectors.
    expect(counts.linear).toBe(6 * (1 + 2 * 2 + 1 + 2 + 2) + 2 * 4 + 4)
  })

  test('rows on a grid end in a newline as Cambrian-1 draws it', async () => {
    const config = { textWidth: 64, visionWidths: [48, 48], imageTokens: 16 }
    const specs = gridConnector(await rowConnector('mlp2x_gelu'), config).params()
    expectNormal(newConnector(specs, 5).get('image_newline')!, 1 / 8, 'image_newline')
  })

  test('a layer without a bias, and one of a convolution, count their inputs', () => {
    const specs = { 'a.weight': matrix(64, 16, 3, 3), 'a.bias': vector(64), 'b.weight': matrix(512, 9) }
    const values = newConnector(specs, 1)
    expectUniform(values.get('a.weight')!, 1 / 12, 'a.weight')
    expectUniform(values.get('a.bias')!, 1 / 12, 'a.bias')
    expectUniform(values.get('b.weight')!, 1 / 3, 'b.weight')
  })

  test('equal seeds give equal values, other seeds and other parameters others', () => {
    const first = newConnector(svaSpecs, 7)
    const again = newConnector(svaSpecs, 7)
    for (const [name, values] of first) {
      expect(
        values.every((value, i) => value === again.get(name)![i]),
        name,
      ).toBe(true)
    }
    const other = newConnector(svaSpecs, 8)
    const drawn = [...first].filter(([, values]) => values[0] !== values[1])
    for (const [name, values] of drawn) {
      expect(Math.abs(correlation(values, other.get(name)!)), name).toBeLessThan(5 / Math.sqrt(values.length))
    }
    // Layers of one shape are not copies of each other.
    expect(new Set(drawn.map(([, values]) => values[0])).size).toBe(drawn.length)
  })
})

function correlation(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0]
  for (const [i, x] of a.entries()) {
    ab += x * b[i]!
    aa += x * x
    bb += b[i]! * b[i]!
  }
  return ab / Math.sqrt(aa * bb)
}
