import { defineConfig } from 'vite'
import { embedded } from './tools/vite-embed.mjs'

/** `import { Trilobite } from 'trilobite'` and `import 'trilobite/element'`, which share their chunks, for bundlers. */
export default defineConfig(
  embedded({
    entry: { trilobite: 'src/library/index.ts', element: 'src/ui/element/index.ts' },
    outDir: 'dist/library',
    isOneFile: false,
  }),
)
