import type { Encoder, Tensor } from '../../kernels'
import type { GradientSums } from '../gradients'
import type {
  Connector,
  PictureConnector,
  PictureSampler,
  PictureSize,
  SampledPicture,
  TowerFeatures,
} from './definition'

/**
 * A picture connector that can be trained, one picture at a time. Backward passes take what the forward pass took and
 * compute again what lies between; they add gradients of parameters to `sums`, which holds only those asked for.
 */
export interface TrainableConnector<Saved = unknown> extends PictureConnector {
  readonly samplers: ReadonlyMap<number, TrainableSampler>
  /** Whether anything that makes the maps learns: gradients by the maps are wanted then. */
  readonly learnsMaps: boolean
  /** As `join`, with what its backward pass needs; temporaries of `enc`. */
  joinTraining(enc: Encoder, maps: readonly Tensor[], size: PictureSize): { rows: Tensor; saved: Saved }
  /**
   * Shapes: dRows [rows, D]; mapSums [n, V] for each tower, to which dLoss/dmap is added where anybody asks for it.
   */
  joinBackward(
    enc: Encoder,
    dRows: Tensor,
    saved: Saved,
    sums: GradientSums,
    mapSums?: readonly Tensor[],
  ): void
  /**
   * Shapes: dMap as `keep` gave it; `onInput` gets dLoss/dfeatures a range of rows at a time, where anybody asks for it.
   */
  keepBackward(
    enc: Encoder,
    tower: number,
    features: TowerFeatures,
    dMap: Tensor,
    sums: GradientSums,
    onInput?: (start: number, dFeatures: Tensor) => void,
  ): void
}

/** A sampler inside the language model that can be trained. */
export interface TrainableSampler extends PictureSampler {
  /**
   * dLoss/dx; x, picture and firstRow as in the forward pass, `sums` those of the whole connector, mapSums as above.
   *
   * Shapes: dy, x [n, D] -> [n, D].
   */
  refineBackward(
    enc: Encoder,
    dy: Tensor,
    x: Tensor,
    picture: SampledPicture,
    firstRow: number,
    sums: GradientSums,
    mapSums?: readonly Tensor[],
  ): Tensor
}

/** A connector of rows that can be trained. */
export interface TrainableRows extends Connector {
  /** dLoss/dx, where `wantsInput`; gradients are added to `sums`. Shapes: dy [P, textWidth], x [P, visionWidth]. */
  backward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums, wantsInput: boolean): Tensor | undefined
}

export const isTrainableRows = (connector: Connector): connector is TrainableRows => 'backward' in connector

export const isTrainable = (connector: PictureConnector): connector is TrainableConnector =>
  'joinBackward' in connector

/** Zeros for `mapSums`. */
export const zeroMaps = (enc: Encoder, maps: readonly Tensor[]): Tensor[] =>
  maps.map(({ shape }) => {
    const sum = enc.temp(shape, 'f32', 'map gradient')
    enc.clear(sum)
    return sum
  })
