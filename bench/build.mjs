// Bundles our side of the benchmark for Node, as the command line is bundled.

import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStale } from '../tools/stale.mjs'

export const root = resolve(fileURLToPath(new URL('..', import.meta.url)))
export const engine = join(root, 'dist/bench/engine.js')

export async function build() {
  const inputs = ['bench/engine', 'src/kernels', 'src/model', 'src/worker', 'src/cli', 'package-lock.json']
  const paths = inputs.map((name) => join(root, name))
  if (!isStale(engine, paths)) return
  const vite = await import('vite')
  await vite.build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      ssr: 'bench/engine/main.ts',
      target: 'node20',
      sourcemap: true,
      outDir: join(root, 'dist/bench'),
      emptyOutDir: false,
      rolldownOptions: { output: { entryFileNames: 'engine.js', codeSplitting: false } },
    },
  })
}
