import { lastDim, rowsOf, takeRows, type Capabilities, type Encoder, type Tensor } from '../../kernels'

/** Some rows of a matrix in place. */
export function rowsAt(x: Tensor, start: number, count: number): Tensor {
  const C = lastDim(x)
  return { ...x, shape: [count, C], offset: x.offset + start * C * 4 }
}

/**
 * One picture's rows of those of a batch, in place where a binding may start there.
 *
 * Shapes: x [B*n, C] -> [n, C].
 */
export function rowsOfPicture(
  enc: Encoder,
  x: Tensor,
  { picture, batch }: { picture: number; batch: number },
): Tensor {
  const count = rowsOf(x) / batch
  const start = picture * count
  const rows = rowsAt(x, start, count)
  const isAligned = rows.offset % enc.gpu.caps.offsetAlignment === 0
  return isAligned ? rows : takeRows(enc, x, { batch: 1, start, count })
}

/**
 * Cuts rows into tiles whose temporaries stay within a limit, each starting where a binding may.
 *
 * Units: `rowBytes` of a row as it lies in its buffer, `heldBytes` of the largest temporary that a row takes.
 */
export function rowTiles(
  caps: Pick<Capabilities, 'offsetAlignment' | 'maxBindingBytes'>,
  rows: number,
  { rowBytes, heldBytes, limitBytes }: { rowBytes: number; heldBytes: number; limitBytes: number },
): { start: number; count: number }[] {
  const step = caps.offsetAlignment / greatestDivisor(rowBytes, caps.offsetAlignment)
  const most = Math.min(limitBytes, caps.maxBindingBytes) / heldBytes
  const size = Math.max(1, Math.floor(most / step)) * step
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => ({
    start: i * size,
    count: Math.min(size, rows - i * size),
  }))
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b))
