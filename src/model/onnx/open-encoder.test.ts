import { describe, expect, test } from 'vitest'
import type { Gpu } from '../../kernels'
import { CheckpointError, NetworkError } from '../errors'
import { openEncoder, type EngineChoice } from './open-encoder'
import type { OnnxEncoder, OnnxRuntime } from './runtime'

const file = { name: 'owner/name: encoder.onnx', bytes: new Uint8Array(), externalData: [] }

/** Opens on an adapter of that kind with a GPU engine that fails so, and tells what happened. */
async function choose(
  engine: EngineChoice,
  { isSoftware = false, opening, running }: { isSoftware?: boolean; opening?: Error; running?: Error } = {},
) {
  const events: string[] = []
  const runtime: OnnxRuntime = {
    async open(_, { engine }) {
      events.push(`open ${engine}`)
      if (engine === 'webgpu' && opening) throw opening
      const encoder: OnnxEncoder = {
        inputs: [{ name: 'pixels', type: 'float32', shape: [1, 3, 4, 4] }],
        outputs: [{ name: 'features', type: 'float32', shape: [1, 2, 1, 1] }],
        sharesDevice: false,
        async run(inputs, outputs) {
          const { shape, dtype } = inputs['pixels']!
          events.push(`run ${engine} [${shape.join(', ')}] ${dtype} for ${outputs.join(', ')}`)
          if (engine === 'webgpu' && running) throw running
          const release = () => events.push('release')
          return [{ shape: [1, 2, 1, 1], dtype: 'f32', data: new Float32Array(2), release }]
        },
        async destroy() {
          events.push(`destroy ${engine}`)
        },
      }
      return encoder
    },
  }
  const gpu = { device: {}, caps: { isSoftware } } as unknown as Gpu
  const onNote = (note: string) => events.push(`note: ${note}`)
  await openEncoder(file, { engine, imageSize: 4 }, { gpu, runtime, onNote }).catch((error: Error) =>
    events.push(`threw ${error.message}`),
  )
  return events
}

describe('the engine of an ONNX encoder', () => {
  test('is the one asked for, without a fallback', async () => {
    expect(await choose('cpu')).toEqual(['open cpu'])
    expect(await choose('webgpu', { isSoftware: true })).toEqual(['open webgpu'])
    expect(await choose('webgpu', { opening: new CheckpointError('no') })).toEqual([
      'open webgpu',
      'threw no',
    ])
  })

  test('is the GPU once a picture went through', async () => {
    expect(await choose('auto')).toEqual([
      'open webgpu',
      'run webgpu [1, 3, 4, 4] f32 for features',
      'release',
    ])
  })

  test('is the CPU on a software adapter', async () => {
    expect(await choose('auto', { isSoftware: true })).toEqual([
      'open cpu',
      'note: owner/name: encoder.onnx: runs on the CPU engine, because this adapter is software and slower.',
    ])
  })

  test('is the CPU where the GPU cannot open or run it, and the reason is told', async () => {
    const note =
      "note: owner/name: encoder.onnx: runs on the CPU engine. The GPU's refused it: Cast requires f16."
    const failure = new CheckpointError('Cast requires f16.')
    expect(await choose('auto', { opening: failure })).toEqual(['open webgpu', 'open cpu', note])
    expect(await choose('auto', { running: failure })).toEqual([
      'open webgpu',
      'run webgpu [1, 3, 4, 4] f32 for features',
      'destroy webgpu',
      'open cpu',
      note,
    ])
  })

  test('is not looked for where the failure is another', async () => {
    expect(await choose('auto', { opening: new NetworkError('offline') })).toEqual([
      'open webgpu',
      'threw offline',
    ])
  })
})
