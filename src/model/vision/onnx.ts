import {
  createTensor,
  elementCount,
  reshape,
  sizeBytes,
  toRows,
  widen,
  type Encoder,
  type Gpu,
  type Tensor,
} from '../../kernels'
import { f32ToF16 } from '../checkpoint/half'
import { CheckpointError, ConfigError } from '../errors'
import { rowsOfPicture } from '../layers/row-tiles'
import {
  isOnDevice,
  type DeviceArray,
  type HostArray,
  type OnnxDtype,
  type OnnxEncoder,
  type OnnxFile,
  type OnnxOutput,
  type OnnxValue,
} from '../onnx/runtime'
import { openEncoder } from '../onnx/open-encoder'
import { dtypeOf } from '../onnx/session'
import type { ConfiguredTower, TowerOutput, VisionTower, VisionTowerSlot } from './definition'
import type { ExternalTower, TowerHost } from './external'
import { parseOnnxConfig, type OnnxMap, type OnnxTowerConfig } from './onnx-config'

/**
 * Any vision encoder in ONNX or ONNX Runtime's own format, run by that engine; its maps become rows on our GPU.
 *
 * Nothing of it is trained: it has no parameters, and no gradient goes into it.
 */
class OnnxTower implements VisionTower {
  /** Pixels where the engine reads them on our device. */
  private input: Tensor | undefined

  constructor(
    private readonly gpu: Gpu,
    private readonly config: OnnxTowerConfig,
    private readonly file: string,
    private readonly encoder: OnnxEncoder,
    private readonly from: { readonly name: string; readonly dtype: OnnxDtype },
    private readonly names: readonly string[],
    /** The graph leaves open how many pictures come at once. */
    private takesBatches: boolean,
  ) {}

  /** All pictures at once where the graph takes them, else one after another. */
  async features(enc: Encoder, pixels: Tensor): Promise<readonly Tensor[]> {
    const { maps, imageSize, hasClsToken } = this.config
    const batch = pixels.shape[0]!
    const perPicture = 3 * imageSize * imageSize
    if (elementCount(pixels.shape) !== batch * perPicture) {
      throw new ConfigError(
        `${this.file}: takes pictures of ${imageSize}x${imageSize}, but [${pixels.shape.join(', ')}] came. ` +
          'Correct image_size in config.json or the size in preprocessor_config.json.',
      )
    }
    const all = maps.map(({ side, width }) =>
      enc.temp([batch * rowsOfMap(side, hasClsToken), width], 'f32', 'onnx features'),
    )
    if (batch > 1 && this.takesBatches) {
      try {
        await this.see(enc, pixels, all, 0)
        return all
      } catch (error) {
        // Graphs may say that they are open and count on one picture all the same, or take too much memory.
        if (!(error instanceof CheckpointError || error instanceof ConfigError)) throw error
        this.takesBatches = false
      }
    }
    for (let picture = 0; picture < batch; picture++) {
      const offset = pixels.offset + picture * perPicture * 4
      await this.see(enc, { ...pixels, shape: [1, 3, imageSize, imageSize], offset }, all, picture)
    }
    return all
  }

  /** Puts what the engine makes of some pictures into the maps of all, from the picture `first` on. */
  private async see(enc: Encoder, pixels: Tensor, all: readonly Tensor[], first: number): Promise<void> {
    const outputs = await this.run(await this.feed(enc, pixels))
    try {
      enc.scope(() => {
        for (const [i, map] of this.config.maps.entries()) {
          const pictures = this.rowsOf(enc, outputs[i]!, map, pixels.shape[0]!)
          for (const [picture, rows] of pictures.entries()) {
            enc.copy(rows, all[i]!, { toOffset: (first + picture) * sizeBytes(rows.shape, 'f32') })
          }
        }
      })
      // The copies are queued before the engine may write there again.
      enc.submit()
    } finally {
      for (const output of outputs) output.release()
    }
  }

  /** Throws: DeviceLostError where that is why the engine failed, or never answers. */
  private async run(pixels: HostArray | DeviceArray): Promise<OnnxOutput[]> {
    const { gpu, encoder, from, names } = this
    const lost = gpu.lost.then((error) => {
      throw error
    })
    try {
      return await Promise.race([encoder.run({ [from.name]: pixels }, names), lost])
    } catch (error) {
      gpu.throwIfLost()
      throw error
    }
  }

  private async feed(enc: Encoder, pixels: Tensor) {
    const { shape } = pixels
    // Halves are rounded on the host.
    if (this.encoder.sharesDevice && this.from.dtype === 'f32') {
      const input = this.inputOf(shape)
      enc.copy(pixels, input)
      enc.submit()
      return { shape, dtype: 'f32', buffer: input.buffer } as const
    }
    const values = await enc.read(pixels)
    return this.from.dtype === 'f32'
      ? ({ shape, dtype: 'f32', data: values } as const)
      : ({ shape, dtype: 'f16', data: f32ToF16(values) } as const)
  }

  /** A buffer of that many pictures; the one before goes where it held another number. */
  private inputOf(shape: readonly number[]): Tensor {
    if (this.input && this.input.shape[0] !== shape[0]) {
      this.gpu.destroyBuffer(this.input.buffer)
      this.input = undefined
    }
    return (this.input ??= createTensor(this.gpu, 'onnx pixels', shape))
  }

  /** An output as f32 rows of each picture. Throws: ConfigError where its shape is not what the config says. */
  private rowsOf(enc: Encoder, output: OnnxOutput, map: OnnxMap, batch: number): Tensor[] {
    const { side, width, layout } = map
    const rows = rowsOfMap(side, this.config.hasClsToken)
    expectMap(this.file, map, output.shape, { batch, rows })
    const flat = layout === 'nchw' ? [batch * width, side * side] : [batch * rows, width]
    const raw = this.onGpu(enc, output)
    let values: Tensor
    if (output.dtype === 'f32') values = { ...raw, dtype: 'f32' }
    else widen(enc, raw, 'f16', elementCount(flat), (values = enc.temp(flat, 'f32', 'onnx widened')))
    const shaped = reshape(values, flat)
    return Array.from({ length: batch }, (_, picture) => {
      const own = rowsOfPicture(enc, shaped, { picture, batch })
      return layout === 'nchw' ? toRows(enc, own) : own
    })
  }

  /** The output's words in a buffer of ours. */
  private onGpu(enc: Encoder, output: OnnxOutput): Tensor {
    const bytes = sizeBytes(output.shape, output.dtype)
    const raw = enc.temp([bytes / 4], 'u32', 'onnx output')
    if (isOnDevice(output)) {
      enc.copy({ shape: raw.shape, dtype: 'u32', buffer: output.buffer, offset: 0 }, raw)
    } else {
      enc.submit()
      enc.upload(raw, wordsOf(output))
    }
    return raw
  }

  destroy(): void {
    if (this.input) this.gpu.destroyBuffer(this.input.buffer)
    // Of a lost device there is nothing left to free.
    this.encoder.destroy().catch(() => {})
  }
}

/** Host values as u32 words, an odd half padded with zero. */
function wordsOf({ data }: HostArray): Uint32Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (bytes.byteLength % 4 === 0 && bytes.byteOffset % 4 === 0) {
    return new Uint32Array(data.buffer, data.byteOffset, bytes.byteLength / 4)
  }
  const words = new Uint32Array(Math.ceil(bytes.byteLength / 4))
  new Uint8Array(words.buffer).set(bytes)
  return words
}

const rowsOfMap = (side: number, hasClsToken: boolean) => side * side + (hasClsToken ? 1 : 0)

/** Throws: ConfigError unless the shape fits; sizes that the file leaves open are undefined. */
function expectMap(
  file: string,
  map: OnnxMap,
  shape: readonly (number | undefined)[],
  { batch, rows }: { batch: number; rows: number },
): void {
  const { side, width, layout, field } = map
  const want = {
    nchw: [batch, width, side, side],
    nhwc: [batch, side, side, width],
    nlc: [batch, rows, width],
  }[layout]
  const fits = shape.length === want.length && want.every((dim, i) => (shape[i] ?? dim) === dim)
  if (fits) return
  throw new ConfigError(
    `${file}: output ${map.name ?? ''} should be [${want.join(', ')}] by ${field} of config.json but is ` +
      `[${describe(shape)}]. Correct the layout, the size or the width there.`,
  )
}

const describe = (shape: readonly (number | undefined)[]) => shape.map((dim) => dim ?? '?').join(', ')

/** Throws: ConfigError unless the named input, or the only one, takes one square picture. */
function findInput(file: string, config: OnnxTowerConfig, inputs: readonly OnnxValue[]) {
  const names = inputs.map(({ name }) => name).join(', ')
  const name = config.input ?? inputs[0]?.name
  const input = inputs.find((value) => value.name === name)
  if (!input) {
    throw new ConfigError(`${file}: has no input "${name}" but ${names}. Correct \`input\` in config.json.`)
  }
  if (inputs.length > 1) {
    throw new ConfigError(
      `${file}: should take pixels alone but takes ${names}. Export the encoder without the other inputs.`,
    )
  }
  const side = config.imageSize
  const want = [1, 3, side, side]
  if (input.shape.length !== 4 || want.some((dim, i) => (input.shape[i] ?? dim) !== dim)) {
    throw new ConfigError(
      `${file}: its input ${input.name} should be [1, 3, ${side}, ${side}] by image_size but is [${describe(input.shape)}]. ` +
        'Correct image_size in config.json, or export the encoder for single pictures with channels first.',
    )
  }
  return { name: input.name, dtype: dtypeOf(input.type, `${file}: its input ${input.name}`) }
}

/** Throws: ConfigError unless every output that the config names is there and fits. */
function findOutputs(file: string, config: OnnxTowerConfig, outputs: readonly OnnxValue[]): string[] {
  const names = outputs.map(({ name }) => name).join(', ')
  return config.maps.map((map) => {
    const { field, side } = map
    if (map.name === undefined && outputs.length > 1) {
      throw new ConfigError(`${file}: has the outputs ${names}. Name one as \`output\` in config.json.`)
    }
    const found = map.name === undefined ? outputs[0] : outputs.find(({ name }) => name === map.name)
    if (!found) {
      throw new ConfigError(
        `${file}: has no output "${map.name}" but ${names}. Correct ${field} in config.json.`,
      )
    }
    dtypeOf(found.type, `${file}: output ${found.name}`)
    // A file that does not say how many axes an output has is believed until it runs.
    const rows = rowsOfMap(side, config.hasClsToken)
    if (found.shape.length) expectMap(file, { ...map, name: found.name }, found.shape, { batch: 1, rows })
    return found.name
  })
}

async function openOnnxTower(
  config: OnnxTowerConfig,
  where: string,
  file: OnnxFile,
  { depth }: TowerOutput,
  { gpu, onnx: runtime, onNote }: TowerHost,
): Promise<VisionTower> {
  if (depth !== config.layers) {
    throw new ConfigError(
      `${where} an ONNX encoder gives its outputs alone, no hidden state before them. ` +
        'Select the last layer (-1), and name another output of the encoder where another layer is wanted.',
    )
  }
  const encoder = await openEncoder(file, config, { gpu, runtime, onNote })
  try {
    const input = findInput(file.name, config, encoder.inputs)
    const names = findOutputs(file.name, config, encoder.outputs)
    const used = [...encoder.inputs, ...encoder.outputs.filter(({ name }) => names.includes(name))]
    const takesBatches = used.every(({ shape }) => shape[0] === undefined)
    return new OnnxTower(gpu, config, file.name, encoder, input, names, takesBatches)
  } catch (error) {
    await encoder.destroy()
    throw error
  }
}

/** A tower with the files it is opened from. */
export interface ConfiguredOnnxTower extends ConfiguredTower {
  readonly external: ExternalTower
}

export const onnx = {
  modelType: 'onnx',
  configure(json, where, input = {}): ConfiguredOnnxTower {
    const config = parseOnnxConfig(json, where, input)
    return {
      config: config.tower,
      params: () => ({}),
      create() {
        throw new Error(`${where} an ONNX encoder is opened from its file`)
      },
      external: {
        files: [config.file, ...config.externalData],
        open: (file, output, host) => openOnnxTower(config, where, file, output, host),
      },
    }
  },
} satisfies VisionTowerSlot
