import {
  DeviceLostError,
  OutOfMemoryError,
  ShaderError,
  UnsupportedDeviceError,
  type FastPath,
} from '../errors'
import type { Profiler } from './profiler'
import { UNTUNED, type Tuning } from '../tuning'
import { Watchdog } from './watchdog'

/**
 * How long a device may have work and finish none of it, in milliseconds. Submits are cut to about a second of the
 * slowest GPU; adapters in software share their cores with everything else.
 */
const HANG_MS = { gpu: 60_000, software: 300_000 }

/** What the device offers, read once. Fast paths ask this record and nothing else. */
export interface Capabilities {
  /** `enable f16;` compiles. */
  readonly shaderF16: boolean
  /** Size range of a subgroup, or undefined without the feature. */
  readonly subgroups: { readonly min: number; readonly max: number } | undefined
  /** `dot4I8Packed` compiles; whether the hardware has it only measuring tells. */
  readonly packedDot: boolean
  readonly timestampQuery: boolean
  /** True for CPU implementations of WebGPU (SwiftShader, llvmpipe). */
  readonly isSoftware: boolean
  readonly maxBindingBytes: number
  readonly maxBufferBytes: number
  readonly maxStorageBuffers: number
  readonly maxWorkgroupBytes: number
  readonly maxWorkgroupInvocations: number
  readonly maxWorkgroupsPerDimension: number
  /** Alignment of a bound range's offset in bytes, for storage and uniform buffers alike. */
  readonly offsetAlignment: number
  /**
   * Multiply-adds times two that one dispatch may hold, so that none runs longer than about a second: watchdogs kill
   * devices that stay busy. Software adapters do 1 to 10 GFLOP/s, the slowest GPUs some hundred.
   */
  readonly maxDispatchFlops: number
}

export interface AdapterDescription {
  readonly vendor: string
  readonly architecture: string
  readonly description: string
}

const REQUESTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
] as const

/**
 * One GPU device with its capabilities, its memory account and its errors.
 *
 * Every buffer of the engine is made here, so that `allocatedBytes` is true and a failed allocation is found.
 */
export class Gpu {
  /** Bytes of all buffers alive, staging included. */
  allocatedBytes = 0
  /** Highest value `allocatedBytes` had. */
  peakBytes = 0
  /** Forms measured to be the fastest here. They stand above those chosen from capabilities; set between recordings. */
  tuning: Tuning = UNTUNED
  /** Set once the device is gone; everything throws it from then on. */
  lostError: DeviceLostError | undefined
  /** Times what encoders record, while it is there. */
  profiler: Profiler | undefined
  readonly lost: Promise<DeviceLostError>
  /** Gives the device up where it hangs, which is then told as a loss. */
  readonly watchdog: Watchdog

  /** Of answers that are waited for. */
  private readonly rejects = new Set<(error: DeviceLostError) => void>()
  private failures: Error[] = []
  /** What the watchdog saw. */
  private hang: string | undefined
  private pendingScopes: Promise<void>[] = []
  private nextBufferId = 1
  private readonly bufferIds = new WeakMap<GPUBuffer, number>()
  private readonly bufferSizes = new Map<GPUBuffer, number>()
  /** Called when buffers go away, so that caches of objects that refer to them can be dropped. */
  readonly onBuffersFreed = new Set<() => void>()

  constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterDescription,
    readonly caps: Capabilities,
    { hangMs = caps.isSoftware ? HANG_MS.software : HANG_MS.gpu, lookMs }: GpuOptions = {},
  ) {
    this.watchdog = new Watchdog({
      boundMs: hangMs,
      ...(lookMs !== undefined && { lookMs }),
      onHang: (waitedMs, what) => {
        this.hang = `${what} did not finish, nor anything else in ${Math.round(waitedMs / 1000)} s, so it was given up`
        device.destroy()
      },
    })
    device.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent
      this.failures.push(
        error.constructor.name === 'GPUOutOfMemoryError'
          ? this.outOfMemory('gpu', undefined, firstLine(error.message))
          : new Error(`gpu: ${error.message}`),
      )
    })
    this.lost = device.lost.then((info) => {
      this.watchdog.stop()
      const why = this.hang ?? [info.reason, firstLine(info.message)].filter(Boolean).join(': ')
      this.lostError = new DeviceLostError(
        `gpu: the device was lost (${why}). ` +
          'Load the model again; if it happens repeatedly, close other tabs that use the GPU or choose a smaller model.',
      )
      for (const reject of this.rejects) reject(this.lostError)
      return this.lostError
    })
  }

  /**
   * A buffer of at least `sizeBytes`, zero-filled.
   *
   * Throws: OutOfMemoryError at once when the size is above the device's limit; an allocation that fails later surfaces in
   * `check`, and its buffer is no longer among those that are `alive`.
   */
  createBuffer(label: string, sizeBytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    this.throwIfLost()
    const size = Math.max(16, Math.ceil(sizeBytes / 16) * 16)
    if (size > this.caps.maxBufferBytes) {
      throw this.outOfMemory(label, size, `the device's largest buffer is ${mib(this.caps.maxBufferBytes)}`)
    }
    let buffer: GPUBuffer | undefined
    this.device.pushErrorScope('out-of-memory')
    try {
      buffer = this.device.createBuffer({ label, size, usage })
    } catch (cause) {
      // Browsers throw for sizes they cannot even describe.
      throw this.outOfMemory(label, size, firstLine((cause as Error).message))
    } finally {
      const made = buffer
      this.inScope(this.device.popErrorScope(), (error) => {
        if (!made) return
        this.failures.push(this.outOfMemory(label, size, firstLine(error.message)))
        this.release(made)
      })
    }
    this.bufferIds.set(buffer, this.nextBufferId++)
    this.bufferSizes.set(buffer, size)
    this.allocatedBytes += size
    this.peakBytes = Math.max(this.peakBytes, this.allocatedBytes)
    return buffer
  }

  /** Frees a buffer made by `createBuffer`; freeing twice is harmless. */
  destroyBuffer(buffer: GPUBuffer): void {
    const size = this.bufferSizes.get(buffer)
    if (size === undefined) return
    if (this.profiler?.recorder?.keeps(buffer)) return
    this.release(buffer)
  }

  /** Makes something of several buffers. Where that throws, those made for it are freed. */
  allOrNone<T>(make: () => T): T {
    const before = new Set(this.bufferSizes.keys())
    try {
      return make()
    } catch (error) {
      for (const buffer of [...this.bufferSizes.keys()]) if (!before.has(buffer)) this.destroyBuffer(buffer)
      throw error
    }
  }

  /** False for a buffer that was freed, or that the device had no memory for. */
  isAlive(buffer: GPUBuffer): boolean {
    return this.bufferSizes.has(buffer)
  }

  /** Buffers alive. */
  get bufferCount(): number {
    return this.bufferSizes.size
  }

  private release(buffer: GPUBuffer): void {
    const size = this.bufferSizes.get(buffer)
    if (size === undefined) return
    this.bufferSizes.delete(buffer)
    this.allocatedBytes -= size
    const wasBindable = (buffer.usage & 0x80) !== 0 // STORAGE
    buffer.destroy()
    if (wasBindable) for (const freed of this.onBuffersFreed) freed()
  }

  /** A number that names a buffer for as long as it lives; keys of caches are made of these. */
  bufferId(buffer: GPUBuffer): number {
    const id = this.bufferIds.get(buffer)
    if (id === undefined)
      throw new Error(`gpu: buffer "${buffer.label}" was not made by this device's createBuffer`)
    return id
  }

  /**
   * A pipeline compiled at once. Of one that the driver refuses, what `onRefused` makes of its reason surfaces in `check`.
   */
  createPipeline(
    descriptor: GPUComputePipelineDescriptor,
    onRefused: (cause: GPUError) => Error,
  ): GPUComputePipeline {
    const { device } = this
    const kinds = ['validation', 'internal'] as const
    for (const kind of kinds) device.pushErrorScope(kind)
    const pipeline = device.createComputePipeline(descriptor)
    let isRefused = false
    for (let n = 0; n < kinds.length; n++) {
      this.inScope(device.popErrorScope(), (error) => {
        if (!isRefused) this.failures.push(onRefused(error))
        isRefused = true
      })
    }
    return pipeline
  }

  /** Hands commands to the GPU, and watches that it comes to an end with them; `isLong` for work of about a second. */
  submit(commands: GPUCommandBuffer, isLong = false): void {
    const { queue } = this.device
    queue.submit([commands])
    // Of many short submits one at a time is watched: a token costs one callback at most.
    if (isLong || this.watchdog.isIdle) this.watchdog.expect(queue.onSubmittedWorkDone(), 'work on the GPU')
  }

  private inScope(scope: Promise<GPUError | null>, onError: (error: GPUError) => void): void {
    this.pendingScopes.push(
      scope.then(
        (error) => {
          if (error) onError(error)
        },
        () => {}, // a lost device rejects; `lost` tells
      ),
    )
  }

  /** Throws: the first error since the last call (lost device, failed allocation, refused shader, validation). */
  async check(): Promise<void> {
    this.throwIfLost()
    const scopes = this.pendingScopes
    this.pendingScopes = []
    await Promise.all(scopes)
    this.throwIfLost()
    const failures = this.failures.splice(0)
    // What uses a buffer or a pipeline that could not be made is invalid in turn, and may be told first.
    const cause = failures.find((error) => error instanceof OutOfMemoryError || error instanceof ShaderError)
    if (cause) throw cause
    const [first, ...others] = failures
    if (first) {
      if (others.length) first.message += ` (and ${others.length} more errors)`
      throw first
    }
  }

  /** Waits for what was submitted and forgets its errors: they follow from one that was told. */
  async settle(): Promise<void> {
    if (this.lostError) return
    await this.orLost(this.device.queue.onSubmittedWorkDone(), 'work on the GPU').catch(() => {})
    await Promise.all(this.pendingScopes.splice(0))
    this.failures = []
  }

  /** Takes fast paths away for good; kernels take other forms from then on. */
  doWithout(paths: readonly FastPath[]): void {
    const none = { subgroups: undefined, packedDot: false }
    for (const path of paths) Object.assign(this.caps, { [path]: none[path] })
    this.tuning = UNTUNED
  }

  throwIfLost(): void {
    if (this.lostError) throw this.lostError
  }

  /** Settles when all submitted work is done. Throws: as `check`. */
  async finish(): Promise<void> {
    await this.orLost(this.device.queue.onSubmittedWorkDone(), 'work on the GPU')
    await this.check()
  }

  /**
   * What the device answers, watched: it rejects with the device's loss even where the answer never comes. `what` names
   * it in words.
   */
  orLost<T>(answer: Promise<T>, what: string): Promise<T> {
    this.watchdog.expect(answer, what)
    // `lost` lives as long as the device, and so would all that is chained to it.
    return new Promise((resolve, reject) => {
      this.rejects.add(reject)
      answer.then(resolve, reject).finally(() => this.rejects.delete(reject))
    })
  }

  private outOfMemory(what: string, sizeBytes: number | undefined, why: string): OutOfMemoryError {
    const size = sizeBytes === undefined ? '' : ` of ${mib(sizeBytes)}`
    return new OutOfMemoryError(
      `${what}: a GPU allocation${size} failed with ${mib(this.allocatedBytes)} in use (${why}). Choose a smaller model, a ` +
        'smaller dtype (q4 needs about a quarter of f16) or a shorter context, and close other tabs that use the GPU.',
    )
  }

  /** Frees every buffer still alive and the device itself. */
  destroy(): void {
    for (const buffer of [...this.bufferSizes.keys()]) this.destroyBuffer(buffer)
    this.watchdog.stop()
    this.device.destroy()
  }
}

export interface GpuOptions {
  /** Without anything done for this long, the device counts as hung. Default: a minute, five on CPUs. */
  readonly hangMs?: number
  /** How often that is looked at. */
  readonly lookMs?: number
}

/**
 * Opens the adapter with the highest limits and every optional feature the kernels know.
 *
 * `restrict` takes capabilities away, to try the paths of lesser devices on this one.
 *
 * Throws: UnsupportedDeviceError when there is no WebGPU, no adapter, or a limit below what kernels need.
 */
export async function openGpu(
  gpu: GPU | undefined,
  restrict: Partial<Capabilities> = {},
  options: GpuOptions = {},
): Promise<Gpu> {
  if (!gpu) {
    throw new UnsupportedDeviceError(
      'webgpu: this browser offers no WebGPU here. Use a current Chrome, Edge, Safari or Firefox over https or localhost; ' +
        'in Linux Chrome it may need chrome://flags/#enable-unsafe-webgpu.',
    )
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) {
    throw new UnsupportedDeviceError(
      'webgpu: WebGPU is there but no GPU adapter was given. Update the graphics driver, turn hardware acceleration on in ' +
        "the browser's settings, or try another browser.",
    )
  }
  const wanted: GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query']
  const requiredFeatures = wanted.filter((feature) => adapter.features.has(feature))
  const requiredLimits: Record<string, number> = {}
  for (const name of REQUESTED_LIMITS) requiredLimits[name] = adapter.limits[name]
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits, label: 'trilobite' })

  const { limits, features } = device
  const { vendor, architecture, description, device: deviceName } = adapter.info
  const described = {
    vendor,
    architecture,
    description: description || deviceName || `${vendor} ${architecture}`,
  }
  const isSoftware = /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(
    `${vendor} ${architecture} ${described.description}`,
  )
  const caps: Capabilities = {
    shaderF16: features.has('shader-f16'),
    subgroups: features.has('subgroups')
      ? { min: adapter.info.subgroupMinSize ?? 4, max: adapter.info.subgroupMaxSize ?? 128 }
      : undefined,
    // Browsers had WebGPU before they had this set.
    packedDot: gpu.wgslLanguageFeatures?.has('packed_4x8_integer_dot_product') ?? false,
    timestampQuery: features.has('timestamp-query'),
    isSoftware,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxBufferBytes: limits.maxBufferSize,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
    maxWorkgroupInvocations: limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    offsetAlignment: Math.max(limits.minStorageBufferOffsetAlignment, limits.minUniformBufferOffsetAlignment),
    maxDispatchFlops: isSoftware ? 1e9 : 5e10,
    ...restrict,
  }
  return new Gpu(device, described, caps, options)
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const firstLine = (text: string) => text.split('\n', 1)[0] ?? text
