/** Colours and pixels of maps drawn over pictures. Pure functions: a canvas shows what they give. */

export type Rgb = readonly [red: number, green: number, blue: number]

/** Pixels as a canvas takes them. Shapes: data [height, width, 4]. */
export interface Pixels {
  width: number
  height: number
  data: Uint8ClampedArray<ArrayBuffer>
}

/** A grid of numbers. Shapes: values [rows, columns]. */
export interface Grid {
  rows: number
  columns: number
  values: ArrayLike<number>
}

/**
 * From little to much: lightness rises evenly, so that the order can be read without colour too.
 * Stops in OKLCH: lightness 0 to 1, chroma, hue in degrees.
 */
const RAMP_STOPS = [
  [0.25, 0.09, 285],
  [0.42, 0.17, 320],
  [0.6, 0.19, 20],
  [0.78, 0.16, 65],
  [0.96, 0.1, 105],
] as const

/** Towers by their number, told apart also by the colour-blind; more towers than these begin anew. */
export const TOWER_COLOURS: readonly Rgb[] = [
  [64, 132, 214],
  [240, 148, 48],
  [46, 168, 118],
  [208, 92, 160],
  [178, 160, 60],
]

export const towerColour = (tower: number): Rgb => TOWER_COLOURS[tower % TOWER_COLOURS.length]!

/** The ramp's colour at a share from 0 to 1. */
export function heatColour(share: number): Rgb {
  const at = Math.min(1, Math.max(0, share)) * (RAMP_STOPS.length - 1)
  const from = RAMP_STOPS[Math.min(Math.floor(at), RAMP_STOPS.length - 2)]!
  const to = RAMP_STOPS[RAMP_STOPS.indexOf(from) + 1]!
  const part = at - RAMP_STOPS.indexOf(from)
  const mix = (i: 0 | 1) => from[i] + (to[i] - from[i]) * part
  // The shorter way round.
  const turn = ((to[2] - from[2] + 540) % 360) - 180
  const hue = ((from[2] + turn * part) * Math.PI) / 180
  return oklabToRgb([mix(0), mix(1) * Math.cos(hue), mix(1) * Math.sin(hue)])
}

const RAMP = Array.from({ length: 256 }, (_, i) => heatColour(i / 255))

/** The ramp as a CSS gradient. */
export const heatGradient = `linear-gradient(to right, ${Array.from({ length: 9 }, (_, i) => css(heatColour(i / 8))).join(', ')})`

export function css([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`
}

/**
 * The value between cells: linear between their centres, flat beyond the outermost ones.
 *
 * Units: x and y in cells from the grid's corner.
 */
export function valueAt({ rows, columns, values }: Grid, x: number, y: number): number {
  const across = Math.min(columns - 1, Math.max(0, x - 0.5))
  const down = Math.min(rows - 1, Math.max(0, y - 0.5))
  const left = Math.floor(across)
  const top = Math.floor(down)
  const right = Math.min(left + 1, columns - 1)
  const bottom = Math.min(top + 1, rows - 1)
  const line = (row: number) => {
    const from = values[row * columns + left]!
    return from + (values[row * columns + right]! - from) * (across - left)
  }
  return line(top) + (line(bottom) - line(top)) * (down - top)
}

/** How much of the picture a heat map lets through: more of it where there is little to show. */
const opacityOf = (share: number) => 0.5 + 0.3 * share

/** Of mixed colours, which say nothing by their strength. */
const MIXED_OPACITY = 0.8

/** The values at the ramp's ends. */
export interface Range {
  least: number
  most: number
}

/** Of all values, or of every `step`th from `start` on. */
export function rangeOf(grids: readonly Pick<Grid, 'values'>[], start = 0, step = 1): Range {
  let least = Infinity
  let most = 0
  for (const { values } of grids) {
    for (let i = start; i < values.length; i += step) {
      least = Math.min(least, values[i]!)
      most = Math.max(most, values[i]!)
    }
  }
  return { least: Math.min(least, most), most }
}

/** Where a value lies in a range, 0 to 1. */
const shareOf = (value: number, { least, most }: Range) =>
  most > least ? Math.min(1, Math.max(0, (value - least) / (most - least))) : 0

/** A smooth heat map. */
export function heatPixels(grid: Grid, range: Range): Pixels {
  const scale = Math.max(1, Math.ceil(192 / Math.max(grid.rows, grid.columns)))
  return draw(grid.columns * scale, grid.rows * scale, (x, y) => {
    const share = shareOf(valueAt(grid, (x + 0.5) / scale, (y + 0.5) / scale), range)
    return [...RAMP[Math.round(share * 255)]!, opacityOf(share)]
  })
}

/** One pixel a cell: the ramp's colour for one tower's share. */
export function towerPixels(grid: Grid, towers: number, tower: number, range: Range): Pixels {
  return draw(grid.columns, grid.rows, (x, y) => {
    const share = shareOf(grid.values[(y * grid.columns + x) * towers + tower]!, range)
    return [...heatColour(share), opacityOf(share)]
  })
}

/** One pixel a cell: the towers' colours mixed by their shares. */
export function sharesPixels(grid: Grid, towers: number): Pixels {
  const colours = Array.from({ length: towers }, (_, tower) => rgbToOklab(towerColour(tower)))
  return draw(grid.columns, grid.rows, (x, y) => {
    const mixed: [number, number, number] = [0, 0, 0]
    colours.forEach((colour, tower) => {
      const share = grid.values[(y * grid.columns + x) * towers + tower]!
      for (const i of [0, 1, 2] as const) mixed[i] += colour[i] * share
    })
    return [...oklabToRgb(mixed), MIXED_OPACITY]
  })
}

/** `colourAt` gives red, green and blue from 0 to 255, and opacity from 0 to 1. */
function draw(
  width: number,
  height: number,
  colourAt: (x: number, y: number) => readonly [...Rgb, opacity: number],
): Pixels {
  const data = new Uint8ClampedArray(width * height * 4)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [red, green, blue, opacity] = colourAt(x, y)
      data.set([red, green, blue, opacity * 255], (y * width + x) * 4)
    }
  }
  return { width, height, data }
}

type Lab = readonly [lightness: number, a: number, b: number]

/** Source: Björn Ottosson, A perceptual color space for image processing, 2020. */
function oklabToRgb([L, a, b]: Lab): Rgb {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3
  const encode = (linear: number) => {
    const v = Math.min(1, Math.max(0, linear))
    return Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055))
  }
  return [
    encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    encode(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ]
}

/** Exported for tests of lightness. */
export function rgbToOklab(rgb: Rgb): Lab {
  const [r, g, b] = rgb.map((v) => {
    const c = v / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ]
}
