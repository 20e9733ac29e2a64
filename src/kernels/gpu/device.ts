import { DeviceLostError, OutOfMemoryError, UnsupportedDeviceError } from '../errors'
import type { Profiler } from './profiler'
import { UNTUNED, type Tuning } from '../tuning'

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

  private failures: Error[] = []
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
  ) {
    device.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent
      this.failures.push(
        error.constructor.name === 'GPUOutOfMemoryError'
          ? outOfMemory('gpu', undefined, error.message)
          : new Error(`gpu: ${error.message}`),
      )
    })
    this.lost = device.lost.then((info) => {
      this.lostError = new DeviceLostError(
        `gpu: the device was lost (${info.reason}${info.message ? `: ${firstLine(info.message)}` : ''}). ` +
          'Load the model again; if it happens repeatedly, close other tabs that use the GPU or choose a smaller model.',
      )
      return this.lostError
    })
  }

  /**
   * A buffer of at least `sizeBytes`, zero-filled.
   *
   * Throws: OutOfMemoryError at once when the size is above the device's limit; a failed allocation surfaces in `check`.
   */
  createBuffer(label: string, sizeBytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    this.throwIfLost()
    const size = Math.max(16, Math.ceil(sizeBytes / 16) * 16)
    if (size > this.caps.maxBufferBytes) {
      throw outOfMemory(label, size, `the device's largest buffer is ${mib(this.caps.maxBufferBytes)}`)
    }
    this.device.pushErrorScope('out-of-memory')
    const buffer = this.device.createBuffer({ label, size, usage })
    this.pendingScopes.push(
      this.device.popErrorScope().then(
        (error) => {
          if (error) this.failures.push(outOfMemory(label, size, firstLine(error.message)))
        },
        () => {}, // a lost device rejects; `lost` tells
      ),
    )
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

  /** Throws: the first error since the last call (lost device, failed allocation, validation). */
  async check(): Promise<void> {
    this.throwIfLost()
    const scopes = this.pendingScopes
    this.pendingScopes = []
    await Promise.all(scopes)
    this.throwIfLost()
    const [first, ...others] = this.failures.splice(0)
    if (first) {
      if (others.length) first.message += ` (and ${others.length} more errors)`
      throw first
    }
  }

  throwIfLost(): void {
    if (this.lostError) throw this.lostError
  }

  /** Settles when all submitted work is done. Throws: as `check`. */
  async finish(): Promise<void> {
    await Promise.race([this.device.queue.onSubmittedWorkDone(), this.lost])
    await this.check()
  }

  /** Frees every buffer still alive and the device itself. */
  destroy(): void {
    for (const buffer of [...this.bufferSizes.keys()]) this.destroyBuffer(buffer)
    this.device.destroy()
  }
}

/**
 * Opens the adapter with the highest limits and every optional feature the kernels know.
 *
 * `restrict` takes capabilities away, to try the paths of lesser devices on this one.
 *
 * Throws: UnsupportedDeviceError when there is no WebGPU, no adapter, or a limit below what kernels need.
 */
export async function openGpu(gpu: GPU | undefined, restrict: Partial<Capabilities> = {}): Promise<Gpu> {
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
  return new Gpu(device, described, caps)
}

function outOfMemory(what: string, sizeBytes: number | undefined, why: string): OutOfMemoryError {
  const size = sizeBytes === undefined ? '' : ` of ${mib(sizeBytes)}`
  return new OutOfMemoryError(
    `${what}: a GPU allocation${size} failed (${why}). Choose a smaller model, a smaller dtype (q4 needs about a quarter of ` +
      'f16) or a shorter context, and close other tabs that use the GPU.',
  )
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const firstLine = (text: string) => text.split('\n', 1)[0] ?? text
