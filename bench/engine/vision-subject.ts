import { reshape, uploadTensor, type Encoder, type Tensor } from '../../src/kernels'
import { attentionRef } from '../../src/kernels/attention/attention.ref'
import { layerNormRef } from '../../src/kernels/layer-norm/layer-norm.ref'
import { matmulRef } from '../../src/kernels/matmul/matmul.ref'
import { embedPatchesRef, patchifyRef } from '../../src/kernels/patch-embed/patch-embed.ref'
import { seeded } from '../../src/kernels/testing/numbers'
import type { VisionTower } from '../../src/model/vision/definition'
import { clip } from '../../src/model/vision/clip'
import { siglip } from '../../src/model/vision/siglip'
import type { VisionPreset, VisionSizes } from '../presets.mjs'
import { rowsOf } from '../work.mjs'
import { relativeError, type Bench, type Subject } from './subject'
import { HeldValues, randomWeights } from './weights'

/** Side of the picture that the oracle computes too: 64 patches. */
const CHECKED_SIDE = 112

const TOWERS = {
  siglip: { definition: siglip, activation: 'gelu_tanh', eps: 1e-6 },
  clip: { definition: clip, activation: 'quick_gelu', eps: 1e-5 },
} as const

/** One picture through a tower, the features left on the GPU. */
export async function visionSubject(bench: Bench, preset: VisionPreset): Promise<Subject> {
  const { gpu, enc } = bench
  const { sizes, held } = preset
  const configured = (image: number) =>
    TOWERS[sizes.model].definition.configure(
      {
        hidden_size: sizes.hidden,
        intermediate_size: sizes.mlp,
        num_hidden_layers: sizes.layers,
        num_attention_heads: sizes.heads,
        image_size: image,
        patch_size: sizes.patch,
      },
      'bench:',
    )
  const full = configured(sizes.image)
  const output = { depth: sizes.layers }
  const store = await randomWeights(bench, 'vision', full.params(output), held)
  const weights = store.at('vision')
  const tower = full.create(weights, output)
  const pixels = (side: number) => {
    const { data } = seeded({ data: [1, 3, side, side] })
    return { data, tensor: uploadTensor(gpu, 'pixels', [1, 3, side, side], data) }
  }
  const { tensor } = pixels(sizes.image)
  const dispatches = () => {
    const before = enc.dispatches
    enc.scope(() => tower.features(enc, tensor))
    return enc.dispatches - before
  }
  return {
    async check() {
      const small = pixels(CHECKED_SIDE)
      const rows = rowsOf({ ...sizes, image: CHECKED_SIDE })
      // The same weights and the first of the positions.
      const cut: VisionTower = configured(CHECKED_SIDE).create(
        {
          ...weights,
          vector: (name) => {
            const found = weights.vector(name)
            return name.includes('position_embedding') ? firstRows(found, rows, sizes.hidden) : found
          },
        },
        output,
      )
      const [hidden] = await cut.features(enc, small.tensor)
      const got = await readRows(enc, hidden!, rows, sizes.hidden)
      const want = await visionOracle(new HeldValues(enc, store, 'vision'), sizes, small.data, CHECKED_SIDE)
      return { error: relativeError(got, want), allowed: 1e-4 }
    },
    async run(units) {
      for (let i = 0; i < units; i++) {
        enc.scope(() => tower.features(enc, tensor))
        enc.end()
        await gpu.finish()
      }
    },
    dispatches() {
      const count = dispatches()
      enc.end()
      return count
    },
  }
}

const firstRows = (table: Tensor, rows: number, C: number): Tensor => ({ ...table, shape: [rows, C] })

async function readRows(enc: Encoder, features: Tensor, rows: number, C: number): Promise<Float32Array> {
  const values = await enc.read(reshape(features, [rows, C]))
  enc.end()
  return values
}

/** The tower in float64. Shapes: pixels [3, side, side] -> [rows, C]. */
async function visionOracle(
  values: HeldValues,
  sizes: VisionSizes,
  pixels: Float32Array,
  side: number,
): Promise<Float64Array> {
  const { hidden: C, heads: H, mlp: F, patch } = sizes
  const { activation, eps } = TOWERS[sizes.model]
  const isClip = sizes.model === 'clip'
  const rows = rowsOf({ ...sizes, image: side })
  const project = async (
    name: string,
    x: Float64Array,
    K: number,
    options: { activation?: typeof activation; residual?: Float64Array } = {},
  ) => {
    const bias = await values.vector(`${name}.bias`)
    return matmulRef(x, await values.matrix(`${name}.weight`), K, { bias, ...options })
  }
  const norm = async (name: string, x: Float64Array) =>
    layerNormRef(x, await values.vector(`${name}.weight`), await values.vector(`${name}.bias`), eps)
  const patches = patchifyRef(pixels, [1, 3, side, side], patch)
  const width = 3 * patch ** 2
  const embedded = isClip
    ? matmulRef(patches, await values.matrix('embeddings.patch_embedding.weight'), width)
    : await project('embeddings.patch_embedding', patches, width)
  const positions = (await values.vector('embeddings.position_embedding.weight')).subarray(0, rows * C)
  const classToken = isClip ? await values.vector('embeddings.class_embedding') : undefined
  let x = embedPatchesRef(embedded, positions, C, classToken)
  if (isClip) x = await norm('pre_layrnorm', x)
  const dims = { B: 1, T: rows, S: rows, H, KV: H, D: C / H, scale: 1 / Math.sqrt(C / H) }
  for (let layer = 0; layer < sizes.layers; layer++) {
    const at = `encoder.layers.${layer}`
    const normed = await norm(`${at}.layer_norm1`, x)
    const q = await project(`${at}.self_attn.q_proj`, normed, C)
    const k = await project(`${at}.self_attn.k_proj`, normed, C)
    const v = await project(`${at}.self_attn.v_proj`, normed, C)
    x = await project(`${at}.self_attn.out_proj`, attentionRef(q, k, v, dims), C, { residual: x })
    const after = await norm(`${at}.layer_norm2`, x)
    const hidden = await project(`${at}.mlp.fc1`, after, C, { activation })
    x = await project(`${at}.mlp.fc2`, hidden, F, { residual: x })
  }
  return x
}
