import { ConfigError } from '../errors'

/** What an SVA connector is made of; fields of config.json stand behind. */
export interface SvaConfig {
  /** Width of the language model: D. */
  readonly textWidth: number
  /** Width of each tower's feature row. */
  readonly visionWidths: readonly number[]
  /** Rows of each tower's square map (`mm_vision_tower_aux_token_len_list`). */
  readonly tokens: readonly number[]
  /** Width inside the connector: V (`vision_hidden_size`). */
  readonly hidden: number
  /** `num_query_group`. */
  readonly queryGroups: number
  /** Queries of each group, on square grids (`query_num_list`). */
  readonly queryCounts: readonly number[]
  /** Cells of the grid that enters the prompt (`image_token_len`). */
  readonly imageTokens: number
  /** Layers of each group (`connector_depth`). */
  readonly depth: number
  /** Layers of the language model after which samplers run; none for `connector_only`. */
  readonly samplerLayers: readonly number[]
  /** A constant of 16 in Cambrian-1. */
  readonly heads: number
}

/** Lengths in cells along the sides of the square grids of a checked config. */
export interface SvaSides {
  /** Of the grid that enters the prompt. */
  readonly grid: number
  /** Of each tower's map. */
  readonly maps: readonly number[]
  /** Of each group's queries. */
  readonly queries: readonly number[]
}

const TOKENS = 'mm_vision_tower_aux_token_len_list'

/** Throws: ConfigError naming the field that the connector cannot serve. */
export function svaSides(config: SvaConfig): SvaSides {
  const { hidden, heads, queryGroups, queryCounts, tokens, visionWidths, imageTokens } = config
  if (hidden % heads !== 0) fail('vision_hidden_size', `a multiple of ${heads}, the number of heads`, hidden)
  if (tokens.length === 0) fail(TOKENS, 'a list with a length for each tower', '[]')
  if (tokens.length !== visionWidths.length) {
    fail(TOKENS, `a list with a length for each of ${visionWidths.length} towers`, list(tokens))
  }
  if (queryGroups < 1) fail('num_query_group', 'at least 1', queryGroups)
  if (queryCounts.length !== queryGroups) {
    fail('query_num_list', `a list of ${queryGroups} numbers (num_query_group)`, list(queryCounts))
  }
  if (config.depth < 1) fail('connector_depth', 'at least 1', config.depth)
  const repeated = config.samplerLayers.find((layer, m, layers) => layers.indexOf(layer) !== m)
  if (repeated !== undefined) {
    fail('stride_of_vision_sampler_layers', 'at least 1, so that every sampler has a layer of its own', 0)
  }
  const grid = sideOf('image_token_len', imageTokens)
  const maps = tokens.map((count) => sideOf(TOKENS, count))
  const queries = queryCounts.map((count) => sideOf('query_num_list', count))
  for (const side of maps) {
    for (const query of queries) {
      if (side % query !== 0) {
        const expected = `lengths of maps whose ${side} cells a side divide among each query grid's (${TOKENS} has ${side * side})`
        fail('query_num_list', expected, list(queryCounts))
      }
    }
    if (config.samplerLayers.length && side % grid !== 0) {
      const expected = `maps whose side is a multiple of the ${grid} cells of image_token_len, which the samplers in the language model ask`
      fail(TOKENS, expected, list(tokens))
    }
  }
  return { grid, maps, queries }
}

/** The side of a square of `cells`. Throws: ConfigError naming the field. */
export function sideOf(field: string, cells: number): number {
  const side = Math.round(Math.sqrt(cells))
  return cells > 0 && side * side === cells ? side : fail(field, 'made of square numbers', cells)
}

const list = (values: readonly number[]) => `[${values.join(', ')}]`

function fail(field: string, expected: string, came: number | string): never {
  throw new ConfigError(
    `config.json: ${field} should be ${expected}, but is ${came}. ` +
      'The checkpoint may be damaged or of a kind that is not supported.',
  )
}
