// npm run check: types, Svelte, lint with the walls between layers, formatting, sizes of the bundles, whether the library's
// documentation is that of its types. Runs all of them, whatever fails.

import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(new URL('..', import.meta.url)))

/** @type {[string, string[]][]} */
const steps = [
  ['types of the engine', ['typescript/bin/tsc', '-p', 'tsconfig.engine.json']],
  ['types of the page', ['typescript/bin/tsc', '-p', 'tsconfig.app.json']],
  ['types of tests and tools', ['typescript/bin/tsc', '-p', 'tsconfig.node.json']],
  ['types of the browser tests', ['typescript/bin/tsc', '-p', 'tsconfig.e2e.json']],
  [
    'svelte-check',
    ['svelte-check/bin/svelte-check', '--tsconfig', './tsconfig.app.json', '--fail-on-warnings'],
  ],
  ['lint', ['eslint/bin/eslint.js', '--max-warnings', '0', '.']],
  ['sizes', ['tools/sizes.mjs']],
  ['documentation of the library', ['tools/docs.mjs', '--check']],
  ['formatting', ['prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.']],
]

const failed = steps.filter(([name, [script = '', ...args]]) => {
  const started = performance.now()
  const file = script.startsWith('tools/') ? script : `node_modules/${script}`
  const { status } = spawnSync(process.execPath, [file, ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  const seconds = ((performance.now() - started) / 1e3).toFixed(1)
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${name} (${seconds} s)`)
  return status !== 0
})
if (failed.length > 0) console.error(`check failed: ${failed.map(([name]) => name).join(', ')}`)
process.exit(failed.length === 0 ? 0 : 1)
