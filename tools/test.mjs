// npm test: brings the machine to where everything runs, runs every suite, and ends with one table.
//
//   npm test                                     everything
//   npm test -- unit [FILTER]...                 in Node, no GPU
//   npm test -- gpu [--adapter A] [FILTER]...    on lavapipe and SwiftShader, or on A (also: default, this machine's GPU)
//   npm test -- e2e [FILTER]...                  the built page in Chromium

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findChromium, findIcd } from '../src/cli/vulkan.mjs'
import { APP_FOLDER, root } from './app-build.mjs'
import { buildPackage, packageIsStale } from './package-build.mjs'
import { setUp } from './setup.mjs'
import { noResult, playwrightCounts, summarise, vitestCounts } from './test-summary.mjs'

/** @typedef {import('./test-summary.mjs').Row} Row */

const results = join(root, 'test-results')
const PARTS = ['unit', 'gpu', 'e2e']
const SOFTWARE = /** @type {const} */ (['lavapipe', 'swiftshader'])

const { part, adapters, filters } = readArguments()
const runs = (/** @type {string} */ name) => part === undefined || part === name

const software = adapters.filter((adapter) => adapter !== 'default')
if (!setUp({ gpu: runs('gpu') && software.length > 0, browser: runs('e2e') })) process.exit(1)
mkdirSync(results, { recursive: true })

/** @type {Row[]} */
const rows = []
if (runs('unit')) {
  rows.push(
    await vitest('unit', 'unit*', {}, (file) => file.endsWith('.test.ts') && !file.endsWith('.gpu.test.ts')),
  )
}
if (runs('gpu')) {
  for (const adapter of adapters) {
    const env = { TRILOBITE_ADAPTER: adapter, ...driverOf(adapter) }
    rows.push(await vitest(`gpu on ${adapter}`, 'gpu*', env, (file) => file.endsWith('.gpu.test.ts')))
  }
}
if (runs('e2e')) rows.push(...(await endToEnd()))

const { text, ok } = summarise(rows)
console.log(`\n${text}`)
process.exit(ok ? 0 : 1)

/**
 * @param {string} suite
 * @param {string} project
 * @param {NodeJS.ProcessEnv} env
 * @param {(file: string) => boolean} isOurs
 * @returns {Promise<Row>}
 */
async function vitest(suite, project, env, isOurs) {
  if (!files(['src', 'tools'], isOurs)) return { suite, note: 'no test files yet', ...zero() }
  const output = join(results, `${suite.replace(/ /g, '-')}.json`)
  rmSync(output, { force: true })
  title(suite)
  const started = performance.now()
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${output}`]
  const status = await node(
    ['node_modules/vitest/vitest.mjs', 'run', '--project', project, ...reporters, ...filters],
    env,
  )
  const counts = vitestCounts(readJson(output), status)
  return { suite, ...counts, seconds: (performance.now() - started) / 1e3 }
}

/** @returns {Promise<Row[]>} */
async function endToEnd() {
  if (!existsSync(join(root, 'index.html'))) return [{ suite: 'e2e', note: 'no page yet', ...zero() }]
  title('build')
  let started = performance.now()
  const built = await node(['node_modules/vite/bin/vite.js', 'build', '--outDir', APP_FOLDER])
  const build = {
    suite: 'build',
    ...zero(),
    failed: built === 0 ? 0 : 1,
    seconds: (performance.now() - started) / 1e3,
  }
  /** @type {Row} */
  const buildRow = { ...build, note: built === 0 ? 'built' : 'the build failed' }
  if (built !== 0) return [buildRow]
  if (packageIsStale()) {
    title('package')
    await buildPackage()
  }
  if (!files(['e2e'], (file) => file.endsWith('.spec.ts'))) {
    return [buildRow, { suite: 'e2e', note: 'no test files yet', ...zero() }]
  }
  const output = join(results, 'e2e.json')
  rmSync(output, { force: true })
  title('e2e')
  started = performance.now()
  const env = {
    PLAYWRIGHT_JSON_OUTPUT_NAME: output,
    TRILOBITE_CHROMIUM: findChromium(),
    TRILOBITE_E2E_PORT: String(await freePort()),
  }
  const status = await node(
    ['node_modules/@playwright/test/cli.js', 'test', '--reporter=list,json', ...filters],
    env,
  )
  const counts = playwrightCounts(readJson(output), status)
  return [buildRow, { suite: 'e2e', ...counts, seconds: (performance.now() - started) / 1e3 }]
}

/** @param {string} adapter @returns {NodeJS.ProcessEnv} */
function driverOf(adapter) {
  if (adapter === 'default') return {}
  const icd = findIcd(adapter === 'lavapipe' ? 'lavapipe' : 'swiftshader')
  return { VK_ICD_FILENAMES: icd, VK_DRIVER_FILES: icd }
}

/**
 * Runs Node on a script in the package's folder; its output goes to the console.
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} exit status
 */
function node(args, env = {}) {
  // Mesa complains where XDG_RUNTIME_DIR is unset.
  const whole = { ...process.env, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR || '/tmp', ...env }
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit', env: whole })
  return new Promise((done) => {
    child.on('error', () => done(1))
    child.on('close', (status, signal) => {
      if (signal === 'SIGINT') process.exit(130)
      done(status ?? 1)
    })
  })
}

/** @returns {Promise<number>} a TCP port nobody listens on */
function freePort() {
  return new Promise((done) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address ? address.port : 4173))
    })
  })
}

/** Whether any file below these folders is a test of a suite. @param {string[]} folders @param {(file: string) => boolean} isOurs */
function files(folders, isOurs) {
  return folders.some(
    (folder) =>
      existsSync(join(root, folder)) &&
      readdirSync(join(root, folder), { recursive: true }).some((file) => isOurs(String(file))),
  )
}

/** @param {string} file */
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function zero() {
  return { ...noResult, seconds: 0 }
}

/** @param {string} name */
function title(name) {
  console.log(`\n== ${name} ==\n`)
}

function readArguments() {
  const options = /** @type {const} */ ({ adapter: { type: 'string', multiple: true } })
  /** @type {ReturnType<typeof parseArgs<{ options: typeof options, allowPositionals: true }>>} */
  let parsed
  try {
    parsed = parseArgs({ args: process.argv.slice(2), options, allowPositionals: true })
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
  const [part, ...filters] = parsed.positionals
  if (part !== undefined && !PARTS.includes(part))
    return usage(`expected ${PARTS.join(', ')} or nothing, got "${part}"`)
  const adapters = parsed.values.adapter ?? SOFTWARE
  const unknown = adapters.find((adapter) => ![...SOFTWARE, 'default'].includes(adapter))
  if (unknown !== undefined)
    return usage(`--adapter should be lavapipe, swiftshader or default, got "${unknown}"`)
  return { part, adapters, filters }
}

/** @param {string} message @returns {never} */
function usage(message) {
  console.error(
    `npm test: ${message}\nusage: npm test [-- unit|gpu|e2e [--adapter lavapipe|swiftshader|default]... [FILTER]...]`,
  )
  process.exit(1)
}
