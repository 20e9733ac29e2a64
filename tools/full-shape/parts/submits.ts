import { Encoder, type Gpu } from '../../../src/kernels'

/** What the queue was given at one time. */
export interface Submit {
  /** The step, and the kernel that was recorded last. */
  readonly label: string
  readonly ms: number
  /** Multiply-adds times two that its kernels declared. */
  readonly flops: number
}

/**
 * Notes how long each submit takes from now on. The queue works in order, so one took the time since the one before it
 * was done, or since it was handed over where the queue was idle.
 *
 * With `everyDispatch` each kernel is a submit of its own, which costs time: shares then mean more than sums.
 */
export class SubmitLog {
  private readonly done: Promise<Submit>[] = []
  private lastDone = 0
  private kernel = ''
  private flops = 0

  constructor(gpu: Gpu, everyDispatch: boolean) {
    const { submit, dispatch } = Encoder.prototype
    const recorded = (kernel: string, flops: number) => {
      this.kernel = kernel
      this.flops += flops
    }
    const submitted = (step: string, at: number) => this.note(gpu, step, at)
    Encoder.prototype.dispatch = function (this: Encoder, variant, tensors, params, options) {
      recorded(variant.key, options.flops ?? 0)
      dispatch.call(this, variant as never, tensors as never, params as never, options)
      if (everyDispatch) this.submit()
    } as typeof dispatch
    Encoder.prototype.submit = function (this: Encoder) {
      const at = performance.now()
      submit.call(this)
      submitted(this.label, at)
    }
  }

  private note(gpu: Gpu, step: string, submitted: number): void {
    if (!this.kernel) return
    const { kernel, flops } = this
    this.kernel = ''
    this.flops = 0
    this.done.push(
      gpu.device.queue.onSubmittedWorkDone().then(() => {
        const now = performance.now()
        const ms = now - Math.max(submitted, this.lastDone)
        this.lastDone = now
        return { label: `${step}: ${kernel}`, ms, flops }
      }),
    )
  }

  /** Every submit so far, the longest first. */
  async longest(): Promise<Submit[]> {
    return (await Promise.all(this.done)).sort((a, b) => b.ms - a.ms)
  }
}
