import { env, InferenceSession, Tensor } from 'onnxruntime-web/webgpu'
// The very file that the bundler keeps for this package, fetched when the first encoder is opened.
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url'
import { NetworkError } from '../model/errors'
import {
  isOnDevice,
  type DeviceArray,
  type HostArray,
  type OnnxEncoder,
  type OnnxFile,
  type OnnxOpenOptions,
  type OnnxOutput,
  type OnnxRuntime,
} from '../model/onnx/runtime'
import { describeValues, dtypeOf, engineError, expectEncoder, ORT_TYPES } from '../model/onnx/session'

/**
 * onnxruntime-web in this thread. Its WebGPU engine computes on our own GPUDevice, takes pixels from a GPU buffer and
 * leaves features in one; its CPU engine is WebAssembly on one thread.
 */
export const webOnnxRuntime: OnnxRuntime = {
  open: (file, options) => alone(() => open(file, options)),
}

let ready: Promise<void> | undefined
/** The engine's WebAssembly may be entered by one call at a time. */
let turn: Promise<unknown> = Promise.resolve()

function alone<T>(run: () => Promise<T>): Promise<T> {
  const next = turn.then(run, run)
  turn = next.catch(() => {})
  return next
}

async function open(file: OnnxFile, { engine, device }: OnnxOpenOptions): Promise<OnnxEncoder> {
  expectEncoder(file)
  ready ??= fetchEngine()
  await ready.catch((error: unknown) => {
    ready = undefined
    throw error
  })
  const isOnGpu = engine === 'webgpu'
  let session: InferenceSession
  try {
    session = await InferenceSession.create(file.bytes, {
      executionProviders: isOnGpu ? [{ name: 'webgpu', device }] : ['wasm'],
      preferredOutputLocation: isOnGpu ? 'gpu-buffer' : 'cpu',
      externalData: file.externalData.map(({ path, bytes }) => ({ path, data: bytes })),
      logSeverityLevel: 3,
    })
  } catch (cause) {
    throw engineError(cause, file.name, 'opening')
  } finally {
    // Compiled by now.
    env.wasm.wasmBinary = undefined
  }
  return {
    inputs: describeValues(session.inputMetadata),
    outputs: describeValues(session.outputMetadata),
    sharesDevice: isOnGpu,
    run: (inputs, outputs) => alone(() => run(session, file.name, inputs, outputs)),
    destroy: () => alone(() => session.release()),
  }
}

async function run(
  session: InferenceSession,
  file: string,
  inputs: Readonly<Record<string, HostArray | DeviceArray>>,
  outputs: readonly string[],
): Promise<OnnxOutput[]> {
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, toTensor(array)]))
  let results: InferenceSession.ReturnType
  try {
    results = await session.run(feeds, outputs)
  } catch (cause) {
    throw engineError(cause, file, 'running')
  }
  return outputs.map((name) => fromTensor(results[name]!, `${file}: output ${name}`))
}

function toTensor(array: HostArray | DeviceArray): Tensor {
  const type = ORT_TYPES[array.dtype]
  return isOnDevice(array)
    ? Tensor.fromGpuBuffer(array.buffer, { dataType: type, dims: [...array.shape] })
    : new Tensor(type, array.data as Float32Array, array.shape)
}

function fromTensor(tensor: Tensor, what: string): OnnxOutput {
  const dtype = dtypeOf(tensor.type, what)
  const release = () => tensor.dispose()
  if (tensor.location === 'gpu-buffer') {
    return { shape: tensor.dims, dtype, buffer: tensor.gpuBuffer as GPUBuffer, release }
  }
  const data = tensor.data as Float32Array
  // Newer browsers give halves as Float16Array; its bits are wanted.
  const bits = dtype === 'f32' ? data : new Uint16Array(data.buffer, data.byteOffset, data.length)
  return { shape: tensor.dims, dtype, data: bits, release }
}

/**
 * Fetches the engine's WebAssembly from beside the page, and keeps the package from looking for it elsewhere.
 *
 * Throws: NetworkError. A failure inside the package would be remembered for as long as the page lives; one here is not.
 */
async function fetchEngine(): Promise<void> {
  const failed = (reason: string) =>
    new NetworkError(`onnx: the engine ${wasmUrl} could not be fetched (${reason}). Try again when online.`)
  const response = await fetch(wasmUrl).catch((cause: unknown) => {
    throw failed(String(cause))
  })
  if (!response.ok) throw failed(`status ${response.status}`)
  env.wasm.wasmBinary = await response.arrayBuffer().catch((cause: unknown) => {
    throw failed(String(cause))
  })
  // transformers.js points these at a CDN.
  env.wasm.wasmPaths = undefined
  // Threads would start this very worker's script anew.
  env.wasm.numThreads = 1
  env.wasm.proxy = false
}
