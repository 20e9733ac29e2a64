import { expect, test } from 'vitest'
import type { TrainableConnector } from '../connector/trainable'
import { TrainingError } from '../errors'
import type { ImageProcessor } from '../image/processor'
import { processorsFor } from './processors'
import { recipes } from './recipes'

const padded = [{ padToSquare: true }] as unknown as ImageProcessor[]
const plain = {} as TrainableConnector
const aware = { layout: () => ({}) } as unknown as TrainableConnector
const of = (imageAspectRatio: 'model' | 'square' | 'pad') => ({
  ...recipes['llava-1.5'].recipe,
  imageAspectRatio,
})

test('pictures are padded as the recipe says', () => {
  expect(processorsFor(of('model'), padded, plain)).toBe(padded)
  expect(processorsFor(of('square'), padded, plain)).toEqual([{ padToSquare: false }])
  expect(processorsFor(of('pad'), padded, aware)).toEqual(padded)
})

test('a connector that knows of another padding is refused, with what to do in the page and on the command line', () => {
  expect(() => processorsFor(of('square'), padded, aware)).toThrow(TrainingError)
  expect(() => processorsFor(of('square'), padded, aware)).toThrow(
    /should be "model" but is "square"\. .*--recipe cambrian-1, or --image-aspect-ratio model/,
  )
})
