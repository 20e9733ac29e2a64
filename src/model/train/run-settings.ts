import { TrainingError } from '../errors'
import type { RunIdentity } from './run-identity'
import type { Runs } from './run-state'

/** Kept beside a run: what it needs to go on that its listing does not tell. */
const SETTINGS_FILE = 'settings.json'
/** Another way to write it takes another version. */
const VERSION = 2

/** How a run is watched and kept; nothing of it changes the numbers. */
export interface RunSettings {
  /** Steps from one validation to the next; 0 for none but the last. */
  readonly evaluateEvery: number
  /** Held-out pictures that are captioned at each validation. */
  readonly captions: number
  /** Steps from one checkpoint to the next; 0 for none but when it ends or is paused. */
  readonly checkpointEvery: number
}

/** What a run that goes on must find as it was. */
export interface StoredSettings extends RunSettings, RunIdentity {
  readonly version: typeof VERSION
  /** A fixed order of rows; else the recipe's seed tells. */
  readonly order?: unknown
}

/** Written once, when a run begins. */
export async function writeSettings(
  runs: Runs,
  id: string,
  settings: Omit<StoredSettings, 'version'>,
): Promise<void> {
  const text = JSON.stringify({ version: VERSION, ...settings })
  await runs.files.write(id, SETTINGS_FILE, new TextEncoder().encode(text))
}

/** What a run that goes on must find as it was. Throws: TrainingError where it is lost. */
export async function readSettings(runs: Runs, id: string): Promise<StoredSettings> {
  const bytes = await runs.files.read(id, SETTINGS_FILE)
  try {
    const settings = JSON.parse(new TextDecoder().decode(bytes)) as StoredSettings
    if (settings.version === VERSION) return settings
  } catch {
    // Said below.
  }
  throw new TrainingError(
    `train: ${SETTINGS_FILE} of this run is missing, damaged or of another version of this program. ` +
      'Chat through its connector, or start a new run.',
  )
}
