import { CheckpointError } from '../errors'
import type { TensorEntry } from './safetensors'

export interface MatchOptions {
  /** Every parameter of the model and its shape. */
  expected: Readonly<Record<string, readonly number[]>>
  tensors: ReadonlyMap<string, TensorEntry>
  /** The parameter a checkpoint's key belongs to; undefined for keys known to be of no use. */
  rename: (key: string) => string | undefined
  /** Parameters that share another's tensor where the checkpoint does not hold them. */
  tied?: Readonly<Record<string, string>>
  /** The checkpoint's name, for the error. */
  where: string
}

/** Lines of a list in the error, before it is cut. */
const LISTED = 8

/**
 * Finds the tensor of every parameter. A tied parameter that the checkpoint does not hold is left out of the
 * result: its owner's tensor serves.
 *
 * Throws: CheckpointError that lists all missing, unexpected, mis-shaped and doubly given tensors at once.
 */
export function matchTensors({
  expected,
  tensors,
  rename,
  tied,
  where,
}: MatchOptions): Map<string, TensorEntry> {
  const matching = new TensorMatching(expected, tied)
  matching.add(tensors, rename)
  return matching.finish(where)
}

/** Finds the tensor of every parameter in one checkpoint after the other; what an earlier one holds counts. */
export class TensorMatching {
  private readonly matched = new Map<string, TensorEntry>()
  private readonly unexpected: string[] = []
  private readonly misshaped: string[] = []
  private readonly duplicates: string[] = []
  private tensorCount = 0

  constructor(
    private readonly expected: MatchOptions['expected'],
    private readonly tied: Readonly<Record<string, string>> = {},
  ) {}

  add(tensors: MatchOptions['tensors'], rename: MatchOptions['rename']): void {
    const { expected, matched } = this
    const earlier = new Set(matched.keys())
    this.tensorCount += tensors.size
    for (const [key, tensor] of tensors) {
      const param = rename(key)
      if (param === undefined || earlier.has(param)) continue
      const shape = Object.hasOwn(expected, param) ? expected[param] : undefined
      const other = matched.get(param)
      if (shape === undefined) {
        this.unexpected.push(param === key ? key : `${key} (as ${param})`)
      } else if (other) {
        this.duplicates.push(`${param} from ${other.name} and ${key}`)
      } else {
        matched.set(param, tensor)
        if (!isSameShape(shape, tensor.shape)) {
          this.misshaped.push(`${key}: expected [${shape.join(', ')}], found [${tensor.shape.join(', ')}]`)
        }
      }
    }
  }

  /** Parameters nobody holds so far, nor the owner they are tied to. */
  missing(prefix = ''): string[] {
    const { expected, matched, tied } = this
    return Object.keys(expected).filter((param) => {
      const owner = Object.hasOwn(tied, param) ? tied[param] : undefined
      const isShared = owner !== undefined && Object.hasOwn(expected, owner)
      return param.startsWith(prefix) && !matched.has(param) && !isShared
    })
  }

  /** Throws: as matchTensors. */
  finish(where: string): Map<string, TensorEntry> {
    const { expected, unexpected, misshaped, duplicates } = this
    const lists = [
      list('missing', this.missing()),
      list('unexpected', unexpected),
      list('mis-shaped', misshaped),
      list('given twice', duplicates),
    ].filter((text) => text !== '')
    if (lists.length === 0) return this.matched
    throw new CheckpointError(
      `${where}: expected ${Object.keys(expected).length} parameters of the shapes that config.json describes, got ` +
        `${this.tensorCount} tensors that do not match. ${lists.join('. ')}. ` +
        'Check that config.json and the weights belong to the same model, and that the checkpoint is whole',
    )
  }
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i])
}

function list(title: string, items: readonly string[]): string {
  if (items.length === 0) return ''
  const more = items.length > LISTED ? ` and ${items.length - LISTED} more` : ''
  return `${items.length} ${title}: ${items.slice(0, LISTED).join('; ')}${more}`
}
