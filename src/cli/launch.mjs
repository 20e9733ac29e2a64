#!/usr/bin/env node
// Starts the command line: bundles its sources where they are newer than the bundle, then runs it in a process of
// its own, whose stderr loses the lines Dawn writes there about limits that concern nobody.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStale } from '../../tools/stale.mjs'

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)))
const bundle = join(root, 'dist', 'cli', 'main.js')
const sources = [
  'src/cli',
  'src/worker',
  'src/model',
  'src/kernels',
  'vite.cli.config.ts',
  'package-lock.json',
]

const NOISE = /^Warning: max\w+ artificially reduced from /

const inputs = sources.map((name) => join(root, name))
if (!existsSync(join(root, 'node_modules'))) fail('node_modules is missing: run npm install first')
if (isStale(bundle, inputs)) await build()
// npm runs scripts in the package's folder; file names on the command line are meant from where the user stands.
const cwd =
  process.env.npm_lifecycle_event === 'trilobite' ? (process.env.INIT_CWD ?? process.cwd()) : process.cwd()

const child = spawn(process.execPath, ['--enable-source-maps', bundle, ...process.argv.slice(2)], {
  cwd,
  // By the channel the child learns when this process is killed.
  stdio: ['inherit', 'inherit', 'pipe', 'ipc'],
  env: { ...process.env, ...(process.stderr.isTTY ? { TRILOBITE_STDERR_IS_TERMINAL: '1' } : {}) },
})
// A terminal sends Ctrl+C to both processes: the child decides what it means.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
process.on('exit', () => child.kill())
forward(child.stderr)
child.on('close', (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? 'SIGTERM']))

/**
 * Passes stderr on, line by line where a line could still turn out to be noise and at once otherwise.
 * @param {import('node:stream').Readable} stream
 */
function forward(stream) {
  let held = ''
  stream.setEncoding('utf8')
  stream.on('data', (text) => {
    const lines = (held + text).split('\n')
    const last = lines.pop() ?? ''
    const kept = lines.filter((line) => !NOISE.test(line)).map((line) => `${line}\n`)
    held = last.startsWith('W') ? last : ''
    process.stderr.write(kept.join('') + (held === '' ? last : ''))
  })
  stream.on('end', () => {
    if (!NOISE.test(held)) process.stderr.write(held)
  })
}

/** Builds beside the old bundle and swaps, so that a second command started meanwhile never meets half a file. */
async function build() {
  const fresh = join(root, 'dist', `.cli-${process.pid}`)
  try {
    const vite = await import('vite')
    await vite.build({
      root,
      configFile: join(root, 'vite.cli.config.ts'),
      build: { outDir: fresh },
    })
    mkdirSync(join(root, 'dist', 'cli'), { recursive: true })
    for (const name of ['main.js.map', 'main.js'])
      renameSync(join(fresh, name), join(root, 'dist', 'cli', name))
  } catch (error) {
    fail(`the command line could not be bundled: ${error instanceof Error ? error.message : error}`)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`Error: trilobite: ${message}`)
  process.exit(1)
}
