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

const folder = new URL('../samples/', import.meta.url)

/** Pictures with the answers PyTorch gives for the bundled model. */
export const { samples } = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as {
  samples: Sample[]
}

/** Path of a sample's picture. */
export const picturePath = (image: string): string => fileURLToPath(new URL(image, folder))

/** The sample whose picture's name starts so. */
export function sample(start: string): Sample & { path: string } {
  const found = samples.find(({ image }) => image.startsWith(start))
  if (!found) throw new Error(`no sample starts with ${start}`)
  return { ...found, path: picturePath(found.image) }
}
