import { CheckpointError } from '../errors'
import { tensorBytes } from './dtype'
import { readRange, type ReadOptions } from './read-range'
import type { TensorEntry } from './safetensors'
import type { CheckpointSource } from './source'
import { MAX_PICKLE_BYTES, readTorchPickle } from './torch-pickle'
import { isKind, type PickleValue, type TorchTensor } from './torch-values'
import {
  alignedDataStart,
  dataOffsetIn,
  LOCAL_HEADER_READ_BYTES,
  readZipDirectory,
  type ReadBytes,
  type ZipEntry,
} from './torch-zip'

/** Names under which training scripts wrap a state dict. */
const WRAPPERS = ['state_dict', 'model_state_dict']

/**
 * Finds the tensors of a file written by torch.save (PyTorch 1.6 or later), reading its directory and its pickle but no
 * weight. Several tensors may lie on the same bytes.
 *
 * Returns: tensors in the order of their bytes.
 * Throws: CheckpointError for anything but tensors, and for tensors whose rows do not follow each other.
 */
export async function readTorchFile(
  source: CheckpointSource,
  path: string,
  fileSize: number,
  options: ReadOptions,
): Promise<TensorEntry[]> {
  const where = `${source.name}: ${path}`
  const read: ReadBytes = (start, end) => readRange(source, path, start, end, options)
  const archive = new TorchArchive(await directoryOf(read, fileSize, where), read, where)
  await archive.open()
  const pickle = readTorchPickle(await archive.read('data.pkl', MAX_PICKLE_BYTES), `${where}: data.pkl`)

  const tensors: TensorEntry[] = []
  for (const [name, tensor] of stateDict(pickle, where)) {
    const { start, sizeBytes } = await archive.storage(tensor.storage.key)
    const { dtype, shape, offset } = tensor
    const bytes = tensorBytes(dtype, shape)
    if (bytes === undefined || !isContiguous(tensor)) {
      throw new CheckpointError(
        `${where}: ${name}: expected a tensor whose rows follow each other, got shape [${shape.join(', ')}] with ` +
          `strides [${tensor.strides.join(', ')}]; save it again after .contiguous()`,
      )
    }
    if (offset + bytes > sizeBytes) {
      throw new CheckpointError(
        `${where}: ${name}: expected bytes ${offset} to ${offset + bytes} of its storage, got a storage of ` +
          `${sizeBytes}; download the file again`,
      )
    }
    tensors.push({ name, dtype, shape, file: path, start: start + offset, end: start + offset + bytes })
  }
  return tensors.sort((a, b) => a.start - b.start || a.end - b.end)
}

/** The files of one archive, under the name of their folder. */
class TorchArchive {
  private folder = ''
  /** True where torch.save wrote it, whose entries begin at known places. */
  private isAligned = false
  private readonly storages = new Map<string, { start: number; sizeBytes: number }>()

  constructor(
    private readonly entries: ReadonlyMap<string, ZipEntry>,
    private readonly readBytes: ReadBytes,
    private readonly where: string,
  ) {}

  async open(): Promise<void> {
    const pickles = [...this.entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name))
    if (pickles.length !== 1) {
      throw new CheckpointError(
        `${this.where}: expected one data.pkl in the archive, got ${pickles.length}; this is no PyTorch checkpoint`,
      )
    }
    this.folder = pickles[0]!.slice(0, -'data.pkl'.length)
    const pickle = this.entries.get(pickles[0]!)!
    this.isAligned = alignedDataStart(pickle) === (await this.dataStart(pickle))
    if (!this.entries.has(`${this.folder}byteorder`)) return
    const order = new TextDecoder().decode(await this.read('byteorder', 16))
    if (order !== 'little') {
      throw new CheckpointError(
        `${this.where}: expected little-endian weights, got byteorder ${JSON.stringify(order)}; save the file on another machine`,
      )
    }
  }

  /** A small file of the archive whole. */
  async read(name: string, maxBytes: number): Promise<Uint8Array> {
    const entry = this.entries.get(this.folder + name)!
    if (entry.sizeBytes > maxBytes) {
      throw new CheckpointError(
        `${this.where}: expected ${name} of at most ${maxBytes} bytes, got ${entry.sizeBytes}; this is no PyTorch checkpoint`,
      )
    }
    const start = await this.dataStart(entry)
    return this.readBytes(start, start + entry.sizeBytes)
  }

  /** Where a storage's bytes lie in the file. */
  async storage(key: string): Promise<{ start: number; sizeBytes: number }> {
    const known = this.storages.get(key)
    if (known) return known
    const entry = this.entries.get(`${this.folder}data/${key}`)
    if (!entry) {
      throw new CheckpointError(
        `${this.where}: expected data/${key.slice(0, 80)} in the archive, which a tensor needs, got none; download the file again`,
      )
    }
    const aligned = this.isAligned ? alignedDataStart(entry) : undefined
    const found = { start: aligned ?? (await this.dataStart(entry)), sizeBytes: entry.sizeBytes }
    this.storages.set(key, found)
    return found
  }

  private async dataStart(entry: ZipEntry): Promise<number> {
    const { headerOffset } = entry
    const header = await this.readBytes(headerOffset, headerOffset + LOCAL_HEADER_READ_BYTES)
    return headerOffset + dataOffsetIn(entry, header, this.where)
  }
}

function stateDict(pickle: PickleValue, where: string): [string, TorchTensor][] {
  const named = (value: PickleValue): [string, TorchTensor][] =>
    value instanceof Map
      ? [...value].filter(
          (item): item is [string, TorchTensor] => typeof item[0] === 'string' && isKind(item[1], 'tensor'),
        )
      : []
  const found = named(pickle)
  if (found.length > 0) return found
  for (const wrapper of WRAPPERS) {
    const inner = pickle instanceof Map ? pickle.get(wrapper) : undefined
    const wrapped = inner === undefined ? [] : named(inner)
    if (wrapped.length > 0) return wrapped
  }
  throw new CheckpointError(
    `${where}: expected a state dict (tensors by name), got none; this is no checkpoint of weights`,
  )
}

/** Rows follow each other in memory. Dimensions of one element have no steps that matter. */
function isContiguous({ shape, strides }: TorchTensor): boolean {
  if (shape.includes(0)) return true
  let expected = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== expected) return false
    expected *= shape[d]!
  }
  return true
}

async function directoryOf(read: ReadBytes, fileSize: number, where: string) {
  try {
    return await readZipDirectory(read, fileSize, where)
  } catch (error) {
    // Only now is it worth a request to learn what the file is instead.
    if (error instanceof CheckpointError) checkMagic(await read(0, Math.min(fileSize, 8)), where)
    throw error
  }
}

/** Throws: CheckpointError saying what a file is that is no zip archive. */
function checkMagic(head: Uint8Array, where: string): void {
  if (head[0] === 0x50 && head[1] === 0x4b) return
  const isLegacy = head[0] === 0x80 && head[2] === 0x8a && head[3] === 0x0a
  const isPointer = new TextDecoder().decode(head) === 'version '
  const [came, advice] = isLegacy
    ? [
        'the format of PyTorch before 1.6',
        'load it in PyTorch and save it again with torch.save or as safetensors',
      ]
    : isPointer
      ? ['a Git LFS pointer', 'run `git lfs pull`, or download the file itself']
      : ['other bytes', 'this is no PyTorch checkpoint, download it again']
  throw new CheckpointError(`${where}: expected a zip archive written by torch.save, got ${came}; ${advice}`)
}
