import { withFallbacks, type Gpu, type selfTest } from '../kernels'
import type { DeviceReport, ErrorName } from './api'

/** Tests a fresh device and describes it; one that fails carries the problem in its report. */
export async function reportDevice(gpu: Gpu, test: typeof selfTest): Promise<DeviceReport> {
  const { caps, adapter } = gpu
  const { limits } = gpu.device
  let result: Awaited<ReturnType<typeof selfTest>> | undefined
  let failure: string | undefined
  try {
    result = await withFallbacks(gpu, () => test(gpu))
    const failed = result.checks.filter(({ passed }) => !passed).map(({ name }) => name)
    if (!result.passed) failure = `computes wrong values (${failed.join(', ')})`
  } catch (error) {
    gpu.throwIfLost()
    failure = `cannot run its kernels (${(error as Error).message.split('\n', 1)[0]})`
  }
  return {
    ok: failure === undefined,
    ...(failure !== undefined && {
      problem: {
        name: 'SelfTestError',
        message:
          `self-test: this device ${failure}. Answers would be nonsense. ` +
          'Update the graphics driver or try another browser.',
      },
    }),
    adapter,
    isSoftware: caps.isSoftware,
    features: {
      shaderF16: caps.shaderF16,
      subgroups: caps.subgroups !== undefined,
      timestampQuery: caps.timestampQuery,
    },
    limits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    },
    ...(result && { selfTest: result }),
  }
}

/** The report of a machine that gives no device at all. */
export const unfitDevice = ({ name, message }: Error): DeviceReport => ({
  ok: false,
  problem: { name: name as ErrorName, message },
  adapter: { vendor: '', architecture: '', description: '' },
  isSoftware: false,
  features: { shaderF16: false, subgroups: false, timestampQuery: false },
  limits: {
    maxBufferSize: 0,
    maxStorageBufferBindingSize: 0,
    maxComputeWorkgroupStorageSize: 0,
    maxComputeInvocationsPerWorkgroup: 0,
    maxStorageBuffersPerShaderStage: 0,
  },
})
