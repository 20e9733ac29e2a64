// A file as torch.save writes it: a zip archive of a pickle and of every tensor's bytes, a few megabytes at a time.

import { crc32 } from 'node:zlib'
import { elements } from './values.mjs'
import { OutputFile } from './output-file.mjs'

const STORAGE = { F16: 'HalfStorage', F32: 'FloatStorage' }
/** Where data begins, as torch.save has it. */
const ALIGNMENT = 64
/** Sizes and offsets above this need zip64, which is not written. */
const MAX_BYTES = 0xffffffff
/** Sizes and checksum stand behind the data; names are UTF-8. */
const FLAGS = 0x0808
/** 1980-01-01, the first day of zip's calendar. */
const DATE = 0x0021

/**
 * @param {string} path
 * @param {import('./values.mjs').TensorPlan[]} plans
 * @param {import('./values.mjs').Dtype} dtype
 * @param {import('./values.mjs').ValueSource} values
 * @returns {number} bytes of the file
 */
export function writeTorchFile(path, plans, dtype, values) {
  return OutputFile.write(path, (file) => {
    const archive = new Archive(file)
    archive.add('data.pkl', [stateDict(plans, dtype)])
    archive.add('byteorder', [Buffer.from('little')])
    for (const [i, plan] of plans.entries()) archive.add(`data/${i}`, values.bytes(plan, dtype))
    archive.add('version', [Buffer.from('3\n')])
    archive.end()
  })
}

/** Stored entries below one folder. */
class Archive {
  #file
  /** @type {Buffer[]} */
  #directory = []

  /** @param {OutputFile} file */
  constructor(file) {
    this.#file = file
  }

  /** @param {string} name @param {Iterable<Uint8Array>} pieces */
  add(name, pieces) {
    const path = Buffer.from(`archive/${name}`)
    const headerAt = this.#file.at
    // Padded in a field of its own: "FB", as PyTorch's writer names it.
    const padding = -(headerAt + 34 + path.length) & (ALIGNMENT - 1)
    const extra = Buffer.concat([Buffer.from('FB'), u16(padding), Buffer.alloc(padding)])
    const common = [u16(FLAGS), u16(0), u16(0), u16(DATE)]
    const header = [Buffer.from('PK\x03\x04'), u16(20), ...common, Buffer.alloc(12), u16(path.length)]
    this.#file.add(Buffer.concat([...header, u16(extra.length), path, extra]))
    const start = this.#file.at
    let crc = 0
    for (const piece of pieces) {
      crc = crc32(piece, crc)
      this.#file.add(piece)
    }
    const size = this.#file.at - start
    if (this.#file.at > MAX_BYTES) throw new Error(`${name}: expected an archive below 4 GiB; write shards`)
    const sizes = [u32(crc), u32(size), u32(size)]
    this.#file.add(Buffer.concat([Buffer.from('PK\x07\x08'), ...sizes]))
    const entry = [Buffer.from('PK\x01\x02'), u16(20), u16(20), ...common, ...sizes, u16(path.length)]
    this.#directory.push(Buffer.concat([...entry, Buffer.alloc(12), u32(headerAt), path]))
  }

  end() {
    const at = this.#file.at
    const bytes = Buffer.concat(this.#directory)
    const count = u16(this.#directory.length)
    this.#file.add(bytes)
    const end = [Buffer.from('PK\x05\x06'), Buffer.alloc(4), count, count, u32(bytes.length), u32(at), u16(0)]
    this.#file.add(Buffer.concat(end))
  }
}

/**
 * A pickle (protocol 2) of a dict of tensors, each in a storage of its own.
 * @param {import('./values.mjs').TensorPlan[]} plans
 * @param {import('./values.mjs').Dtype} dtype
 */
function stateDict(plans, dtype) {
  const items = plans.flatMap((plan, i) => {
    const { name, shape } = plan
    const strides = shape.map((_, d) => elements({ shape: shape.slice(d + 1) }))
    return [
      text(name),
      global('torch._utils', '_rebuild_tensor_v2'),
      '((',
      text('storage'),
      global('torch', STORAGE[dtype]),
      text(String(i)),
      text('cpu'),
      int(elements(plan)),
      'tQ',
      int(0),
      '(',
      ...shape.map(int),
      't(',
      ...strides.map(int),
      't\x89',
      global('collections', 'OrderedDict'),
      ')RtR',
    ]
  })
  const pieces = ['\x80\x02}(', ...items, 'u.']
  return Buffer.concat(
    pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)),
  )
}

/** @param {string} module @param {string} name */
const global = (module, name) => `c${module}\n${name}\n`
/** @param {number} value */
const int = (value) => Buffer.concat([Buffer.from('J'), u32(value)])
/** @param {string} value */
const text = (value) => {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from('X'), u32(bytes.length), bytes])
}

/** @param {number} value */
function u16(value) {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

/** @param {number} value */
function u32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
