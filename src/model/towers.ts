import { takeRows, type Arena, type Encoder, type Gpu, type Tensor } from '../kernels'
import type { TowerBlueprint } from './family/definition'
import type { StreamProgress } from './checkpoint/progress'
import type { WeightStore } from './parameters'
import type { VisionTower } from './vision/definition'
import { griddedFeatures, plainFeatures, type TowerFeatures } from './tower-features'

export interface TowerLoadOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: StreamProgress) => void) | undefined
}

/** Brings one tower's weights onto the GPU. */
export type LoadTower = (tower: TowerBlueprint, options: TowerLoadOptions) => Promise<WeightStore>

/**
 * The vision towers of a model. Those that the memory plan keeps stay on the GPU; each of the others is fetched when a
 * picture needs it and freed again before the next one.
 */
export class Towers {
  private readonly resident: (VisionTower | undefined)[]

  constructor(
    readonly blueprints: readonly TowerBlueprint[],
    weights: WeightStore,
    private readonly gpu: Gpu,
    readonly arena: Arena,
    private readonly load?: LoadTower,
    isResident: (index: number) => boolean = () => true,
  ) {
    this.resident = blueprints.map(({ prefix, tower, output }, i) =>
      isResident(i) ? tower.create(weights.at(prefix), output) : undefined,
    )
  }

  get count(): number {
    return this.blueprints.length
  }

  /** The tower where it is on the GPU already. */
  at(index: number): VisionTower | undefined {
    return this.resident[index]
  }

  /**
   * Lends a tower, fetched first where it is not on the GPU.
   *
   * Throws: as loadWeights.
   */
  async use<T>(
    index: number,
    options: TowerLoadOptions,
    run: (tower: VisionTower, blueprint: TowerBlueprint) => Promise<T>,
  ): Promise<T> {
    const blueprint = this.blueprints[index]!
    const resident = this.resident[index]
    if (resident) return run(resident, blueprint)
    const weights = await this.load!(blueprint, options)
    let tower: VisionTower | undefined
    try {
      tower = blueprint.tower.create(weights.at(blueprint.prefix), blueprint.output)
      return await run(tower, blueprint)
    } finally {
      // What it computed must be done before its weights go.
      await this.gpu.finish().catch(() => {})
      tower?.destroy?.()
      weights.destroy()
      this.arena.trim()
    }
  }

  destroy(): void {
    for (const tower of this.resident) tower?.destroy?.()
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
