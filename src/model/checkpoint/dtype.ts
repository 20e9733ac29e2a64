/**
 * The element types safetensors knows and their widths in bits, in the order of the Rust library's `Dtype`:
 * writers lay tensors out from the last to the first, so that every tensor is aligned to its element.
 *
 * Source: huggingface/safetensors, safetensors/src/tensor.rs.
 */
export const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const

export type CheckpointDtype = keyof typeof DTYPE_BITS

/** True for the name of an element type safetensors knows. */
export function isCheckpointDtype(value: unknown): value is CheckpointDtype {
  return typeof value === 'string' && Object.hasOwn(DTYPE_BITS, value)
}

/**
 * Bytes a tensor takes, or undefined when the count overflows the safe integers or ends within a byte (both
 * only in malformed files).
 */
export function tensorBytes(dtype: CheckpointDtype, shape: readonly number[]): number | undefined {
  let elements = 1
  for (const dim of shape) {
    elements *= dim
    // A product past 2^53 is no longer exact; the check must come before a later 0 hides it.
    if (!Number.isSafeInteger(elements)) return undefined
  }
  const bits = elements * DTYPE_BITS[dtype]
  return Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : undefined
}
