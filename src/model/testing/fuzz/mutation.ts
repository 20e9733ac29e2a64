import fc from 'fast-check'

/** Numbers at which readers go wrong. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]

type Edit = (bytes: Uint8Array, at: number, value: number, other: Uint8Array) => Uint8Array

const splice = (bytes: Uint8Array, at: number, removed: number, ...inserted: Uint8Array[]): Uint8Array =>
  Buffer.concat([bytes.subarray(0, at), ...inserted, bytes.subarray(at + removed)])

const written = (
  bytes: Uint8Array,
  at: number,
  write: (view: DataView, at: number) => void,
  size: number,
) => {
  const copy = Uint8Array.from(bytes)
  if (at + size <= copy.length) write(new DataView(copy.buffer), at)
  return copy
}

const EDITS: readonly Edit[] = [
  (bytes, at, value) => written(bytes, at, (view) => view.setUint8(at, value), 1),
  (bytes, at, value) =>
    written(bytes, at, (view) => view.setUint8(at, view.getUint8(at) ^ (1 << (value & 7))), 1),
  (bytes, at, value) => written(bytes, at, (view) => view.setUint16(at, edge(value), value % 2 === 0), 2),
  (bytes, at, value) => written(bytes, at, (view) => view.setUint32(at, edge(value), value % 2 === 0), 4),
  (bytes, at, value) =>
    written(bytes, at, (view) => view.setBigUint64(at, 1n << BigInt(value & 63), value % 2 === 0), 8),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, value) => splice(bytes, at, value & 15),
  (bytes, at, value) => splice(bytes, at, 0, bytes.subarray(at, at + (value & 63))),
  (bytes, at, value) => splice(bytes, at, 0, new Uint8Array(value & 31).fill(value >>> 8)),
  (bytes, at, value, other) =>
    splice(bytes, at, value & 31, other.subarray(value % (other.length + 1)).subarray(0, 64)),
]

const edge = (value: number) => EDGES[(value >>> 1) % EDGES.length]!

/**
 * Bytes near some that are well formed: a seed with up to eight edits, one of which may come from another seed.
 *
 * Shrinks to fewer edits.
 */
export function mutated(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    kind: fc.nat(EDITS.length - 1),
    place: fc.nat(),
    value: fc.nat(),
    other: fc.nat(),
  })
  return fc.tuple(fc.nat(seeds.length - 1), fc.array(edit, { maxLength: 8 })).map(([seed, edits]) =>
    edits.reduce((bytes, { kind, place, value, other }) => {
      const at = place % (bytes.length + 1)
      return EDITS[kind]!(bytes, at, value, seeds[other % seeds.length]!)
    }, seeds[seed]!),
  )
}

/** Values that stand where others are expected. */
const hostileValue = fc.oneof(
  fc.constantFrom<unknown[]>(
    ...[null, true, false, '', 'x', '__proto__', 'constructor', '../x', [], {}, [[]], [null], { a: 1 }],
    ...[
      0,
      -0,
      -1,
      1,
      0.5,
      1e-320,
      1e308,
      -1e308,
      2 ** 31,
      2 ** 32,
      2 ** 53 - 1,
      2 ** 53,
      2 ** 60,
      12345,
      65536,
      4099,
    ],
    ...['\ud800', '\u0000', 'a'.repeat(300), '9'.repeat(40), ['a', 'b'], [1, -1], [2 ** 31, 2 ** 31]],
    JSON.parse('{"__proto__": {"model_type": "llama"}}'),
  ),
  fc.integer(),
  fc.double(),
  fc.string(),
)

/**
 * JSON near some that is well formed: values are replaced, taken away, moved or given twice, at any depth.
 *
 * Shrinks to fewer changes.
 */
export function mutatedJson(seeds: readonly unknown[], maxChanges = 3): fc.Arbitrary<unknown> {
  const change = fc.record({ kind: fc.nat(5), path: fc.nat(), value: hostileValue, name: fc.nat() })
  return fc
    .tuple(fc.nat(seeds.length - 1), fc.array(change, { maxLength: maxChanges }))
    .map(([seed, changes]) => {
      const root = { value: structuredClone(seeds[seed]) }
      for (const { kind, path, value, name } of changes) {
        const places = placesOf(root)
        if (places.length === 0) break
        const [holder, key] = places[path % places.length]!
        const [, other] = places[name % places.length]!
        if (kind <= 2) holder[key] = value
        else if (kind === 3 && Array.isArray(holder)) holder.splice(Number(key), 1)
        else if (kind === 3) delete holder[key]
        else if (kind === 4) holder[other] = holder[key]
        else holder[key] = [holder[key], holder[key]]
      }
      return root.value
    })
}

type Holder = Record<string, unknown>

function placesOf(holder: Holder): [Holder, string][] {
  return Object.keys(holder).flatMap((key): [Holder, string][] => {
    const value = holder[key]
    const within = typeof value === 'object' && value !== null ? placesOf(value as Holder) : []
    return [[holder, key], ...within]
  })
}

/** UTF-8 of JSON. */
export const jsonBytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value) ?? '')
