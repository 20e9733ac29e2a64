// The peer's side of a benchmark in a page's worker: onnxruntime-web's WebGPU provider. Commands are those of main.mjs, with
// the graph's file beside the preset.

import * as ort from '/runtime/ort.webgpu.bundle.min.mjs'
import { measure, prepare } from './subjects.mjs'

ort.env.wasm.wasmPaths = '/runtime/'
// What is not on the GPU is little, and threads would wait for each other.
ort.env.wasm.numThreads = 1
ort.env.logLevel = 'error'

/** @type {import('./subjects.mjs').Subject | undefined} */
let subject

/** @param {string} name @param {string[]} onGpu */
function open(name, onGpu = []) {
  const data = `${name}.onnx.data`
  return ort.InferenceSession.create(`/graphs/${name}.onnx`, {
    executionProviders: ['webgpu'],
    logSeverityLevel: 3,
    ...(hasWeights(name) && { externalData: [{ path: data, data: `/graphs/${data}` }] }),
    preferredOutputLocation: Object.fromEntries(onGpu.map((output) => [output, 'gpu-buffer'])),
  })
}

/** Those without have an empty file, which cannot be fetched. @param {string} name */
const hasWeights = (name) => !/^(fence|copy-)/.test(name)

/** @param {any} command */
async function answer(command) {
  if (command.do === 'prepare') {
    const { subject: prepared, ...rest } = await prepare({ ort, open }, command.preset, command.graph)
    subject = prepared
    return rest
  }
  if (!subject) throw new Error('bench: measure came before prepare')
  return measure(subject, command.units, () => NaN)
}

addEventListener('message', async ({ data }) => {
  try {
    postMessage(await answer(data))
  } catch (error) {
    postMessage({ failed: String(error instanceof Error ? error.message : error).slice(0, 500) })
  }
})
