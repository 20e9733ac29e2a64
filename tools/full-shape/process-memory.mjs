// Memory and CPU time of another process, from Linux' /proc.

import { readdirSync, readFileSync } from 'node:fs'

/** @typedef {{ total: number, anonymous: number, file: number, shared: number }} Memory  in bytes */

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** The processes that `pid` started, and theirs. @param {number} pid @returns {number[]} */
export function descendants(pid) {
  let tasks
  try {
    tasks = readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
  const children = tasks.flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
  )
  return children.flatMap((child) => [child, ...descendants(child)])
}

/** @param {number} pid */
export const commandLine = (pid) => read(`/proc/${pid}/cmdline`).split('\0')

/**
 * Resident memory; undefined once the process has ended.
 * @param {number} pid
 * @returns {Memory | undefined}
 */
export function memoryOf(pid) {
  const status = read(`/proc/${pid}/status`)
  const bytes = (/** @type {string} */ field) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) * 1024
  const memory = {
    total: bytes('VmRSS'),
    anonymous: bytes('RssAnon'),
    file: bytes('RssFile'),
    shared: bytes('RssShmem'),
  }
  return Number.isNaN(memory.total) ? undefined : memory
}

/** User and system time so far, in milliseconds. Linux counts it in hundredths of a second. @param {number} pid */
export function cpuMsOf(pid) {
  const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}
