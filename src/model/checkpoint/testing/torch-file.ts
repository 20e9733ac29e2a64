/** Files as torch.save writes them, and as an attacker might, made byte by byte. */

const text = new TextEncoder()

/** Opcodes of Python's pickle, by the names of pickletools. */
export const op = {
  proto: (version = 2) => [0x80, version],
  mark: '(',
  stop: '.',
  none: 'N',
  true: '\x88',
  false: '\x89',
  int: (value: number) => ['J', ...little(value, 4)],
  long: (value: bigint, bytes = 8) => [0x8a, bytes, ...little(value, bytes)],
  str: (value: string) => {
    const bytes = text.encode(value)
    return ['X', ...little(bytes.length, 4), bytes]
  },
  emptyDict: '}',
  emptyList: ']',
  emptyTuple: ')',
  tuple: 't',
  setItem: 's',
  setItems: 'u',
  append: 'a',
  put: (index: number) => ['q', index],
  get: (index: number) => ['h', index],
  global: (module: string, name: string) => `c${module}\n${name}\n`,
  persid: 'Q',
  reduce: 'R',
  build: 'b',
  newobj: '\x81',
  stackGlobal: '\x93',
} as const

export type Piece = number | string | Uint8Array | readonly Piece[]

/** Joins opcodes; the characters of strings are bytes. */
export function assemble(...pieces: Piece[]): Uint8Array {
  const bytes: number[] = []
  const add = (piece: Piece): void => {
    if (typeof piece === 'number') bytes.push(piece)
    else if (typeof piece === 'string') for (const c of piece) bytes.push(c.charCodeAt(0))
    else if (piece instanceof Uint8Array) for (const byte of piece) bytes.push(byte)
    else piece.forEach(add)
  }
  add(pieces)
  return Uint8Array.from(bytes)
}

export interface TensorPiece {
  storage: string
  numel: number
  shape: number[]
  strides?: number[]
  offset?: number
  key?: string
}

const sizes = (values: readonly number[]): Piece => [op.mark, values.map(op.int), op.tuple]

/** torch._utils._rebuild_tensor_v2 applied to a storage. */
export function tensorPiece({ storage, numel, shape, offset = 0, key = '0', ...rest }: TensorPiece): Piece {
  const strides = rest.strides ?? shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1))
  return [
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.mark,
    [
      op.mark,
      op.str('storage'),
      op.global('torch', storage),
      op.str(key),
      op.str('cpu'),
      op.int(numel),
      op.tuple,
    ],
    op.persid,
    op.int(offset),
    sizes(shape),
    sizes(strides),
    op.false,
    [op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce],
    op.tuple,
    op.reduce,
  ]
}

/** A whole pickle of a state dict. */
export function stateDictPickle(tensors: Record<string, Piece>): Uint8Array {
  const items = Object.entries(tensors).flatMap(([name, piece]) => [op.str(name), piece])
  return assemble(op.proto(), op.emptyDict, op.mark, items, op.setItems, op.stop)
}

export interface ZipOptions {
  /** Bytes to which data is aligned by padding the local header; 1 as ordinary writers do. */
  alignment?: number
  /** Sizes stand behind the data too, as torch.save has it. */
  hasDescriptors?: boolean
  /** Offsets and sizes as 64-bit numbers, as files above 4 GiB need them. */
  isZip64?: boolean
  method?: number
  flags?: number
}

/** A zip archive of stored files. */
export function zipFile(files: Record<string, Uint8Array>, options: ZipOptions = {}): Uint8Array {
  const { alignment = 64, hasDescriptors = true, isZip64 = false, method = 0 } = options
  const flags = options.flags ?? (hasDescriptors ? 0x0808 : 0)
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let at = 0
  const emit = (...pieces: Piece[]) => {
    const bytes = assemble(...pieces)
    parts.push(bytes)
    at += bytes.length
  }
  for (const [name, data] of Object.entries(files)) {
    const nameBytes = text.encode(name)
    const headerOffset = at
    const padding = alignment > 1 ? (alignment - ((at + 34 + nameBytes.length) % alignment)) % alignment : 0
    const extra =
      alignment > 1 ? assemble('FB', little(padding, 2), new Uint8Array(padding)) : new Uint8Array()
    const given = hasDescriptors ? 0 : data.length
    emit('PK\x03\x04', little(20, 2), little(flags, 2), little(method, 2), new Uint8Array(8))
    emit(
      little(given, 4),
      little(given, 4),
      little(nameBytes.length, 2),
      little(extra.length, 2),
      nameBytes,
      extra,
    )
    emit(data)
    if (hasDescriptors) emit('PK\x07\x08', new Uint8Array(4), little(data.length, 4), little(data.length, 4))
    const unset = 0xffffffff
    const wide = isZip64
      ? assemble(
          little(1, 2),
          little(24, 2),
          [data.length, data.length, headerOffset].map((n) => little(n, 8)),
        )
      : new Uint8Array()
    const size = isZip64 ? unset : data.length
    directory.push(
      assemble(
        'PK\x01\x02',
        little(20, 2),
        little(20, 2),
        little(flags, 2),
        little(method, 2),
        new Uint8Array(8),
      ),
      assemble(little(size, 4), little(size, 4), little(nameBytes.length, 2), little(wide.length, 2)),
      assemble(new Uint8Array(10), little(isZip64 ? unset : headerOffset, 4), nameBytes, wide),
    )
  }
  const directoryOffset = at
  for (const bytes of directory) emit(bytes)
  const directoryBytes = at - directoryOffset
  const count = Object.keys(files).length
  if (isZip64) {
    const end64 = at
    emit('PK\x06\x06', little(44, 8), new Uint8Array(12), little(count, 8), little(count, 8))
    emit(little(directoryBytes, 8), little(directoryOffset, 8))
    emit('PK\x06\x07', little(0, 4), little(end64, 8), little(1, 4))
  }
  const [shownCount, shownBytes, shownOffset] = isZip64
    ? [0xffff, 0xffffffff, 0xffffffff]
    : [count, directoryBytes, directoryOffset]
  emit('PK\x05\x06', new Uint8Array(4), little(shownCount!, 2), little(shownCount!, 2))
  emit(little(shownBytes!, 4), little(shownOffset!, 4), little(0, 2))
  return assemble(...parts)
}

/** A file as torch.save writes it. */
export function torchFile(pickle: Uint8Array, storages: Record<string, Uint8Array>, options?: ZipOptions) {
  const data = Object.entries(storages).map(([key, bytes]) => [`m/data/${key}`, bytes])
  return zipFile(
    {
      'm/data.pkl': pickle,
      'm/byteorder': text.encode('little'),
      ...Object.fromEntries(data),
      'm/version': text.encode('3\n'),
    },
    options,
  )
}

function little(value: number | bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn))
}
