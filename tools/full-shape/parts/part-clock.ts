import { createTensor, Encoder, type Gpu, type Tensor } from '../../../src/kernels'
import type { ChatModel } from '../../../src/model/chat-model'

/** One stretch of the engine's work. */
export interface Part {
  readonly name: string
  ms: number
  cpuMs: number
  /** Most bytes of GPU buffers there were during it, weights included. */
  gpuPeakBytes: number
  /** Bytes of weights read. */
  readonly fileBytes?: number | undefined
}

/** What a tensor holds. */
export interface Check {
  readonly name: string
  readonly shape: readonly number[]
  readonly isFinite: boolean
  readonly mean: number
  readonly deviation: number
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e3
}

/**
 * Splits the engine's path into parts by standing between its pieces; the pieces themselves are not changed. Between a
 * tower and what the connector keeps of it the GPU is waited for, which the engine does not do.
 */
export class PartClock {
  readonly parts: Part[] = []
  private current: { part: Part; startedMs: number; startedCpuMs: number } | undefined
  private model: ChatModel | undefined
  private firstLogits: Tensor | undefined
  private readonly checks: Check[] = []

  constructor(private readonly say: (text: string) => void) {}

  private get gpu(): Gpu | undefined {
    return this.model?.vlm.gpu
  }

  /** Ends the part that runs and begins another, unless it is the same. */
  begin(name: string, fileBytes?: number): void {
    if (this.current?.part.name === name) return
    this.end()
    if (this.gpu) this.gpu.peakBytes = this.gpu.allocatedBytes
    const part: Part = { name, ms: 0, cpuMs: 0, gpuPeakBytes: 0, fileBytes }
    this.current = { part, startedMs: performance.now(), startedCpuMs: cpuMs() }
  }

  end(): void {
    if (!this.current) return
    const { part, startedMs, startedCpuMs } = this.current
    part.ms = performance.now() - startedMs
    part.cpuMs = cpuMs() - startedCpuMs
    part.gpuPeakBytes = this.gpu?.peakBytes ?? 0
    this.parts.push(part)
    this.current = undefined
    const { name, ms, gpuPeakBytes } = part
    this.say(`${name}: ${(ms / 1e3).toFixed(1)} s, ${(gpuPeakBytes / 1e6).toFixed(0)} MB`)
  }

  /** Follows a loaded model from now on. */
  watch(model: ChatModel): void {
    const { vlm, plan, images } = model
    const { gpu, towers, connector, language } = vlm
    this.end()
    this.model = model
    const loadedPeak = gpu.peakBytes
    for (const part of this.parts) part.gpuPeakBytes = loadedPeak
    const use = towers.use.bind(towers)
    towers.use = (index, options, run) => {
      const { name, fileBytes, resident } = plan.towers[index]!
      this.begin(resident ? `${name}: encode` : `${name}: load`, resident ? undefined : fileBytes)
      return use(index, options, async (tower, blueprint) => {
        this.begin(`${name}: encode`)
        const watched = {
          features: async (enc: Encoder, pixels: Tensor) => {
            const maps = await tower.features(enc, pixels)
            enc.submit()
            await gpu.finish()
            this.begin(`${name}: project`)
            return maps
          },
        }
        const kept = await run(watched, blueprint)
        await gpu.finish()
        this.end()
        await this.check(`kept of ${name}`, kept as Tensor)
        return kept
      })
    }
    const pixels = images!.pixels.bind(images)
    images!.pixels = (picture, tower) => {
      this.begin('picture: preprocess')
      return pixels(picture, tower)
    }
    const join = connector!.join.bind(connector)
    connector!.join = (enc, maps, size) => {
      this.begin('connector: join')
      return join(enc, maps, size)
    }
    const logits = language.logits.bind(language)
    language.logits = (enc: Encoder, hidden: Tensor) => {
      const values = logits(enc, hidden)
      if (!this.firstLogits) {
        this.firstLogits = createTensor(gpu, 'first logits', values.shape)
        enc.copy(values, this.firstLogits)
      }
      return values
    }
  }

  /** What was kept of each tower, and the logits of the first token. */
  async finish(): Promise<Check[]> {
    this.end()
    if (this.firstLogits) await this.check('logits', this.firstLogits)
    return this.checks
  }

  private async check(name: string, tensor: Tensor): Promise<void> {
    const { gpu, arena } = this.model!.vlm
    const data = await new Encoder(gpu, arena, 'check').read(tensor)
    let [sum, squares] = [0, 0]
    for (const value of data) {
      sum += value
      squares += value * value
    }
    const mean = sum / data.length
    const deviation = Math.sqrt(squares / data.length - mean ** 2)
    this.checks.push({ name, shape: tensor.shape, isFinite: Number.isFinite(squares), mean, deviation })
  }
}
