import { ShaderError, type FastPath } from '../errors'
import type { Gpu } from './device'

/** What the shaders of each fast path hold, and those of other paths do not. */
const SIGNS: readonly (readonly [FastPath, RegExp])[] = [
  ['subgroups', /^enable subgroups;/m],
  ['packedDot', /\bdot4I8Packed\b/],
]

/** Why a kernel cannot be run. */
export const refusedShader = (
  { key, code }: { readonly key: string; readonly code: string },
  cause: { readonly message: string },
): ShaderError =>
  new ShaderError(
    `${key}: the driver refused this shader: ${cause.message}. Update the graphics driver and the browser, or try another one.`,
    {
      cause,
      paths: SIGNS.flatMap(([path, sign]) => (sign.test(code) ? [path] : [])),
    },
  )

/**
 * Runs what compiles kernels. Where the driver refuses the shader of a fast path, the device does without that path from
 * then on and it is run again.
 *
 * Throws: what it throws, and ShaderError for a kernel that has no other form.
 */
export async function withFallbacks<T>(
  gpu: Gpu,
  run: () => Promise<T>,
  onNote: (note: string) => void = () => {},
): Promise<T> {
  for (;;) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof ShaderError)) throw error
      const inUse = error.paths.filter((path) => gpu.caps[path])
      if (inUse.length === 0) throw error
      gpu.doWithout(inUse)
      onNote(
        `The graphics driver refused a shader, so this device does without ${inUse.join(' and ')}: ${error.message}`,
      )
    }
  }
}
