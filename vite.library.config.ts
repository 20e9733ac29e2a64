import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

const noOnnx = fileURLToPath(new URL('src/worker/no-onnx.ts', import.meta.url))

const EMPTY = '\0no-onnx-runtime'

/** The engine without ONNX Runtime, and its tokenizers without the copy they bring for models of their own. */
const withoutOnnx = (): Plugin => ({
  name: 'without-onnx',
  enforce: 'pre',
  resolveId(source) {
    if (source.endsWith('/onnx-web')) return noOnnx
    return /^onnxruntime-/.test(source) ? EMPTY : undefined
  },
  load: (id) =>
    id === EMPTY
      ? 'export const env = { wasm: {} }; export class Tensor {}; export class InferenceSession {}; export default {}'
      : undefined,
})

/** `import { Trilobite } from 'trilobite'`: one ES module with the engine's worker, its shaders and decoders inside. */
export default defineConfig({
  publicDir: false,
  logLevel: 'warn',
  plugins: [withoutOnnx()],
  build: {
    lib: { entry: 'src/library/index.ts', formats: ['es'], fileName: () => 'trilobite.js' },
    target: 'es2023',
    outDir: 'dist/library',
    emptyOutDir: true,
    rolldownOptions: { output: { codeSplitting: false } },
  },
  worker: {
    format: 'es',
    plugins: () => [withoutOnnx()],
    rolldownOptions: { output: { codeSplitting: false } },
  },
})
