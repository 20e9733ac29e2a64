import { CheckpointError } from '../errors'
import { DTYPE_BITS, tensorBytes, type CheckpointDtype } from './dtype'
import { LENGTH_BYTES, MAX_HEADER_BYTES } from './safetensors'

export interface TensorInfo {
  readonly name: string
  readonly dtype: CheckpointDtype
  readonly shape: readonly number[]
}

export interface TensorData extends TensorInfo {
  /** The elements, little-endian, row-major. */
  readonly data: Uint8Array
}

export interface SafetensorsLayout<T extends TensorInfo> {
  /** Length field and JSON, padded with spaces to a multiple of 8 bytes. */
  readonly header: Uint8Array<ArrayBuffer>
  /** The tensors in the order their bytes must follow the header. */
  readonly tensors: readonly T[]
  /** Of the whole file. */
  readonly sizeBytes: number
}

const DTYPE_ORDER = Object.keys(DTYPE_BITS)

/**
 * Lays out a safetensors file as the Rust library does: widest elements first, then by name. For writers that
 * produce the data one tensor at a time.
 *
 * Throws: CheckpointError on a name that comes twice or cannot be written, and on malformed shapes.
 * Source: huggingface/safetensors, safetensors/src/tensor.rs, `prepare`.
 */
export function layoutSafetensors<T extends TensorInfo>(
  tensors: Iterable<T>,
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout<T> {
  const sorted = [...tensors].sort(
    (a, b) =>
      DTYPE_ORDER.indexOf(b.dtype) - DTYPE_ORDER.indexOf(a.dtype) || compareCodePoints(a.name, b.name),
  )

  const members: string[] = []
  const metadataKeys = Object.keys(metadata).sort(compareCodePoints)
  if (metadataKeys.length > 0) {
    const pairs = metadataKeys.map((key) => `${quote(key)}:${quote(metadata[key]!)}`)
    members.push(`"__metadata__":{${pairs.join(',')}}`)
  }
  const names = new Set<string>()
  let offset = 0
  for (const { name, dtype, shape } of sorted) {
    if (name === '__metadata__' || names.has(name)) {
      throw new CheckpointError(
        `safetensors: expected tensor names that are unique and not "__metadata__", got ${quote(name)}; rename it`,
      )
    }
    names.add(name)
    const isShape = shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)
    const sizeBytes = isShape ? tensorBytes(dtype, shape) : undefined
    if (sizeBytes === undefined) {
      throw new CheckpointError(
        `safetensors: ${name}: expected a shape of non-negative integers that fills whole bytes, got ${dtype} ` +
          `[${shape.join(', ')}]; check what is written`,
      )
    }
    const end = offset + sizeBytes
    members.push(
      `${quote(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${offset},${end}]}`,
    )
    offset = end
  }

  const json = new TextEncoder().encode(`{${members.join(',')}}`)
  const paddedBytes = Math.ceil(json.byteLength / 8) * 8
  if (paddedBytes > MAX_HEADER_BYTES) {
    throw new CheckpointError(
      `safetensors: expected a header of at most ${MAX_HEADER_BYTES} bytes, got ${paddedBytes}; ` +
        'write fewer tensors to a file or less metadata',
    )
  }
  const header = new Uint8Array(LENGTH_BYTES + paddedBytes).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(paddedBytes), true)
  header.set(json, LENGTH_BYTES)
  return { header, tensors: sorted, sizeBytes: header.byteLength + offset }
}

/**
 * A safetensors file as the chunks to write one after another: the header, then each tensor's data.
 *
 * Throws: CheckpointError as `layoutSafetensors`, and when data and shape do not agree.
 */
export function writeSafetensors(
  tensors: Iterable<TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const layout = layoutSafetensors(tensors, metadata)
  for (const { name, dtype, shape, data } of layout.tensors) {
    const sizeBytes = tensorBytes(dtype, shape)
    if (data.byteLength !== sizeBytes) {
      throw new CheckpointError(
        `safetensors: ${name}: expected ${sizeBytes} bytes for ${dtype} [${shape.join(', ')}], got ` +
          `${data.byteLength}; check what is written`,
      )
    }
  }
  return [layout.header, ...layout.tensors.map((tensor) => tensor.data)]
}

function quote(text: string): string {
  if (!text.isWellFormed()) {
    throw new CheckpointError(
      `safetensors: expected well-formed Unicode, got ${JSON.stringify(text)}; rename it`,
    )
  }
  return JSON.stringify(text)
}

/** Order of the UTF-8 bytes, which is that of the code points, not of JavaScript's UTF-16 units. */
function compareCodePoints(a: string, b: string): number {
  const left = [...a]
  const right = [...b]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
