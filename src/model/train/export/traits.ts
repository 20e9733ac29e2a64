import { commonName, linearLayers, projectorType, type ConnectorShapes } from './layouts'

/**
 * What a connector's shapes tell of it and of the model that it fits, in words: `text width` and its value, and so on.
 *
 * Names may be the model's own or common ones.
 */
export function connectorTraits(shapes: ConnectorShapes): Map<string, string> {
  const known = new Map(Object.entries(shapes).map(([name, { shape }]) => [commonName(name), shape]))
  const names = [...known.keys()]
  const layers = linearLayers(names.filter((name) => name.startsWith('linear_')))
  const query = known.get('vision_query')
  const traits = new Map<string, string>()
  const add = (trait: string, value: string | number | undefined) => {
    if (value !== undefined && value !== '') traits.set(trait, String(value))
  }
  add('connector', query ? 'sva' : layers ? projectorType(layers) : undefined)
  add('text width', known.get('image_newline')?.[0] ?? known.get(`linear_${layers}.weight`)?.[0])
  if (!query) {
    add('vision width', known.get('linear_1.weight')?.[1])
    return traits
  }
  add('query groups', query[0])
  add('aggregator width', query[1])
  add('tower widths', widthsOfTowers(known))
  add('aggregator layers', distinct(names, /^vision_sampler_0\.layers\.(\d+)\./))
  add('samplers inside the language model', distinct(names, /^vision_sampler_layers\.(\d+)\./))
  return traits
}

function widthsOfTowers(known: ReadonlyMap<string, readonly number[]>): string {
  const widths: number[] = []
  for (let t = 0; ; t++) {
    const width = known.get(`mm_projector_aux_${t}.0.weight`)?.[1]
    if (width === undefined) return widths.join(', ')
    widths.push(width)
  }
}

/** How many values the pattern's first group takes. */
const distinct = (names: readonly string[], pattern: RegExp) =>
  new Set(names.flatMap((name) => pattern.exec(name)?.[1] ?? [])).size
