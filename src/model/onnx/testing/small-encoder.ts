import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Graph } from '../../../../bench/peer/onnx.mjs'
import { seeded, type Shaped } from '../../../kernels/testing/numbers'
import type { JsonObject } from '../../config-reader'
import type { OnnxFile } from '../runtime'

/** Sizes of the encoder below: two convolutions without overlap. */
export const SIDE = 32
export const FINE = { side: 4, width: 12 }
export const COARSE = { side: 2, width: 8 }

/** An encoder of our own making with known weights, and its outputs in float64. */
export interface SmallEncoder {
  readonly file: OnnxFile
  /** Files by name, as a folder would hold them. */
  readonly contents: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  /** Shapes: pixels [3, SIDE, SIDE] -> fine [16, 12], coarse [4, 8] rows. */
  readonly rows: (pixels: ArrayLike<number>) => { fine: Float64Array; coarse: Float64Array }
}

/** What config.json says of its finer map. */
export const fineConfig: JsonObject = {
  model_type: 'onnx',
  file: 'small.onnx',
  external_data: ['small.onnx.data'],
  image_size: SIDE,
  output: 'fine',
  output_layout: 'nchw',
  output_size: FINE.side,
  hidden_size: FINE.width,
}

/**
 * Writes the graph: outputs `fine` and `coarse` [1, C, h, w], `nhwc`, `rows` [1, 16, 12], `classed` (a row of `fine` again
 * before all rows) and `whole` (fine in i32).
 *
 * `operator` replaces the second convolution's name. `element` f16: pixels come in halves, and `half` is fine in halves.
 * `isOpen`: it takes any number of pictures, but for `rows` and `classed`, which count on one.
 */
export function smallEncoder({
  operator = 'Conv',
  element = 'f32',
  isOpen = false,
}: { operator?: string; element?: 'f32' | 'f16'; isOpen?: boolean } = {}): SmallEncoder {
  const batch = isOpen ? 'batch' : 1
  const weights = seeded({
    first: [FINE.width, 3, 8, 8],
    second: [COARSE.width, FINE.width, 2, 2],
    bias: [FINE.width],
  })
  const folder = mkdtempSync(join(tmpdir(), 'trilobite-onnx-'))
  try {
    const path = join(folder, 'small.onnx')
    const g = new Graph(path)
    const place = (name: keyof typeof weights) =>
      g.array(name, 'f32', [...weights[name].shape], weights[name])
    const pixels = g.input('pixels', element, [batch, 3, SIDE, SIDE])
    const wide = element === 'f32' ? pixels : g.op('Cast', [pixels], 'wide', { to: 1 })
    g.op('Conv', [wide, place('first'), place('bias')], 'fine', { kernel_shape: [8, 8], strides: [8, 8] })
    g.op(operator, ['fine', place('second')], 'coarse', { kernel_shape: [2, 2], strides: [2, 2] })
    g.op('Transpose', ['fine'], 'nhwc', { perm: [0, 2, 3, 1] })
    g.op('Reshape', ['nhwc', g.constant('list', [1, -1, FINE.width])], 'rows')
    const bounds = [g.constant('starts', [5]), g.constant('ends', [6]), g.constant('axes', [1])]
    g.op('Concat', [g.op('Slice', ['rows', ...bounds], 'token'), 'rows'], 'classed', { axis: 1 })
    if (element === 'f16') g.op('Cast', ['fine'], 'half', { to: 10 })
    g.op('Cast', ['fine'], 'whole', { to: 6 })
    const { side, width } = FINE
    g.output('fine', 'f32', [batch, width, side, side])
    g.output('coarse', 'f32', [batch, COARSE.width, COARSE.side, COARSE.side])
    g.output('nhwc', 'f32', [batch, side, side, width])
    g.output('rows', 'f32', [batch, side * side, width])
    g.output('classed', 'f32', [batch, side * side + 1, width])
    if (element === 'f16') g.output('half', 'f16', [batch, width, side, side])
    g.output('whole', 'i32', [batch, width, side, side])
    g.save()
    const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)))
    const contents = new Map(['small.onnx', 'small.onnx.data'].map((name) => [name, read(name)] as const))
    const file = {
      name: 'test: small.onnx',
      bytes: contents.get('small.onnx')!,
      externalData: [{ path: 'small.onnx.data', bytes: contents.get('small.onnx.data')! }],
    }
    return {
      file,
      contents,
      rows(values) {
        const fine = patchRows(values, SIDE, weights.first, weights.bias)
        const planes = Float64Array.from(fine, (_, at) => {
          const cells = side * side
          return fine[(at % cells) * width + Math.floor(at / cells)]!
        })
        return { fine, coarse: patchRows(planes, side, weights.second) }
      },
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A convolution whose stride is its kernel's side, as rows. Shapes: x [C, side, side], weight [O, C, k, k] -> [cells, O]. */
function patchRows(x: ArrayLike<number>, side: number, weight: Shaped, bias?: Shaped): Float64Array {
  const [O, C, k] = weight.shape as [number, number, number, number]
  const grid = side / k
  const y = new Float64Array(grid * grid * O)
  for (let at = 0; at < y.length; at++) {
    const [cell, o] = [Math.floor(at / O), at % O]
    let sum = bias?.[o] ?? 0
    for (let i = 0; i < C * k * k; i++) {
      const [c, dy, dx] = [Math.floor(i / (k * k)), Math.floor(i / k) % k, i % k]
      const row = Math.floor(cell / grid) * k + dy
      sum += x[(c * side + row) * side + (cell % grid) * k + dx]! * weight[o * C * k * k + i]!
    }
    y[at] = sum
  }
  return y
}
