import type { CheckpointDtype } from './dtype'

/** A storage's place among the archive's files. */
export interface TorchStorage {
  readonly kind: 'storage'
  /** Undefined for an untyped storage, whose numel counts bytes. */
  readonly dtype: CheckpointDtype | undefined
  readonly key: string
  readonly numel: number
}

/** A tensor as a view on a storage. */
export interface TorchTensor {
  readonly kind: 'tensor'
  readonly storage: TorchStorage
  readonly dtype: CheckpointDtype
  readonly shape: readonly number[]
  /** Bytes into the storage. */
  readonly offset: number
  /** Steps per dimension in elements. */
  readonly strides: readonly number[]
}

/** A name the pickle may use; none of them is ever run, they only say what to build. */
export interface Global {
  readonly kind: 'global'
  readonly name: string
  readonly storage?: CheckpointDtype | 'untyped'
  readonly dtype?: CheckpointDtype
}

/** Lists and tuples are arrays, dicts are maps. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | PickleValue[]
  | Map<string | number, PickleValue>
  | Global
  | TorchStorage
  | TorchTensor

const STORAGES: Readonly<Record<string, CheckpointDtype | 'untyped'>> = {
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  DoubleStorage: 'F64',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  UntypedStorage: 'untyped',
}

const DTYPES: Readonly<Record<string, CheckpointDtype>> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  float64: 'F64',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
  float8_e4m3fn: 'F8_E4M3',
  float8_e5m2: 'F8_E5M2',
}

/** The only names a pickle may mention. */
export const GLOBALS: ReadonlyMap<string, Global> = new Map(
  [
    { name: 'collections.OrderedDict' },
    { name: 'torch._utils._rebuild_tensor_v2' },
    { name: 'torch._utils._rebuild_tensor_v3' },
    { name: 'torch._utils._rebuild_parameter' },
    { name: 'torch.storage.UntypedStorage', storage: 'untyped' as const },
    ...Object.entries(STORAGES).map(([name, storage]) => ({ name: `torch.${name}`, storage })),
    ...Object.entries(DTYPES).map(([name, dtype]) => ({ name: `torch.${name}`, dtype })),
  ].map((entry) => [entry.name, { kind: 'global', ...entry }]),
)

type Kinds = Global | TorchStorage | TorchTensor

/** True for one of our own records. */
export function isKind<K extends Kinds['kind']>(
  value: PickleValue | undefined,
  kind: K,
): value is Extract<Kinds, { kind: K }> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Uint8Array) &&
    value.kind === kind
  )
}

/** A value in a few words; never walks into it. */
export function describe(value: PickleValue | undefined): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value instanceof Map) return `a dict of ${value.size}`
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`
  if (typeof value === 'object') return value.kind === 'global' ? value.name : `a ${value.kind}`
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 80) : value)
}
