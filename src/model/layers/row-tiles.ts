import { lastDim, type Capabilities, type Tensor } from '../../kernels'

/** Some rows of a matrix in place. */
export function rowsAt(x: Tensor, start: number, count: number): Tensor {
  const C = lastDim(x)
  return { ...x, shape: [count, C], offset: x.offset + start * C * 4 }
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
