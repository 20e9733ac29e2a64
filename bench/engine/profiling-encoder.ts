import { Encoder, type Tensor, type Variant } from '../../src/kernels'
import type { DispatchOptions } from '../../src/kernels/gpu/encoder'
import type { Access, ParamType } from '../../src/kernels/gpu/kernel'

/** Time of one kernel over a profiled run. */
export interface KernelTime {
  readonly kernel: string
  readonly dispatches: number
  readonly ms: number
  /** Multiply-adds times two that were declared; 0 for kernels that declare none. */
  readonly flops: number
}

/**
 * An encoder that can submit every dispatch by itself and note when it is done.
 *
 * The queue works in order, so a dispatch took the time since the one before it was done. Needs no timestamp queries; the
 * price is a submit a dispatch, so compare shares and not sums.
 */
export class ProfilingEncoder extends Encoder {
  private log: { kernel: string; flops: number; done: Promise<number> }[] | undefined

  override dispatch<B extends Record<string, Access>, P extends Record<string, ParamType>>(
    variant: Variant<B, P>,
    tensors: { readonly [name in keyof B]: Tensor },
    params: { readonly [name in keyof P]: number },
    options: DispatchOptions,
  ): void {
    super.dispatch(variant, tensors, params, options)
    if (!this.log) return
    this.submit()
    const done = this.gpu.device.queue.onSubmittedWorkDone().then(() => performance.now())
    this.log.push({ kernel: variant.key, flops: options.flops ?? 0, done })
  }

  /** Returns: the kernels that `run` used, slowest first. */
  async profile(run: () => Promise<void>): Promise<KernelTime[]> {
    await this.gpu.finish()
    this.log = []
    let last = performance.now()
    const times = new Map<string, { kernel: string; dispatches: number; ms: number; flops: number }>()
    try {
      await run()
      for (const { kernel, flops, done } of this.log) {
        const at = await done
        const entry = times.get(kernel) ?? { kernel, dispatches: 0, ms: 0, flops: 0 }
        times.set(kernel, entry)
        entry.dispatches++
        entry.ms += at - last
        entry.flops += flops
        last = at
      }
    } finally {
      this.log = undefined
    }
    return [...times.values()].sort((a, b) => b.ms - a.ms)
  }
}
