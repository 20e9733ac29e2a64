import type { Gpu } from './device'
import { refusedShader } from './fallback'

/** How a kernel uses a buffer: only reads it, only writes it, or updates it in place. */
export type Access = 'read' | 'write' | 'update'
export type ParamType = 'u32' | 'i32' | 'f32'

export interface KernelSpec<B extends Record<string, Access>, P extends Record<string, ParamType>> {
  /** The op's name: its folder, and the label of its pipelines. */
  readonly name: string
  /** Whole text of a .wgsl file with one entry point. */
  readonly wgsl: string
  /** Texts of src/kernels/wgsl files the shader calls into. */
  readonly include?: readonly string[]
  /** Storage buffers by name, in the order of `@binding(n)`. */
  readonly bindings: B
  /** Fields of the uniform `Params` struct, in order, 4 bytes each; the last binding. Leave empty for none. */
  readonly params: P
}

/** Values for `override NAME`, `const NAME = ` and `alias NAME = ` lines of the shader. */
export type Specialisation = Readonly<Record<string, number | boolean | string | undefined>>

export interface Kernel<
  B extends Record<string, Access> = Record<string, Access>,
  P extends Record<string, ParamType> = Record<string, ParamType>,
> {
  readonly spec: KernelSpec<B, P>
  /** The kernel with these constants. Equal specialisations share one pipeline. */
  as(values?: Specialisation): Variant<B, P>
}

/** A kernel with every constant decided. */
export interface Variant<
  B extends Record<string, Access> = Record<string, Access>,
  P extends Record<string, ParamType> = Record<string, ParamType>,
> {
  readonly spec: KernelSpec<B, P>
  /** Kernel name and constants; the pipeline's label and cache key. */
  readonly key: string
  readonly code: string
  readonly constants: Readonly<Record<string, number>>
}

/** Declares a kernel: bindings and params once, by name, checked against the shader's text when tests run. */
export function defineKernel<
  const B extends Record<string, Access>,
  const P extends Record<string, ParamType>,
>(spec: KernelSpec<B, P>): Kernel<B, P> {
  const variants = new Map<string, Variant<B, P>>()
  const kernel: Kernel<B, P> = {
    spec,
    as(values = {}) {
      const names = Object.keys(values)
        .filter((name) => values[name] !== undefined)
        .sort()
      const key = `${spec.name}[${names.map((name) => `${name}=${values[name]}`).join(',')}]`
      let variant = variants.get(key)
      if (!variant) {
        variant = { spec, key, ...specialise(spec, values) }
        variants.set(key, variant)
      }
      return variant
    },
  }
  allKernels.push(kernel)
  return kernel
}

/** Every kernel defined so far; the binding test walks it. */
export const allKernels: Kernel[] = []

/** Sets overrides as pipeline constants and swaps whole `const`/`alias` lines, which must occur exactly once. */
function specialise(
  spec: Pick<KernelSpec<Record<string, Access>, Record<string, ParamType>>, 'name' | 'wgsl' | 'include'>,
  values: Specialisation,
) {
  let body = [...(spec.include ?? []), spec.wgsl].join('\n')
  const constants: Record<string, number> = {}
  let needsF16 = false
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue // as the file says
    if (new RegExp(`^override ${name}\\b`, 'm').test(body)) {
      if (typeof value === 'string')
        throw new Error(`${spec.name}: override ${name} takes a number or boolean, not "${value}"`)
      constants[name] = Number(value)
      continue
    }
    const line = new RegExp(`^(const|alias) ${name}(?:: \\w+)? = ([^;]+);`, 'gm')
    const found = [...body.matchAll(line)]
    if (found.length !== 1) {
      throw new Error(
        `${spec.name}: "${name}" should be declared by exactly one override, const or alias line, found ${found.length}`,
      )
    }
    const suffix = typeof value === 'number' ? (/[uif]$/.exec(found[0]![2]!)?.[0] ?? '') : ''
    body = body.replace(line, `$1 ${name} = ${value}${suffix};`)
    if (value === 'f16' || (typeof value === 'string' && value.includes('f16'))) needsF16 = true
  }
  const directives = new Set(body.match(/^(enable|requires|diagnostic)\b[^;]*;/gm) ?? [])
  if (needsF16) directives.add('enable f16;')
  body = body.replace(/^(enable|requires|diagnostic)\b[^;]*;/gm, '')
  return { code: `${[...directives].join('\n')}\n${body}`, constants }
}

/** A compiled variant. */
export interface CompiledKernel {
  readonly pipeline: GPUComputePipeline
  readonly layout: GPUBindGroupLayout
  readonly bindingNames: readonly string[]
  readonly paramTypes: readonly (readonly [string, ParamType])[]
  /** Bytes of the Params struct, a multiple of 16; 0 without params. */
  readonly paramBytes: number
}

const caches = new WeakMap<Gpu, Map<string, CompiledKernel>>()

function cacheOf(gpu: Gpu): Map<string, CompiledKernel> {
  let cache = caches.get(gpu)
  if (!cache) caches.set(gpu, (cache = new Map()))
  return cache
}

function describe(gpu: Gpu, variant: Variant) {
  const { spec } = variant
  const bindingNames = Object.keys(spec.bindings)
  const paramTypes = Object.entries(spec.params)
  const paramBytes = Math.ceil((paramTypes.length * 4) / 16) * 16
  if (bindingNames.length > gpu.caps.maxStorageBuffers) {
    throw new Error(
      `${spec.name}: binds ${bindingNames.length} buffers, the device allows ${gpu.caps.maxStorageBuffers}`,
    )
  }
  const entries: GPUBindGroupLayoutEntry[] = bindingNames.map((name, binding) => ({
    binding,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type: spec.bindings[name] === 'read' ? 'read-only-storage' : 'storage' },
  }))
  if (paramBytes) {
    entries.push({
      binding: bindingNames.length,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: paramBytes },
    })
  }
  const layout = gpu.device.createBindGroupLayout({ label: variant.key, entries })
  const descriptor = {
    label: variant.key,
    layout: gpu.device.createPipelineLayout({ label: variant.key, bindGroupLayouts: [layout] }),
    compute: {
      module: gpu.device.createShaderModule({ label: variant.key, code: variant.code }),
      constants: { ...variant.constants },
    },
  }
  return { descriptor, layout, bindingNames, paramTypes, paramBytes }
}

/** The pipeline of a variant, compiled now if it was not warmed up. */
export function compile(gpu: Gpu, variant: Variant): CompiledKernel {
  const cache = cacheOf(gpu)
  let compiled = cache.get(variant.key)
  if (!compiled) {
    const { descriptor, ...rest } = describe(gpu, variant)
    compiled = {
      ...rest,
      pipeline: gpu.createPipeline(descriptor, (cause) => {
        cache.delete(variant.key)
        return refusedShader(variant, cause)
      }),
    }
    cache.set(variant.key, compiled)
  }
  return compiled
}

/**
 * Compiles many variants without blocking the thread, some at a time.
 *
 * Throws: ShaderError naming the kernel whose shader the driver refused; DeviceLostError; the signal's reason.
 */
export async function warmUp(
  gpu: Gpu,
  variants: Iterable<Variant>,
  onProgress: (done: number, total: number) => void = () => {},
  signal?: AbortSignal,
): Promise<void> {
  const cache = cacheOf(gpu)
  const todo = [...new Map([...variants].map((variant) => [variant.key, variant])).values()].filter(
    (v) => !cache.has(v.key),
  )
  let done = 0
  onProgress(done, todo.length)
  const next = todo.values()
  const compileSome = async () => {
    for (const variant of next) {
      signal?.throwIfAborted()
      const { descriptor, ...rest } = describe(gpu, variant)
      try {
        cache.set(variant.key, { ...rest, pipeline: await gpu.device.createComputePipelineAsync(descriptor) })
      } catch (cause) {
        gpu.throwIfLost()
        throw refusedShader(variant, cause as Error)
      }
      onProgress(++done, todo.length)
    }
  }
  // 4 at a time keeps compile threads busy without flooding the driver's queue.
  await Promise.all(Array.from({ length: Math.min(4, todo.length) }, compileSome))
}
