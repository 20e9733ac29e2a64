import { elementCount } from '../../../kernels'
import { openCheckpoint, type Checkpoint } from '../../checkpoint/checkpoint'
import type { CheckpointDtype } from '../../checkpoint/dtype'
import { bf16ToF32, f16ToF32 } from '../../checkpoint/half'
import type { TensorEntry } from '../../checkpoint/safetensors'
import type { CheckpointSource } from '../../checkpoint/source'
import { streamTensors } from '../../checkpoint/stream-tensors'
import { CheckpointError } from '../../errors'
import {
  commonName,
  readBareKey,
  readConnectorKey,
  type ConnectorKey,
  type ConnectorLayout,
  type ConnectorShapes,
} from './layouts'
import { CONNECTOR_FILES, pickConnector, type PickedFile } from './picked-files'
import { connectorTraits } from './traits'

export interface ImportedConnector {
  /** The file's name, for people. */
  readonly name: string
  /** The layout it was found in. */
  readonly layout: ConnectorLayout
  /** Every parameter of the connector by the model's own names below `connector.`, widened to f32. */
  readonly tensors: Map<string, Float32Array<ArrayBuffer>>
}

export interface ImportOptions {
  signal?: AbortSignal
  /** Names to look for in a source; picked files are looked through by themselves. Default: CONNECTOR_FILES. */
  weightFiles?: readonly string[]
}

/** Bytes of a piece on its way; a multiple of every element's size. */
const PIECE_BYTES = 4 * 2 ** 20
/** Lines of a list in the error, before it is cut. */
const LISTED = 8

const WIDEN: Partial<Record<CheckpointDtype, (bytes: Uint8Array<ArrayBuffer>) => Float32Array>> = {
  F32: ({ buffer }) => new Float32Array(buffer),
  F16: ({ buffer }) => f16ToF32(new Uint16Array(buffer)),
  BF16: ({ buffer }) => bf16ToF32(new Uint16Array(buffer)),
  F64: ({ buffer }) => Float32Array.from(new Float64Array(buffer)),
}

/**
 * Reads a connector for a model from whatever holds one: an exported folder, an original project's `mm_projector.bin`,
 * a whole checkpoint. Keys may be in any layout; of a checkpoint with other parts only the connector is read.
 *
 * Throws: CheckpointError that lists every missing, unexpected and mis-shaped parameter at once and says what model they
 * would fit, or what is wrong with the file; NetworkError, AbortError.
 */
export async function importConnector(
  from: readonly PickedFile[] | CheckpointSource,
  expected: ConnectorShapes,
  options: ImportOptions = {},
): Promise<ImportedConnector> {
  const { signal } = options
  const picked = isSource(from) ? undefined : pickConnector(from)
  const source = isSource(from) ? from : picked!.source
  const checkpoint = await openCheckpoint(source, {
    ...(signal && { signal }),
    weightFiles: picked ? [picked.path] : (options.weightFiles ?? CONNECTOR_FILES),
  })
  const where = nameOf(checkpoint, picked?.path)
  const { entries, layout } = matchConnector(checkpoint, expected, where)
  const tensors = await readTensors(checkpoint, entries, signal)
  checkFinite(tensors, where)
  return { name: where, layout, tensors }
}

const isSource = (from: readonly PickedFile[] | CheckpointSource): from is CheckpointSource =>
  !Array.isArray(from)

/** The file where there is one, with the folder it lies in where the file has a name that many have. */
function nameOf({ source, files }: Checkpoint, path = files[0]!.path): string {
  return source.name === 'import' ? path : `${source.name}/${path}`
}

/** Finds every parameter's tensor. Throws: CheckpointError. */
function matchConnector({ tensors }: Checkpoint, expected: ConnectorShapes, where: string) {
  const found = connectorTensors(tensors)
  if (found.length === 0) {
    const keys = [...tensors.keys()]
    throw new CheckpointError(
      `${where}: expected a connector (mm_projector, multi_modal_projector, connector._connector or vision_sampler), ` +
        `got ${keys.length} tensors of other names: ${cut(keys)}; choose another file`,
    )
  }
  const ours = new Map(Object.keys(expected).map((name) => [commonName(name), name]))
  const entries = new Map<string, TensorEntry>()
  const layouts = new Set<ConnectorLayout>()
  const problems: Record<string, string[]> = {
    missing: [],
    unexpected: [],
    'mis-shaped': [],
    'given twice': [],
    'not of F32, F16, BF16 or F64': [],
  }
  for (const { name, layout, entry } of found) {
    const own = ours.get(name)
    if (own === undefined) {
      // Checkpoints of LLaVA's later versions hold one that a connector of rows has no use for.
      if (name === 'image_newline') continue
      problems['unexpected']!.push(`${entry.name} [${entry.shape.join(', ')}]`)
      continue
    }
    const earlier = entries.get(own)
    if (earlier) problems['given twice']!.push(`${own} from ${earlier.name} and ${entry.name}`)
    const { shape } = expected[own]!
    if (shape.join() !== entry.shape.join()) {
      problems['mis-shaped']!.push(
        `${entry.name}: expected [${shape.join(', ')}], found [${entry.shape.join(', ')}]`,
      )
    }
    if (!WIDEN[entry.dtype]) problems['not of F32, F16, BF16 or F64']!.push(`${entry.name}: ${entry.dtype}`)
    entries.set(own, entry)
    layouts.add(layout)
  }
  problems['missing'] = [...ours.values()].flatMap((own) =>
    entries.has(own) ? [] : `${own} [${expected[own]!.shape.join(', ')}]`,
  )
  const lists = Object.entries(problems)
    .filter(([, items]) => items.length > 0)
    .map(([title, items]) => `${items.length} ${title}: ${cut(items)}`)
  if (lists.length > 0) {
    throw new CheckpointError(
      `${where}: expected the ${ours.size} parameters of this model's connector, got ${found.length} that do not ` +
        `match. ${lists.join('. ')}. ${adviceFor(found, expected)}`,
    )
  }
  const layout = ours.has('image_newline') ? 'cambrian' : [...layouts][0]!
  return { entries, layout }
}

interface FoundTensor extends ConnectorKey {
  readonly entry: TensorEntry
}

/** Those of a checkpoint's tensors that belong to a connector. */
function connectorTensors(tensors: ReadonlyMap<string, TensorEntry>): FoundTensor[] {
  const read = (of: (key: string) => ConnectorKey | undefined) =>
    [...tensors].flatMap(([key, entry]) => {
      const known = of(key)
      return known ? { ...known, entry } : []
    })
  const found = read(readConnectorKey)
  if (found.length > 0) return found
  // Without a prefix names say little: they count only where there is nothing else.
  const bare = read(readBareKey)
  return bare.length === tensors.size ? bare : []
}

/** What model the file's connector would fit, where that is not this one. */
function adviceFor(found: readonly FoundTensor[], expected: ConnectorShapes): string {
  const own = connectorTraits(expected)
  const other = connectorTraits(
    Object.fromEntries(found.map(({ name, entry: { shape } }) => [name, { shape }])),
  )
  // Connectors of different kinds differ in more than is worth saying.
  const different = [...other].filter(([trait, value]) => own.has(trait) && own.get(trait) !== value)
  if (different.length === 0) return 'The file may be incomplete: export or download it again'
  const facts = different.map(([trait, value]) => `${trait} ${value} (this model has ${own.get(trait)})`)
  return `They would fit a model with ${facts.join(', ')}: load that model first, or choose another connector`
}

function cut(items: readonly string[]): string {
  const more = items.length > LISTED ? ` and ${items.length - LISTED} more` : ''
  return items.slice(0, LISTED).join('; ') + more
}

/** Reads the tensors of parameters, each as f32. */
async function readTensors(
  checkpoint: Checkpoint,
  entries: ReadonlyMap<string, TensorEntry>,
  signal: AbortSignal | undefined,
): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  const tensors = new Map<string, Float32Array<ArrayBuffer>>()
  const values = new Map<TensorEntry, Float32Array<ArrayBuffer>>()
  for (const [name, entry] of entries) {
    const data = new Float32Array(elementCount(entry.shape))
    tensors.set(name, data)
    values.set(entry, data)
  }
  await streamTensors(
    checkpoint,
    {
      chunkBytes: (entry) => (values.has(entry) ? PIECE_BYTES : undefined),
      write(entry, byteOffset, bytes) {
        const data = values.get(entry)!
        const elementBytes = (entry.end - entry.start) / data.length
        data.set(WIDEN[entry.dtype]!(bytes.slice()), byteOffset / elementBytes)
      },
    },
    { ...(signal && { signal }) },
  )
  return tensors
}

/** Throws: CheckpointError for weights that would turn every answer to nothing. */
function checkFinite(tensors: ReadonlyMap<string, Float32Array>, where: string): void {
  for (const [name, values] of tensors) {
    const bad = values.findIndex((value) => !Number.isFinite(value))
    if (bad < 0) continue
    throw new CheckpointError(
      `${where}: ${name}: expected finite numbers, got ${values[bad]} at ${bad}; the training that wrote it may have ` +
        'diverged, choose an earlier checkpoint of it',
    )
  }
}
