// Where the built page lies, what it is built from, and how.

import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStale } from './stale.mjs'

export const root = resolve(fileURLToPath(new URL('..', import.meta.url)))

/** Beside dist/cli, the command line's bundle. */
export const APP_FOLDER = 'dist/app'

const SOURCES = ['index.html', 'public', 'src', 'package-lock.json', 'svelte.config.js', 'vite.config.ts']

/** True when the page has not been built since a source changed. */
export function appIsStale() {
  return isStale(
    join(root, APP_FOLDER, 'index.html'),
    SOURCES.map((name) => join(root, name)),
  )
}

/** Builds the page. Throws: whatever Vite says. */
export async function buildApp() {
  const { build } = await import('vite')
  await build({ root, build: { outDir: APP_FOLDER, emptyOutDir: true } })
}
