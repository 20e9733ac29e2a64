// npm run mutate: breaks one line of a kernel's shader at a time and runs the kernel's tests, which must fail.
//
//   npm run mutate                             every shader under src/kernels
//   npm run mutate -- FILTER...                those whose path holds one of these
//   npm run mutate -- --each N --jobs N        lines of each shader (default 2), runs at a time (default 2)
//   npm run mutate -- --adapter A              lavapipe or swiftshader alone (default: what survives the first meets the second,
//                                              as in npm test; some lines are for subgroups of one size)
//
// A line whose broken form is no valid WGSL proves nothing and gives its place to another. Ends with the survivors, which
// either show a hole in the tests or are told in equivalent.json why nothing changes.

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { findIcd } from '../../src/cli/vulkan.mjs'
import { root } from '../app-build.mjs'
import { choose, mutantsOf } from './mutants.mjs'

/** @typedef {import('./mutants.mjs').Mutant & { readonly file: string }} FileMutant */

const { values: options, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    each: { type: 'string', default: '2' },
    jobs: { type: 'string', default: '2' },
    adapter: { type: 'string' },
  },
})
const drivers = (options.adapter ? [options.adapter] : ['lavapipe', 'swiftshader']).map((adapter) => {
  const icd = findIcd(/** @type {any} */ (adapter))
  if (!icd) throw new Error(`the driver of ${adapter} was not found; "npm test" installs or names it`)
  return { adapter, icd }
})

/** Lines that compute the same when broken, and why. @type {{ file: string, before: string, why: string }[]} */
const equivalent = JSON.parse(readFileSync(join(import.meta.dirname, 'equivalent.json'), 'utf8'))

const files = readdirSync(join(root, 'src/kernels'), { recursive: true, encoding: 'utf8' })
  .map((file) => join('src/kernels', file))
  .sort()
const shaders = files
  .filter((file) => file.endsWith('.wgsl'))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
/** @type {{ file: string, mutant: FileMutant | undefined, outcome: string }[]} */
const results = []
const queue = shaders.values()
await Promise.all(
  Array.from({ length: Number(options.jobs) }, async () => {
    for (const file of queue) await breakShader(file)
  }),
)

const survivors = results.filter(({ outcome }) => outcome === 'survived')
const bare = results.filter(({ outcome }) => outcome === 'not tried')
const caught = results.filter(({ outcome }) => outcome === 'caught').length
console.log(`\n${caught} broken lines of ${shaders.length} shaders caught, ${survivors.length} survived`)
for (const { file, mutant } of survivors) console.log(`  ${file}:${mutant?.line}  ${mutant?.after.trim()}`)
for (const { file } of bare) console.log(`  ${file}: no line could be broken`)
process.exit(survivors.length + bare.length > 0 ? 1 : 0)

/** @param {string} file */
async function breakShader(file) {
  const known = new Set(equivalent.filter((line) => line.file === file).map((line) => line.before))
  const all = mutantsOf(readFileSync(join(root, file), 'utf8')).filter(
    ({ before }) => !known.has(before.trim()),
  )
  const { chosen, spare } = choose(all, Number(options.each))
  let isTried = false
  for (const first of chosen) {
    for (let mutant = /** @type {typeof first | undefined} */ (first); mutant; mutant = spare.shift()) {
      const outcome = await runTests({ file, ...mutant })
      if (outcome === 'invalid') continue
      isTried = true
      results.push({ file, mutant: { file, ...mutant }, outcome })
      console.log(`${outcome.padEnd(9)} ${file}:${mutant.line}  ${mutant.after.trim()}`)
      break
    }
  }
  if (!isTried && all.length > 0) results.push({ file, mutant: undefined, outcome: 'not tried' })
}

/**
 * @param {FileMutant} mutant
 * @returns {Promise<'caught' | 'survived' | 'invalid'>}
 */
async function runTests(mutant) {
  for (const driver of drivers) {
    const outcome = await runTestsOn(driver, mutant)
    if (outcome !== 'survived') return outcome
  }
  return 'survived'
}

/**
 * @param {{ readonly adapter: string, readonly icd: string }} driver
 * @param {FileMutant} mutant
 * @returns {Promise<'caught' | 'survived' | 'invalid'>}
 */
async function runTestsOn({ adapter, icd }, mutant) {
  const args = [
    'vitest',
    'run',
    '--project',
    'gpu*',
    '--bail',
    '1',
    '--reporter',
    'dot',
    ...testsOf(mutant.file),
  ]
  const env = {
    ...process.env,
    XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? '/tmp',
    VK_ICD_FILENAMES: icd,
    TRILOBITE_ADAPTER: adapter,
    TRILOBITE_MUTANT: JSON.stringify(mutant),
  }
  const child = spawn('npx', args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const status = await new Promise((settle) => child.on('close', settle))
  if (/while parsing WGSL|invalid ShaderModule|no matching overload/i.test(output)) return 'invalid'
  return status === 0 ? 'survived' : 'caught'
}

/** The tests of the kernel, or of all kernels that a shared shader is part of. @param {string} file */
function testsOf(file) {
  const folder = dirname(file)
  const name = relative(folder, file)
  const users = files.filter(
    (source) => source.endsWith('.ts') && readFileSync(join(root, source), 'utf8').includes(`/${name}?raw`),
  )
  const folders = new Set([folder, ...users.map((source) => dirname(source))])
  return [...folders]
    .filter((folder) => files.some((test) => dirname(test) === folder && test.endsWith('.gpu.test.ts')))
    .map((folder) => `${folder}/`)
}
