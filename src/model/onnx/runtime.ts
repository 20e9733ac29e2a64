/**
 * What a model asks of an ONNX engine. The page gives onnxruntime-web, the command line onnxruntime-node; nothing here
 * or above knows which.
 */

/** Element types that pixels and features can have. */
export type OnnxDtype = 'f32' | 'f16'

/** An input or output as the file declares it. */
export interface OnnxValue {
  readonly name: string
  /** As ONNX Runtime spells it: `float32`, `float16`, `int64` ... */
  readonly type: string
  /** Sizes left to the caller are undefined. */
  readonly shape: readonly (number | undefined)[]
}

/** An array in host memory; f16 as bits. */
export interface HostArray {
  readonly shape: readonly number[]
  readonly dtype: OnnxDtype
  readonly data: Float32Array | Uint16Array
}

/** An array on the GPU device that the encoder was opened with, from the start of its buffer. */
export interface DeviceArray {
  readonly shape: readonly number[]
  readonly dtype: OnnxDtype
  readonly buffer: GPUBuffer
}

/** An output; `release` gives its memory back once the commands that read it are submitted. */
export type OnnxOutput = (HostArray | DeviceArray) & { release(): void }

/** What computes. */
export type OnnxEngine = 'webgpu' | 'cpu'

/** A file of an encoder and, for formats that keep weights apart, the files beside it by their names in the graph. */
export interface OnnxFile {
  /** For messages: `owner/name: encoder.onnx`. */
  readonly name: string
  readonly bytes: Uint8Array
  readonly externalData: readonly { readonly path: string; readonly bytes: Uint8Array }[]
}

export interface OnnxOpenOptions {
  readonly engine: OnnxEngine
  /** Outputs may stay on it. */
  readonly device: GPUDevice
}

/** An encoder ready to run. */
export interface OnnxEncoder {
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  /** True where outputs come as DeviceArray and inputs may be one: nothing goes through the host. */
  readonly sharesDevice: boolean
  /**
   * Runs on the inputs by name and gives the named outputs in order. One run at a time.
   *
   * Work on a shared device that was submitted before comes first; submit before calling.
   * Throws: CheckpointError when the engine fails.
   */
  run(
    inputs: Readonly<Record<string, HostArray | DeviceArray>>,
    outputs: readonly string[],
  ): Promise<OnnxOutput[]>
  destroy(): Promise<void>
}

export interface OnnxRuntime {
  /**
   * Throws: CheckpointError for bytes that are no encoder or one that the engine cannot run, ConfigError where the engine
   * is not installed, NetworkError where it cannot be fetched. The next attempt starts anew.
   */
  open(file: OnnxFile, options: OnnxOpenOptions): Promise<OnnxEncoder>
}

/** Gives the runtime when a model first needs it, so that nobody else pays for it. */
export type OnnxLoader = () => Promise<OnnxRuntime>

export const isOnDevice = (array: HostArray | DeviceArray): array is DeviceArray => 'buffer' in array
