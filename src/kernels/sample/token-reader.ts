import { SelfTestError } from '../errors'
import type { Gpu } from '../gpu/device'
import { lossOr, mapOrLost, type Encoder } from '../gpu/encoder'
import { sizeBytes, type Tensor } from '../tensor'
import { SAMPLE_PROBLEM } from './sample'

interface Slot {
  readonly staging: GPUBuffer
  /** The staging buffer as copies see it: the id, then the sampler's status. */
  readonly words: Tensor
}

interface Request {
  readonly slot: Slot
  readonly index: number
  readonly hasStatus: boolean
  readonly mapped: Promise<void>
}

/**
 * Reads ids that the GPU chose, in order, while later steps are already recorded and submitted.
 *
 *     const reader = new TokenReader(gpu)
 *     for each step:
 *       const status = sampleToken(enc, logits, tokens, { length, ... })
 *       reader.request(enc, tokens, length, status)      // copies, submits the step, starts mapping
 *       if (reader.inFlight === 2) id = await reader.next()
 *     await reader.discard()                             // the steps begun past the end of the reply
 *
 * A request is one copy of a few bytes into a mappable buffer of its own, so nothing waits for it; mapping must come
 * after the submit, which is why `request` submits the encoder itself. The encoder may go on recording afterwards.
 */
export class TokenReader {
  private readonly all: Slot[] = []
  private readonly free: Slot[] = []
  private readonly pending: Request[] = []
  private destroyed = false

  constructor(
    private readonly gpu: Gpu,
    readonly slots = 4,
  ) {
    for (let i = 0; i < slots; i++) {
      const staging = gpu.createBuffer(`token readback ${i}`, 16, 0x01 | 0x08) // MAP_READ | COPY_DST
      this.all.push({ staging, words: { shape: [2], dtype: 'u32', buffer: staging, offset: 0 } })
    }
    this.free.push(...this.all)
  }

  /** Requests whose ids were not taken yet. */
  get inFlight(): number {
    return this.pending.length
  }

  /**
   * Asks for `tokens[index]` as it is after everything recorded so far, and submits the encoder.
   *
   * `status` is what `sampleToken` returned; with it, `next` rejects where no token could be chosen.
   * Throws: DeviceLostError; an Error when all slots are in flight.
   */
  request(enc: Encoder, tokens: Tensor, index: number, status?: Tensor): void {
    if (this.destroyed) throw new Error('token-reader: request after destroy; make a new reader')
    if (!(index >= 0 && (index + 1) * 4 <= sizeBytes(tokens.shape, tokens.dtype))) {
      throw new Error(`token-reader: index ${index} lies outside tokens [${tokens.shape.join(', ')}]`)
    }
    const slot = this.free.pop()
    if (!slot) {
      throw new Error(
        `token-reader: all ${this.slots} slots are in flight; await next() before another request`,
      )
    }
    try {
      enc.copy(tokens, slot.words, { fromOffset: index * 4, bytes: 4 })
      if (status) enc.copy(status, slot.words, { toOffset: 4, bytes: 4 })
      enc.submit()
    } catch (cause) {
      this.free.push(slot)
      throw cause
    }
    const mapped = mapOrLost(this.gpu, slot.staging)
    mapped.catch(() => {}) // told by next(); a reader abandoned after a loss must not raise it again
    this.pending.push({ slot, index, hasStatus: status !== undefined, mapped })
  }

  /**
   * The id of the oldest request not taken yet.
   *
   * Throws: as Gpu.check; SelfTestError where the logits held no number to choose by; an Error without a request.
   */
  async next(): Promise<number> {
    const request = this.pending.shift()
    if (!request) throw new Error('token-reader: next() without a request')
    await request.mapped
    // Steps that failed leave ids of nothing; there is no use in going on with them.
    await this.gpu.check()
    if (this.destroyed) throw new Error('token-reader: destroyed while an id was awaited')
    const [id = 0, status = 0] = await this.words(request.slot)
    request.slot.staging.unmap()
    this.free.push(request.slot)
    if (request.hasStatus && status !== 0) {
      throw new SelfTestError(
        `sample: no token can be chosen at position ${request.index}: the logits ${SAMPLE_PROBLEM[status] ?? 'are not numbers'}. ` +
          'The device or the weights give nonsense; load the model again, and if that does not help choose dtype f32.',
      )
    }
    return id
  }

  /** A mapped slot's id and status. A device lost since then has unmapped it. */
  private async words({ staging }: Slot): Promise<Uint32Array> {
    try {
      return new Uint32Array(staging.getMappedRange(0, 8).slice(0))
    } catch (cause) {
      throw await lossOr(this.gpu, cause)
    }
  }

  /** Waits for the requests in flight and drops their ids, so that the slots are free again. */
  async discard(): Promise<void> {
    while (this.pending.length) {
      const { slot, mapped } = this.pending.shift()!
      await mapped
      if (this.destroyed) return
      slot.staging.unmap()
      this.free.push(slot)
    }
  }

  /** Frees the buffers; requests in flight are dropped. */
  destroy(): void {
    this.destroyed = true
    this.pending.length = 0
    this.free.length = 0
    for (const { staging } of this.all.splice(0)) this.gpu.destroyBuffer(staging)
  }
}
