import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, lastDim, type Tensor } from '../tensor'
import best from '../wgsl/best.wgsl?raw'
import order from '../wgsl/order.wgsl?raw'
import reduce from '../wgsl/reduce.wgsl?raw'
import argmaxFinal from './argmax-final.wgsl?raw'
import argmaxSlices from './argmax-slices.wgsl?raw'
import penaltyApply from './penalty-apply.wgsl?raw'
import penaltyMark from './penalty-mark.wgsl?raw'
import { uniformAt } from './random'
import sample from './sample.wgsl?raw'

const slicesKernel = defineKernel({
  name: 'argmax-slices',
  wgsl: argmaxSlices,
  include: [reduce, order, best],
  bindings: { logits: 'read', best: 'write' },
  params: { V: 'u32' },
})

const finalKernel = defineKernel({
  name: 'argmax-final',
  wgsl: argmaxFinal,
  include: [reduce, order, best],
  bindings: { best: 'read', tokens: 'update', status: 'write' },
  params: { slices: 'u32', index: 'u32' },
})

const markKernel = defineKernel({
  name: 'penalty-mark',
  wgsl: penaltyMark,
  bindings: { tokens: 'read', seen: 'update' },
  params: { length: 'u32', V: 'u32' },
})

const applyKernel = defineKernel({
  name: 'penalty-apply',
  wgsl: penaltyApply,
  bindings: { logits: 'read', seen: 'read', scores: 'write' },
  params: { V: 'u32', penalty: 'f32' },
})

const sampleKernel = defineKernel({
  name: 'sample',
  wgsl: sample,
  include: [reduce, order],
  bindings: { logits: 'read', tokens: 'update', status: 'write' },
  params: {
    V: 'u32',
    index: 'u32',
    top_k: 'u32',
    top_p: 'f32',
    inverse_temperature: 'f32',
    draw: 'f32',
  },
})

export interface SampleOptions {
  /** Ids already in `tokens`: the history of the repetition penalty, and the index the new id is written to. */
  readonly length: number
  /** 0 takes the largest logit (ties: the lowest id). Below 1e-6 counts as 0. */
  readonly temperature: number
  /** 0 keeps all; 1 takes the largest logit, as temperature 0. */
  readonly topK: number
  /** 1 keeps all, 0 the best alone. */
  readonly topP: number
  /** 1 is off. */
  readonly repetitionPenalty: number
  readonly seed: number
  /** Number of the token in its reply; each takes its own draw from the seed. */
  readonly step: number
}

/** Logits around 10 differ by 1e-6 or more in f32, so below this only equal ones would share the mass. */
const LEAST_TEMPERATURE = 1e-6
/** Histograms of the sampler add integers that stay below 2^32 up to here. */
const LARGEST_VOCABULARY = 2 ** 19
/** Ids a workgroup and lanes of the argmax stages: 38 workgroups for a vocabulary of 152k. */
const ARGMAX = { slice: 4096, lanes: 256, finalLanes: 64 }
/** On CPU adapters barriers cost most: for 152k logits SwiftShader takes 4 ms so, 150 ms with the sizes above. */
const SOFTWARE_ARGMAX = { slice: 16_384, lanes: 64, finalLanes: 16 }
const LANES = 256

/**
 * Chooses the next token on the GPU and writes its id to `tokens[length]`.
 *
 * The order is Hugging Face's: repetition penalty, temperature, top-k (keeps ties of the k-th), top-p (of the rest), draw.
 *
 * Shapes: logits [V] or [1, V] f32, tokens [capacity] u32 -> status [1] u32: 0, or a code of `SAMPLE_PROBLEM`, in which
 * case the id is 0. A TokenReader checks it along with the id.
 * Throws: ShapeError for shapes, ranges of options, or a full `tokens`.
 */
export function sampleToken(enc: Encoder, logits: Tensor, tokens: Tensor, options: SampleOptions): Tensor {
  const V = lastDim(logits)
  const { length, temperature, topK, topP, repetitionPenalty } = options
  if (logits.dtype !== 'f32' || elementCount(logits.shape) !== V || V < 1 || V >= LARGEST_VOCABULARY) {
    throw new ShapeError(
      `sample: logits should be f32 [V] or [1, V] with V from 1 to ${LARGEST_VOCABULARY - 1}, ` +
        `but are ${logits.dtype} [${logits.shape.join(', ')}]; pass the last position's row alone`,
    )
  }
  if (tokens.dtype !== 'u32' || tokens.shape.length !== 1) {
    throw new ShapeError(
      `sample: tokens should be u32 [capacity] but are ${tokens.dtype} [${tokens.shape.join(', ')}]`,
    )
  }
  const capacity = lastDim(tokens)
  expectRange(
    'length',
    length,
    Number.isInteger(length) && length >= 0 && length < capacity,
    `0 to ${capacity - 1}`,
  )
  expectRange(
    'temperature',
    temperature,
    temperature >= 0 && temperature < Infinity,
    'a finite number from 0',
  )
  expectRange('topK', topK, Number.isInteger(topK) && topK >= 0, 'a whole number from 0 (off)')
  expectRange('topP', topP, topP >= 0 && topP <= 1, '0 to 1 (off)')
  expectRange(
    'repetitionPenalty',
    repetitionPenalty,
    repetitionPenalty > 0 && repetitionPenalty < Infinity,
    'a finite number above 0 (1 is off)',
  )

  const status = enc.temp([1], 'u32', 'sample status')
  enc.scope(() => {
    const scores =
      repetitionPenalty === 1 || length === 0
        ? logits
        : penalise(enc, logits, tokens, length, repetitionPenalty)
    if (temperature < LEAST_TEMPERATURE || topK === 1) {
      const { slice, lanes, finalLanes } = enc.gpu.caps.isSoftware ? SOFTWARE_ARGMAX : ARGMAX
      const slices = Math.ceil(V / slice)
      const bestOfSlices = enc.temp([slices, 2], 'u32', 'argmax slices')
      enc.dispatch(
        slicesKernel.as({ SLICE: slice, WG: lanes }),
        { logits: scores, best: bestOfSlices },
        { V },
        { groups: slices },
      )
      enc.dispatch(
        finalKernel.as({ WG: finalLanes }),
        { best: bestOfSlices, tokens, status },
        { slices, index: length },
        { groups: 1 },
      )
      return
    }
    enc.dispatch(
      sampleKernel.as({ WG: samplerLanes(enc) }),
      { logits: scores, tokens, status },
      {
        V,
        index: length,
        top_k: topK < V ? topK : 0,
        top_p: topP,
        inverse_temperature: 1 / temperature,
        draw: uniformAt(options.seed, options.step),
      },
      { groups: 1 },
    )
  })
  return status
}

/** What a status word other than 0 says about the logits. */
export const SAMPLE_PROBLEM: Readonly<Record<number, string>> = {
  1: 'hold NaN (not a number)',
  2: 'hold an infinite value',
  3: 'are all minus infinity',
}

/** The logits after the repetition penalty. */
function penalise(enc: Encoder, logits: Tensor, tokens: Tensor, length: number, penalty: number): Tensor {
  const V = lastDim(logits)
  const seen = enc.temp([Math.ceil(V / 32)], 'u32', 'ids seen')
  const scores = enc.temp([V], 'f32', 'penalised logits')
  enc.clear(seen)
  enc.dispatch(markKernel.as(), { tokens, seen }, { length, V }, { groups: Math.ceil(length / LANES) })
  enc.dispatch(applyKernel.as(), { logits, seen, scores }, { V, penalty }, { groups: Math.ceil(V / LANES) })
  return scores
}

/** One workgroup walks the whole vocabulary: as many lanes as a GPU has, few where each barrier is a loop over lanes. */
function samplerLanes(enc: Encoder): number {
  const { isSoftware, maxWorkgroupInvocations } = enc.gpu.caps
  if (isSoftware) return 32
  return maxWorkgroupInvocations >= 1024 ? 1024 : maxWorkgroupInvocations >= 512 ? 512 : LANES
}

function expectRange(name: string, value: number, holds: boolean, range: string): void {
  if (!holds) throw new ShapeError(`sample: ${name} should be ${range} but is ${value}`)
}
