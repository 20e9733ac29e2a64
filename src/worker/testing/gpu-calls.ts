/** Calls by which an engine uses a device; `popErrorScope` is there for what it answers. */
const CALLS = {
  GPUDevice: [
    'createBuffer',
    'createBindGroup',
    'createCommandEncoder',
    'createComputePipeline',
    'createComputePipelineAsync',
    'popErrorScope',
  ],
  GPUQueue: ['submit', 'writeBuffer', 'onSubmittedWorkDone'],
  GPUBuffer: ['mapAsync'],
} as const

export type GpuCall = { [C in keyof typeof CALLS]: (typeof CALLS)[C][number] }[keyof typeof CALLS]

type Method = (this: unknown, ...args: unknown[]) => unknown

/** Has `instead` answer every such call of every device until `run` ends; `real` makes it. */
export async function withGpuCalls<T>(
  instead: (call: GpuCall, real: () => unknown, args: readonly unknown[]) => unknown,
  run: () => Promise<T>,
): Promise<T> {
  const undo: (() => void)[] = []
  for (const [owner, calls] of Object.entries(CALLS)) {
    const { prototype } = (globalThis as unknown as Record<string, { prototype: Record<string, Method> }>)[
      owner
    ]!
    for (const call of calls) {
      const original = prototype[call]!
      prototype[call] = function (...args) {
        return instead(call, () => original.apply(this, args), args)
      }
      undo.push(() => (prototype[call] = original))
    }
  }
  try {
    return await run()
  } finally {
    for (const restore of undo) restore()
  }
}
