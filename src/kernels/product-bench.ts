import type { Bench } from './fastest'
import type { Gpu } from './gpu/device'
import { Encoder } from './gpu/encoder'
import { warmUp } from './gpu/kernel'
import { Arena, uploadTensor } from './gpu/memory'
import { matmul } from './matmul/matmul'
import { packRows } from './pack/pack'
import type { Tensor } from './tensor'
import type { TileForm } from './tuning'
import { createWeight, destroyWeight, type Weight, type WeightDtype } from './weight'

/** A product [M, K] x [N, K] that stands for its class. */
export interface Product {
  readonly dtype: WeightDtype
  readonly M: number
  readonly N: number
  readonly K: number
}

/** A run lasts at least as long, in milliseconds: clocks and the way to the device's end count for little then. */
const LEAST_MS = 10
const MOST_REPEATS = 256

/** Measures the forms of one product on values made up for it. */
export class ProductBench implements Bench<TileForm> {
  private readonly arena: Arena
  private readonly enc: Encoder
  private readonly x: Tensor
  private readonly w: Weight
  private repeats = 0

  constructor(
    private readonly gpu: Gpu,
    { dtype, M, N, K }: Product,
  ) {
    this.arena = new Arena(gpu)
    this.enc = new Encoder(gpu, this.arena, 'tune')
    this.x = uploadTensor(gpu, 'tune x', [M, K], noise(M * K))
    this.w = createWeight(gpu, 'tune w', N, K, dtype)
    const raw = uploadTensor(gpu, 'tune raw', [N * K], new Uint32Array(noise(N * K).buffer))
    packRows(this.enc, this.w, raw, { rowStart: 0, rows: N, dtype: 'f32' })
    this.enc.end()
    gpu.destroyBuffer(raw.buffer)
  }

  /** The product in a form, as soon as its kernels are compiled. */
  async output(form: TileForm): Promise<Float32Array> {
    try {
      await warmUp(
        this.gpu,
        Encoder.collect(this.gpu, this.arena, (enc) => matmul(enc, this.x, this.w, { form })),
      )
      return await this.enc.read(matmul(this.enc, this.x, this.w, { form }))
    } catch (error) {
      await this.forgetErrors()
      throw error
    } finally {
      this.enc.end()
    }
  }

  async time(form: TileForm): Promise<number> {
    while (this.repeats === 0 || (this.repeats < MOST_REPEATS && (await this.run(form)) < LEAST_MS)) {
      this.repeats = Math.max(1, 2 * this.repeats)
    }
    return (await this.run(form)) / this.repeats
  }

  destroy(): void {
    this.enc.end()
    this.arena.destroy()
    this.gpu.destroyBuffer(this.x.buffer)
    destroyWeight(this.gpu, this.w)
  }

  private async run(form: TileForm): Promise<number> {
    const { enc } = this
    const started = performance.now()
    try {
      for (let i = 0; i < this.repeats; i++) enc.scope(() => void matmul(enc, this.x, this.w, { form }))
      enc.end()
      await this.gpu.finish()
    } catch (error) {
      await this.forgetErrors()
      throw error
    }
    return performance.now() - started
  }

  /** What a refused form left behind is no error of whoever uses the device next. */
  private async forgetErrors(): Promise<void> {
    await this.gpu.finish().catch(() => this.gpu.throwIfLost())
  }
}

/** The same numbers from -1 to 1 on every machine. */
function noise(count: number): Float32Array<ArrayBuffer> {
  let state = 1
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}
