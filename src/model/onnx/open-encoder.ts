import type { Gpu } from '../../kernels'
import { CheckpointError } from '../errors'
import type { OnnxEncoder, OnnxEngine, OnnxFile, OnnxRuntime } from './runtime'
import { dtypeOf } from './session'

/** What computes an encoder; `auto`: the GPU, but the CPU where the GPU is software or cannot run it. */
export type EngineChoice = OnnxEngine | 'auto'

/**
 * Opens an encoder on the engine asked for. `auto` tries the GPU with a black picture, so that an operator or dtype it
 * lacks shows here and not at the first question, whose kernels are compiled by the way.
 *
 * Software adapters are passed over: SAM 2's Hiera-tiny on two x86 cores takes 3 s on onnxruntime-node's CPU engine, and 98 s
 * with wrong values (image_embed off by 3000 times its scale) on its WebGPU engine over lavapipe.
 *
 * Throws: as OnnxRuntime.open; nothing stays open then.
 */
export async function openEncoder(
  file: OnnxFile,
  { engine, imageSize }: { readonly engine: EngineChoice; readonly imageSize: number },
  {
    gpu,
    runtime,
    onNote = () => {},
  }: { gpu: Gpu; runtime: OnnxRuntime; onNote?: ((note: string) => void) | undefined },
): Promise<OnnxEncoder> {
  const open = (engine: OnnxEngine) => runtime.open(file, { engine, device: gpu.device })
  if (engine !== 'auto') return open(engine)
  if (gpu.caps.isSoftware) {
    const encoder = await open('cpu')
    onNote(`${file.name}: runs on the CPU engine, because this adapter is software and slower.`)
    return encoder
  }
  let encoder: OnnxEncoder | undefined
  try {
    encoder = await open('webgpu')
    await tryOut(encoder, imageSize)
    return encoder
  } catch (error) {
    await encoder?.destroy()
    if (!(error instanceof CheckpointError)) throw error
    const onCpu = await open('cpu')
    onNote(`${file.name}: runs on the CPU engine. The GPU's refused it: ${error.message}`)
    return onCpu
  }
}

async function tryOut(encoder: OnnxEncoder, side: number): Promise<void> {
  const [input] = encoder.inputs
  // An encoder of another kind is refused for what it is, elsewhere.
  if (!input || encoder.inputs.length > 1 || input.shape.length !== 4) return
  const shape = [1, 3, side, side]
  const dtype = dtypeOf(input.type, input.name)
  const data = dtype === 'f32' ? new Float32Array(3 * side * side) : new Uint16Array(3 * side * side)
  const outputs = encoder.outputs.map(({ name }) => name)
  for (const output of await encoder.run({ [input.name]: { shape, dtype, data } }, outputs)) output.release()
}
