// What the npm package consists of, what it is built from, and how.

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './app-build.mjs'
import { buildTypes } from './library-types.mjs'
import { isStale } from './stale.mjs'

export const ELEMENT_FOLDER = 'dist/element'
export const LIBRARY_FOLDER = 'dist/library'
const MODELS_FOLDER = 'dist/models'
/** Written last. */
const LICENSES = 'dist/third-party-licenses.md'

const SOURCES = [
  'public/models',
  'src',
  'package-lock.json',
  'svelte.config.js',
  'tools/library-types.mjs',
  'tools/package-build.mjs',
  'tools/postcss-rem.mjs',
  'tools/vite-embed.mjs',
  'tsconfig.app.json',
  'tsconfig.base.json',
  'tsconfig.library.json',
  'vite.element.config.ts',
  'vite.library.config.ts',
]

/** True when the package has not been built since a source changed. */
export function packageIsStale() {
  return isStale(
    join(root, LICENSES),
    SOURCES.map((name) => join(root, name)),
  )
}

/** Builds the element, the library with its types, and lays the bundled models beside them. Throws: whatever Vite says. */
export async function buildPackage() {
  const { build } = await import('vite')
  await build({ root, configFile: join(root, 'vite.element.config.ts') })
  await build({ root, configFile: join(root, 'vite.library.config.ts') })
  await buildTypes(
    {
      trilobite: 'src/library/index.ts',
      element: 'src/ui/element/index.ts',
      react: 'src/ui/element/frameworks/react.ts',
      vue: 'src/ui/element/frameworks/vue.ts',
      svelte: 'src/ui/element/frameworks/svelte.ts',
    },
    join(root, LIBRARY_FOLDER),
  )
  rmSync(join(root, MODELS_FOLDER), { recursive: true, force: true })
  cpSync(join(root, 'public/models'), join(root, MODELS_FOLDER), { recursive: true })
  writeFileSync(join(root, LICENSES), licenses())
}

/** The licenses of everything in the bundles, from the lists Vite left beside them, which are removed. */
function licenses() {
  /** @type {Map<string, { name: string, version: string, identifier: string | null, text: string | null }>} */
  const packages = new Map()
  for (const folder of [ELEMENT_FOLDER, LIBRARY_FOLDER]) {
    for (const name of ['licenses.json', 'worker-licenses.json']) {
      const file = join(root, folder, name)
      for (const entry of JSON.parse(readFileSync(file, 'utf8'))) packages.set(entry.name, entry)
      rmSync(file)
    }
  }
  const sections = [...packages.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      ({ name, version, identifier, text }) =>
        `## ${name} ${version} (${identifier ?? 'no identifier'})\n\n${text?.trim() ?? ''}\n`,
    )
  return `# Packages in the bundles\n\n${sections.join('\n')}`
}
