import type { TrainableConnector } from '../connector/trainable'
import { TrainingError } from '../errors'
import type { ImageProcessor } from '../image/processor'
import type { Recipe } from './definition'

/**
 * The image processors as the recipe wants them.
 *
 * Throws: TrainingError where the connector knows of another padding.
 */
export function processorsFor(
  { imageAspectRatio }: Recipe,
  processors: readonly ImageProcessor[],
  connector: TrainableConnector,
): readonly ImageProcessor[] {
  if (imageAspectRatio === 'model') return processors
  const padToSquare = imageAspectRatio === 'pad'
  if (connector.layout && processors.some((processor) => processor.padToSquare !== padToSquare)) {
    throw new TrainingError(
      `train: this model leaves out what pads a picture, so imageAspectRatio should be "model" but is "${imageAspectRatio}". ` +
        'Choose the recipe cambrian-1, or change this one (on the command line: --recipe cambrian-1, or ' +
        '--image-aspect-ratio model).',
    )
  }
  return processors.map((processor) => ({ ...processor, padToSquare }))
}
