import { CheckpointError } from '../errors'
import type { OnnxDtype, OnnxFile, OnnxValue } from './runtime'

/** What both of ONNX Runtime's JavaScript packages tell about an input or output. */
export interface OrtMetadata {
  readonly name: string
  readonly isTensor: boolean
  readonly type?: string
  readonly shape?: readonly (number | string)[]
}

/** Their names of the element types that pixels and features can have. */
export const ORT_TYPES = { f32: 'float32', f16: 'float16' } as const

/** The dtype of one of their types. Throws: CheckpointError for any other. */
export function dtypeOf(type: string, what: string): OnnxDtype {
  if (type === 'float32') return 'f32'
  if (type === 'float16') return 'f16'
  throw new CheckpointError(
    `${what} should be float32 or float16 but is ${type}. Export the encoder with floating-point pixels and features.`,
  )
}

/** Sizes without a number are the caller's to choose. */
export function describeValues(metadata: readonly OrtMetadata[]): OnnxValue[] {
  return metadata.map(({ name, isTensor, type, shape }) => ({
    name,
    type: isTensor && type !== undefined ? type : 'no tensor',
    shape: (shape ?? []).map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : undefined)),
  }))
}

/**
 * Looks at the first bytes, so that a web page or a pointer saved as an encoder is named as such.
 *
 * Throws: CheckpointError unless they begin an ONNX model or one in ONNX Runtime's own format.
 * Source: onnx.proto (ir_version is the first field); ort.fbs (file_identifier "ORTM").
 */
export function expectEncoder({ name, bytes }: OnnxFile): void {
  const isOnnx = bytes.length > 16 && bytes[0] === 0x08
  const isOrt = bytes.length > 16 && String.fromCharCode(...bytes.subarray(4, 8)) === 'ORTM'
  if (isOnnx || isOrt) return
  const start = String.fromCharCode(...bytes.subarray(0, 40))
  if (start.startsWith('version https://git-lfs')) {
    throw new CheckpointError(
      `${name}: should be an ONNX model but is a Git LFS pointer to one. Fetch the file itself (git lfs pull).`,
    )
  }
  const came = bytes.length === 0 ? 'is empty' : `begins with ${JSON.stringify(start.slice(0, 16))}`
  throw new CheckpointError(
    `${name}: should be an ONNX model but ${came}. Download it again, or correct \`file\` in config.json.`,
  )
}

/** An engine's error, with the file's name and what to do. */
export function engineError(cause: unknown, file: string, doing: 'opening' | 'running'): CheckpointError {
  const reason = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0]!.slice(0, 400)
  return new CheckpointError(`${file}: ONNX Runtime failed ${doing} it (${reason}). ${advice(reason, doing)}`)
}

function advice(reason: string, doing: 'opening' | 'running'): string {
  if (
    /could not find an implementation|no op registered|not a registered function|opset|ir version/i.test(
      reason,
    )
  ) {
    return 'It uses an operator or version that the engine does not have: export it anew with standard operators (opset 17).'
  }
  if (/external|\.data/i.test(reason)) {
    return 'Its weights lie in files of their own: name them in `external_data` of config.json.'
  }
  if (/memory|malloc|alloc/i.test(reason)) {
    return 'It needs more memory than there is: choose a smaller encoder or a smaller picture.'
  }
  return doing === 'opening'
    ? 'Download it again; it should be a vision encoder in ONNX or ORT format.'
    : 'Try "engine": "cpu" in config.json, or another encoder.'
}
