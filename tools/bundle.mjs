// Bundles a TypeScript entry that uses the engine: for Node as the command line is bundled, or for a page's worker.

import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStale } from './stale.mjs'

const root = resolve(fileURLToPath(new URL('..', import.meta.url)))

/**
 * @param {string} entry  from the project's root
 * @param {string} bundle  likewise
 * @returns {Promise<string>} the bundle's file, which is made where its sources are newer
 */
export const bundleForNode = (entry, bundle) => build(entry, bundle, { ssr: entry, target: 'node20' })

/**
 * @param {string} entry  from the project's root
 * @param {string} bundle  likewise
 * @returns {Promise<string>} the bundle's file, which is made where its sources are newer
 */
export const bundleForWorker = (entry, bundle) =>
  build(entry, bundle, { target: 'esnext', minify: false, rolldownOptions: { input: entry } })

/** @param {string} entry @param {string} bundle @param {import('vite').BuildEnvironmentOptions} options */
async function build(entry, bundle, options) {
  const file = join(root, bundle)
  const sources = [dirname(entry), 'src/kernels', 'src/model', 'src/worker', 'src/cli', 'package-lock.json']
  const stale = isStale(
    file,
    sources.map((name) => join(root, name)),
  )
  if (!stale) return file
  const vite = await import('vite')
  await vite.build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      sourcemap: true,
      outDir: dirname(file),
      emptyOutDir: false,
      ...options,
      rolldownOptions: {
        ...options.rolldownOptions,
        output: { entryFileNames: basename(bundle), codeSplitting: false },
      },
    },
  })
  return file
}
