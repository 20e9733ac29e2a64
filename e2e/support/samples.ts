import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface SampleTurn {
  question: string
  input_ids: number[]
  generated_ids: number[]
  reply: string
}

export interface Sample {
  image: string
  turns: SampleTurn[]
}

const folderOf = (name: string) => new URL(`../${name}/`, import.meta.url)
const read = (name: string) =>
  (JSON.parse(readFileSync(new URL('expected.json', folderOf(name)), 'utf8')) as { samples: Sample[] })
    .samples

/** Pictures with the answers PyTorch gives for the model the page starts with; some lie beside those of the other. */
const CAMBRIAN = 'samples-cambrian'
const LLAVA = 'samples'
export const samples = read(CAMBRIAN)

/** Path of a sample's picture. */
export const picturePath = (image: string, folder = CAMBRIAN): string =>
  fileURLToPath(new URL(image, folderOf(folder)))

function find(folder: string, start: string): Sample & { path: string } {
  const found = read(folder).find(({ image }) => image.split('/').at(-1)!.startsWith(start))
  if (!found) throw new Error(`no sample starts with ${start}`)
  return { ...found, path: picturePath(found.image, folder) }
}

/** The sample whose picture's name starts so. */
export const sample = (start: string) => find(CAMBRIAN, start)

/** The same of the other bundled model, trilobite-nano-llava. */
export const llavaSample = (start: string) => find(LLAVA, start)

/** Ids with one placeholder a picture, as recorded; the engine gives one a row. */
export const collapsed = (ids: readonly number[]) => ids.filter((id, i) => id !== -200 || ids[i - 1] !== -200)
