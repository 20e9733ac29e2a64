// Builds what other people's pages load, without writing it, and holds it to its limits: the element's code before its first
// use, and no architecture in the engine before a model needs it.

import { join, relative } from 'node:path'
import { build } from 'vite'
import { root } from './app-build.mjs'
import {
  eagerArchitectures,
  gzipped,
  kilobytes,
  largestModules,
  overLimit,
  staticClosure,
  withoutEmbedded,
} from './size-report.mjs'
import { buildWorker } from './vite-embed.mjs'

/** @typedef {import('./size-report.mjs').Chunk} Chunk */

/** Of the element before its first use, in bytes after gzip. */
const ELEMENT_LIMIT = 150_000
const WORKER_TEXT = 'virtual:engine-worker'

/** @type {(string | undefined)[]} */
const failures = []

const element = await chunksOf('vite.element.config.ts')
const [whole] = element
if (element.length !== 1 || !whole) {
  throw new Error(`trilobite-chat.js: expected one chunk, got ${element.map(({ fileName }) => fileName)}.`)
}
const { rest, embedded } = withoutEmbedded(whole.code)
if (embedded === '') failures.push("trilobite-chat.js: expected the engine's worker in it as text, got none.")
report('trilobite-chat.js before first use', rest, ELEMENT_LIMIT, [whole])
report('trilobite-chat.js, all of it', whole.code)

const library = await chunksOf('vite.library.config.ts')
for (const [name, limit] of /** @type {const} */ ([
  ['element.js', ELEMENT_LIMIT],
  ['trilobite.js', undefined],
])) {
  const entry = library.find(({ fileName }) => fileName === name)
  if (!entry)
    throw new Error(`the library: expected ${name}, got ${library.map(({ fileName }) => fileName)}.`)
  const loaded = staticClosure(library, entry)
  report(`${name} with its static imports`, loaded.map(({ code }) => code).join('\n'), limit, loaded)
  if (modulesOf(loaded).some((module) => module.endsWith(WORKER_TEXT))) {
    failures.push(
      `${name}: the engine's worker is imported statically. Reach start-inline-worker by import().`,
    )
  }
}
report('the library, all chunks', library.map(({ code }) => code).join('\n'))

const worker = onlyChunks(await buildWorker({ isOneFile: false }))
const entry = worker.find(({ isEntry }) => isEntry)
if (!entry) throw new Error("the engine's worker: expected an entry chunk, got none.")
const eager = staticClosure(worker, entry)
report("the engine's worker before a model is chosen", eager.map(({ code }) => code).join('\n'))
report("the engine's worker, all of it", worker.map(({ code }) => code).join('\n'))
const architectures = eagerArchitectures(modulesOf(eager))
if (architectures.length > 0) {
  failures.push(
    `the engine's worker: expected no architecture before a model needs it, got ${architectures.join(', ')}. ` +
      'Import it by import() from the index.ts of its folder.',
  )
}

const templates = modulesOf(eager).filter((name) => name.startsWith('src/model/template/'))
console.log(
  `Chat templates load with the engine, for the tokenizer names them all: ${templates.length} modules.`,
)

const messages = failures.filter((message) => message !== undefined)
for (const message of messages) console.error(message)
process.exit(messages.length === 0 ? 0 : 1)

/** @param {string} config @returns {Promise<Chunk[]>} */
async function chunksOf(config) {
  const outputs = await build({ root, configFile: join(root, config), build: { write: false } })
  return onlyChunks(/** @type {any} */ (outputs)[0].output)
}

/** @param {{ type: string }[]} output @returns {Chunk[]} */
function onlyChunks(output) {
  return /** @type {any} */ (output.filter(({ type }) => type === 'chunk'))
}

/** Paths below the project's folder. @param {Chunk[]} chunks */
function modulesOf(chunks) {
  return chunks.flatMap(({ modules }) => Object.keys(modules).map((name) => relative(root, name)))
}

/**
 * @param {string} what
 * @param {string} code
 * @param {number} [limit]
 * @param {Chunk[]} [chunks]
 */
function report(what, code, limit, chunks = []) {
  const size = gzipped(code)
  const of = limit === undefined ? '' : ` of ${kilobytes(limit)}`
  console.log(
    `${kilobytes(size).padStart(9)}${of} after gzip, ${kilobytes(Buffer.byteLength(code))} before: ${what}`,
  )
  if (limit === undefined) return
  const largest = largestModules(chunks).map(({ name, bytes }) => ({ name: relative(root, name), bytes }))
  failures.push(overLimit(what, size, limit, largest))
}
