import { ImageError } from '../errors'
import { MAX_PIXELS, type RgbImage } from './image'

/** Names of PIL's filters; `resample` in a preprocessor_config.json holds PIL's number for one. */
export type ResampleFilter = 'nearest' | 'lanczos' | 'bilinear' | 'bicubic' | 'box' | 'hamming'

/**
 * Whose arithmetic is followed, to the last bit. Both widen the filter when shrinking and round after each pass; PIL's
 * weights have 22 fraction bits, torchvision's fit 16 bits with as many fraction bits as the largest of them allows.
 */
export type ResizeLibrary = 'pil' | 'torchvision'

type SmoothFilter = Exclude<ResampleFilter, 'nearest'>

/**
 * Resizes an 8-bit RGB picture exactly as `PIL.Image.resize` or torchvision does: the filter is widened when shrinking,
 * rows first and columns second, each pass in fixed point and rounded and clipped to 8 bits.
 *
 * The order of the passes is that of Pillow up to 12 and of torchvision. Pillow 13 runs the columns first where the
 * height shrinks more than the width (python-pillow/Pillow#9549), which moves a few pixels next to hard edges.
 *
 * Shapes: image [h, w, 3] → [height, width, 3].
 * Throws: ImageError for sizes without area or above the pixel limit.
 * Source: Pillow 12.3, libImaging/Resample.c and Geometry.c; PyTorch, aten/native/cpu/UpSampleKernel.cpp
 * (compute_index_ranges_int16_weights).
 */
export function resize(
  image: RgbImage,
  width: number,
  height: number,
  filter: ResampleFilter,
  library: ResizeLibrary = 'pil',
): RgbImage {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width >= 1 && height >= 1)) {
    throw new ImageError(`resize: expected a whole size of at least 1 x 1, got ${width} x ${height}.`)
  }
  if (width * height > MAX_PIXELS) {
    throw new ImageError(
      `resize: a picture of ${image.width} x ${image.height} would become ${width} x ${height}, more than ` +
        `${MAX_PIXELS / 1e6} megapixels. Crop it to a less extreme shape first.`,
    )
  }
  if (width === image.width && height === image.height) return image
  if (filter === 'nearest') return resizeNearest(image, width, height)
  // Pillow 12 makes this exception for very tall pictures.
  if (library === 'pil' && image.height > image.width * 100 && height < image.height) {
    return resampleRows(resampleColumns(image, height, filter, library), width, filter, library)
  }
  return resampleColumns(resampleRows(image, width, filter, library), height, filter, library)
}

const FILTERS: Record<SmoothFilter, { support: number; weight: (x: number) => number }> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

function sinc(x: number): number {
  if (x === 0) return 1
  const t = x * Math.PI
  return Math.sin(t) / t
}

// PIL writes these two constants in single precision.
const HAMMING_MEAN = Math.fround(0.54)
const HAMMING_SWING = Math.fround(0.46)

function hamming(x: number): number {
  if (x === 0) return 1
  const t = Math.abs(x) * Math.PI
  return Math.abs(x) >= 1 ? 0 : (Math.sin(t) / t) * (HAMMING_MEAN + HAMMING_SWING * Math.cos(t))
}

/** Keys' cubic with a = -0.5. */
function bicubic(x: number): number {
  const a = -0.5
  const d = Math.abs(x)
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a
  return 0
}

/** Most fraction bits of a weight: 8 bits of result and two spare ones for weights below 0 and sums above 1. */
const PRECISION_BITS = 32 - 8 - 2

/** Fraction bits of the weights along one axis. */
function precisionOf(largest: number, library: ResizeLibrary): number {
  if (library === 'pil') return PRECISION_BITS
  let bits = 0
  while (bits < PRECISION_BITS && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 1 << 15) bits++
  return bits
}

interface Weights {
  /** First input position of each output position. */
  first: Int32Array
  /** Input positions each output position draws on. */
  count: Int32Array
  /** Fixed-point weights, `stride` for each output position. */
  values: Int32Array
  stride: number
  /** Fraction bits of the weights. */
  bits: number
}

/** Which input positions make up each output position along one axis, and how much each counts. */
function computeWeights(
  inSize: number,
  outSize: number,
  { support, weight }: (typeof FILTERS)[SmoothFilter],
  library: ResizeLibrary,
): Weights {
  const scale = inSize / outSize
  const filterScale = Math.max(scale, 1)
  const radius = support * filterScale
  const stride = Math.ceil(radius) * 2 + 1
  const first = new Int32Array(outSize)
  const count = new Int32Array(outSize)
  const shares = new Float64Array(outSize * stride)
  const row = new Float64Array(stride)
  let largest = 0
  for (let out = 0; out < outSize; out++) {
    const center = (out + 0.5) * scale
    const from = Math.max(0, Math.trunc(center - radius + 0.5))
    const n = Math.min(inSize, Math.trunc(center + radius + 0.5)) - from
    let sum = 0
    for (let i = 0; i < n; i++) {
      const w = weight((i + from - center + 0.5) * (1 / filterScale))
      row[i] = w
      sum += w
    }
    for (let i = 0; i < n; i++) {
      const share = sum !== 0 ? row[i]! / sum : row[i]!
      shares[out * stride + i] = share
      largest = Math.max(largest, share)
    }
    first[out] = from
    count[out] = n
  }
  const bits = precisionOf(largest, library)
  const values = Int32Array.from(shares, (share) => {
    const w = share * 2 ** bits
    return Math.trunc(w < 0 ? w - 0.5 : w + 0.5)
  })
  return { first, count, values, stride, bits }
}

/** Changes the length of every row. Shapes: [h, w, 3] → [h, width, 3]. */
function resampleRows(
  image: RgbImage,
  width: number,
  filter: SmoothFilter,
  library: ResizeLibrary,
): RgbImage {
  if (width === image.width) return image
  const { first, count, values, stride, bits } = computeWeights(image.width, width, FILTERS[filter], library)
  const half = 1 << (bits - 1)
  const { data, height } = image
  const out = new Uint8Array(width * height * 3)
  let to = 0
  for (let y = 0; y < height; y++) {
    const line = y * image.width * 3
    for (let x = 0; x < width; x++, to += 3) {
      let r = half
      let g = half
      let b = half
      let at = line + first[x]! * 3
      const start = x * stride
      const end = start + count[x]!
      for (let k = start; k < end; k++, at += 3) {
        const w = values[k]!
        r = (r + Math.imul(data[at]!, w)) | 0
        g = (g + Math.imul(data[at + 1]!, w)) | 0
        b = (b + Math.imul(data[at + 2]!, w)) | 0
      }
      out[to] = clip8(r, bits)
      out[to + 1] = clip8(g, bits)
      out[to + 2] = clip8(b, bits)
    }
  }
  return { width, height, channels: 3, data: out }
}

/** Changes the length of every column, a row of sums at a time. Shapes: [h, w, 3] → [height, w, 3]. */
function resampleColumns(
  image: RgbImage,
  height: number,
  filter: SmoothFilter,
  library: ResizeLibrary,
): RgbImage {
  if (height === image.height) return image
  const { first, count, values, stride, bits } = computeWeights(
    image.height,
    height,
    FILTERS[filter],
    library,
  )
  const half = 1 << (bits - 1)
  const { data, width } = image
  const rowLength = width * 3
  const out = new Uint8Array(rowLength * height)
  const sums = new Int32Array(rowLength)
  for (let y = 0; y < height; y++) {
    sums.fill(half)
    for (let k = 0; k < count[y]!; k++) {
      const w = values[y * stride + k]!
      const line = (first[y]! + k) * rowLength
      for (let i = 0; i < rowLength; i++) sums[i] = sums[i]! + Math.imul(data[line + i]!, w)
    }
    const to = y * rowLength
    for (let i = 0; i < rowLength; i++) out[to + i] = clip8(sums[i]!, bits)
  }
  return { width, height, channels: 3, data: out }
}

function clip8(sum: number, bits: number): number {
  const value = sum >> bits
  return value < 0 ? 0 : value > 255 ? 255 : value
}

function resizeNearest(image: RgbImage, width: number, height: number): RgbImage {
  const columns = nearestPositions(image.width, width)
  const rows = nearestPositions(image.height, height)
  const out = new Uint8Array(width * height * 3)
  let to = 0
  for (let y = 0; y < height; y++) {
    const line = rows[y]! * image.width * 3
    for (let x = 0; x < width; x++, to += 3) {
      const at = line + columns[x]! * 3
      out[to] = image.data[at]!
      out[to + 1] = image.data[at + 1]!
      out[to + 2] = image.data[at + 2]!
    }
  }
  return { width, height, channels: 3, data: out }
}

/** The input position under the middle of each output position; the steps are summed up, as PIL does. */
function nearestPositions(inSize: number, outSize: number): Int32Array {
  const step = inSize / outSize
  const positions = new Int32Array(outSize)
  for (let i = 0, at = step * 0.5; i < outSize; i++, at += step) {
    positions[i] = Math.min(inSize - 1, Math.trunc(at))
  }
  return positions
}
