// A safetensors file, a few megabytes at a time.

import { elements, ELEMENT_BYTES } from './values.mjs'
import { OutputFile } from './output-file.mjs'

/**
 * @param {string} path
 * @param {import('./values.mjs').TensorPlan[]} plans
 * @param {import('./values.mjs').Dtype} dtype
 * @param {import('./values.mjs').ValueSource} values
 * @returns {number} bytes of the file
 */
export function writeSafetensors(path, plans, dtype, values) {
  let offset = 0
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: 'pt' } }
  for (const plan of plans) {
    const end = offset + elements(plan) * ELEMENT_BYTES[dtype]
    header[plan.name] = { dtype, shape: plan.shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = JSON.stringify(header)
  const padded = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  return OutputFile.write(path, (file) => {
    file.add(length)
    file.add(padded)
    for (const plan of plans) for (const piece of values.bytes(plan, dtype)) file.add(piece)
  })
}
