// Bundles a TypeScript entry that uses the engine for Node, as the command line is bundled.

import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStale } from './stale.mjs'

const root = resolve(fileURLToPath(new URL('..', import.meta.url)))

/**
 * @param {string} entry  from the project's root
 * @param {string} bundle  likewise
 * @returns {Promise<string>} the bundle's file, which is made where its sources are newer
 */
export async function bundleForNode(entry, bundle) {
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
      ssr: entry,
      target: 'node20',
      sourcemap: true,
      outDir: dirname(file),
      emptyOutDir: false,
      rolldownOptions: {
        output: { entryFileNames: bundle.slice(bundle.lastIndexOf('/') + 1), codeSplitting: false },
      },
    },
  })
  return file
}
