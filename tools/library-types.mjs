// The types of what the package exports, one file for each entry and one for what they share.

import { join } from 'node:path'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import { root } from './app-build.mjs'

/** Names that would ask users of the package for other packages' types. */
const FOREIGN = /\b(?:GPU[A-Z]\w*|svelte\b)/

/** Of frameworks whose users ask for the element's types in them: each in an entry of its own. */
const FRAMEWORKS = ['react', 'vue', 'svelte/elements']

const NO_TYPES = '\0no-types'

/** Styles and components, which the public types never name. @returns {import('rollup').Plugin} */
const withoutStyles = () => ({
  name: 'without-styles',
  resolveId: (source) => (/\.(?:css|svelte)$/.test(source) ? NO_TYPES : undefined),
  load: (id) => (id === NO_TYPES ? 'export {}' : undefined),
})

/**
 * Writes NAME.d.ts for each entry.
 * @param {Record<string, string>} entries  files by name
 * @param {string} folder
 */
export async function buildTypes(entries, folder) {
  const bundle = await rollup({
    input: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, join(root, file)])),
    external: FRAMEWORKS,
    plugins: [withoutStyles(), dts({ tsconfig: join(root, 'tsconfig.library.json') })],
    onwarn(warning) {
      throw new Error(`types of the library: ${warning.message}`)
    },
  })
  const { output } = await bundle.write({
    dir: folder,
    entryFileNames: '[name].d.ts',
    chunkFileNames: 'chunks/[name].d.ts',
  })
  await bundle.close()
  for (const file of output) {
    if (file.type !== 'chunk') continue
    const code = file.name === 'svelte' ? file.code.replaceAll(/'svelte\/elements'/g, '') : file.code
    const [found] = FOREIGN.exec(code) ?? []
    if (found !== undefined) {
      throw new Error(
        `types of the library: expected none of WebGPU and Svelte, got ${found} in ${file.fileName}. ` +
          'Give what the package exports types of its own.',
      )
    }
  }
}
