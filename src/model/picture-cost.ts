import { elementCount, type Capabilities } from '../kernels'
import type { TowerBlueprint } from './family/definition'
import type { ParameterSpecs } from './parameters'

/** What it takes a tower to see one picture. */
export interface PictureCost {
  /** Temporaries at once, at most. */
  readonly activationBytes: number
  /** The largest of them. */
  readonly tensorBytes: number
  /** Multiply-adds times two, at most; 0 where another engine does them. */
  readonly flops: number
}

/**
 * Pictures that a tower sees at once, at most: four make products of some 2,500 rows, and a reader who stops an answer
 * waits for no more. Not measured on a GPU.
 */
export const MOST_AT_ONCE = 4

/** The most outputs of a matrix below a prefix. */
export const widestMatrix = (specs: ParameterSpecs, prefix: string) =>
  Math.max(0, ...matricesBelow(specs, prefix).map(([rows]) => rows))

const matricesBelow = (specs: ParameterSpecs, prefix: string) =>
  Object.entries(specs)
    .filter(([name, { kind }]) => kind === 'matrix' && name.startsWith(prefix))
    .map(([, { shape }]) => [shape[0]!, elementCount(shape)] as const)

export function pictureCost({ prefix, tower, tokens }: TowerBlueprint, specs: ParameterSpecs): PictureCost {
  const { patchTokens, hiddenSize, imageSize, maps } = tower.config
  const below = `${prefix}.`
  const elements = matricesBelow(specs, below).reduce((sum, [, count]) => sum + count, 0)
  // A pyramid's later stages have fewer rows.
  const flops = 2 * patchTokens * elements
  const pixelBytes = 3 * imageSize ** 2 * 4
  if (maps) {
    const mapBytes = maps.map(({ side, width }) => side * side * width * 4)
    return {
      // The maps themselves and a few copies of the finest; wider rows run in tiles.
      activationBytes: mapBytes.reduce((sum, bytes) => sum + bytes, 4 * patchTokens * maps[0]!.width * 4),
      tensorBytes: Math.max(pixelBytes, ...mapBytes),
      flops,
    }
  }
  const rows = Math.max(patchTokens + 1, tokens ?? 0)
  const widest = widestMatrix(specs, below)
  return {
    // About ten rows of the width and two of the MLP.
    activationBytes: rows * (10 * hiddenSize + 2 * widest) * 4,
    tensorBytes: Math.max(pixelBytes, rows * Math.max(hiddenSize, widest) * 4),
    flops,
  }
}

/**
 * How many pictures a tower sees at once: as many as fit, at least one.
 *
 * Units: `spareBytes` of GPU memory that nothing else needs meanwhile; one picture's share is planned for without it.
 */
export function picturesAtOnce(
  { activationBytes, tensorBytes, flops }: PictureCost,
  spareBytes: number,
  { maxBindingBytes, isSoftware, maxDispatchFlops }: PictureLimits,
): number {
  const fitting = 1 + Math.floor(spareBytes / activationBytes)
  // A temporary's buffer may be a quarter longer than what lies in it.
  const bindable = Math.floor((0.8 * maxBindingBytes) / tensorBytes)
  // Where one picture keeps the processor busy, more at once gain nothing. CPU ms a picture, alone and four at once, on
  // lavapipe: 10 and 5 for four layers of 96 over 16 patches, 36 and 30 for two of 256 over 64; 5.8 and 5.7 s for two of
  // SigLIP SO400M's.
  const useful = isSoftware ? Math.floor(maxDispatchFlops / flops) : MOST_AT_ONCE
  return Math.max(1, Math.min(MOST_AT_ONCE, fitting, bindable, useful))
}

export type PictureLimits = Pick<Capabilities, 'maxBindingBytes' | 'isSoftware' | 'maxDispatchFlops'>
