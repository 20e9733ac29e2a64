import { defineConfig } from 'vite'
import { embedded } from './tools/vite-embed.mjs'

/** `<trilobite-chat>` for a script tag: one ES module with all of it inside. */
export default defineConfig(
  embedded({
    entry: { 'trilobite-chat': 'src/ui/element/index.ts' },
    outDir: 'dist/element',
    isOneFile: true,
  }),
)
