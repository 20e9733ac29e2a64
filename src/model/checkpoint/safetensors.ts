import { CheckpointError } from '../errors'
import { isCheckpointDtype, tensorBytes, type CheckpointDtype } from './dtype'
import { describeJson, isJsonObject, parseStrictJson } from './strict-json'

/** One tensor and where its bytes lie. */
export interface TensorEntry {
  readonly name: string
  readonly dtype: CheckpointDtype
  readonly shape: readonly number[]
  readonly file: string
  /** First byte, counted from the start of the file. */
  readonly start: number
  /** One past the last byte, counted from the start of the file. */
  readonly end: number
}

export interface SafetensorsHeader {
  /** Bytes before the first tensor: the length field and the JSON. */
  readonly dataStart: number
  readonly metadata: Readonly<Record<string, string>>
  /** In the order of their bytes. */
  readonly tensors: readonly TensorEntry[]
}

/** Width of the length field at the head of the file. */
export const LENGTH_BYTES = 8

/** The Rust library's cap, in bytes. */
export const MAX_HEADER_BYTES = 100_000_000

const OPEN_OBJECT = 0x7b

/**
 * Where the tensors' bytes begin, read from the first 8 bytes of a file.
 *
 * Throws: CheckpointError when the length is above the cap or the file.
 */
export function dataStartOf(bytes: Uint8Array, fileSize: number, fileName: string): number {
  if (bytes.byteLength < LENGTH_BYTES || fileSize < LENGTH_BYTES) {
    throw new CheckpointError(
      `${fileName}: expected a safetensors file of at least 8 bytes, got ${Math.min(bytes.byteLength, fileSize)}; ` +
        'download it again',
    )
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES)
  const length = view.getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new CheckpointError(
      `${fileName}: expected a safetensors header of at most ${MAX_HEADER_BYTES} bytes, got a length field of ` +
        `${length}; ${adviceForText(bytes)}`,
    )
  }
  const dataStart = LENGTH_BYTES + Number(length)
  if (dataStart > fileSize) {
    throw new CheckpointError(
      `${fileName}: expected a header of ${length} bytes, got a file of ${fileSize} bytes; ` +
        'the file is cut short, download it again',
    )
  }
  return dataStart
}

/** What to do about a file whose length field makes no sense. */
function adviceForText(bytes: Uint8Array): string {
  const head = [...bytes.subarray(0, LENGTH_BYTES)]
  if (!head.every((byte) => byte >= 0x20 && byte < 0x7f)) return 'this is not a safetensors file'
  const text = String.fromCharCode(...head)
  return text === 'version '
    ? 'this is a Git LFS pointer, not the weights: run `git lfs pull`, or download the file itself'
    : `this is a text file (it begins with ${JSON.stringify(text)}), not weights: download it again`
}

/**
 * Reads the header of a safetensors file as strictly as the Rust library does: known dtypes, shapes that
 * account for every byte, tensors that follow one another without gap or overlap to the very end of the file.
 * Stricter in two points: no key may come twice, and the header begins with `{` as the format says.
 *
 * `bytes` holds the file's beginning, at least up to the end of the header; `fileSize` is in bytes.
 *
 * Throws: CheckpointError.
 * Source: huggingface/safetensors, README "Format" and safetensors/src/tensor.rs.
 */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  fileSize: number,
  fileName: string,
): SafetensorsHeader {
  const dataStart = dataStartOf(bytes, fileSize, fileName)
  if (bytes.byteLength < dataStart) {
    throw new CheckpointError(
      `${fileName}: expected ${dataStart} bytes of header, got ${bytes.byteLength}; download the file again`,
    )
  }
  const json = parseHeaderJson(bytes.subarray(LENGTH_BYTES, dataStart), fileName)

  let metadata: Readonly<Record<string, string>> = {}
  const tensors: TensorEntry[] = []
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = parseMetadata(value, fileName)
    else tensors.push(parseTensor(name, value, dataStart, fileName))
  }
  // Empty tensors share their start with the tensor that follows: the end decides.
  tensors.sort((a, b) => a.start - b.start || a.end - b.end)
  checkCoverage(tensors, dataStart, fileSize, fileName)
  return { dataStart, metadata, tensors }
}

function parseHeaderJson(bytes: Uint8Array, fileName: string): Record<string, unknown> {
  if (bytes[0] !== OPEN_OBJECT) {
    const came = bytes.byteLength === 0 ? 'nothing' : `byte 0x${bytes[0]!.toString(16).padStart(2, '0')}`
    throw new CheckpointError(
      `${fileName}: expected a header that begins with "{", got ${came}; this is not a safetensors file`,
    )
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new CheckpointError(
      `${fileName}: expected a UTF-8 header, got bytes that are not; download the file again`,
    )
  }
  const json = parseStrictJson(text, `${fileName}: header`)
  if (!isJsonObject(json)) {
    throw new CheckpointError(
      `${fileName}: expected a JSON object as header, got ${describeJson(json)}; save the file again`,
    )
  }
  return json
}

function parseMetadata(value: unknown, fileName: string): Record<string, string> {
  if (!isJsonObject(value)) {
    throw new CheckpointError(
      `${fileName}: expected __metadata__ to be an object of strings, got ${describeJson(value)}; save the file again`,
    )
  }
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string') {
      throw new CheckpointError(
        `${fileName}: expected __metadata__ to hold strings, got ${describeJson(entry)} for ` +
          `${JSON.stringify(key)}; save the file again`,
      )
    }
  }
  return value as Record<string, string>
}

function parseTensor(name: string, value: unknown, dataStart: number, fileName: string): TensorEntry {
  const where = `${fileName}: ${name}`
  if (!isJsonObject(value)) {
    throw new CheckpointError(
      `${where}: expected {dtype, shape, data_offsets}, got ${describeJson(value)}; save the file again`,
    )
  }
  const { dtype, shape, data_offsets: offsets } = value
  if (!isCheckpointDtype(dtype)) {
    throw new CheckpointError(
      `${where}: expected a dtype such as F32, F16 or BF16, got ${describeJson(dtype)}; save the file in one of these`,
    )
  }
  if (!isSizeArray(shape)) {
    throw new CheckpointError(
      `${where}: expected shape to be an array of integers from 0 to 2^53 - 1, got ${describeJson(shape)}; ` +
        'save the file again',
    )
  }
  if (!isSizeArray(offsets) || offsets.length !== 2) {
    throw new CheckpointError(
      `${where}: expected data_offsets to be two integers from 0 to 2^53 - 1, got ${describeJson(offsets)}; ` +
        'save the file again',
    )
  }
  const [start, end] = offsets as [number, number]
  const sizeBytes = tensorBytes(dtype, shape)
  if (sizeBytes === undefined) {
    throw new CheckpointError(
      `${where}: expected a whole number of bytes below 2^53, got ${dtype} of shape ${describeJson(shape)}; ` +
        'save the file again',
    )
  }
  // Compared as end - start: adding to a start near 2^53 would round.
  if (end - start !== sizeBytes) {
    throw new CheckpointError(
      `${where}: expected ${sizeBytes} bytes for ${dtype} ${describeJson(shape)}, got data_offsets ` +
        `[${start}, ${end}]; save the file again`,
    )
  }
  return { name, dtype, shape, file: fileName, start: dataStart + start, end: dataStart + end }
}

function isSizeArray(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0 && !Object.is(n, -0))
  )
}

/** Tensors, sorted by start, must fill the file from `dataStart` to `fileSize`. */
function checkCoverage(
  tensors: readonly TensorEntry[],
  dataStart: number,
  fileSize: number,
  fileName: string,
): void {
  let at = dataStart
  for (const tensor of tensors) {
    if (tensor.start !== at) {
      throw new CheckpointError(
        `${fileName}: ${tensor.name}: expected its bytes to begin at ${at - dataStart}, got ` +
          `${tensor.start - dataStart}; tensors ${tensor.start > at ? 'leave a gap' : 'overlap'}, save the file again`,
      )
    }
    at = tensor.end
  }
  if (at !== fileSize) {
    throw new CheckpointError(
      `${fileName}: expected a file of ${at} bytes, which is what its header describes, got ${fileSize}; ` +
        (fileSize < at ? 'the file is cut short, download it again' : 'do not trust the bytes at its end'),
    )
  }
}
