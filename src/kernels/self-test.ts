import type { Activation } from './activation-kinds'
import { activation } from './activation/activation'
import { attention, attentionFull } from './attention/attention'
import { embedding } from './embedding/embedding'
import type { Gpu } from './gpu/device'
import { Encoder } from './gpu/encoder'
import { warmUp } from './gpu/kernel'
import { Arena, uploadTensor } from './gpu/memory'
import { appendKv, createKvCache, destroyKvCache, type KvCache } from './kv-cache/kv-cache'
import { layerNorm } from './layer-norm/layer-norm'
import { matmul } from './matmul/matmul'
import { packRows } from './pack/pack'
import { rmsNorm } from './rms-norm/rms-norm'
import { rope } from './rope/rope'
import { sampleToken } from './sample/sample'
import {
  attended,
  attendedBlocks,
  gelu,
  geluTanh,
  inputs,
  normalised,
  product,
  quickGelu,
  shares,
  silu,
  turned,
} from './self-test-answers'
import { softmax } from './softmax/softmax'
import { svaAttention } from './sva/sva'
import { swiglu } from './swiglu/swiglu'
import type { Tensor } from './tensor'
import { createWeight, destroyWeight, type Weight, type WeightDtype } from './weight'

export interface SelfTestResult {
  readonly passed: boolean
  readonly checks: {
    readonly name: string
    /** Largest |got - expected|; Infinity where a value is no number. */
    readonly maxError: number
    readonly tolerance: number
    readonly passed: boolean
  }[]
  /** Of the run itself, in milliseconds; compiling the kernels comes before and is not counted. */
  readonly ms: number
}

interface Check {
  readonly name: string
  readonly want: ArrayLike<number>
  /** Of the largest expected value. */
  readonly tolerance: number
  /** Left out unless the test is thorough: a further variant of a family that another check stands for. */
  readonly extra?: boolean
  run(enc: Encoder): Tensor
}

/** Sums of some hundred products in f32, in any order. */
const F32 = 1e-5
/** Keys and values rounded to f16; the inputs are exact in it, so only products differ. */
const F16 = 1e-3

export interface SelfTestOptions {
  /** May replace a check's answer; tests give a wrong one to see it refused. */
  readonly expected?: (name: string, want: ArrayLike<number>) => ArrayLike<number>
  /**
   * Every variant, or one of each family. Default: every one on a GPU. CPU adapters compile on the CPU: SwiftShader
   * takes 2 to 3 s for each tiled form, about 20 s for all.
   */
  readonly thorough?: boolean
}

/**
 * Runs each family of kernels on small inputs with known answers, so that a driver that computes nonsense is refused.
 *
 * Throws: the driver's error for a shader it does not compile, DeviceLostError, OutOfMemoryError.
 */
export async function selfTest(gpu: Gpu, options: SelfTestOptions = {}): Promise<SelfTestResult> {
  const { expected = (_, want) => want, thorough = !gpu.caps.isSoftware } = options
  const bench = new Bench(gpu)
  try {
    const checks = [
      ...matmulChecks(bench),
      ...attentionChecks(bench),
      ...svaChecks(bench),
      ...rowChecks(bench),
      ...tokenChecks(bench),
    ].filter(({ extra }) => thorough || !extra)
    const record = (enc: Encoder) => checks.map((check) => check.run(enc))
    await warmUp(gpu, Encoder.collect(gpu, bench.arena, record))
    const enc = new Encoder(gpu, bench.arena, 'self-test')
    // Some drivers compile at the first dispatch; a run nobody reads keeps that out of the time.
    record(enc)
    enc.end()
    await gpu.finish()

    const start = performance.now()
    const outputs = record(enc)
    const results: SelfTestResult['checks'] = []
    for (const [i, { name, want, tolerance }] of checks.entries()) {
      const output = outputs[i]!
      const got = output.dtype === 'u32' ? await enc.readU32(output) : await enc.read(output)
      results.push(judge(name, got, expected(name, want), tolerance))
    }
    enc.end()
    await gpu.check()
    const ms = performance.now() - start
    return { passed: results.every(({ passed }) => passed), checks: results, ms }
  } finally {
    bench.destroy()
  }
}

function judge(name: string, got: ArrayLike<number>, want: ArrayLike<number>, relative: number) {
  let maxError = got.length === want.length ? 0 : Infinity
  let scale = 0
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i]! - want[i]!)
    maxError = Number.isNaN(error) ? Infinity : Math.max(maxError, error)
    scale = Math.max(scale, Math.abs(want[i]!))
  }
  const tolerance = relative * scale
  return { name, maxError, tolerance, passed: maxError <= tolerance }
}

/** Buffers of the test, freed together. */
class Bench {
  readonly arena: Arena
  readonly random = inputs(1)
  private readonly tensors: Tensor[] = []
  private readonly weights: Weight[] = []
  private readonly caches: KvCache[] = []

  constructor(readonly gpu: Gpu) {
    this.arena = new Arena(gpu)
  }

  upload(data: Float32Array | Uint32Array, ...shape: number[]): Tensor {
    const tensor = uploadTensor(this.gpu, 'self-test', shape.length ? shape : [data.length], data)
    this.tensors.push(tensor)
    return tensor
  }

  /** A weight, and what packs the values into it. */
  weight(
    values: Float32Array,
    rows: number,
    dtype: WeightDtype,
  ): { weight: Weight; pack: (enc: Encoder) => void } {
    const weight = createWeight(this.gpu, `self-test ${dtype}`, rows, values.length / rows, dtype)
    this.weights.push(weight)
    const raw = { ...this.upload(values), dtype: 'u32' } as const
    return { weight, pack: (enc) => packRows(enc, weight, raw, { rowStart: 0, rows, dtype: 'f32' }) }
  }

  cache(capacity: number, kvHeads: number, headDim: number, dtype: 'f32' | 'f16'): KvCache {
    const cache = createKvCache(this.gpu, 'self-test', { capacity, kvHeads, headDim, dtype })
    this.caches.push(cache)
    return cache
  }

  destroy(): void {
    for (const tensor of this.tensors) this.gpu.destroyBuffer(tensor.buffer)
    for (const weight of this.weights) destroyWeight(this.gpu, weight)
    for (const cache of this.caches) destroyKvCache(this.gpu, cache)
    this.arena.destroy()
  }
}

/** Prompts (tiled) and decoding (vector) over weights packed on the GPU. */
function* matmulChecks(bench: Bench): Generator<Check> {
  const N = 70
  const K = 96
  for (const dtype of ['f32', 'f16', 'q8', 'q4'] as const) {
    const values = dtype === 'q8' ? bench.random.byteWeights(N, K) : bench.random.weights(N, K)
    const { weight, pack } = bench.weight(values, N, dtype)
    const bias = bench.random.values(N)
    const biasTensor = bench.upload(bias)
    for (const [form, M] of [
      ['tiled', 19],
      ['vector', 1],
    ] as const) {
      const x = bench.random.values(M * K)
      const xTensor = bench.upload(x, M, K)
      yield {
        name: `matmul ${form} ${dtype}`,
        want: product(x, values, K, bias),
        tolerance: F32,
        extra: form === 'tiled' && dtype !== 'f32',
        run(enc) {
          pack(enc)
          return matmul(enc, xTensor, weight, { bias: biasTensor })
        },
      }
    }
  }
}

/** A prompt of 13 tokens and one decoded after it, grouped heads; and a picture without a mask. */
function* attentionChecks(bench: Bench): Generator<Check> {
  const D = 24
  const T = 13
  const shape = { heads: 4, kvHeads: 2, headDim: D }
  for (const dtype of ['f32', 'f16'] as const) {
    const q = bench.random.values((T + 1) * 4 * D)
    const k = bench.random.values((T + 1) * 2 * D)
    const v = bench.random.values((T + 1) * 2 * D)
    const cache = bench.cache(T + 1, 2, D, dtype)
    const prompt = [
      bench.upload(q.slice(0, T * 4 * D), T, 4 * D),
      bench.upload(k.slice(0, T * 2 * D), T, 2 * D),
      bench.upload(v.slice(0, T * 2 * D), T, 2 * D),
    ] as const
    const next = [
      bench.upload(q.slice(T * 4 * D), 1, 4 * D),
      bench.upload(k.slice(T * 2 * D), 1, 2 * D),
      bench.upload(v.slice(T * 2 * D), 1, 2 * D),
    ] as const
    const want = attended(q, k, v, { ...shape, position: 0 })
    const tolerance = dtype === 'f32' ? F32 : F16
    yield {
      name: `attention prompt ${dtype}`,
      want: want.subarray(0, T * 4 * D),
      tolerance,
      extra: dtype === 'f16',
      run(enc) {
        appendKv(enc, cache, prompt[1], prompt[2], 0)
        return attention(enc, prompt[0], cache, { heads: 4, position: 0 })
      },
    }
    yield {
      name: `attention decode ${dtype}`,
      want: want.subarray(T * 4 * D),
      tolerance,
      extra: dtype === 'f16',
      run(enc) {
        appendKv(enc, cache, next[1], next[2], T)
        return attention(enc, next[0], cache, { heads: 4, position: T })
      },
    }
  }
  const q = bench.random.values(T * 2 * D)
  const k = bench.random.values(T * 2 * D)
  const v = bench.random.values(T * 2 * D)
  const [qTensor, kTensor, vTensor] = [q, k, v].map((data) => bench.upload(data, T, 2 * D)) as [
    Tensor,
    Tensor,
    Tensor,
  ]
  yield {
    name: 'attention full',
    want: attended(q, k, v, { heads: 2, kvHeads: 2, headDim: D }),
    tolerance: F32,
    run: (enc) => attentionFull(enc, qTensor, kTensor, vTensor, { heads: 2, batch: 1 }),
  }
}

/** Four cells, each over one key of a coarse map and the valid two of its four in a fine one. */
function* svaChecks(bench: Bench): Generator<Check> {
  const row = 3 * 20
  const map = (cells: number) => {
    const data = bench.random.values(cells * row)
    return { data, tensor: bench.upload(data, cells, row) }
  }
  const [q, k, v, fineK, fineV] = [map(4), map(4), map(4), map(16), map(16)] as const
  const options = { heads: 3, side: 2 }
  const valid = { axis: 'rows', from: 1, to: 3 } as const
  const coarse = { k: k.data, v: v.data, side: 2 }
  const fine = { k: fineK.data, v: fineV.data, side: 4, validRows: [1, 3] as const }
  const towers = [
    { k: k.tensor, v: v.tensor, side: 2 },
    { k: fineK.tensor, v: fineV.tensor, side: 4, valid },
  ]
  yield {
    name: 'sva',
    want: attendedBlocks(q.data, [coarse, fine], options),
    tolerance: F32,
    run: (enc) => svaAttention(enc, q.tensor, towers, options),
  }
}

/** Norms, rotary embedding, activations and softmax, row by row. */
function* rowChecks(bench: Bench): Generator<Check> {
  const C = 100
  const rows = 3
  const eps = 1e-5
  const x = bench.random.values(rows * C)
  const gain = bench.random.values(C)
  const shift = bench.random.values(C)
  const xTensor = bench.upload(x, rows, C)
  const gainTensor = bench.upload(gain)
  const shiftTensor = bench.upload(shift)
  yield {
    name: 'rms norm',
    want: normalised(x, gain, eps),
    tolerance: F32,
    run: (enc) => rmsNorm(enc, xTensor, gainTensor, eps),
  }
  yield {
    name: 'layer norm',
    want: normalised(x, gain, eps, shift),
    tolerance: F32,
    run: (enc) => layerNorm(enc, xTensor, gainTensor, shiftTensor, eps),
  }
  const D = 20
  const frequencies = Float32Array.from({ length: D / 2 }, (_, i) => 10_000 ** (-i / (D / 2)))
  const frequencyTensor = bench.upload(frequencies)
  yield {
    name: 'rope',
    want: turned(x, C, D, frequencies, 1000),
    tolerance: 1e-4, // an angle of 1000 radians has an error of 3e-5 in f32
    run: (enc) =>
      rope(enc, xTensor, { headDim: D, rotaryDim: D, frequencies: frequencyTensor, position: 1000 }),
  }
  const functions: [Activation, (value: number) => number][] = [
    ['gelu', gelu],
    ['gelu_tanh', geluTanh],
    ['quick_gelu', quickGelu],
    ['silu', silu],
  ]
  const wide = x.map((value) => 5 * value)
  const wideTensor = bench.upload(wide, rows, C)
  for (const [kind, f] of functions) {
    yield {
      name: `activation ${kind}`,
      want: Float64Array.from(wide, f),
      tolerance: F32,
      run: (enc) => activation(enc, wideTensor, kind),
    }
  }
  yield {
    name: 'swiglu',
    want: Float64Array.from(wide, (value, i) => silu(value) * x[i]!),
    tolerance: F32,
    run: (enc) => swiglu(enc, wideTensor, xTensor),
  }
  yield { name: 'softmax', want: shares(wide, C), tolerance: F32, run: (enc) => softmax(enc, wideTensor) }
}

/** Ids to rows, and logits to ids. */
function* tokenChecks(bench: Bench): Generator<Check> {
  const C = 40
  const table = bench.random.weights(50, C)
  const { weight, pack } = bench.weight(table, 50, 'f16')
  const ids = Uint32Array.of(49, 0, 17, 17, 3)
  const idTensor = bench.upload(ids)
  yield {
    name: 'embedding',
    want: Array.from(ids).flatMap((id) => [...table.subarray(id * C, (id + 1) * C)]),
    tolerance: F32,
    run(enc) {
      pack(enc)
      return embedding(enc, idTensor, weight, { start: 0, count: ids.length })
    },
  }
  // Id 4321 holds 58 % of the mass beside 9999 logits of 0: the largest, and alone within the top half.
  const logits = new Float32Array(10_000)
  logits[4321] = 9.55
  const logitTensor = bench.upload(logits)
  for (const [name, temperature] of [
    ['argmax', 0],
    ['sample', 1],
  ] as const) {
    const tokens = bench.upload(Uint32Array.of(7, 9_999, 7, 7))
    yield {
      name,
      want: [7, 4321, 7, 7],
      tolerance: 0,
      extra: name === 'sample',
      run(enc) {
        const options = { temperature, topK: 5000, topP: 0.5, repetitionPenalty: 1, seed: 1, step: 0 }
        sampleToken(enc, logitTensor, tokens, { ...options, length: 1 })
        return tokens
      },
    }
  }
}
