import { createTensor, type Encoder, type Gpu, type KvCache, type Tensor } from '../../kernels'

/** The conversation the rows belong to, told by its first layer's cache. */
interface Held {
  readonly cache: KvCache
  readonly rows: Tensor
  /** What is cached was computed for a conversation beyond the limit. */
  beyond: boolean
  /** Rows before this were changed between layers. */
  hookedRows: number
}

/**
 * The first rows that went into a decoder, for rotary embeddings that turn every position otherwise once the
 * conversation is longer than `limit` tokens. Keys could be turned anew, but behind the first layer keys and values also
 * follow from what the layers before attended to: all of them have to be computed again, from these rows.
 *
 * Nothing is allocated for caches that are not longer than the limit.
 */
export class InputHistory {
  private held: Held | undefined

  constructor(
    readonly limit: number,
    private readonly width: number,
  ) {}

  /**
   * How many cached rows a step at `position` finds computed for the wrong side of the limit.
   *
   * Throws: Error when those rows were changed by hooks and the step comes without.
   */
  staleRows(cache: KvCache, position: number, sequenceLength: number, hooked: boolean): number {
    const { held, limit } = this
    if (held?.cache !== cache || held.beyond === sequenceLength > limit) return 0
    const rows = Math.min(position, limit)
    if (Math.min(rows, held.hookedRows) > 0 && !hooked) {
      throw new Error(
        `decoder: at ${sequenceLength} tokens, ${rows} cached rows have to be computed again, and a hook changed some of ` +
          'them between layers. Pass afterLayer to every step of the conversation.',
      )
    }
    return rows
  }

  /** Keeps what goes in at `position`. */
  store(
    enc: Encoder,
    cache: KvCache,
    x: Tensor,
    step: { position: number; sequenceLength: number; hooked: boolean },
  ): void {
    const { limit, width } = this
    if (cache.capacity <= limit) return
    if (this.held?.cache !== cache || !enc.gpu.isAlive(this.held.rows.buffer)) {
      if (this.held) enc.submit()
      this.destroy(enc.gpu)
      const rows = createTensor(enc.gpu, 'decoder inputs', [limit, width], 'f32')
      this.held = { cache, rows, beyond: false, hookedRows: 0 }
    }
    const { held } = this
    const { position, sequenceLength, hooked } = step
    held!.beyond = sequenceLength > limit
    held!.hookedRows = hooked ? position + x.shape[0]! : Math.min(held!.hookedRows, position)
    const count = Math.min(x.shape[0]!, limit - position)
    if (count <= 0) return
    enc.copy(x, held!.rows, { toOffset: position * width * 4, bytes: count * width * 4 })
  }

  /** Shapes: -> [count, C], a temporary. */
  take(enc: Encoder, start: number, count: number): Tensor {
    const x = enc.temp([count, this.width], 'f32', 'decoder inputs')
    enc.copy(this.held!.rows, x, { fromOffset: start * this.width * 4, bytes: count * this.width * 4 })
    return x
  }

  destroy(gpu: Gpu): void {
    if (this.held) gpu.destroyBuffer(this.held.rows.buffer)
    this.held = undefined
  }
}
