import { ShapeError } from '../errors'
import { elementCount, sizeBytes, type Dtype, type Tensor } from '../tensor'
import type { Gpu } from './device'
import { compile, type Access, type ParamType, type Variant } from './kernel'
import { Arena } from './memory'
import type { PassTimer } from './pass-timer'
import type { KernelTime } from './profiler'

/** Workgroups of a dispatch: a count, which folds into y past the device's limit, or a grid. */
export type Grid = number | readonly [x: number, y?: number, z?: number]

export interface DispatchOptions {
  readonly groups: Grid
  /** Multiply-adds times two; submits are cut where they add up. Leave out for cheap kernels. */
  readonly flops?: number
}

const PARAM_CHUNK_BYTES = 64 * 1024

/** Objects that live as long as the device and are shared by all its encoders. */
interface Shared {
  readonly bindGroups: Map<string, GPUBindGroup>
  readonly paramChunks: GPUBuffer[]
}
const shared = new WeakMap<Gpu, Shared>()

function sharedOf(gpu: Gpu): Shared {
  let entry = shared.get(gpu)
  if (!entry) {
    const created: Shared = { bindGroups: new Map(), paramChunks: [] }
    gpu.onBuffersFreed.add(() => created.bindGroups.clear())
    shared.set(gpu, (entry = created))
  }
  return entry
}

/**
 * Records one step: kernels in order, their parameters, and the temporaries they need.
 *
 * Temporaries come from the arena and go back to it when their scope ends; the GPU runs commands in order, so a buffer
 * given back may be written by a later dispatch while earlier ones still wait for their turn.
 */
export class Encoder {
  /** Dispatches recorded so far. */
  dispatches = 0
  /** Set for training: no kernel may round its inputs to save time. */
  isExact = false
  private commands: GPUCommandEncoder | undefined
  private pass: GPUComputePassEncoder | undefined
  private readonly params = new ArrayBuffer(PARAM_CHUNK_BYTES)
  private readonly paramWords = new Uint32Array(this.params)
  private readonly paramFloats = new Float32Array(this.params)
  private readonly paramInts = new Int32Array(this.params)
  private paramChunk = 0
  private paramBytes = 0
  private flops = 0
  private readonly scopes: Set<GPUBuffer>[] = [new Set()]
  private readonly shared: Shared
  private collected: Map<string, Variant> | undefined

  constructor(
    readonly gpu: Gpu,
    readonly arena: Arena,
    readonly label: string,
  ) {
    this.shared = sharedOf(gpu)
  }

  /**
   * Runs a recording only to learn which kernel variants it uses; nothing reaches the GPU.
   *
   * The variants go to `warmUp`, so that the real run never waits for a compiler.
   */
  static collect(gpu: Gpu, arena: Arena, record: (enc: Encoder) => void): Variant[] {
    const enc = new Encoder(gpu, arena, 'collect')
    enc.collected = new Map()
    try {
      record(enc)
    } finally {
      enc.releaseAll()
    }
    return [...enc.collected.values()]
  }

  /** A temporary of the innermost scope. Its contents are undefined until written. */
  temp(shape: readonly number[], dtype: Dtype = 'f32', label = 'temp'): Tensor {
    // What is only collected is never written: the least buffer stands for it.
    const buffer = this.arena.take(label, this.collected ? 0 : sizeBytes(shape, dtype))
    this.scopes[this.scopes.length - 1]!.add(buffer)
    return { shape, dtype, buffer, offset: 0 }
  }

  /**
   * Runs part of a recording in a scope of its own: its temporaries are reused afterwards, except those reachable from
   * the returned value (a tensor, or arrays and objects of tensors), which move to the scope around it.
   */
  scope<T>(record: () => T): T {
    const inner = new Set<GPUBuffer>()
    this.scopes.push(inner)
    try {
      const result = record()
      const outer = this.scopes[this.scopes.length - 2]!
      for (const buffer of buffersIn(result)) {
        if (inner.delete(buffer)) outer.add(buffer)
      }
      return result
    } finally {
      this.scopes.pop()
      for (const buffer of inner) this.arena.give(buffer)
    }
  }

  /** Gives temporaries back before their scope ends: a tensor, or those in arrays and objects. */
  release(value: unknown): void {
    for (const buffer of buffersIn(value)) {
      const scope = this.scopes.find((scope) => scope.delete(buffer))
      if (scope) this.arena.give(buffer)
    }
  }

  /** Takes a temporary out of this step; the caller gives its buffer back to the arena when done with it. */
  keep(tensor: Tensor): Tensor {
    for (const scope of this.scopes) scope.delete(tensor.buffer)
    return tensor
  }

  dispatch<B extends Record<string, Access>, P extends Record<string, ParamType>>(
    variant: Variant<B, P>,
    tensors: { readonly [name in keyof B]: Tensor },
    params: { readonly [name in keyof P]: number },
    options: DispatchOptions,
  ): void {
    const untyped = variant as unknown as Variant
    this.dispatches++
    if (this.collected) {
      this.collected.set(variant.key, untyped)
      return
    }
    const grid = this.fold(options.groups)
    if (grid.some((n) => n === 0)) return
    const kernel = compile(this.gpu, untyped)
    const byName = tensors as Readonly<Record<string, Tensor>>
    const dynamicOffsets: number[] = []
    if (kernel.paramBytes) dynamicOffsets.push(this.writeParams(kernel.paramTypes, params, kernel.paramBytes))

    let key = variant.key
    for (const name of kernel.bindingNames) {
      const tensor = byName[name]
      if (!tensor) throw new ShapeError(`${variant.key}: binding "${name}" was given no tensor`)
      key += `|${this.gpu.bufferId(tensor.buffer)}:${tensor.offset}:${elementCount(tensor.shape)}`
    }
    if (kernel.paramBytes) key += `|p${this.paramChunk}`
    let group = this.shared.bindGroups.get(key)
    if (!group) {
      const entries: GPUBindGroupEntry[] = kernel.bindingNames.map((name, binding) => ({
        binding,
        resource: this.range(variant.key, name, byName[name]!),
      }))
      if (kernel.paramBytes) {
        entries.push({
          binding: kernel.bindingNames.length,
          resource: { buffer: this.shared.paramChunks[this.paramChunk]!, size: kernel.paramBytes },
        })
      }
      group = this.gpu.device.createBindGroup({ label: variant.key, layout: kernel.layout, entries })
      this.shared.bindGroups.set(key, group)
    }

    const { profiler } = this.gpu
    const row = profiler?.count(variant.spec.name, options.flops)
    const pass = profiler?.timer && row ? this.openTimedPass(profiler.timer, row) : this.openPass()
    pass.setPipeline(kernel.pipeline)
    pass.setBindGroup(0, group, dynamicOffsets)
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2])
    if (row && profiler) {
      if (profiler.timer) this.closePass()
      profiler.recorder?.add({ row, play: (enc) => enc.dispatch(variant, tensors, params, options) })
    }

    this.flops += options.flops ?? 0
    if (this.flops > this.gpu.caps.maxDispatchFlops) this.submit()
  }

  /** Copies whole tensors of equal size on the GPU. Offsets and size are in bytes. */
  copy(
    from: Tensor,
    to: Tensor,
    options: { fromOffset?: number; toOffset?: number; bytes?: number } = {},
  ): void {
    if (this.collected) return
    // What goes to the host is none of the step's work.
    if (to.buffer.usage & 0x80) this.record((enc) => enc.copy(from, to, options)) // STORAGE
    const bytes = options.bytes ?? sizeBytes(from.shape, from.dtype)
    this.closePass()
    this.openCommands().copyBufferToBuffer(
      from.buffer,
      from.offset + (options.fromOffset ?? 0),
      to.buffer,
      to.offset + (options.toOffset ?? 0),
      bytes,
    )
  }

  /** Writes host data into a tensor, before everything recorded in this and later submits. */
  upload(to: Tensor, data: Float32Array | Uint32Array | Int32Array): void {
    if (this.collected) return
    if (this.gpu.profiler?.recorder) {
      const kept = data.slice()
      this.record((enc) => enc.upload(to, kept))
    }
    this.gpu.device.queue.writeBuffer(to.buffer, to.offset, data as Float32Array<ArrayBuffer>)
  }

  /** A temporary holding host data. The write takes effect before all commands of the current submit. */
  constant(data: Float32Array | Uint32Array | Int32Array, shape: readonly number[] = [data.length]): Tensor {
    const dtype: Dtype = data instanceof Float32Array ? 'f32' : data instanceof Int32Array ? 'i32' : 'u32'
    // The buffer may still be read by commands recorded but not submitted under its earlier owner.
    const tensor = this.temp(shape, dtype, 'constant')
    if (this.collected) return tensor
    if (this.commands) this.submit()
    this.upload(tensor, data)
    return tensor
  }

  clear(tensor: Tensor): void {
    if (this.collected) return
    this.record((enc) => enc.clear(tensor))
    this.closePass()
    this.openCommands().clearBuffer(tensor.buffer, tensor.offset, sizeBytes(tensor.shape, tensor.dtype))
  }

  /** Sends what was recorded so far; recording may go on. */
  submit(): void {
    if (this.collected || !this.commands) return
    this.gpu.throwIfLost()
    this.closePass()
    this.flushParams()
    const timer = this.gpu.profiler?.timer
    timer?.resolve(this.commands)
    this.gpu.submit(this.commands.finish(), this.flops > this.gpu.caps.maxDispatchFlops / 4)
    timer?.submitted(this.commands)
    this.commands = undefined
    this.paramChunk = 0
    this.flops = 0
  }

  /** Submits and gives every temporary back. The encoder may be used again. */
  end(): void {
    this.submit()
    this.releaseAll()
  }

  /**
   * Reads tensors back after everything recorded so far.
   *
   * Throws: DeviceLostError, OutOfMemoryError, or the validation error that made the values worthless.
   */
  async read(tensor: Tensor): Promise<Float32Array> {
    return new Float32Array(await this.readBytes(tensor))
  }

  async readU32(tensor: Tensor): Promise<Uint32Array> {
    return new Uint32Array(await this.readBytes(tensor))
  }

  async readBytes(tensor: Tensor): Promise<ArrayBuffer> {
    const { gpu } = this
    const bytes = sizeBytes(tensor.shape, tensor.dtype)
    const staging = gpu.createBuffer('readback', bytes, 0x01 | 0x08) // MAP_READ | COPY_DST
    try {
      this.closePass()
      this.openCommands().copyBufferToBuffer(tensor.buffer, tensor.offset, staging, 0, bytes)
      this.submit()
      await mapOrLost(gpu, staging)
      await gpu.check()
      return staging.getMappedRange(0, bytes).slice(0)
    } finally {
      gpu.destroyBuffer(staging)
    }
  }

  private releaseAll(): void {
    for (const scope of this.scopes) {
      for (const buffer of scope) this.arena.give(buffer)
      scope.clear()
    }
  }

  private openCommands(): GPUCommandEncoder {
    this.gpu.throwIfLost()
    return (this.commands ??= this.gpu.device.createCommandEncoder({ label: this.label }))
  }

  private openPass(): GPUComputePassEncoder {
    return (this.pass ??= this.openCommands().beginComputePass({ label: this.label }))
  }

  /** A pass for one dispatch alone. */
  private openTimedPass(timer: PassTimer, row: KernelTime): GPUComputePassEncoder {
    this.closePass()
    const commands = this.openCommands()
    const timestampWrites = timer.writes(commands, row)
    return (this.pass = commands.beginComputePass({ label: row.kernel, timestampWrites }))
  }

  /** Keeps an operation that is no dispatch, where a profiler wants to play it back. */
  private record(play: (enc: Encoder) => void): void {
    const { profiler } = this.gpu
    if (profiler?.isTiming) profiler.recorder?.add({ play })
  }

  private closePass(): void {
    this.pass?.end()
    this.pass = undefined
  }

  /** Puts one dispatch's params into the current chunk. Returns: their offset in bytes. */
  private writeParams(
    types: readonly (readonly [string, ParamType])[],
    values: Readonly<Record<string, number>>,
    bytes: number,
  ): number {
    if (this.paramBytes + bytes > PARAM_CHUNK_BYTES) {
      this.flushParams()
      this.paramChunk++
    }
    const chunks = this.shared.paramChunks
    const chunk = chunks[this.paramChunk]
    if (!chunk || !this.gpu.isAlive(chunk)) {
      const label = `params ${this.paramChunk}`
      chunks[this.paramChunk] = this.gpu.createBuffer(label, PARAM_CHUNK_BYTES, 0x40 | 0x08) // UNIFORM | COPY_DST
      // Groups of a chunk that could not be made refer to nothing.
      if (chunk) this.shared.bindGroups.clear()
    }
    const offset = this.paramBytes
    let word = offset / 4
    for (const [name, type] of types) {
      const value = values[name]
      if (value === undefined || Number.isNaN(value))
        throw new ShapeError(`${this.label}: param "${name}" is ${value}`)
      if (type === 'u32') this.paramWords[word++] = value
      else if (type === 'i32') this.paramInts[word++] = value
      else this.paramFloats[word++] = value
    }
    const { offsetAlignment } = this.gpu.caps
    this.paramBytes = Math.ceil((offset + bytes) / offsetAlignment) * offsetAlignment
    return offset
  }

  private flushParams(): void {
    if (this.paramBytes === 0) return
    const chunk = this.shared.paramChunks[this.paramChunk]!
    this.gpu.device.queue.writeBuffer(chunk, 0, this.params, 0, Math.min(this.paramBytes, PARAM_CHUNK_BYTES))
    this.paramBytes = 0
  }

  private range(kernel: string, name: string, tensor: Tensor): GPUBufferBinding {
    const size = sizeBytes(tensor.shape, tensor.dtype)
    if (size > this.gpu.caps.maxBindingBytes) {
      throw new ShapeError(
        `${kernel}: "${name}" [${tensor.shape.join(', ')}] takes ${size} bytes, the device binds at most ` +
          `${this.gpu.caps.maxBindingBytes}; split it over several bindings`,
      )
    }
    // Vector loads may read whole 16-byte words; every buffer is a multiple of 16 long.
    return { buffer: tensor.buffer, offset: tensor.offset, size: Math.max(16, Math.ceil(size / 16) * 16) }
  }

  /** A count becomes a grid within the limit; kernels undo it by `wid.y * num_workgroups.x + wid.x`. */
  private fold(groups: Grid): [number, number, number] {
    const limit = this.gpu.caps.maxWorkgroupsPerDimension
    if (typeof groups !== 'number') return [groups[0], groups[1] ?? 1, groups[2] ?? 1]
    if (groups <= limit) return [groups, 1, 1]
    const y = Math.ceil(groups / limit)
    return [Math.ceil(groups / y), y, 1]
  }
}

/** Maps a staging buffer; a lost device rejects with DeviceLostError instead of an AbortError. */
export async function mapOrLost(gpu: Gpu, staging: GPUBuffer): Promise<void> {
  try {
    await gpu.orLost(staging.mapAsync(0x01), 'reading back from the GPU') // READ
  } catch (cause) {
    // A buffer that there was no memory for cannot be mapped either.
    await gpu.check()
    throw await lossOr(gpu, cause)
  }
}

/** Why a call on a buffer failed: the device's loss, which is announced a moment later, or else the cause itself. */
export async function lossOr(gpu: Gpu, cause: unknown): Promise<unknown> {
  const soon = () => new Promise<undefined>((resolve) => setTimeout(resolve, 500))
  return gpu.lostError ?? (await Promise.race([gpu.lost, soon()])) ?? cause
}

function* buffersIn(value: unknown): Generator<GPUBuffer> {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return
  if ('buffer' in value && 'shape' in value) {
    yield (value as Tensor).buffer
    return
  }
  for (const item of Object.values(value)) yield* buffersIn(item)
}
