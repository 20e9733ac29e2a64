// Draws the example pictures of the page: flat coloured shapes, as the bundled model knows them.
//
//   node tools/draw-examples.mjs        writes public/examples/*.png
//
// Lengths are in pixels of a 48-pixel picture, the size the model sees; each is drawn 8 times larger.
import { writeFileSync } from 'node:fs'
import { crc32, deflateSync } from 'node:zlib'

const SCALE = 8
const SIDE = 48 * SCALE
const SAMPLES = 4 // a side, against jagged edges

const COLOURS = {
  red: [220, 30, 35],
  green: [35, 160, 60],
  blue: [35, 70, 220],
  yellow: [250, 220, 40],
  orange: [250, 135, 20],
  purple: [140, 50, 180],
  white: [250, 250, 250],
  black: [14, 14, 14],
  pink: [250, 175, 200],
  'light blue': [150, 210, 245],
}

const SCENES = {
  'sea-floor': {
    background: 'light blue',
    shapes: [
      ['star', 'orange', 9, 38, 7],
      ['circle', 'red', 24, 23, 10],
    ],
  },
  night: {
    background: 'black',
    shapes: [
      ['star', 'yellow', 9, 9, 4.6],
      ['triangle', 'green', 24, 39, 6.8],
      ['circle', 'white', 39, 10, 6.8],
    ],
  },
  meadow: {
    background: 'pink',
    shapes: [
      ['square', 'blue', 9, 24, 4.8],
      ['triangle', 'purple', 24, 24, 10],
      ['diamond', 'green', 40, 39, 4.8],
    ],
  },
}

/** Corners of a shape of radius r, or undefined for a circle. */
function outline(shape, x, y, r) {
  const ring = (n, radius, start = 0) =>
    Array.from({ length: n }, (_, i) => {
      const angle = start + (2 * Math.PI * i) / n
      return [x + radius(i) * Math.sin(angle), y - radius(i) * Math.cos(angle)]
    })
  switch (shape) {
    case 'square':
      return ring(4, () => r * 1.2, Math.PI / 4)
    case 'diamond':
      return ring(4, (i) => (i % 2 ? r * 0.8 : r * 1.25))
    case 'triangle':
      return ring(3, () => r * 1.2).map(([px, py]) => [px, py + r * 0.2])
    case 'star':
      return ring(10, (i) => (i % 2 ? r * 0.5 : r * 1.2))
  }
}

function isInside([px, py], [shape, , x, y, r]) {
  const corners = outline(shape, x, y, r)
  if (!corners) return Math.hypot(px - x, py - y) <= r
  let inside = false
  corners.forEach(([ax, ay], i) => {
    const [bx, by] = corners[(i + 1) % corners.length]
    if (ay > py !== by > py && px < ax + ((bx - ax) * (py - ay)) / (by - ay)) inside = !inside
  })
  return inside
}

function drawScene({ background, shapes }) {
  const rows = Buffer.alloc(SIDE * (1 + SIDE * 3)) // each row starts with its filter, 0
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const sum = [0, 0, 0]
      for (let s = 0; s < SAMPLES * SAMPLES; s++) {
        const point = [
          (x + ((s % SAMPLES) + 0.5) / SAMPLES) / SCALE,
          (y + (Math.floor(s / SAMPLES) + 0.5) / SAMPLES) / SCALE,
        ]
        const hit = shapes.find((shape) => isInside(point, shape))
        COLOURS[hit ? hit[1] : background].forEach((value, c) => (sum[c] += value))
      }
      sum.forEach((value, c) => (rows[y * (1 + SIDE * 3) + 1 + x * 3 + c] = Math.round(value / SAMPLES ** 2)))
    }
  }
  return rows
}

function encodePng(rows) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const out = Buffer.alloc(body.length + 8)
    out.writeUInt32BE(data.length, 0)
    body.copy(out, 4)
    out.writeUInt32BE(crc32(body), body.length + 4)
    return out
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(SIDE, 0)
  header.writeUInt32BE(SIDE, 4)
  header.set([8, 2], 8) // 8 bits a channel, RGB
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

for (const [name, scene] of Object.entries(SCENES)) {
  const file = new URL(`../public/examples/${name}.png`, import.meta.url)
  writeFileSync(file, encodePng(drawScene(scene)))
  console.log(file.pathname.split('/').at(-1))
}
