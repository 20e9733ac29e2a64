import { CheckpointError } from '../errors'
import type { RunInfo, RunState } from './definition'
import { recipeFromJson, recipes } from './recipes'
import { INFO_FILE } from './run-store'

/** Another way to write a run down takes another version. */
const VERSION = 1

const STATES: readonly RunState[] = ['running', 'paused', 'stopped', 'done', 'failed']

/** A run as its file. Losses that are not finite are left out. */
export function runInfoText(info: RunInfo): string {
  const { loss, evaluationLoss, ...rest } = info
  const losses = { loss: finite(loss), evaluationLoss: finite(evaluationLoss) }
  return `${JSON.stringify({ version: VERSION, ...rest, ...losses }, null, 2)}\n`
}

const finite = (value: number | undefined) => (Number.isFinite(value) ? value : undefined)

/** A run from its file; the folder's name is its id. Throws: CheckpointError, which names the field that cannot be. */
export function parseRunInfo(text: string, id: string): RunInfo {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw damaged(`expected JSON, got ${(error as Error).message}`)
  }
  const run = new Fields(json, '')
  const version = run.whole('version')
  if (version !== VERSION) {
    throw new CheckpointError(
      `${INFO_FILE}: expected version ${VERSION}, got ${version}; the run was written by another version of this program`,
    )
  }
  const state = run.text('state') as RunState
  if (!STATES.includes(state)) throw damaged(`expected a state of ${STATES.join(', ')}, got ${state}`)
  let recipe
  try {
    recipe = recipeFromJson(run.value('recipe'))
  } catch (error) {
    throw damaged((error as Error).message)
  }
  const dataset = new Fields(run.value('dataset'), 'dataset.')
  return {
    id,
    name: run.text('name'),
    model: run.text('model'),
    createdAt: run.whole('createdAt'),
    recipe,
    dataset: {
      name: dataset.text('name'),
      fingerprint: dataset.text('fingerprint'),
      rows: dataset.whole('rows'),
      skipped: dataset.whole('skipped'),
      ...(dataset.value('unusable') !== undefined && { unusable: dataset.wholes('unusable') }),
      heldOut: dataset.wholes('heldOut'),
    },
    state,
    ...run.optional('dtype', 'string'),
    ...run.optional('startedFrom', 'string'),
    step: run.whole('step'),
    steps: run.whole('steps'),
    checkpointStep: run.whole('checkpointStep'),
    ...run.optional('loss', 'number'),
    ...run.optional('evaluationLoss', 'number'),
    ...run.optional('problem', 'string'),
  }
}

/** How a run is listed whose file cannot be read. */
export function damagedRun(id: string, problem: string): RunInfo {
  return {
    id,
    name: id,
    model: 'unknown',
    createdAt: 0,
    recipe: { ...recipes['llava-1.5'].recipe, name: 'unknown' },
    dataset: { name: 'unknown', fingerprint: 'unknown', rows: 0, skipped: 0, heldOut: [] },
    state: 'failed',
    step: 0,
    steps: 0,
    checkpointStep: 0,
    problem,
  }
}

function damaged(problem: string): CheckpointError {
  return new CheckpointError(
    `${INFO_FILE}: ${problem}; the file was changed or the disk is damaged, delete the run`,
  )
}

class Fields {
  private readonly fields: Readonly<Record<string, unknown>>

  constructor(
    json: unknown,
    private readonly prefix: string,
  ) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw damaged(`expected ${prefix ? `${prefix.slice(0, -1)} to be ` : ''}a JSON object`)
    }
    this.fields = json as Record<string, unknown>
  }

  value(name: string): unknown {
    return this.fields[name]
  }

  text(name: string): string {
    const value = this.fields[name]
    return typeof value === 'string' ? value : this.fail(name, 'text')
  }

  whole(name: string): number {
    const value = this.fields[name]
    return isCount(value) ? value : this.fail(name, 'a whole number from 0')
  }

  wholes(name: string): number[] {
    const value = this.fields[name]
    return Array.isArray(value) && value.every(isCount) ? value : this.fail(name, 'a list of whole numbers')
  }

  optional<K extends string, T extends 'number' | 'string'>(
    name: K,
    type: T,
  ): { [key in K]?: T extends 'number' ? number : string } {
    const value = this.fields[name]
    if (value === undefined) return {}
    if (typeof value !== type) return this.fail(name, `a ${type}`)
    return { [name]: value } as { [key in K]?: T extends 'number' ? number : string }
  }

  private fail(name: string, expected: string): never {
    const value = this.fields[name]
    const came = value === undefined ? 'is missing' : `is ${JSON.stringify(value).slice(0, 60)}`
    throw damaged(`${this.prefix}${name} should be ${expected} but ${came}`)
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
