import { viewOf } from './bytes'
import { damaged, truncated } from './format'
import { checkPictureSize, type RgbImage } from './image'

/**
 * The first frame of a GIF file on its screen.
 *
 * What the frame leaves uncovered takes the transparent colour if there is one, else colour 0; a frame that
 * reaches beyond the screen enlarges it; the colour of transparent pixels counts.
 *
 * Throws: ImageError for files that are cut short, damaged, or too large.
 * Source: GIF89a specification (CompuServe, 1990); the corner cases follow PIL's GifImagePlugin.
 */
export function decodeGif(bytes: Uint8Array): RgbImage {
  const frame = readFirstFrame(bytes)
  const width = Math.max(frame.screenWidth, frame.left + frame.width)
  const height = Math.max(frame.screenHeight, frame.top + frame.height)
  checkPictureSize('decode image', frame.width, frame.height)
  checkPictureSize('decode image', width, height)

  // A code takes two bits at least and stands for 4096 pixels at most.
  if (frame.width * frame.height > (bytes.length - frame.dataStart) * 4 * 4096) throw truncated('gif', bytes)
  const indices = inflateLzw(bytes, frame.dataStart, frame.width * frame.height)
  const colours = paletteOf(frame.palette)
  const data = new Uint8Array(width * height * 3)
  const put = (index: number, at: number) => {
    data[at] = colours[index * 3]!
    data[at + 1] = colours[index * 3 + 1]!
    data[at + 2] = colours[index * 3 + 2]!
  }

  const background = frame.transparentIndex ?? 0
  if (frame.width !== width || frame.height !== height) {
    for (let at = 0; at < data.length; at += 3) put(background, at)
  }
  const rows = frame.interlaced ? interlacedRows(frame.height) : undefined
  for (let i = 0, from = 0; i < frame.height; i++) {
    let at = ((frame.top + (rows ? rows[i]! : i)) * width + frame.left) * 3
    for (let x = 0; x < frame.width; x++, at += 3) put(indices[from++]!, at)
  }
  return { width, height, channels: 3, data }
}

interface Frame {
  screenWidth: number
  screenHeight: number
  left: number
  top: number
  width: number
  height: number
  interlaced: boolean
  /** Red, green, blue triples; undefined means shades of grey. */
  palette: Uint8Array | undefined
  transparentIndex: number | undefined
  /** Where the minimum code size byte lies. */
  dataStart: number
}

function readFirstFrame(bytes: Uint8Array): Frame {
  const view = viewOf(bytes)
  const need = (end: number) => {
    if (end > bytes.length) throw truncated('gif', bytes)
  }
  need(13)
  const screenWidth = view.getUint16(6, true)
  const screenHeight = view.getUint16(8, true)
  let at = 13
  const readPalette = (flags: number): Uint8Array | undefined => {
    if (!(flags & 0x80)) return undefined
    const end = at + (3 << ((flags & 7) + 1))
    need(end)
    const palette = bytes.subarray(at, end)
    at = end
    return palette
  }
  const globalPalette = readPalette(bytes[10]!)
  let transparentIndex: number | undefined

  for (;;) {
    need(at + 1)
    const block = bytes[at++]!
    if (block === 0x2c) {
      need(at + 9)
      const left = view.getUint16(at, true)
      const top = view.getUint16(at + 2, true)
      const width = view.getUint16(at + 4, true)
      const height = view.getUint16(at + 6, true)
      const flags = bytes[at + 8]!
      at += 9
      const palette = readPalette(flags) ?? globalPalette
      const interlaced = (flags & 0x40) !== 0
      // prettier-ignore
      return { screenWidth, screenHeight, left, top, width, height, interlaced, palette, transparentIndex, dataStart: at }
    }
    if (block === 0x3b) throw damaged('gif', 'it holds no picture')
    if (block !== 0x21) continue // stray bytes between blocks are skipped
    need(at + 2)
    const isGraphicControl = bytes[at] === 0xf9
    if (isGraphicControl && bytes[at + 1]! >= 4) {
      need(at + 6)
      if (bytes[at + 2]! & 1) transparentIndex = bytes[at + 5]!
    }
    at += 1
    for (;;) {
      need(at + 1)
      const length = bytes[at]!
      at += 1 + length
      if (length === 0) break
    }
  }
}

/** 256 colours: those a palette does not reach are black; without a palette they are shades of grey. */
function paletteOf(given: Uint8Array | undefined): Uint8Array {
  const palette = new Uint8Array(768)
  if (given) palette.set(given)
  else for (let i = 0; i < 256; i++) palette.fill(i, i * 3, i * 3 + 3)
  return palette
}

/** The row each stored row belongs to: every 8th from 0, every 8th from 4, every 4th from 2, every 2nd from 1. */
function interlacedRows(height: number): number[] {
  const rows: number[] = []
  const passes = [[0, 8], [4, 8], [2, 4], [1, 2]] as const // prettier-ignore
  for (const [start, step] of passes) for (let y = start; y < height; y += step) rows.push(y)
  return rows
}

/** Decompresses one frame's colour indices. */
function inflateLzw(bytes: Uint8Array, start: number, count: number): Uint8Array {
  const minBits = bytes[start]
  if (minBits === undefined) throw truncated('gif', bytes)
  if (minBits < 1 || minBits > 8) throw damaged('gif', `its code size is ${minBits}`)
  const clear = 1 << minBits
  const end = clear + 1

  // Code c stands for the string of code prefix[c] followed by suffix[c].
  const prefix = new Uint16Array(4096)
  const suffix = new Uint8Array(4096)
  const lengths = new Uint16Array(4096)
  for (let c = 0; c < clear; c++) {
    suffix[c] = c
    lengths[c] = 1
  }

  const out = new Uint8Array(count)
  let written = 0
  let codeBits = minBits + 1
  let next = end + 1
  let previous = -1
  let at = start + 1
  let blockEnd = at
  let bits = 0
  let bitCount = 0

  while (written < count) {
    while (bitCount < codeBits) {
      if (at === blockEnd) {
        const length = bytes[at]
        if (length === undefined || length === 0) throw truncated('gif', bytes)
        at += 1
        blockEnd = at + length
      }
      const byte = bytes[at++]
      if (byte === undefined) throw truncated('gif', bytes)
      bits |= byte << bitCount
      bitCount += 8
    }
    const code = bits & ((1 << codeBits) - 1)
    bits >>>= codeBits
    bitCount -= codeBits

    if (code === clear) {
      codeBits = minBits + 1
      next = end + 1
      previous = -1
      continue
    }
    if (code === end) throw truncated('gif', bytes)
    if (code > next || (code === next && previous < 0) || (previous < 0 && code >= clear)) {
      throw damaged('gif', 'a code refers to a string not seen yet')
    }

    // The string of `code`; for the code about to be made it is the previous string and its own first index.
    const known = code < next ? code : previous
    const length = lengths[known]!
    let c = known
    for (let i = written + length - 1; i >= written; i--) {
      if (i < count) out[i] = suffix[c]!
      c = prefix[c]!
    }
    const first = out[written]!
    written += length
    if (known !== code && written < count) out[written++] = first

    if (previous >= 0 && next < 4096) {
      prefix[next] = previous
      suffix[next] = first
      lengths[next] = lengths[previous]! + 1
      next += 1
      if (next === 1 << codeBits && codeBits < 12) codeBits += 1
    }
    previous = code
  }
  return out
}
