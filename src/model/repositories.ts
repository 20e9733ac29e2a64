import { isRepoName } from './checkpoint/hub-source'
import type { CheckpointSource } from './checkpoint/source'
import { subfolderSource } from './checkpoint/subfolder-source'
import { parseConfigFile, type JsonObject } from './config-reader'
import { ConfigError } from './errors'

/** Finds `owner/name` on the hub, or in folders of this machine first. */
export type ResolveRepository = (repo: string) => CheckpointSource | Promise<CheckpointSource>

/** The model an adapter was trained on, which its config need not name. */
export const BASE = 'base'

/** The repositories a checkpoint refers to, each opened once. */
export class Repositories {
  private readonly opened = new Map<string, Promise<CheckpointSource>>()

  constructor(
    private readonly main: CheckpointSource,
    private readonly options: {
      resolve?: ResolveRepository | undefined
      base?: CheckpointSource | undefined
      signal?: AbortSignal | undefined
      onFile?: ((file: string) => void) | undefined
    },
  ) {}

  /** The base model where somebody named one. */
  get base(): CheckpointSource | undefined {
    return this.options.base
  }

  /**
   * The source of `owner/name`, of a folder inside the checkpoint (`./vit/...`), or of BASE.
   *
   * Throws: ConfigError for anything else: what a config names is never looked for elsewhere on this machine.
   */
  find(location: string): Promise<CheckpointSource> {
    const found = this.opened.get(location) ?? this.open(location)
    this.opened.set(location, found)
    return found
  }

  /** A JSON file of a repository; undefined where it has none. */
  async readJson(location: string, file: string): Promise<JsonObject | undefined> {
    const source = await this.find(location)
    this.options.onFile?.(`${source.name}/${file}`)
    const text = await source.readText(file, { signal: this.options.signal })
    return text === undefined ? undefined : parseConfigFile(text, `${source.name}: ${file}`)
  }

  private async open(location: string): Promise<CheckpointSource> {
    const { base, resolve } = this.options
    if (location === BASE) {
      if (base) return base
      throw new ConfigError(
        `${this.main.name}: holds a connector without the language model it belongs to. ` +
          'Name that model too (--base PATH|ID).',
      )
    }
    const inside = /^\.\/+(.+?)\/*$/.exec(location)?.[1]
    if (inside !== undefined) return subfolderSource(this.main, inside)
    if (!isRepoName(location)) {
      throw new ConfigError(
        `config.json: refers to ${JSON.stringify(location)}, which is neither owner/name nor a folder of the checkpoint ` +
          "(./...). Correct the config to the repository's name on the hub.",
      )
    }
    if (resolve) return resolve(location)
    throw new ConfigError(
      `config.json: refers to the repository ${location}, which cannot be fetched here. Load the model from the hub.`,
    )
  }
}
