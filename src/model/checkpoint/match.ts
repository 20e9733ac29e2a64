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
export function matchTensors(options: MatchOptions): Map<string, TensorEntry> {
  const { expected, tensors, rename, tied = {}, where } = options
  const matched = new Map<string, TensorEntry>()
  const unexpected: string[] = []
  const misshaped: string[] = []
  const duplicates: string[] = []

  for (const [key, tensor] of tensors) {
    const param = rename(key)
    if (param === undefined) continue
    const shape = Object.hasOwn(expected, param) ? expected[param] : undefined
    const earlier = matched.get(param)
    if (shape === undefined) {
      unexpected.push(param === key ? key : `${key} (as ${param})`)
    } else if (earlier) {
      duplicates.push(`${param} from ${earlier.name} and ${key}`)
    } else {
      matched.set(param, tensor)
      if (!isSameShape(shape, tensor.shape)) {
        misshaped.push(`${key}: expected [${shape.join(', ')}], found [${tensor.shape.join(', ')}]`)
      }
    }
  }
  const missing = Object.keys(expected).filter((param) => {
    const owner = Object.hasOwn(tied, param) ? tied[param] : undefined
    return !matched.has(param) && !(owner !== undefined && Object.hasOwn(expected, owner))
  })

  const lists = [
    list('missing', missing),
    list('unexpected', unexpected),
    list('mis-shaped', misshaped),
    list('given twice', duplicates),
  ].filter((text) => text !== '')
  if (lists.length === 0) return matched
  throw new CheckpointError(
    `${where}: expected ${Object.keys(expected).length} parameters of the shapes that config.json describes, got ` +
      `${tensors.size} tensors that do not match. ${lists.join('. ')}. ` +
      'Check that config.json and the weights belong to the same model, and that the checkpoint is whole',
  )
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i])
}

function list(title: string, items: readonly string[]): string {
  if (items.length === 0) return ''
  const more = items.length > LISTED ? ` and ${items.length - LISTED} more` : ''
  return `${items.length} ${title}: ${items.slice(0, LISTED).join('; ')}${more}`
}
