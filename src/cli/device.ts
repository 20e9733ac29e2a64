import { UnsupportedDeviceError } from '../kernels/errors'
import { easePolling } from './ease-polling.mjs'
import { findIcd, ICD_VARIABLE } from './vulkan.mjs'

/** `default` takes what the machine offers first; `auto` does too unless that is software, then lavapipe, then SwiftShader. */
export type AdapterChoice = 'auto' | 'default' | 'lavapipe' | 'swiftshader'

export const ADAPTER_CHOICES: readonly AdapterChoice[] = ['auto', 'default', 'lavapipe', 'swiftshader']

// As the engine asks: the discrete GPU where a machine has two.
const ADAPTER_OPTIONS: GPURequestAdapterOptions = { powerPreference: 'high-performance' }

/** Dawn crashes when the object create() returned is collected while a device lives: these stay for the whole process. */
const opened: GPU[] = []

/** The variables by which the Vulkan loader finds its drivers; where both are set, the first decides. */
const DRIVER_VARIABLES = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const

/** The drivers the machine was set up with, before any choice here replaced them. */
const machineDrivers = DRIVER_VARIABLES.map((name) => process.env[name])
  .filter((value) => value !== undefined)
  .at(0)

/**
 * Opens WebGPU in Node (Dawn) on the chosen adapter and puts the WebGPU globals (GPUBufferUsage ...) in place.
 * The adapter is chosen by an environment variable that the Vulkan loader reads anew at each create(). A process that
 * has used it ends by process.exit: Dawn's threads keep it alive otherwise.
 * Throws: UnsupportedDeviceError when the bindings do not load or the chosen driver is not there.
 */
export async function openNodeGpu(adapter: AdapterChoice): Promise<GPU> {
  if (adapter === 'lavapipe' || adapter === 'swiftshader') return openSoftware(adapter)
  const gpu = await create(machineDrivers)
  if (isHardware(await gpu.requestAdapter(ADAPTER_OPTIONS))) return gpu
  easePolling()
  if (adapter === 'default') return gpu
  // A driver chosen by hand stands, software or not.
  if (machineDrivers !== undefined) return gpu
  for (const software of ['lavapipe', 'swiftshader'] as const) {
    const icd = findIcd(software)
    if (icd !== undefined) return create(icd)
  }
  return gpu
}

async function openSoftware(adapter: 'lavapipe' | 'swiftshader'): Promise<GPU> {
  const icd = findIcd(adapter)
  easePolling()
  if (icd !== undefined) return create(icd)
  const origin =
    adapter === 'lavapipe' ? 'Mesa (Debian: mesa-vulkan-drivers)' : 'Chromium (vk_swiftshader_icd.json)'
  throw new UnsupportedDeviceError(
    `adapter: ${adapter} was asked for but its Vulkan driver was not found; it comes with ${origin}. ` +
      `Install it, or name its ICD file in ${ICD_VARIABLE[adapter]}.`,
  )
}

async function create(drivers: string | undefined): Promise<GPU> {
  for (const name of DRIVER_VARIABLES) delete process.env[name]
  if (drivers !== undefined) process.env.VK_ICD_FILENAMES = drivers
  // Mesa complains on stderr where this is unset.
  process.env.XDG_RUNTIME_DIR ??= '/tmp'
  let dawn: typeof import('webgpu')
  try {
    dawn = await import('webgpu')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new UnsupportedDeviceError(
      `adapter: the WebGPU bindings for ${process.platform}-${process.arch} did not load (${reason}). ` +
        'Run npm install again; on Linux they also need libvulkan.so.1 (Debian: libvulkan1).',
    )
  }
  Object.assign(globalThis, dawn.globals)
  // Dawn rounds timestamps to 0.07 ms otherwise, which hides from web pages what nobody hides here.
  const gpu = dawn.create(['disable-dawn-features=timestamp_quantization'])
  opened.push(gpu)
  return gpu
}

function isHardware(adapter: GPUAdapter | null): boolean {
  if (adapter === null) return false
  const { architecture, description } = adapter.info
  return (
    !adapter.info.isFallbackAdapter &&
    !/swiftshader|llvmpipe|software/i.test(`${architecture} ${description}`)
  )
}
