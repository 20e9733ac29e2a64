// One commit's engine beside another's, each built from a worktree of its own and measured by its own bench/engine.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './build.mjs'
import { inTurns, prepareOurs, unitsFor } from './measure.mjs'
import { messageOf } from './beside-peer.mjs'
import { measureOf, summarise, table, unitOf } from './report.mjs'
import { Side } from './side.mjs'
import { compareTimes } from './verdict.mjs'
import { workOf } from './work.mjs'

/**
 * @typedef {import('./presets.mjs').Preset} Preset
 * @typedef {import('./report.mjs').Time} Time
 * @typedef {{ name: string, folder: string, engine: string, presets: Preset[] }} Version
 */

/**
 * Prints the ratio of every preset and names what became slower.
 *
 * @param {{ base: string, head: string | undefined, presets: Preset[], adapter: string, env: NodeJS.ProcessEnv,
 *   threshold: number, effort: import('./measure.mjs').Effort, say: (text: string) => void }} options
 *   head: by default the files as they are here
 * @returns {Promise<{ isWorse: boolean, results: object[] }>}
 */
export async function compareVersions({ base, head, presets, adapter, env, threshold, effort, say }) {
  const before = await checkOut(base)
  const after = head === undefined ? await load('these files', root) : await checkOut(head)
  say(`${after.name} over ${before.name}, ${effort.rounds} rounds each in turn\n`)
  let isSoftware = true
  const results = []
  for (const { name } of presets) {
    const result = { preset: name, ...(await comparePreset(name)) }
    say(`${name}: ${describe(result)}`)
    results.push(result)
  }
  say(`\n${showComparison(results)}`)
  const worse = results.filter(({ verdict }) => verdict === 'slower' || verdict === 'failed')
  const percent = `${(100 * threshold).toFixed(0)} %`
  say(
    worse.length
      ? `\nregressions: ${worse.map(({ preset }) => preset).join(', ')}`
      : `\nno preset became slower by more than ${percent}`,
  )
  return { isWorse: worse.length > 0, results }

  /** @param {string} name @returns {Promise<any>} */
  async function comparePreset(name) {
    const found = [before, after].map(({ presets }) => presets.find((preset) => preset.name === name))
    const [old, current] = found
    if (!old || !current)
      return { verdict: 'skipped', why: `${(old ? after : before).name} does not know it` }
    if (!isSameWork(old, current)) return { verdict: 'skipped', why: `${before.name} measures other work` }
    try {
      const once = await measurePair([before, old], [after, current])
      const found = verdictOn(once)
      if (found.verdict !== 'slower') return found
      // Processes differ in luck, which all their rounds share: fresh ones, the other first, must agree.
      const [newTimes, oldTimes] = await measurePair([after, current], [before, old])
      const [firstOld, firstNew] = once
      return verdictOn([
        [...firstOld, ...oldTimes],
        [...firstNew, ...newTimes],
      ])
    } catch (error) {
      const isOld = error instanceof UnableError && error.version === before
      return { verdict: isOld ? 'skipped' : 'failed', why: messageOf(error) }
    }
  }

  /** @typedef {[times: Time[], others: Time[]]} Pair */

  /**
   * Two versions in processes of their own, each with as many units as the first's speed asks for.
   * @param {[Version, Preset]} first @param {[Version, Preset]} second
   * @returns {Promise<Pair>}
   */
  async function measurePair(...[first, second]) {
    /** @type {Side[]} */
    const sides = []
    try {
      const prepared = []
      for (const [version, preset] of [first, second]) {
        const { name, folder, engine } = version
        const side = new Side(name, ['--enable-source-maps', engine, adapter], { env, cwd: folder })
        sides.push(side)
        prepared.push(
          await prepareOurs(side, preset).catch((error) => {
            throw new UnableError(version, error)
          }),
        )
      }
      const [side] = sides
      const units = side ? await unitsFor(side, first[1], prepared[0].firstMs, effort) : 1
      isSoftware = prepared[0].isSoftware
      const runners = sides.map((side) => ({ side, units }))
      const [one, other] = await inTurns(runners, effort)
      return [one?.times ?? [], other?.times ?? []]
    } finally {
      for (const side of sides) side.end()
    }
  }

  /** @param {Pair} times  before and after */
  function verdictOn([oldTimes, newTimes]) {
    const measure = measureOf(isSoftware, [...oldTimes, ...newTimes])
    const of = (/** @type {Time[]} */ times) => times.map((time) => time[measure])
    return {
      unit: unitOf(measure),
      before: summarise(oldTimes)[measure],
      after: summarise(newTimes)[measure],
      ...compareTimes(of(oldTimes), of(newTimes), threshold),
    }
  }
}

/** A version that does not open the device, or is off the oracle. */
class UnableError extends Error {
  /** @param {Version} version @param {unknown} cause */
  constructor(version, cause) {
    super(`${version.name}: ${messageOf(cause)}`)
    this.version = version
  }
}

/** A commit may have changed what a name stands for. @param {Preset} a @param {Preset} b */
const isSameWork = (a, b) => a.kind === b.kind && JSON.stringify(workOf(a)) === JSON.stringify(workOf(b))

/** A commit's files in a temporary folder, which goes away with this process. @param {string} revision */
async function checkOut(revision) {
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
  const commit = git('rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`)
  const parent = mkdtempSync(join(tmpdir(), 'trilobite-bench-'))
  const folder = join(parent, 'files')
  const packages = join(folder, 'node_modules')
  git('worktree', 'add', '--detach', folder, commit)
  process.on('exit', () => {
    rmSync(packages, { force: true })
    git('worktree', 'remove', '--force', folder)
    rmSync(parent, { recursive: true, force: true })
  })
  // The same packages for both, whatever package-lock.json said then.
  symlinkSync(join(root, 'node_modules'), packages, 'dir')
  return load(`${revision} (${commit.slice(0, 7)})`, folder)
}

/** Builds a version's engine. @param {string} name @param {string} folder @returns {Promise<Version>} */
async function load(name, folder) {
  const part = (/** @type {string} */ file) => join(folder, 'bench', file)
  if (!existsSync(part('build.mjs'))) throw new Error(`${name} has no benchmarks`)
  const { build, engine } = await import(pathToFileURL(part('build.mjs')).href)
  const { presets } = await import(pathToFileURL(part('presets.mjs')).href)
  await build()
  return { name, folder, engine, presets }
}

/** @param {any} result */
function describe({ verdict, why, before, after, unit, ratio, lowest, highest }) {
  if (why) return `${verdict}: ${why}`
  return `${before} -> ${after} ${unit}, ${ratio} times (${lowest} to ${highest}): ${verdict}`
}

/** @param {any[]} results */
function showComparison(results) {
  const rows = results.map(({ preset, before, after, ratio, lowest, highest, verdict }) =>
    before === undefined
      ? [preset, '-', '-', '-', '-', verdict]
      : [preset, String(before), String(after), String(ratio), `${lowest} to ${highest}`, verdict],
  )
  return table([['preset', 'before', 'after', 'ratio', 'range', 'verdict'], ...rows])
}
