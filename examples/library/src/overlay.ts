import type { Trilobite } from 'trilobite'
import type { Word } from './ask'

/** Draws a picture, and on it where the model looked for a word of its last answer. */
export async function drawOverlay(
  trilobite: Trilobite,
  word: Word,
  picture: Blob,
  canvas: HTMLCanvasElement,
): Promise<void> {
  const { images } = await trilobite.look({ kind: 'word', tokens: word.tokens })
  const bitmap = await createImageBitmap(picture)
  canvas.width = bitmap.width
  canvas.height = bitmap.height
  const context = canvas.getContext('2d')!
  context.drawImage(bitmap, 0, 0)

  const [seen] = images
  if (!seen) return
  const { rows, columns, values, region } = seen
  // The grid may begin and end outside the picture: where it was padded, the model saw the padding too.
  const left = region.left * bitmap.width
  const top = region.top * bitmap.height
  const width = ((region.right - region.left) * bitmap.width) / columns
  const height = ((region.bottom - region.top) * bitmap.height) / rows
  const most = Math.max(...values)
  values.forEach((value, cell) => {
    const row = Math.floor(cell / columns)
    context.fillStyle = `rgb(255 120 0 / ${(0.8 * value) / most})`
    context.fillRect(left + (cell % columns) * width, top + row * height, width, height)
  })
}
