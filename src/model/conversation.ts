import { createKvCache, createTensor, destroyKvCache, type Gpu, type KvCache, type Tensor } from '../kernels'
import { ContextOverflowError } from './errors'
import type { LanguageModelConfig } from './language/definition'
import type { Prompt } from './prompt'

/** One conversation's state on the GPU: keys and values of every layer and all token ids, allocated once. */
export class Conversation {
  readonly caches: readonly KvCache[]
  /** u32 [capacity + 1]: prompt and replies; the sampler writes the next id behind them. */
  readonly tokens: Tensor
  /** What stands at each cached position; see Prompt.keys. */
  private keys: (number | string)[] = []

  constructor(
    private readonly gpu: Gpu,
    model: LanguageModelConfig,
    /** Most tokens it can hold. */
    readonly capacity: number,
    dtype: 'f32' | 'f16',
  ) {
    const { kvHeads, headDim } = model
    this.caches = Array.from({ length: model.layers }, (_, layer) =>
      createKvCache(gpu, `kv cache ${layer}`, { capacity, kvHeads, headDim, dtype }),
    )
    this.tokens = createTensor(gpu, 'tokens', [capacity + 1], 'u32')
  }

  /** Positions whose keys and values are cached. */
  get length(): number {
    return this.keys.length
  }

  /**
   * How much of a prompt is cached already: the shared prefix, but never all of it, as its last row yields the logits.
   *
   * Throws: ContextOverflowError when the prompt leaves no room for a reply.
   */
  reuse(prompt: Prompt): number {
    const { length } = prompt.ids
    if (length >= this.capacity) {
      throw new ContextOverflowError(
        `context: this conversation takes ${length} tokens and ${this.capacity} fit. ` +
          'Start a new chat, remove pictures, or load the model with a longer context.',
      )
    }
    let shared = 0
    const most = Math.min(this.keys.length, length - 1)
    while (shared < most && this.keys[shared] === prompt.keys[shared]) shared++
    return shared
  }

  /** Declares what the caches hold from now on. */
  remember(keys: readonly (number | string)[]): void {
    this.keys = keys.slice(0, this.capacity)
  }

  /** Declares that positions from `length` on are about to be overwritten. */
  forgetFrom(length: number): void {
    this.keys.length = Math.min(this.keys.length, length)
  }

  destroy(): void {
    for (const cache of this.caches) destroyKvCache(this.gpu, cache)
    this.gpu.destroyBuffer(this.tokens.buffer)
  }
}
