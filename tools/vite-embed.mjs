// What the builds for other people's pages share: the engine's worker and all CSS lie inside the JavaScript.

import { svelte } from '@sveltejs/vite-plugin-svelte'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { remPlugin } from './postcss-rem.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

const TARGET = 'es2023'
/** Libraries find out by it that they are not being developed. */
const PRODUCTION = { 'process.env.NODE_ENV': '"production"' }

/**
 * A build of one or more ES modules that need nothing beside them.
 * @param {{ entry: Record<string, string>, outDir: string, isOneFile: boolean }} options
 * @returns {import('vite').UserConfig}
 */
export function embedded({ entry, outDir, isOneFile }) {
  return {
    publicDir: false,
    logLevel: 'warn',
    define: PRODUCTION,
    plugins: [svelte(), ownTrustedTypes(), engineWorkerText(), cssInJs()],
    css: { postcss: { plugins: [remPlugin()] } },
    build: {
      lib: { entry, formats: ['es'], fileName: (_format, name) => `${name}.js` },
      target: TARGET,
      outDir,
      emptyOutDir: true,
      license: { fileName: 'licenses.json' },
      rolldownOptions: {
        checks: { pluginTimings: false },
        output: isOneFile
          ? { codeSplitting: false, minify: true }
          : { chunkFileNames: 'chunks/[name]-[hash].js', minify: true },
      },
    },
  }
}

const NO_ONNX = join(root, 'src/worker/no-onnx.ts')
const EMPTY = '\0no-onnx-runtime'

/**
 * The engine without ONNX Runtime, and its tokenizers without the copy they bring for models of their own.
 * @returns {import('vite').Plugin}
 */
const withoutOnnx = () => ({
  name: 'without-onnx',
  enforce: 'pre',
  resolveId(source) {
    if (source.endsWith('/onnx-web')) return NO_ONNX
    return /^onnxruntime-/.test(source) ? EMPTY : undefined
  },
  load: (id) =>
    id === EMPTY
      ? 'export const env = { wasm: {} }; export class Tensor {}; export class InferenceSession {}; export default {}'
      : undefined,
})

/**
 * The decoders without the addresses of their WebAssembly, which they are always given compiled: a bundler would put each
 * file into the code once more.
 * @returns {import('vite').Plugin}
 */
const withoutWasmAddresses = () => ({
  name: 'without-wasm-addresses',
  enforce: 'pre',
  transform: {
    filter: { id: /@jsquash.*\.js$/ },
    handler: (code) =>
      code.replace(/new URL\((["'])[\w.-]+\.wasm\1, ?import\.meta\.url\)/g, "new URL('about:blank')"),
  },
})

/**
 * Builds the engine's worker without writing it.
 * @param {{ isOneFile: boolean }} options
 * @returns {Promise<(import('rolldown').OutputChunk | import('rolldown').OutputAsset)[]>}
 */
export async function buildWorker({ isOneFile }) {
  const { build } = await import('vite')
  const outputs = await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    define: PRODUCTION,
    plugins: [withoutOnnx(), withoutWasmAddresses()],
    build: {
      lib: { entry: 'src/worker/engine.worker.ts', formats: ['es'], fileName: 'engine' },
      target: TARGET,
      write: false,
      license: { fileName: 'licenses.json' },
      rolldownOptions: {
        checks: { pluginTimings: false },
        output: { codeSplitting: !isOneFile, minify: true },
      },
    },
  })
  return /** @type {any} */ (outputs)[0].output
}

const SVELTES_POLICY = "'svelte-trusted-html'"

/**
 * Svelte's Trusted Types policy under a name of our own: a page that has Svelte itself makes one of the usual name, and a
 * second of one name is refused.
 * @returns {import('vite').Plugin}
 */
const ownTrustedTypes = () => ({
  name: 'own-trusted-types',
  transform: {
    filter: { id: /svelte[\\/]src[\\/]internal[\\/]client[\\/]dom[\\/]reconciler\.js$/ },
    handler(code) {
      if (code.split(SVELTES_POLICY).length !== 2) {
        this.error(
          `own-trusted-types: expected ${SVELTES_POLICY} once in Svelte's reconciler. See where it went.`,
        )
      }
      return code.replace(SVELTES_POLICY, "'trilobite-svelte'")
    },
  },
})

const WORKER = 'virtual:engine-worker'
// Vite evaluates this file anew for each configuration; npm run build reads two.
const WORKER_BUILD = Symbol.for('trilobite.engine-worker')
const kept = /** @type {Record<symbol, ReturnType<typeof buildWorker> | undefined>} */ (globalThis)

/**
 * `virtual:engine-worker`: the bundled code of the engine's worker as a string.
 * @returns {import('vite').Plugin}
 */
export const engineWorkerText = () => ({
  name: 'engine-worker-text',
  resolveId: (source) => (source === WORKER ? `\0${WORKER}` : undefined),
  async load(id) {
    if (id !== `\0${WORKER}`) return
    const output = await (kept[WORKER_BUILD] ??= buildWorker({ isOneFile: true }))
    for (const file of output) {
      if (file.type === 'asset')
        this.emitFile({ type: 'asset', fileName: `worker-${file.fileName}`, source: file.source })
    }
    const chunks = output.filter((file) => file.type === 'chunk')
    if (chunks.length !== 1) {
      throw new Error(
        `${WORKER}: expected one chunk, got ${chunks.map(({ fileName }) => fileName).join(', ')}. ` +
          'Keep the worker to what one file can hold.',
      )
    }
    return { code: `export default ${JSON.stringify(chunks[0]?.code)}`, moduleSideEffects: false }
  },
})

const CSS = '__ELEMENT_CSS__'

/**
 * Puts the CSS of the whole build where the code says `__ELEMENT_CSS__`, as a string.
 * @returns {import('vite').Plugin}
 */
export const cssInJs = () => ({
  name: 'css-in-js',
  enforce: 'post',
  generateBundle: {
    order: 'post',
    handler(_options, bundle) {
      const sheets = Object.values(bundle).filter(
        (file) => file.type === 'asset' && file.fileName.endsWith('.css'),
      )
      const css = sheets
        .map((file) => (file.type === 'asset' ? file.source.toString().trim() : ''))
        .join('\n')
      const places = Object.values(bundle).flatMap((file) =>
        file.type === 'chunk'
          ? file.code
              .split(CSS)
              .slice(1)
              .map(() => file)
          : [],
      )
      if (css !== '' && places.length !== 1) {
        this.error(
          `css-in-js: expected ${CSS} once in the built code, got it ${places.length} times. ` +
            'Let one module of the element read it, once.',
        )
      }
      const [place] = places
      if (css === '' && place) {
        this.error(`css-in-js: ${CSS} stands in ${place.fileName}, but no module of this build imports CSS.`)
      }
      if (place) place.code = place.code.replace(CSS, () => JSON.stringify(css))
      for (const { fileName } of sheets) delete bundle[fileName]
    },
  },
})
