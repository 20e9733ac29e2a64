// The part of protocol buffers' wire format that ONNX files need.
// Source: protobuf.dev/programming-guides/encoding.

/** @typedef {number | bigint | string | Uint8Array | Message | (number | bigint | string | Uint8Array | Message)[]} Value */

/** A message's fields in order. */
export class Message {
  /** @type {Uint8Array[]} */
  #parts = []

  /** An integer field, or several of one number. @param {number} field @param {number | bigint | (number | bigint)[]} value */
  int(field, value) {
    for (const item of Array.isArray(value) ? value : [value]) {
      this.#parts.push(varint(BigInt(field) << 3n), varint(BigInt.asUintN(64, BigInt(item))))
    }
    return this
  }

  /** A float field. @param {number} field @param {number} value */
  float(field, value) {
    const bytes = new Uint8Array(new Float32Array([value]).buffer)
    this.#parts.push(varint((BigInt(field) << 3n) | 5n), bytes)
    return this
  }

  /** Text, bytes or a message, or several. @param {number} field @param {string | Uint8Array | Message | (string | Message)[]} value */
  bytes(field, value) {
    for (const item of Array.isArray(value) ? value : [value]) {
      const data =
        typeof item === 'string' ? Buffer.from(item) : item instanceof Message ? item.encode() : item
      this.#parts.push(varint((BigInt(field) << 3n) | 2n), varint(BigInt(data.length)), data)
    }
    return this
  }

  encode() {
    return Buffer.concat(this.#parts)
  }
}

/** @param {bigint} value */
function varint(value) {
  const bytes = []
  for (; value >= 128n; value >>= 7n) bytes.push(Number(value & 127n) | 128)
  bytes.push(Number(value))
  return Uint8Array.from(bytes)
}
