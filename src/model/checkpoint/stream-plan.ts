import { CheckpointError } from '../errors'
import type { Checkpoint, WeightFile } from './checkpoint'
import type { TensorEntry } from './safetensors'
import type { CheckpointSource } from './source'

/** Bytes that a tensor's reader takes at once. */
export interface Piece {
  readonly entry: TensorEntry
  /** First byte, counted from the start of the tensor. */
  readonly byteOffset: number
  /** First byte, counted from the start of the file. */
  readonly start: number
  readonly end: number
}

/** Bytes of a file that are held at once, and the pieces that lie in them. Blocks of a run follow one another. */
export interface Block {
  readonly start: number
  readonly end: number
  readonly pieces: readonly Piece[]
}

/** Bytes that come by one request. */
export interface Run {
  readonly start: number
  readonly end: number
  readonly blocks: readonly Block[]
}

export interface PlannedFile {
  readonly source: CheckpointSource
  readonly path: string
  /** The hash that the file has to have, where it is one run from the first byte to the last. */
  readonly sha256: string | undefined
  /** In all runs. */
  readonly bytes: number
  readonly runs: readonly Run[]
}

/** A gap between wanted tensors up to this size is read and thrown away; a larger one is worth a new request. */
export const MAX_READ_GAP_BYTES = 1024 * 1024

/** Bounds a block whatever a sink asks for. */
const MAX_PIECE_BYTES = 32 * 1024 * 1024

/**
 * A file is read whole, so that its hash can be told, where at most this part of it is not wanted. Of a CLIP whose
 * checkpoint has a text model as well, or of one tower in a large file, only what is wanted is read, and goes unchecked.
 */
const MAX_UNWANTED = 1 / 8

interface Wanted {
  readonly entry: TensorEntry
  readonly pieceBytes: number
}

/**
 * Which bytes of which files are read, in which portions.
 *
 * Throws: CheckpointError when the sink asks for impossible pieces.
 */
export function planStream(
  checkpoint: Checkpoint,
  chunkBytes: (entry: TensorEntry) => number | undefined,
  blockBytes: number,
): PlannedFile[] {
  const { source } = checkpoint
  const byFile = new Map<string, Wanted[]>()
  for (const entry of checkpoint.tensors.values()) {
    const asked = chunkBytes(entry)
    const sizeBytes = entry.end - entry.start
    if (asked === undefined || sizeBytes === 0) continue
    const pieceBytes = Math.min(asked, sizeBytes)
    if (!Number.isSafeInteger(asked) || pieceBytes < 1 || pieceBytes > MAX_PIECE_BYTES) {
      throw new CheckpointError(
        `${entry.name}: expected pieces of 1 to ${MAX_PIECE_BYTES} bytes, the sink asks for ${asked}; ` +
          'cut its rows into smaller pieces',
      )
    }
    const wanted = byFile.get(entry.file) ?? []
    wanted.push({ entry, pieceBytes })
    byFile.set(entry.file, wanted)
  }
  const gapBytes = source.ignoresRanges ? Infinity : MAX_READ_GAP_BYTES
  return checkpoint.files.flatMap((file) => {
    const wanted = byFile.get(file.path)?.sort((a, b) => a.entry.start - b.entry.start)
    if (!wanted) return []
    const isWhole = isReadWhole(file, wanted)
    const spans = isWhole ? [{ start: 0, end: file.sizeBytes, wanted }] : joinRuns(wanted, gapBytes)
    const runs = spans.map((span) => ({ ...span, blocks: cutIntoBlocks(span, blockBytes) }))
    const bytes = runs.reduce((sum, { start, end }) => sum + end - start, 0)
    return [{ source, path: file.path, sha256: isWhole ? file.sha256 : undefined, bytes, runs }]
  })
}

function isReadWhole({ sizeBytes, sha256 }: WeightFile, wanted: readonly Wanted[]): boolean {
  if (sha256 === undefined) return false
  // PyTorch's files may have tensors on the same bytes, which are read once for each.
  if (wanted.some(({ entry }, i) => entry.start < (wanted[i - 1]?.entry.end ?? 0))) return false
  const wantedBytes = wanted.reduce((sum, { entry }) => sum + entry.end - entry.start, 0)
  return sizeBytes - wantedBytes <= Math.max(MAX_UNWANTED * sizeBytes, MAX_READ_GAP_BYTES)
}

interface Span {
  start: number
  end: number
  wanted: Wanted[]
}

function joinRuns(sorted: readonly Wanted[], gapBytes: number): Span[] {
  const runs: Span[] = []
  for (const item of sorted) {
    const { start, end } = item.entry
    const last = runs.at(-1)
    // Tensors on the same bytes are fetched once each.
    if (last && start >= last.end && start - last.end <= gapBytes) {
      last.end = end
      last.wanted.push(item)
    } else {
      runs.push({ start, end, wanted: [item] })
    }
  }
  return runs
}

/** No piece lies in two blocks. A block is no longer than `blockBytes` or the piece that alone fills it. */
function cutIntoBlocks({ start, end, wanted }: Span, blockBytes: number): Block[] {
  const blocks: Block[] = []
  let block = { start, end: start, pieces: [] as Piece[] }
  const close = () => {
    if (block.end > block.start) blocks.push(block)
    block = { start: block.end, end: block.end, pieces: [] }
  }
  const skipTo = (position: number) => {
    while (position - block.start > blockBytes) {
      block.end = Math.max(block.end, block.start + blockBytes)
      close()
    }
    block.end = position
  }
  for (const { entry, pieceBytes } of wanted) {
    skipTo(entry.start)
    for (let at = entry.start; at < entry.end; at += pieceBytes) {
      const pieceEnd = Math.min(at + pieceBytes, entry.end)
      if (pieceEnd - block.start > blockBytes) close()
      block.pieces.push({ entry, byteOffset: at - entry.start, start: at, end: pieceEnd })
      block.end = pieceEnd
    }
  }
  skipTo(end)
  close()
  return blocks
}
