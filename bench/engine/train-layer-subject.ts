import { ropeFrequencies, uploadTensor, type Tensor } from '../../src/kernels'
import { seeded } from '../../src/kernels/testing/numbers'
import { sequencesOf } from '../../src/model/layers/causal-segments'
import { DecoderBlock, decoderBlockSpecs } from '../../src/model/layers/decoder-block'
import type { Segment } from '../../src/model/language/definition'
import type { TrainLayerPreset } from '../presets.mjs'
import { relativeError, type Bench, type Subject } from './subject'
import { trainLayerOracle } from './train-layer-oracle'
import { HeldValues, randomWeights } from './weights'

/** Of a language model, so that q4 is held as one. */
const PREFIX = 'language.model.layers.0'

/** Sequences that the oracle computes too. */
const CHECKED: readonly Segment[] = [
  { start: 0, count: 7 },
  { start: 7, count: 3 },
]

/** One frozen decoder layer as training runs it: forward, then forward again and back to its input. */
export async function trainLayerSubject(bench: Bench, preset: TrainLayerPreset): Promise<Subject> {
  const { gpu, enc } = bench
  const { sizes, held, tokens: T } = preset
  const { hidden: C, heads, kvHeads, headDim, theta } = sizes
  const config = {
    hiddenSize: C,
    intermediateSize: sizes.mlp,
    heads,
    kvHeads,
    headDim,
    rmsNormEps: sizes.rmsNormEps,
    qkvBias: sizes.qkvBias,
    outputBias: false,
    mlpBias: false,
    slidingWindow: undefined,
    fusedProjections: false,
  }
  const store = await randomWeights(bench, PREFIX, decoderBlockSpecs(config), held)
  const block = new DecoderBlock(config, store.at(PREFIX))
  const { frequencies } = ropeFrequencies({ theta, rotaryDim: headDim, maxPositions: 32_768 }, T)
  const table = uploadTensor(gpu, 'rope frequencies', [frequencies.length], frequencies)
  const rotationOf = (segments: readonly Segment[]) => {
    const positions = segments.flatMap(({ count }) => Array.from({ length: count }, (_, row) => row))
    return {
      position: 0,
      frequencies: table,
      rotaryDim: headDim,
      ropeScale: 1,
      ...(segments.length > 1 && {
        positions: uploadTensor(gpu, 'positions', [positions.length], Uint32Array.from(positions)),
      }),
    }
  }
  const subject = (segments: readonly Segment[]) => {
    const rows = segments.reduce((sum, { count }) => sum + count, 0)
    const { x, dy } = seeded({ x: [rows, C], dy: [rows, C] })
    const inputs = { x: uploadTensor(gpu, 'x', [rows, C], x), dy: uploadTensor(gpu, 'dy', [rows, C], dy) }
    const rotation = rotationOf(segments)
    const record = (): { y: Tensor; dx: Tensor } => {
      const sequences = sequencesOf(enc, segments, config)
      return {
        y: block.forwardTraining(enc, inputs.x, sequences, rotation).y,
        dx: block.backward(enc, inputs.dy, inputs.x, sequences, rotation),
      }
    }
    return { x, dy, record }
  }
  const whole = subject([{ start: 0, count: T }])
  const once = () => {
    enc.scope(() => void whole.record())
    enc.end()
  }
  return {
    async check() {
      const { x, dy, record } = subject(CHECKED)
      const got = record()
      const y = await enc.read(got.y)
      const dx = await enc.read(got.dx)
      enc.end()
      const values = new HeldValues(enc, store, PREFIX)
      const want = await trainLayerOracle(values, sizes, frequencies, CHECKED, x, dy)
      bench.arena.trim()
      return { error: Math.max(relativeError(y, want.y), relativeError(dx, want.dx)), allowed: 1e-4 }
    },
    async run(units) {
      for (let i = 0; i < units; i++) {
        once()
        await gpu.finish()
      }
    },
  }
}
