import { ConfigError } from '../model/errors'
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

type Ort = typeof import('onnxruntime-node')
type Session = import('onnxruntime-node').InferenceSession
type OrtTensor = import('onnxruntime-node').Tensor

/**
 * onnxruntime-node, an optional package. Its WebGPU engine has a GPU device of its own that no other library can use, so
 * that pixels and features are copied through the host once each.
 *
 * Throws: ConfigError where the package is not installed.
 */
export async function openNodeOnnxRuntime(load: () => Promise<Ort> = loadPackage): Promise<OnnxRuntime> {
  let ort: Ort
  try {
    ort = await load()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
    const reason = isMissing ? 'is not installed' : `did not load (${message.split('\n', 1)[0]})`
    throw new ConfigError(
      `onnx: this model has an ONNX encoder, for which the package onnxruntime-node is needed, but it ${reason}. ` +
        'Run: npm install onnxruntime-node',
    )
  }
  return { open: (file, options) => open(ort, file, options) }
}

async function loadPackage(): Promise<Ort> {
  const loaded: Ort & { default?: Ort } = await import('onnxruntime-node')
  return loaded.default ?? loaded
}

async function open(ort: Ort, file: OnnxFile, { engine }: OnnxOpenOptions): Promise<OnnxEncoder> {
  expectEncoder(file)
  let session: Session
  try {
    session = await ort.InferenceSession.create(file.bytes, {
      executionProviders: [engine],
      externalData: file.externalData.map(({ path, bytes }) => ({ path, data: bytes })),
      logSeverityLevel: 3,
    })
  } catch (cause) {
    throw engineError(cause, file.name, 'opening')
  }
  return {
    inputs: describeValues(session.inputMetadata),
    outputs: describeValues(session.outputMetadata),
    sharesDevice: false,
    run: (inputs, outputs) => run(ort, session, file.name, inputs, outputs),
    destroy: () => session.release(),
  }
}

async function run(
  ort: Ort,
  session: Session,
  file: string,
  inputs: Readonly<Record<string, HostArray | DeviceArray>>,
  outputs: readonly string[],
): Promise<OnnxOutput[]> {
  const toTensor = (array: HostArray | DeviceArray): OrtTensor => {
    if (isOnDevice(array)) throw new Error(`${file}: inputs come from the host here`)
    return new ort.Tensor(ORT_TYPES[array.dtype], array.data as Float32Array, array.shape)
  }
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, toTensor(array)]))
  let results: Readonly<Record<string, OrtTensor>>
  try {
    results = await session.run(feeds, outputs)
  } catch (cause) {
    throw engineError(cause, file, 'running')
  }
  return outputs.map((name) => {
    const tensor = results[name]!
    const dtype = dtypeOf(tensor.type, `${file}: output ${name}`)
    const data = tensor.data as Float32Array
    // Newer versions of Node give halves as Float16Array; its bits are wanted.
    const bits = dtype === 'f32' ? data : new Uint16Array(data.buffer, data.byteOffset, data.length)
    return { shape: tensor.dims, dtype, data: bits, release: () => tensor.dispose() }
  })
}
