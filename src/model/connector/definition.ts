import type { Activation, Encoder, GridArea, Tensor } from '../../kernels'
import type { ParameterSpecs, Weights } from '../parameters'
import type { TowerFeatures } from '../tower-features'

export type { TowerFeatures }

/** What a connector joins, read from the checkpoint's config by its family. */
export interface ConnectorConfig {
  /** Width of a tower's feature row. */
  readonly visionWidth: number
  /** Width of the language model. */
  readonly textWidth: number
  readonly activation: Activation
  readonly bias: boolean
}

/** From tower features to rows of the language model's embedding space, each row by itself. */
export interface Connector {
  /** Shapes: x [P, visionWidth] -> [P, textWidth]. */
  forward(enc: Encoder, x: Tensor): Tensor
}

/** A connector of rows as data plus functions; one file each. */
export interface ConnectorSlot {
  readonly type: string
  params(config: ConnectorConfig): ParameterSpecs
  create(config: ConnectorConfig, weights: Weights): Connector
}

/** A picture's size before anything was done to it; its letterbox follows from that. Units: pixels. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

/** Refines a picture's rows inside the language model. */
export interface PictureSampler {
  /**
   * Shapes: x [n, D], the rows from `firstRow` on of those the picture takes in the prompt -> [n, D].
   */
  refine(enc: Encoder, x: Tensor, picture: SampledPicture, firstRow: number): Tensor
}

/** What samplers need of a picture. */
export interface SampledPicture {
  /** What the connector kept of each tower. */
  readonly maps: readonly Tensor[]
  readonly size: PictureSize
}

/** Which cell of the square that towers see each of a picture's rows in the prompt stands for. */
export interface RowLayout {
  /** Cells along each side of the square. */
  readonly side: number
  /** The cells that rows stand for. */
  readonly area: GridArea
  /** Row of the area's first cell; below zero where the first cells have none. */
  readonly first: number
  /** Rows from one row of cells to the next. */
  readonly stride: number
}

/** How much each tower gives to the cells of a square grid that lie on the picture. */
export interface TowerShares {
  /** f32 [area.rows * area.columns, towers]; rows sum to 1. A temporary. */
  readonly shares: Tensor
  /** Cells along each side of the grid. */
  readonly side: number
  readonly area: GridArea
}

/** From the features of one or more towers to the rows a picture takes in the prompt. */
export interface PictureConnector {
  /** What one tower's features come down to until all towers have run, so that only one tower is needed at a time. */
  keep(enc: Encoder, tower: number, features: TowerFeatures): Tensor
  /** Shapes: what `keep` gave for every tower -> [rows, D]. */
  join(enc: Encoder, maps: readonly Tensor[], size: PictureSize): Tensor
  /** By the layer of the language model after which each runs. */
  readonly samplers: ReadonlyMap<number, PictureSampler>
  /** Absent where rows are those of the one tower's map. */
  layout?(size: PictureSize): RowLayout
  /** Absent where nothing weighs one tower against another. */
  shares?(enc: Encoder, maps: readonly Tensor[], size: PictureSize): TowerShares
}

/** A picture connector whose config has been read. */
export interface ConfiguredConnector {
  /** Width of the rows it keeps of each tower. */
  readonly keptWidth: number
  params(): ParameterSpecs
  create(weights: Weights): PictureConnector
}
