// Packs the sample set of stage 1 into public/samples/stage-1.zip, byte by byte the same each time.
//
//     node tools/stage1/pack-samples.mjs FOLDER
//
// FOLDER has train.json, heldout.json (LLaVA's format) and images/, as tools/bundled-model/stage1.py writes them.

import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from '@zip.js/zip.js'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'

const README = `Picture/caption pairs for LLaVA's stage 1: 200 to train on (train.json) and 64 held out (heldout.json), in LLaVA's
format, with pictures of 48 x 48 pixels in images/.

Two of five are photos from CIFAR-10 (Alex Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
published for research without a licence), one of five is a digit from MNIST (Yann LeCun, Corinna Cortes; commonly
stated as CC BY-SA 3.0), coloured and placed at random, and two of five are coloured shapes that were drawn for this
set. Photos and digits are of the train split in train.json and of the test split in heldout.json. The captions are
templates written for this set.
`

/** The earliest day a zip can name, in whatever time zone: its dates have none. */
const DATE = new Date(1980, 0, 1)

const [folder] = process.argv.slice(2)
if (!folder) {
  console.error('pack-samples: expected the folder of train.json, heldout.json and images/')
  process.exit(1)
}

const images = readdirSync(join(folder, 'images'))
  .filter((name) => name.endsWith('.png'))
  .sort()
  .map((name) => `images/${name}`)
const files = ['train.json', 'heldout.json', ...images].map((name) => ({
  name,
  bytes: readFileSync(join(folder, name)),
}))
checkRows()
const target = fileURLToPath(new URL('../../public/samples/stage-1.zip', import.meta.url))
mkdirSync(join(target, '..'), { recursive: true })
const zip = await zipOf([{ name: 'README.txt', bytes: Buffer.from(README) }, ...files])
writeFileSync(target, zip)
console.log(`public/samples/stage-1.zip: ${files.length + 1} files, ${zip.length} bytes`)

/** Every row's picture is packed, and no picture without a row. */
function checkRows() {
  const rows = files
    .filter(({ name }) => name.endsWith('.json'))
    .flatMap(({ bytes }) => /** @type {{ image: string }[]} */ (JSON.parse(bytes.toString('utf8'))))
  const named = rows.map(({ image }) => image).sort()
  if (named.join() !== images.join()) throw new Error('pack-samples: rows and pictures differ')
}

/**
 * A zip with fixed dates: pictures stored, as they are compressed already, text deflated.
 * @param {{ name: string, bytes: Uint8Array }[]} files
 */
async function zipOf(files) {
  const writer = new ZipWriter(new Uint8ArrayWriter(), {
    lastModDate: DATE,
    extendedTimestamp: false,
    dataDescriptor: false,
    useWebWorkers: false,
  })
  for (const { name, bytes } of files) {
    await writer.add(name, new Uint8ArrayReader(bytes), { level: name.endsWith('.png') ? 0 : 9 })
  }
  return writer.close()
}
