import { packRows, widen, type Encoder, type Tensor, type Weight } from '../../src/kernels'
import { generator } from '../../src/kernels/testing/numbers'

/** A prime, so that rows of no width repeat with its period. */
const POOL = 1_048_573
const RUN = 4099
/** Elements sent to the GPU at a time. */
const PIECE = 1 << 21

/** Random normal halves for weights of any size: pieces of one pool, from anywhere in it. */
export class RandomHalves {
  private readonly random = generator(20_261_120)
  private readonly pool = new Uint16Array(POOL)

  /** Values around 0 with this standard deviation. */
  constructor(deviation: number) {
    const scratch = new Float32Array(1)
    const bits = new Uint32Array(scratch.buffer)
    for (let i = 0; i < POOL; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - this.random()))
      scratch[0] = deviation * radius * Math.cos(2 * Math.PI * this.random())
      const exponent = ((bits[0]! >>> 23) & 255) - 112
      const sign = (bits[0]! >>> 16) & 0x8000
      // Subnormals become 0: any values do.
      this.pool[i] = exponent <= 0 ? sign : sign | (exponent << 10) | ((bits[0]! >>> 13) & 0x3ff)
    }
  }

  take(count: number): Uint32Array {
    const halves = new Uint16Array(Math.ceil(count / 2) * 2)
    for (let at = 0; at < count; at += RUN) {
      const length = Math.min(RUN, count - at)
      const from = Math.floor(this.random() * (POOL - length))
      halves.set(this.pool.subarray(from, from + length), at)
    }
    return new Uint32Array(halves.buffer)
  }

  /** Fills a weight a few megabytes at a time. */
  async fill(enc: Encoder, weight: Weight): Promise<void> {
    const step = Math.max(1, Math.floor(PIECE / weight.cols))
    for (let row = 0; row < weight.rows; row += step) {
      const rows = Math.min(step, weight.rows - row)
      const raw = enc.constant(this.take(rows * weight.cols))
      packRows(enc, weight, raw, { rowStart: row, rows, dtype: 'f16' })
      enc.end()
      await enc.gpu.finish()
    }
  }

  fillVector(enc: Encoder, tensor: Tensor): void {
    const count = tensor.shape.reduce((product, dim) => product * dim, 1)
    widen(enc, enc.constant(this.take(count)), 'f16', count, tensor)
    enc.end()
  }
}
