import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CheckpointLocation } from '../worker/api'
import { DiskSource } from './disk-source'
import { UsageError } from './errors'

/** A folder is read here; everything else is the engine's to fetch. */
export type ResolvedModel = { disk: DiskSource } | { remote: CheckpointLocation }

export interface ResolveOptions {
  /** Folder of OWNER/NAME folders, looked in before the hub. */
  repos?: string | undefined
  /** Folder of the bundled models. */
  bundled: string
  env?: { HF_TOKEN?: string | undefined; HF_ENDPOINT?: string | undefined }
}

const HUB_ID = /^([\w.-]+\/[\w.-]+?)(?:@([\w./-]+))?$/

/** Models that ship with the project; `bundled` alone means the first. */
export const BUNDLED_MODELS = [
  'trilobite-nano-cambrian',
  'trilobite-nano-llava',
  'trilobite-nano-stage1',
] as const

/** Where the bundled models lie in a checkout; `root` is the package's own folder. */
export function bundledFolder(root = packageRoot()): string {
  return join(root, 'public', 'models')
}

/** The bundle lies two levels below the package's folder (dist/cli), as this source does (src/cli). */
export function packageRoot(): string {
  return resolve(fileURLToPath(new URL('../..', import.meta.url)))
}

/**
 * Finds what `--model` means: `bundled` or `bundled/NAME`, a URL, a folder, or OWNER/NAME[@REVISION] in `repos` or on the hub.
 * Throws: UsageError when it is none of these.
 */
export async function resolveModel(model: string, options: ResolveOptions): Promise<ResolvedModel> {
  const bundled = /^bundled(?:\/(.*))?$/.exec(model)
  if (bundled) return { disk: new DiskSource(join(options.bundled, bundledName(bundled[1]))) }
  if (/^https?:\/\//i.test(model)) return { remote: urlSource(model, options) }
  if (await isFolder(model)) {
    await expectCheckpoint(model)
    return { disk: new DiskSource(model) }
  }
  const id = HUB_ID.exec(model)
  if (!id || /^\.{1,2}\//.test(model)) {
    throw new UsageError(
      `--model: expected a folder, OWNER/NAME[@REVISION], the URL of a folder or "bundled", got "${model}", which is no folder here`,
    )
  }
  return resolveRepository(id[1]!, options, id[2])
}

/** Throws: UsageError for a folder whose checkpoint lies one folder further down. */
async function expectCheckpoint(folder: string): Promise<void> {
  const inner = join(folder, 'checkpoint')
  if ((await isFile(join(folder, 'config.json'))) || !(await isFile(join(inner, 'config.json')))) return
  throw new UsageError(`--model: ${folder} holds no config.json, but ${inner} does; give that folder`)
}

function bundledName(name: string = BUNDLED_MODELS[0]): string {
  const found = BUNDLED_MODELS.find((known) => known === name)
  if (found) return found
  throw new UsageError(
    `--model: bundled/${name} is not one of the bundled models; these are ${BUNDLED_MODELS.join(', ')}`,
  )
}

/**
 * OWNER/NAME in `repos`, or else on the hub.
 * Throws: UsageError when `repos` is no folder.
 */
export async function resolveRepository(
  repo: string,
  options: ResolveOptions,
  revision?: string,
): Promise<ResolvedModel> {
  if (options.repos !== undefined) {
    if (!(await isFolder(options.repos)))
      throw new UsageError(`--repos: expected a folder, got "${options.repos}"`)
    const local = join(options.repos, repo)
    if (await isFolder(local)) return { disk: new DiskSource(local) }
  }
  return { remote: hubSource(repo, revision, options) }
}

/** A page of the hub itself (`https://host/owner/name[/tree/revision]`) means the repository, not its web page. */
function urlSource(url: string, options: ResolveOptions): CheckpointLocation {
  const { host, pathname } = new URL(url)
  const hubHost = new URL(options.env?.HF_ENDPOINT || 'https://huggingface.co').host
  const page = /^\/([\w.-]+\/[\w.-]+)(?:\/tree\/([\w./-]+?))?\/?$/.exec(pathname)
  if (host === hubHost && page) return hubSource(page[1]!, page[2], options)
  return { kind: 'url', baseUrl: url }
}

function hubSource(
  repo: string,
  revision: string | undefined,
  { env = {} }: ResolveOptions,
): CheckpointLocation {
  return {
    kind: 'hub',
    repo,
    ...(revision ? { revision } : {}),
    ...(env.HF_ENDPOINT ? { endpoint: env.HF_ENDPOINT } : {}),
    ...(env.HF_TOKEN ? { token: env.HF_TOKEN } : {}),
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isFile(),
    () => false,
  )
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  )
}
