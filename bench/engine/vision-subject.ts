import { reshape, uploadTensor, type Encoder, type Tensor } from '../../src/kernels'
import { attentionRef } from '../../src/kernels/attention/attention.ref'
import { layerNormRef } from '../../src/kernels/layer-norm/layer-norm.ref'
import { matmulRef } from '../../src/kernels/matmul/matmul.ref'
import { embedPatchesRef, patchifyRef } from '../../src/kernels/patch-embed/patch-embed.ref'
import { seeded } from '../../src/kernels/testing/numbers'
import type { VisionTower } from '../../src/model/vision/definition'
import { siglip } from '../../src/model/vision/siglip'
import type { VisionPreset, VisionSizes } from '../presets.mjs'
import { relativeError, type Bench, type Subject } from './subject'
import { HeldValues, randomWeights } from './weights'

/** Side of the picture that the oracle computes too: 64 patches. */
const CHECKED_SIDE = 112

/** One picture through a SigLIP tower, the features left on the GPU. */
export async function visionSubject(bench: Bench, preset: VisionPreset): Promise<Subject> {
  const { gpu, enc } = bench
  const { sizes, held } = preset
  const configured = (image: number) =>
    siglip.configure(
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
      const rows = (CHECKED_SIDE / sizes.patch) ** 2
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

/** The tower in float64. Shapes: pixels [3, side, side] -> [patches, C]. */
async function visionOracle(
  values: HeldValues,
  sizes: VisionSizes,
  pixels: Float32Array,
  side: number,
): Promise<Float64Array> {
  const { hidden: C, heads: H, mlp: F, patch } = sizes
  const rows = Math.floor(side / patch) ** 2
  const project = async (
    name: string,
    x: Float64Array,
    K: number,
    options: { activation?: 'gelu_tanh'; residual?: Float64Array } = {},
  ) => {
    const bias = await values.vector(`${name}.bias`)
    return matmulRef(x, await values.matrix(`${name}.weight`), K, { bias, ...options })
  }
  const norm = async (name: string, x: Float64Array) =>
    layerNormRef(x, await values.vector(`${name}.weight`), await values.vector(`${name}.bias`), 1e-6)
  const patches = patchifyRef(pixels, [1, 3, side, side], patch)
  const positions = await values.vector('embeddings.position_embedding.weight')
  let x = embedPatchesRef(
    await project('embeddings.patch_embedding', patches, 3 * patch ** 2),
    positions.subarray(0, rows * C),
    C,
  )
  const dims = { B: 1, T: rows, S: rows, H, KV: H, D: C / H, scale: 1 / Math.sqrt(C / H) }
  for (let layer = 0; layer < sizes.layers; layer++) {
    const at = `encoder.layers.${layer}`
    const normed = await norm(`${at}.layer_norm1`, x)
    const q = await project(`${at}.self_attn.q_proj`, normed, C)
    const k = await project(`${at}.self_attn.k_proj`, normed, C)
    const v = await project(`${at}.self_attn.v_proj`, normed, C)
    x = await project(`${at}.self_attn.out_proj`, attentionRef(q, k, v, dims), C, { residual: x })
    const after = await norm(`${at}.layer_norm2`, x)
    const hidden = await project(`${at}.mlp.fc1`, after, C, { activation: 'gelu_tanh' })
    x = await project(`${at}.mlp.fc2`, hidden, F, { residual: x })
  }
  return x
}
