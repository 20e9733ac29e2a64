// What sizes.mjs says about bundles, as functions of their code and module graphs.

import { gzipSync } from 'node:zlib'
import { parseAst } from 'vite'

/**
 * @typedef {object} Chunk  the part of a bundler's chunk that is read here
 * @property {string} fileName
 * @property {string} code
 * @property {boolean} isEntry
 * @property {string[]} imports  file names of chunks
 * @property {Record<string, { renderedLength: number }>} modules
 */

/** Long enough to be no text of a page. */
const LONG = 100_000

/** Parts of a model, one file for each kind. */
const PARTS = /^src\/model\/(?:family|vision|connector|language)\//
/** What the kinds of a part have in common. */
const SHARED = /\/(?:index|definition|trainable)\.ts$/

/** @param {string} code  bytes after gzip */
export const gzipped = (code) => gzipSync(code, { level: 9 }).length

/** @param {number} bytes */
export const kilobytes = (bytes) => `${(bytes / 1e3).toFixed(1)} kB`

/**
 * Code with its longest string literal emptied, and that literal; nothing is taken out where none is of embedded code's length.
 * @param {string} code
 */
export function withoutEmbedded(code) {
  let [start, end] = [0, 0]
  /** @param {any} node */
  const visit = (node) => {
    if (node === null || typeof node !== 'object') return
    const isText =
      node.type === 'TemplateLiteral' || (node.type === 'Literal' && typeof node.value === 'string')
    if (isText && node.end - node.start > Math.max(LONG, end - start)) [start, end] = [node.start, node.end]
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) value.forEach(visit)
      else visit(value)
    }
  }
  visit(parseAst(code))
  if (end === 0) return { rest: code, embedded: '' }
  return { rest: `${code.slice(0, start)}""${code.slice(end)}`, embedded: code.slice(start, end) }
}

/**
 * A chunk with all that is loaded before it runs.
 * @param {Chunk[]} chunks
 * @param {Chunk} entry
 */
export function staticClosure(chunks, entry) {
  const found = new Set([entry])
  for (const { imports } of found) {
    for (const name of imports) {
      const chunk = chunks.find(({ fileName }) => fileName === name)
      if (chunk) found.add(chunk)
    }
  }
  return [...found]
}

/**
 * The modules that make most of some chunks, before minification.
 * @param {Chunk[]} chunks
 * @param {number} count
 */
export function largestModules(chunks, count = 8) {
  return chunks
    .flatMap(({ modules }) => Object.entries(modules))
    .map(([name, { renderedLength }]) => ({ name, bytes: renderedLength }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, count)
}

/**
 * Undefined within the limit, else what to say.
 * @param {string} what
 * @param {number} bytes
 * @param {number} limit
 * @param {{ name: string, bytes: number }[]} largest
 */
export function overLimit(what, bytes, limit, largest) {
  if (bytes < limit) return undefined
  const list = largest.map(({ name, bytes }) => `    ${kilobytes(bytes)}  ${name}`)
  return (
    `${what}: expected less than ${kilobytes(limit)} after gzip, got ${kilobytes(bytes)}. ` +
    `Load what is not needed at first by import(). The largest modules before minification:\n${list.join('\n')}`
  )
}

/**
 * Modules of one kind of family, tower, connector or language model among those that load with the engine.
 * @param {string[]} modules  paths below the project's folder
 */
export const eagerArchitectures = (modules) =>
  modules.filter((name) => PARTS.test(name) && !SHARED.test(name)).sort()
