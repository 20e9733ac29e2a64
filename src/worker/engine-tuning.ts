import { ProductTuner, readTuning, TUNING_VERSION, type Gpu, type Tuner, type Tuning } from '../kernels'
import type { OpenByteStore } from '../model/file-keeper'

/** How long nothing is asked for after a reply until measuring begins: who goes on at once is not disturbed. */
const IDLE_MS = 2000

export interface TuningOptions {
  /** Opens where tunings are kept from visit to visit. Default: nowhere. */
  readonly store?: OpenByteStore
  /** Default: one that measures products. */
  readonly tunerFor?: (gpu: Gpu) => Tuner
  /** Which devices are measured. Default: GPUs. What suits adapters in software is known. */
  readonly isTunable?: (gpu: Gpu) => boolean
  readonly idleMs?: number
}

export interface TunableModel {
  readonly vlm: { readonly gpu: Gpu }
  /** Puts a tuning in place once the model's kernels are compiled for it. Throws: the signal's reason. */
  tune(tuning: Tuning, signal: AbortSignal): Promise<void>
}

export interface TuningHost extends TuningOptions {
  model(): TunableModel | undefined
  /** Runs a task as long as nothing else is to be done, now or never. It does not reject. */
  whenIdle(task: () => Promise<void>): void
}

/** Finds the fastest forms of kernels for the device while it has nothing else to do, once for each kind of adapter. */
export class EngineTuning {
  private readonly tuners = new WeakMap<Gpu, Tuner>()
  private readonly recalled = new WeakSet<Gpu>()
  /** Devices with nothing left to measure. */
  private readonly done = new WeakSet<Gpu>()
  private timer: ReturnType<typeof setTimeout> | undefined
  private measuring: AbortController | undefined

  constructor(private readonly host: TuningHost) {}

  /** Puts in place what was measured on this kind of adapter before. To be called before a model's kernels are compiled. */
  async recall(gpu: Gpu): Promise<void> {
    if (this.recalled.has(gpu) || !this.isTunable(gpu)) return
    this.recalled.add(gpu)
    // A tuning that cannot be read is measured anew.
    const tuning = await this.read(gpu).catch(() => undefined)
    if (!tuning) return
    gpu.tuning = tuning
    this.done.add(gpu)
  }

  /** Measures when nothing has been asked for in a while. */
  afterReply(): void {
    this.interrupt()
    const model = this.host.model()
    if (!model || this.done.has(model.vlm.gpu) || !this.isTunable(model.vlm.gpu)) return
    this.timer = setTimeout(() => {
      const { signal } = (this.measuring = new AbortController())
      this.host.whenIdle(() => this.goOn(signal))
    }, this.host.idleMs ?? IDLE_MS)
  }

  /** Makes way: at most one run of one kernel's candidate is waited for. What was measured is not measured again. */
  interrupt(): void {
    clearTimeout(this.timer)
    this.measuring?.abort()
    this.measuring = undefined
  }

  /** Measures a device now, and keeps what comes of it. */
  async measure(gpu: Gpu): Promise<Tuning> {
    const tuning = await this.tunerOf(gpu).run(new AbortController().signal)
    gpu.tuning = tuning
    this.done.add(gpu)
    await this.keep(gpu, tuning)
    return tuning
  }

  isTunable(gpu: Gpu): boolean {
    return (this.host.isTunable ?? (() => !gpu.caps.isSoftware))(gpu)
  }

  private async goOn(signal: AbortSignal): Promise<void> {
    const model = this.host.model()
    if (!model || signal.aborted) return
    const { gpu } = model.vlm
    try {
      const tuning = await this.tunerOf(gpu).run(signal)
      await model.tune(tuning, signal)
      this.done.add(gpu)
      // Nobody waits for the file, and without it the next visit measures again.
      void this.keep(gpu, tuning).catch(() => {})
    } catch {
      // A device that cannot be measured, for want of memory say, keeps the usual forms.
      if (!signal.aborted) this.done.add(gpu)
    }
  }

  private tunerOf(gpu: Gpu): Tuner {
    let tuner = this.tuners.get(gpu)
    if (!tuner) this.tuners.set(gpu, (tuner = this.host.tunerFor?.(gpu) ?? new ProductTuner(gpu)))
    return tuner
  }

  private async read(gpu: Gpu): Promise<Tuning | undefined> {
    const store = await this.host.store?.()
    const stream = await store?.read(keyOf(gpu))
    return stream && readTuning(await new Response(stream).json(), gpu.caps)
  }

  private async keep(gpu: Gpu, tuning: Tuning): Promise<void> {
    const store = await this.host.store?.()
    if (!store) return
    const bytes = new TextEncoder().encode(JSON.stringify(tuning))
    const writer = await store.write(keyOf(gpu), bytes.byteLength)
    try {
      await writer.write(bytes)
      await writer.close()
    } catch (error) {
      await writer.abort()
      throw error
    }
  }
}

/** Adapters that call themselves the same are as fast as each other. */
const keyOf = ({ adapter: { vendor, architecture, description } }: Gpu) =>
  JSON.stringify(['tuning', TUNING_VERSION, vendor, architecture, description])
