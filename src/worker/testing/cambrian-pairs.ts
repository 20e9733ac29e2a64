import { openDataset } from '../../model/train/dataset'
import type { Dataset, Utterance } from '../../model/train/definition'
import { OriginalCase } from '../../model/testing/original'

/** A row of training data, and what is known of its picture. */
export interface CambrianRow {
  readonly image: string
  /** Rows of its picture in the prompt: a grid of 6 x 6 without what is padding, and a newline behind each line. */
  readonly pictureRows: number
  readonly conversations: readonly Utterance[]
}

const row = (image: string, pictureRows: number, ...said: readonly string[]): CambrianRow => ({
  image,
  pictureRows,
  conversations: said.map((value, i) => ({
    from: i % 2 ? 'gpt' : 'human',
    value,
  })),
})

/** Pictures that are no squares, of cases that original projects' code has seen; the first two are cambrian-llama3's own. */
export const TRAINED: readonly CambrianRow[] = [
  row(
    'cambrian-llama3/image-wide.png',
    4 * 7,
    '<image>\nWhat is shown in this image?',
    'A field and the sun.',
  ),
  row('cambrian-llama3/image-tall.png', 6 * 3, 'How many letters are there?\n<image>', 'Four.'),
  row(
    'llava-original/image-rgba.png',
    6 * 5,
    '<image>\nDescribe the image.',
    'A café at the corner.',
    'Is it open?',
    'It is.',
  ),
  row('cambrian-phi3/image-wide.png', 4 * 7, '<image>', 'Hills, and a small house between them.'),
]

/** Kept for validation, in a file of their own. */
export const HELD_OUT: readonly CambrianRow[] = [
  row('cambrian-phi3/image-tall.png', 6 * 3, '<image>\nHow many letters are there?', 'Three.'),
  row('llava-original/image-wide.png', 4 * 7, '<image>\nWhere is the sun?', 'On the left.'),
]

const cases = new Map<string, OriginalCase>()

/** A picture by its case and its file. */
export function pictureBytes(path: string): Uint8Array<ArrayBuffer> {
  const [name, file] = path.split('/') as [string, string]
  const golden = cases.get(name) ?? new OriginalCase(name)
  cases.set(name, golden)
  return golden.imageBytes(file)
}

/** Both files of rows with their pictures, as a folder that was dropped. */
export function cambrianPairs(): Promise<Dataset> {
  const rows = (name: string, of: readonly CambrianRow[]) => ({
    path: name,
    file: new File(
      [
        JSON.stringify(
          of.map(({ image, conversations }, i) => ({
            id: `${i}`,
            image,
            conversations,
          })),
        ),
      ],
      name,
    ),
  })
  const pictures = [...TRAINED, ...HELD_OUT].map(({ image }) => ({
    path: image,
    file: new File([pictureBytes(image)], image),
  }))
  return openDataset({
    kind: 'files',
    files: [rows('train.json', TRAINED), rows('heldout.json', HELD_OUT), ...pictures],
  })
}
