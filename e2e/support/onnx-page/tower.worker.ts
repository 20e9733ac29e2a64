import { Arena, Encoder, openGpu, uploadTensor, type Gpu } from '../../../src/kernels'
import type { JsonObject } from '../../../src/model/config-reader'
import { filesSource } from '../../../src/model/checkpoint/files-source'
import { readEncoder } from '../../../src/model/onnx/read-encoder'
// As in the engine's worker, transformers.js is there too: it shares onnxruntime-web and points it at a CDN.
import { Tokenizer } from '../../../src/model/tokenizer'
import { onnx } from '../../../src/model/vision/onnx'

export interface TowerRequest {
  /** Base64 of each file by its path. */
  readonly files: Readonly<Record<string, string>>
  readonly config: JsonObject
  /** Shapes: [B, 3, side, side] with values at every place, all given. */
  readonly pixels: { readonly shape: number[]; readonly values: number[] }
  /** The device goes away before the features are made. */
  readonly loseDevice: boolean
}

export type TowerReply =
  | {
      readonly maps: { shape: readonly number[]; values: number[] }[]
      readonly notes: string[]
      /** Buffers mapped for reading while the features were made: each is a copy to the host. */
      readonly readBacks: number
      /** Kernels begun while the features were made, by anybody on any device. */
      readonly dispatches: number
      /** GPU devices opened so far. */
      readonly devices: number
      readonly encodeMs: number
      readonly tokenizer: string
    }
  | { readonly error: string }

let opened: Promise<Gpu> | undefined

const counts = { readBacks: 0, dispatches: 0, devices: 0 }
const { mapAsync } = GPUBuffer.prototype
GPUBuffer.prototype.mapAsync = function (...args) {
  if (args[0] === GPUMapMode.READ) counts.readBacks++
  return mapAsync.apply(this, args)
}
const { dispatchWorkgroups } = GPUComputePassEncoder.prototype
GPUComputePassEncoder.prototype.dispatchWorkgroups = function (...args) {
  counts.dispatches++
  return dispatchWorkgroups.apply(this, args)
}
const { requestDevice } = GPUAdapter.prototype
GPUAdapter.prototype.requestDevice = function (...args) {
  counts.devices++
  return requestDevice.apply(this, args)
}

async function encode({ files, config, pixels, loseDevice }: TowerRequest): Promise<TowerReply> {
  const gpu = await (opened ??= openGpu(navigator.gpu))
  const source = filesSource({
    name: 'tower',
    files: [
      { path: 'config.json', file: new File([JSON.stringify(config)], 'config.json') },
      ...Object.entries(files).map(([path, base64]) => ({
        path,
        file: new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], path),
      })),
    ],
  })
  const tower = onnx.configure(config, 'config.json:')
  const file = await readEncoder(source, tower.external.files)
  const { webOnnxRuntime } = await import('../../../src/worker/onnx-web')
  const notes: string[] = []
  const host = { gpu, onnx: webOnnxRuntime, onNote: (note: string) => notes.push(note) }
  const running = await tower.external.open(file, { depth: tower.config.layers }, host)
  const arena = new Arena(gpu)
  const enc = new Encoder(gpu, arena, 'tower')
  const input = uploadTensor(gpu, 'pixels', pixels.shape, Float32Array.from(pixels.values))
  try {
    Object.assign(counts, { readBacks: 0, dispatches: 0 })
    if (loseDevice) {
      gpu.device.destroy()
      opened = undefined
    }
    const started = performance.now()
    const features = await running.features(enc, input)
    const encodeMs = performance.now() - started
    const during = { ...counts }
    const maps = []
    for (const feature of features)
      maps.push({ shape: feature.shape, values: [...(await enc.read(feature))] })
    return { maps, notes, ...during, encodeMs, tokenizer: Tokenizer.name }
  } finally {
    if (!loseDevice) enc.end()
    running.destroy?.()
    gpu.destroyBuffer(input.buffer)
    arena.destroy()
    if (!loseDevice) await gpu.check()
  }
}

addEventListener('message', ({ data }: MessageEvent<string>) => {
  encode(JSON.parse(data) as TowerRequest)
    .catch((error: Error): TowerReply => ({ error: `${error.name}: ${error.message}` }))
    .then((reply) => postMessage(reply))
})
