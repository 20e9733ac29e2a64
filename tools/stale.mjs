// Whether something that was built is older than what it was built from.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * True when `output` is missing or older than the newest file among `inputs` (files, or folders with all below them).
 * @param {string} output
 * @param {string[]} inputs
 */
export function isStale(output, inputs) {
  const built = mtimeMs(output)
  return built === undefined || inputs.some((input) => newest(input) > built)
}

/** @param {string} path @returns {number} */
function newest(path) {
  const own = mtimeMs(path)
  if (own === undefined) return 0
  // A folder's own time tells of files that were removed.
  if (!statSync(path).isDirectory()) return own
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), own)
}

/** @param {string} path */
function mtimeMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}
