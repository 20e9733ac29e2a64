import {
  crossEntropyChunk,
  crossEntropyGradient,
  crossEntropyLosses,
  crossEntropyStart,
  matmul,
  matmulBackward,
  weightRows,
  type Encoder,
  type Tensor,
  type Weight,
} from '../../kernels'

/**
 * Bytes of a chunk of logits. A choice, not a measurement: 128 learned tokens of a vocabulary of 32,768 go in one chunk,
 * and many of either take no more memory than that.
 */
const CHUNK_BYTES = 16 * 2 ** 20

/**
 * Cross entropy of x W^T without its logits: the vocabulary goes by in chunks of `chunkBytes` (64 rows of the table at
 * least), twice where a gradient is asked for.
 *
 * Shapes: x f32 [R, C], w [V, C], labels u32 [R], NO_LABEL among them -> losses f32 [R] in nats; dx [R, C], the gradient
 * of their sum times `scale`, where that is given.
 */
export function linearCrossEntropy(
  enc: Encoder,
  x: Tensor,
  w: Weight,
  labels: Tensor,
  scale: number | undefined,
  chunkBytes = CHUNK_BYTES,
): { losses: Tensor; dx: Tensor | undefined } {
  return enc.scope(() => {
    const R = x.shape[0]!
    const chunks = chunksOf(w, R, chunkBytes)
    const stats = crossEntropyStart(enc, R)
    for (const { start, rows } of chunks) {
      enc.scope(() => crossEntropyChunk(enc, stats, matmul(enc, x, rows), labels, start))
    }
    const losses = crossEntropyLosses(enc, stats)
    if (scale === undefined) return { losses, dx: undefined }
    const scales = enc.constant(new Float32Array(R).fill(scale))
    const dx = enc.temp(x.shape, 'f32', 'cross entropy dx')
    enc.clear(dx)
    for (const { start, rows } of chunks) {
      enc.scope(() => {
        const logits = matmul(enc, x, rows)
        crossEntropyGradient(enc, stats, logits, labels, start, scales)
        matmulBackward(enc, logits, rows, dx)
      })
    }
    return { losses, dx }
  })
}

/** Rows of the output matrix, whole 64s at a time. */
function chunksOf(w: Weight, R: number, bytes: number): { start: number; rows: Weight }[] {
  const most = Math.max(64, Math.floor(bytes / (R * 4) / 64) * 64)
  const chunks: { start: number; rows: Weight }[] = []
  for (let start = 0; start < w.rows; start += most) {
    chunks.push({ start, rows: weightRows(w, start, Math.min(most, w.rows - start)) })
  }
  return chunks
}
