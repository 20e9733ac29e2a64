// npm run check: types, Svelte, lint with the walls between layers, formatting, sizes of the bundles, whether the library's
// documentation is that of its types. Runs all of them, whatever fails.

import { spawn } from 'node:child_process'
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

/** @type {string[]} */
const failed = []
const waiting = steps.values()

/** Runs steps as long as there are any; what one says is shown in one piece, once it has ended. */
async function work() {
  for (const [name, [script = '', ...args]] of waiting) {
    const started = performance.now()
    const file = script.startsWith('tools/') ? script : `node_modules/${script}`
    const child = spawn(process.execPath, [file, ...args], { cwd: root })
    /** @type {Buffer[]} */
    const said = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => said.push(part))
    const status = await new Promise((done) => {
      child.on('error', (error) => done(error.message))
      child.on('close', done)
    })
    const seconds = ((performance.now() - started) / 1e3).toFixed(1)
    process.stdout.write(Buffer.concat(said))
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${name} (${seconds} s)`)
    if (status !== 0) failed.push(name)
  }
}

// Two at a time, each of which keeps little more than one processor busy.
await Promise.all([work(), work()])
if (failed.length > 0) console.error(`check failed: ${failed.join(', ')}`)
process.exit(failed.length === 0 ? 0 : 1)
