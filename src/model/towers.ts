import { takeRows, type Arena, type Encoder, type Gpu, type Tensor } from '../kernels'
import type { StreamProgress } from './checkpoint/progress'
import type { TowerBlueprint } from './family/definition'
import type { WeightStore } from './parameters'
import { griddedFeatures, plainFeatures, type TowerFeatures } from './tower-features'
import type { VisionTower } from './vision/definition'

export interface TowerLoadOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: StreamProgress) => void) | undefined
}

/** A tower brought onto the GPU, and what frees its weights. */
export interface LoadedTower {
  readonly tower: VisionTower
  free(): void
}

/** How towers come whose weights are not among the model's own. */
export interface TowerStage {
  /** Stays once it is there. */
  isResident(tower: number): boolean
  load(tower: number, options: TowerLoadOptions): Promise<LoadedTower>
}

const ALL_AT_HAND: TowerStage = {
  isResident: () => true,
  load: () => Promise.reject(new Error('towers: one is not at hand')),
}

/**
 * The vision towers of a model. Those that the memory plan keeps stay on the GPU; each of the others is fetched when
 * pictures need it and freed again before the next one.
 */
export class Towers {
  private readonly resident: (LoadedTower | undefined)[]

  constructor(
    readonly blueprints: readonly TowerBlueprint[],
    weights: WeightStore,
    private readonly gpu: Gpu,
    private readonly arena: Arena,
    private readonly stage: TowerStage = ALL_AT_HAND,
  ) {
    this.resident = blueprints.map(({ prefix, tower, output }, i) =>
      stage.isResident(i) && !tower.external
        ? { tower: tower.create(weights.at(prefix), output), free() {} }
        : undefined,
    )
  }

  get count(): number {
    return this.blueprints.length
  }

  /** The tower where it is on the GPU already. */
  at(index: number): VisionTower | undefined {
    return this.resident[index]?.tower
  }

  /**
   * Opens towers that stay but are not made of the model's weights, so that what is wrong with them is said at once.
   *
   * Throws: as TowerStage.load.
   */
  async open(options: TowerLoadOptions): Promise<void> {
    for (let i = 0; i < this.count; i++) {
      if (this.stage.isResident(i)) this.resident[i] ??= await this.stage.load(i, options)
    }
  }

  /**
   * Lends a tower, fetched first where it is not on the GPU.
   *
   * Throws: as TowerStage.load.
   */
  async use<T>(
    index: number,
    options: TowerLoadOptions,
    run: (tower: VisionTower, blueprint: TowerBlueprint) => Promise<T>,
  ): Promise<T> {
    const blueprint = this.blueprints[index]!
    const resident = this.at(index)
    if (resident) return run(resident, blueprint)
    const { tower, free } = await this.stage.load(index, options)
    try {
      return await run(tower, blueprint)
    } finally {
      // What it computed must be done before its weights go.
      await this.gpu.finish().catch(() => {})
      tower.destroy?.()
      free()
      this.arena.trim()
    }
  }

  destroy(): void {
    for (const loaded of this.resident) {
      loaded?.tower.destroy?.()
      loaded?.free()
    }
  }
}

/**
 * One picture's features as the connector takes them: chosen rows, resampled where the config asks for another count.
 *
 * Shapes: maps as VisionTower.features gives them for one picture.
 */
export function selectFeatures(
  enc: Encoder,
  { tower, dropsFirstRow, tokens }: TowerBlueprint,
  maps: readonly Tensor[],
): TowerFeatures {
  const { maps: pyramid, hiddenSize, patchTokens } = tower.config
  const skip = dropsFirstRow ? 1 : 0
  if (tokens === undefined && !pyramid) return plainFeatures(maps[0]!, skip)
  const shapes = pyramid ?? [{ side: Math.round(Math.sqrt(patchTokens)), width: hiddenSize }]
  const grids =
    skip === 0
      ? maps
      : maps.map((map) => takeRows(enc, map, { batch: 1, start: skip, count: map.shape[0]! - skip }))
  return griddedFeatures(
    grids,
    shapes,
    tokens === undefined ? shapes[0]!.side : Math.round(Math.sqrt(tokens)),
  )
}
