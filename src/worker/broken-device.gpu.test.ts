import { describe, expect, test } from 'vitest'
import { openGpu, type Capabilities } from '../kernels'
import { testInstance } from '../kernels/testing/gpu'
import type { EngineEvent } from './api'
import { freshEngine } from './testing/engines'
import { withGpuCalls } from './testing/gpu-calls'
import { loadSmall, smallQuestion } from './testing/small-work'

/** Each of these compiles a set of kernels anew, which takes SwiftShader most of a minute. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

/** Runs work on a driver that compiles no shader holding `sign`; the refused ones are named. */
async function refusing<T>(sign: RegExp, work: () => Promise<T>): Promise<{ result: T; refused: string[] }> {
  const refused: string[] = []
  const codes = new WeakMap<object, string>()
  const { createShaderModule } = GPUDevice.prototype
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const module = createShaderModule.call(this, descriptor)
    codes.set(module, descriptor.code)
    return module
  }
  try {
    const result = await withGpuCalls((call, real, args) => {
      if (call !== 'createComputePipelineAsync') return real()
      const { compute, label } = args[0] as GPUComputePipelineDescriptor
      if (!sign.test(codes.get(compute.module) ?? '')) return real()
      refused.push(label!)
      return Promise.reject(new Error('internal compiler error'))
    }, work)
    return { result, refused }
  } finally {
    GPUDevice.prototype.createShaderModule = createShaderModule
  }
}

/** An engine whose device is given up after a quarter of a second in which it does nothing. */
const impatient = async (restrict: Partial<Capabilities> = {}) => {
  const events: EngineEvent[] = []
  const engine = freshEngine({
    openDevice: () => openGpu(testInstance, restrict, { hangMs: 200, lookMs: 50 }),
    recovery: { waitMs: () => 0 },
  })
  await engine.watch((event) => events.push(event))
  return { engine, events }
}

describe.skipIf(isSlow)('a driver that refuses', () => {
  test('the shaders of a fast path is done without it, which is noted, and the answer is the same', async () => {
    const engine = freshEngine()
    const { result: info, refused } = await refusing(/^enable subgroups;/m, () => loadSmall(engine))
    expect(refused.length).toBeGreaterThan(0)
    expect(info.notes.join()).toMatch(
      /refused a shader, so this device does without subgroups: .*\[.*internal compiler error/,
    )
    expect(engine.loaded!.vlm.gpu.caps.subgroups).toBeUndefined()
    const plain = freshEngine({ restrict: { subgroups: undefined } })
    await loadSmall(plain)
    const wanted = await plain.ask(smallQuestion(), () => {})
    expect((await engine.ask(smallQuestion(), () => {})).tokenIds).toEqual(wanted.tokenIds)
    await Promise.all([engine.close(), plain.close()])
  })

  test('a kernel that has one form alone ends the load with its name and leaves nothing', async () => {
    const engine = freshEngine()
    await engine.probe()
    const before = await engine.gpuMemory()
    await expect(refusing(/rope/, () => loadSmall(engine))).rejects.toMatchObject({
      name: 'ShaderError',
      message: expect.stringMatching(
        /^[\w-]+\[.*\]: the driver refused this shader: .* Update the graphics driver/,
      ) as string,
    })
    // A device keeps one buffer of kernels' parameters for good.
    const left = (await engine.gpuMemory()).allocatedBytes - before.allocatedBytes
    expect(left).toBeLessThanOrEqual(65536)
    await loadSmall(engine)
    await engine.close()
  })
})

describe.skipIf(isSlow)('a device that hangs', () => {
  test.each(['onSubmittedWorkDone', 'mapAsync'] as const)(
    'so that %s never ends is given up, and the answer begins again',
    async (hung) => {
      const { engine, events } = await impatient()
      await loadSmall(engine)
      const wanted = await engine.ask(smallQuestion(), () => {})
      let isHung = true
      const reply = await withGpuCalls(
        (call, real) => {
          if (call !== hung || !isHung) return real()
          return new Promise(() => {})
        },
        () => {
          const asked = engine.ask(smallQuestion('hung'), () => {})
          void engine.watch(({ type }) => {
            if (type === 'device-lost') isHung = false
          })
          return asked
        },
      )
      expect(reply.tokenIds).toEqual(wanted.tokenIds)
      expect(events[0]).toMatchObject({
        type: 'device-lost',
        recovers: true,
        message: expect.stringMatching(
          /did not finish, nor anything else in \d+ s, so it was given up/,
        ) as string,
      })
      expect(events.at(-1)!.type).toBe('ready')
      await engine.close()
    },
  )
})
