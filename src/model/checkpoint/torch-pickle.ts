import { CheckpointError } from '../errors'
import { tensorBytes, type CheckpointDtype } from './dtype'
import {
  describe,
  GLOBALS,
  isKind,
  type Global,
  type PickleValue,
  type TorchStorage,
  type TorchTensor,
} from './torch-values'

const MARK = Symbol('mark')
type Slot = PickleValue | typeof MARK

/** Bytes of a pickle; the largest published ones take a few hundred kB. */
export const MAX_PICKLE_BYTES = 16 * 2 ** 20

/** Values it may make or go through; a published pickle makes about thirty for each tensor. */
const MAX_STEPS = 2 ** 20
/** Dimensions of a tensor; PyTorch's own limit. */
const MAX_DIMENSIONS = 64

/**
 * Reads a pickle that holds tensors, building nothing else: opcodes and names outside a short list end it. Nothing a
 * pickle names is ever looked up or called.
 *
 * Throws: CheckpointError naming what is not allowed or malformed.
 * Source: Python's pickletools (opcodes); PyTorch torch/_utils.py and torch/serialization.py (names).
 */
export function readTorchPickle(bytes: Uint8Array, where: string): PickleValue {
  return new PickleReader(bytes, where).run()
}

class PickleReader {
  private readonly view: DataView
  private at = 0
  private steps = 0
  private readonly stack: Slot[] = []
  private readonly memo = new Map<number, PickleValue>()

  constructor(
    private readonly bytes: Uint8Array,
    private readonly where: string,
  ) {
    if (bytes.byteLength > MAX_PICKLE_BYTES) {
      throw this.malformed(`a pickle of at most ${MAX_PICKLE_BYTES} bytes, got ${bytes.byteLength}`)
    }
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  run(): PickleValue {
    for (;;) {
      const position = this.at
      this.count(1)
      const code = String.fromCharCode(this.bytes[this.skip(1)]!)
      if (code === '.') return this.pop()
      if (!this.step(code)) {
        const hex = code.charCodeAt(0).toString(16).padStart(2, '0')
        throw this.refused(`opcode 0x${hex} at byte ${position}`)
      }
    }
  }

  /** Runs one opcode; false when it is not allowed. */
  private step(code: string): boolean {
    switch (code) {
      case '\x80': // PROTO
        return this.skip(1) >= 0
      case '\x95': // FRAME
        return this.skip(8) >= 0
      case '(':
        return this.push(MARK)
      case '0':
        this.stack.pop()
        return true
      case '1':
        this.popMark()
        return true
      case '2':
        return this.push(this.peek())
      case 'N':
        return this.push(null)
      case '\x88':
        return this.push(true)
      case '\x89':
        return this.push(false)
      case 'J':
        return this.push(this.view.getInt32(this.skip(4), true))
      case 'K':
        return this.push(this.view.getUint8(this.skip(1)))
      case 'M':
        return this.push(this.view.getUint16(this.skip(2), true))
      case '\x8a': // LONG1
        return this.push(this.long(this.view.getUint8(this.skip(1))))
      case 'G':
        return this.push(this.view.getFloat64(this.skip(8)))
      case 'X':
        return this.push(this.text(this.view.getUint32(this.skip(4), true)))
      case '\x8c':
        return this.push(this.text(this.view.getUint8(this.skip(1))))
      case 'C':
      case 'U':
        return this.push(this.raw(this.view.getUint8(this.skip(1)), code === 'U'))
      case 'B':
      case 'T':
        return this.push(this.raw(this.view.getUint32(this.skip(4), true), code === 'T'))
      case '}':
        return this.push(new Map())
      case 'd':
        return this.push(this.fill(new Map(), this.popMark()))
      case 's': {
        const value = this.pop()
        const key = this.pop()
        this.fill(this.dict(this.peek()), [key, value])
        return true
      }
      case 'u': {
        const items = this.popMark()
        this.fill(this.dict(this.peek()), items)
        return true
      }
      case ']':
      case ')':
        return this.push([])
      case 'l':
      case 't':
        return this.push(this.popMark())
      case 'a': {
        const value = this.pop()
        this.list(this.peek()).push(value)
        return true
      }
      case 'e': {
        const items = this.popMark()
        const list = this.list(this.peek())
        for (const item of items) list.push(item)
        return true
      }
      case '\x85':
        return this.push(this.take(1))
      case '\x86':
        return this.push(this.take(2))
      case '\x87':
        return this.push(this.take(3))
      case 'h':
        return this.push(this.recall(this.view.getUint8(this.skip(1))))
      case 'j':
        return this.push(this.recall(this.view.getUint32(this.skip(4), true)))
      case 'q':
        this.memo.set(this.view.getUint8(this.skip(1)), this.peek())
        return true
      case 'r':
        this.memo.set(this.view.getUint32(this.skip(4), true), this.peek())
        return true
      case '\x94':
        this.memo.set(this.memo.size, this.peek())
        return true
      case 'c':
        return this.push(this.global(this.line(), this.line()))
      case '\x93': {
        const [module, name] = this.take(2)
        return this.push(this.global(String(module), String(name)))
      }
      case 'Q':
        return this.push(this.storage(this.pop()))
      case 'R': {
        const args = this.list(this.pop())
        return this.push(this.build(this.pop(), args))
      }
      case 'b': // BUILD: a state dict's _metadata, of no use here.
        this.pop()
        this.dict(this.peek())
        return true
      default:
        return false
    }
  }

  private build(what: PickleValue, args: PickleValue[]): PickleValue {
    if (!isKind(what, 'global')) throw this.malformed(`a name to build from, got ${describe(what)}`)
    switch (what.name) {
      case 'collections.OrderedDict': {
        const pairs = args.length === 0 ? [] : this.list(args[0]!)
        this.count(pairs.length)
        return this.fill(
          new Map(),
          pairs.flatMap((pair) => this.list(pair).slice(0, 2)),
        )
      }
      case 'torch._utils._rebuild_parameter':
        return this.tensorOf(args[0])
      case 'torch._utils._rebuild_tensor_v2':
        return this.tensor(args)
      case 'torch._utils._rebuild_tensor_v3': {
        const dtype = args[6]
        if (!isKind(dtype, 'global') || dtype.dtype === undefined) {
          throw this.malformed(`a dtype for _rebuild_tensor_v3, got ${describe(dtype)}`)
        }
        return this.tensor(args, dtype.dtype)
      }
      default:
        throw this.refused(`a call of ${what.name}`)
    }
  }

  private tensor([storage, offset, size, stride]: PickleValue[], viewedAs?: CheckpointDtype): TorchTensor {
    if (!isKind(storage, 'storage')) throw this.malformed(`a storage for a tensor, got ${describe(storage)}`)
    const dtype = viewedAs ?? storage.dtype
    if (dtype === undefined) throw this.malformed('a typed storage for a tensor, got an untyped one')
    const shape = this.sizes(size)
    const strides = this.sizes(stride)
    if (strides.length !== shape.length) {
      throw this.malformed(`${shape.length} strides for a tensor, got ${strides.length}`)
    }
    const elements = this.size(offset)
    const offsetBytes = tensorBytes(dtype, [elements])
    if (offsetBytes === undefined)
      throw this.malformed(`an offset below 2^53 bytes, got ${elements} elements`)
    return { kind: 'tensor', storage, dtype, shape, strides, offset: offsetBytes }
  }

  /** ('storage', type, key, device, numel), which torch.save puts in the place of bytes. */
  private storage(id: PickleValue): TorchStorage {
    const [tag, type, key, , numel] = this.list(id)
    if (
      tag !== 'storage' ||
      typeof key !== 'string' ||
      !isKind(type, 'global') ||
      type.storage === undefined
    ) {
      throw this.refused(
        `a persistent id other than a tensor's storage (${describe(tag)}, ${describe(type)})`,
      )
    }
    const dtype = type.storage === 'untyped' ? undefined : type.storage
    return { kind: 'storage', dtype, key, numel: this.size(numel) }
  }

  private global(module: string, name: string): Global {
    const full = `${module}.${name}`
    const found = GLOBALS.get(full)
    if (!found) throw this.refused(`the name ${JSON.stringify(full.slice(0, 120))}`)
    return found
  }

  private tensorOf(value: PickleValue | undefined): TorchTensor {
    if (isKind(value, 'tensor')) return value
    throw this.malformed(`a tensor, got ${describe(value)}`)
  }

  private fill(dict: Map<string | number, PickleValue>, items: PickleValue[]) {
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]
      const value = items[i + 1]
      if ((typeof key !== 'string' && typeof key !== 'number') || value === undefined) {
        throw this.malformed(`text or a number as key of a dict, got ${describe(key)}`)
      }
      dict.set(key, value)
    }
    return dict
  }

  private dict(value: PickleValue): Map<string | number, PickleValue> {
    if (value instanceof Map) return value
    throw this.malformed(`a dict, got ${describe(value)}`)
  }

  private list(value: PickleValue): PickleValue[] {
    if (Array.isArray(value)) return value
    throw this.malformed(`a list or tuple, got ${describe(value)}`)
  }

  private sizes(value: PickleValue | undefined): number[] {
    const dims = this.list(value ?? null)
    if (dims.length > MAX_DIMENSIONS) {
      throw this.malformed(`a tensor of at most ${MAX_DIMENSIONS} dimensions, got ${dims.length}`)
    }
    return dims.map((dim) => this.size(dim))
  }

  private size(value: PickleValue | undefined): number {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw this.malformed(`a size from 0 to 2^53 - 1, got ${describe(value)}`)
  }

  /** What one opcode repeats is counted as often: a list that is remembered may be gone through again and again. */
  private count(steps: number): void {
    this.steps += steps
    if (this.steps > MAX_STEPS) throw this.malformed(`at most ${MAX_STEPS} steps, got more`)
  }

  private push(value: Slot): true {
    this.stack.push(value)
    return true
  }

  private pop(): PickleValue {
    const value = this.stack.pop()
    if (value === undefined || value === MARK) throw this.malformed('a value on the stack, got none')
    return value
  }

  private peek(): PickleValue {
    const value = this.stack.at(-1)
    if (value === undefined || value === MARK) throw this.malformed('a value on the stack, got none')
    return value
  }

  private take(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).reverse()
  }

  private popMark(): PickleValue[] {
    const mark = this.stack.lastIndexOf(MARK)
    if (mark < 0) throw this.malformed('a mark on the stack, got none')
    const items = this.stack.splice(mark + 1) as PickleValue[]
    this.stack.pop()
    return items
  }

  private recall(index: number): PickleValue {
    const value = this.memo.get(index)
    if (value === undefined) throw this.malformed(`something remembered under ${index}, got nothing`)
    return value
  }

  /** A little-endian integer of some bytes; above 2^53 as a number that no size check takes. */
  private long(length: number): number {
    const start = this.skip(length)
    let value = 0n
    for (let i = length - 1; i >= 0; i--) value = value * 256n + BigInt(this.bytes[start + i]!)
    return Number(length > 0 ? BigInt.asIntN(8 * length, value) : 0n)
  }

  private text(length: number): string {
    const start = this.skip(length)
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.bytes.subarray(start, start + length),
      )
    } catch {
      throw this.malformed('text in UTF-8, got other bytes')
    }
  }

  /** Bytes, or the text of Python 2's strings. */
  private raw(length: number, isText: boolean): string | Uint8Array {
    if (isText) return this.text(length)
    const start = this.skip(length)
    return this.bytes.subarray(start, start + length)
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.at)
    if (end < 0) throw this.malformed("a line's end, got none")
    const text = this.text(end - this.at)
    this.at = end + 1
    return text
  }

  /** Moves past some bytes. Returns: where they begin. */
  private skip(length: number): number {
    const start = this.at
    if (start + length > this.bytes.byteLength) {
      throw this.malformed(`${start + length} bytes, got ${this.bytes.byteLength}`)
    }
    this.at = start + length
    return start
  }

  private refused(what: string): CheckpointError {
    return new CheckpointError(
      `${this.where}: expected a pickle of tensors and nothing else, got ${what}; nothing of it was run. ` +
        'Do not load this file in Python unless you trust where it comes from; ask for safetensors instead',
    )
  }

  private malformed(expected: string): CheckpointError {
    return new CheckpointError(
      `${this.where}: expected ${expected}; the pickle is damaged, download the file again`,
    )
  }
}
