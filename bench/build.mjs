// Bundles our side of the benchmark: for Node as the command line is bundled, for a page's worker as the engine is.

import { rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStale } from '../tools/stale.mjs'

export const root = resolve(fileURLToPath(new URL('..', import.meta.url)))
export const folder = join(root, 'dist/bench')
export const engine = join(folder, 'engine.js')
export const engineWorker = join(folder, 'engine-worker.js')

const SOURCES = [
  'bench/engine',
  'bench/presets.mjs',
  'bench/work.mjs',
  'src/kernels',
  'src/model',
  'src/worker',
]

/** Builds `engine`. */
export const build = () =>
  bundle(engine, [...SOURCES, 'src/cli'], { ssr: 'bench/engine/main.ts', target: 'node20' })

/** Builds `engineWorker`. */
export const buildWorker = () =>
  bundle(engineWorker, SOURCES, {
    target: 'esnext',
    minify: false,
    rolldownOptions: { input: 'bench/engine/worker.ts' },
  })

/** @param {string} output @param {string[]} sources @param {import('vite').BuildEnvironmentOptions} options */
async function bundle(output, sources, options) {
  const inputs = [...sources, 'package-lock.json'].map((name) => join(root, name))
  if (!isStale(output, inputs)) return
  // Written over, a bundle that another checkout links to would change there too.
  for (const file of [output, `${output}.map`]) rmSync(file, { force: true })
  const vite = await import('vite')
  await vite.build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      sourcemap: true,
      outDir: folder,
      emptyOutDir: false,
      ...options,
      rolldownOptions: {
        ...options.rolldownOptions,
        output: { entryFileNames: basename(output), codeSplitting: false },
      },
    },
  })
}
