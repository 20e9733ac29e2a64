// Bundles the measurement for Node, as the command line is bundled.

import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStale } from '../../stale.mjs'

const root = resolve(fileURLToPath(new URL('../../..', import.meta.url)))
const bundle = join(root, 'dist/full-shape/parts.js')

/** @returns {Promise<string>} the bundle, which is made where its sources are newer */
export async function buildParts() {
  const sources = [
    'tools/full-shape/parts',
    'src/kernels',
    'src/model',
    'src/worker',
    'src/cli',
    'package-lock.json',
  ]
  const stale = isStale(
    bundle,
    sources.map((name) => join(root, name)),
  )
  if (!stale) return bundle
  const vite = await import('vite')
  await vite.build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      ssr: 'tools/full-shape/parts/main.ts',
      target: 'node20',
      sourcemap: true,
      outDir: join(root, 'dist/full-shape'),
      emptyOutDir: false,
      rolldownOptions: { output: { entryFileNames: 'parts.js', codeSplitting: false } },
    },
  })
  return bundle
}
