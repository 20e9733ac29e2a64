import type { ParameterSpecs } from '../parameters'
import type { ConfiguredTower, TowerOutput } from './definition'

/** A tower that lies in a repository of its own. */
export interface TowerRepository {
  readonly tower: ConfiguredTower
  /** Its `model_type`. */
  readonly towerType: string
  /**
   * The tower's parameter for a key of the repository, without a prefix; undefined for keys of no use to the output
   * (default: the whole tower). Keys that nobody knows come back too, so that they are reported.
   */
  rename(key: string, output?: TowerOutput): string | undefined
}

/** Renames keys, once `below` has found the tower's own name in them. */
export function towerRename(
  tower: ConfiguredTower,
  below: (key: string) => string | undefined,
): TowerRepository['rename'] {
  const whole = tower.params({ depth: tower.config.layers, finalNorm: true })
  const needed = new Map<TowerOutput, ParameterSpecs>()
  return (key, output) => {
    const name = below(key)
    if (name === undefined || tower.unused?.some((pattern) => pattern.test(name))) return undefined
    if (!output || !Object.hasOwn(whole, name)) return name
    const specs = needed.get(output) ?? tower.params(output)
    needed.set(output, specs)
    return Object.hasOwn(specs, name) ? name : undefined
  }
}
