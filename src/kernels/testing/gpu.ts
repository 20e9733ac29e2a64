import { create, globals } from 'webgpu'
import { openGpu, type Gpu } from '../gpu/device'
import { Encoder } from '../gpu/encoder'
import { Arena, uploadTensor } from '../gpu/memory'
import type { Tensor } from '../tensor'
import type { Shaped } from './numbers'

Object.assign(globalThis, globals)

// Dawn crashes when the object create() returned is collected; hold it as long as the process lives.
export const testInstance = create([])
let opened: Promise<Gpu> | undefined

/** The device all tests of a file share. */
export const testGpu = (): Promise<Gpu> => (opened ??= openGpu(testInstance))

let arena: Arena | undefined

/**
 * Uploads named inputs, records, and reads every named output back.
 *
 * Throws: whatever recording throws, and any WebGPU error the commands raised.
 */
export async function onGpu<I extends Record<string, Shaped>, O extends Record<string, Tensor>>(
  inputs: I,
  record: (enc: Encoder, tensors: { [name in keyof I]: Tensor }) => O,
): Promise<{ [name in keyof O]: Float32Array }> {
  const gpu = await testGpu()
  arena ??= new Arena(gpu)
  const enc = new Encoder(gpu, arena, 'test')
  const tensors: Record<string, Tensor> = {}
  for (const [name, data] of Object.entries(inputs)) tensors[name] = uploadTensor(gpu, name, data.shape, data)
  try {
    const outputs = record(enc, tensors as { [name in keyof I]: Tensor })
    const read: Record<string, Float32Array> = {}
    for (const [name, tensor] of Object.entries(outputs)) read[name] = await enc.read(tensor)
    return read as { [name in keyof O]: Float32Array }
  } finally {
    enc.end()
    for (const tensor of Object.values(tensors)) gpu.destroyBuffer(tensor.buffer)
    await gpu.check()
  }
}
