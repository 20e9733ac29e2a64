import type { JsonObject } from '../../config-reader'
import type { ConnectorLayout } from '../definition'

export type { ConnectorLayout }

/** A connector's parameters by the names that the model has for them below `connector.`; specs will do. */
export type ConnectorShapes = Readonly<Record<string, { readonly shape: readonly number[] }>>

/** The file that holds the weights in each layout. */
export const WEIGHTS_FILE: Readonly<Record<ConnectorLayout, string>> = {
  llava: 'mm_projector.safetensors',
  hf: 'model.safetensors',
  tinyllava: 'connector/model.safetensors',
  cambrian: 'mm_projector.safetensors',
}

const LINEAR = /^linear_(\d+)\.(weight|bias)$/

/** Wrappers put these before the names of what they hold: DDP, PEFT, and models around models. */
const WRAPPERS = /^(?:module\.|base_model\.|model\.)+/

const CAMBRIAN =
  /^(?:vision_query|image_newline|(?:mm_projector_aux_\d+|vision_sampler_\d+|vision_sampler_layers)\..+)$/

/**
 * Layouts that a connector can be written in so that the project it is named after computes the same with it, the
 * checkpoint's own first; none for a connector without parameters or of a kind that no project has.
 */
export function layoutsOf(config: JsonObject, shapes: ConnectorShapes): ConnectorLayout[] {
  const names = Object.keys(shapes)
  if (names.includes('image_newline')) return ['cambrian']
  const layers = linearLayers(names)
  if (layers === 0) return []
  const own = ownLayout(config)
  // LLaVA and TinyLLaVA build their projectors with biases and the exact GELU; transformers asks its config.
  const isPlain = names.length === 2 * layers && (config['projector_hidden_act'] ?? 'gelu') === 'gelu'
  const fits: Readonly<Record<ConnectorLayout, boolean>> = {
    llava: isPlain,
    hf: layers === 2,
    tinyllava: isPlain,
    cambrian: false,
  }
  const others = (['llava', 'hf', 'tinyllava'] as const).filter((layout) => layout !== own && fits[layout])
  return [own, ...others]
}

function ownLayout(config: JsonObject): ConnectorLayout {
  if (config['model_type'] === 'tinyllava') return 'tinyllava'
  return config['text_config'] === undefined ? 'llava' : 'hf'
}

/** The key of one of the connector's parameters in a layout. */
export function keyIn(layout: ConnectorLayout, name: string, layers: number): string {
  if (layout === 'cambrian') return `model.${name}`
  if (layout === 'hf') return `multi_modal_projector.${name}`
  const prefix = layout === 'llava' ? 'model.mm_projector.' : '_connector.'
  // A list of layers with activations between, or a single layer that is in no list.
  return name.replace(LINEAR, (_, layer: string, of: string) =>
    layers === 1 ? prefix + of : `${prefix}${2 * (Number(layer) - 1)}.${of}`,
  )
}

/** Layers of a connector named `linear_1` to `linear_N` throughout; 0 for any other. */
export function linearLayers(names: readonly string[]): number {
  const layers = new Set<number>()
  for (const name of names) {
    const layer = LINEAR.exec(name)?.[1]
    if (layer === undefined) return 0
    layers.add(Number(layer))
  }
  return Math.max(0, ...layers) === layers.size ? layers.size : 0
}

/** The field's name for a stack of linear layers (`mm_projector_type`). */
export const projectorType = (layers: number) => (layers === 1 ? 'linear' : `mlp${layers}x_gelu`)

/** Which of the connector's parameters a checkpoint's key is, in whatever layout. */
export interface ConnectorKey {
  readonly layout: ConnectorLayout
  /** As `commonName` has it. */
  readonly name: string
}

/** Reads a checkpoint's key; undefined where it belongs to another part of the model. */
export function readConnectorKey(key: string): ConnectorKey | undefined {
  const bare = key.replace(WRAPPERS, '')
  if (CAMBRIAN.test(bare)) return { layout: 'cambrian', name: bare }
  if (bare.startsWith('mm_projector.')) return { layout: 'llava', name: commonName(bare) }
  const hf = /^multi_modal_projector\.(.+)$/.exec(bare)?.[1]
  if (hf !== undefined) return { layout: 'hf', name: hf }
  const tiny = /^(?:connector\.)?_connector\.(.+)$/.exec(bare)?.[1]
  if (tiny !== undefined) return { layout: 'tinyllava', name: inList(tiny) ?? tiny }
  return undefined
}

/** As readConnectorKey, for the keys of a projector that was saved on its own; undefined where it is none. */
export function readBareKey(key: string): ConnectorKey | undefined {
  if (LINEAR.test(key)) return { layout: 'hf', name: key }
  const name = inList(key)
  return name === undefined ? undefined : { layout: 'llava', name }
}

/** One name for what models name `linear_2.weight` or `mm_projector.2.weight`; others stay as they are. */
export function commonName(name: string): string {
  const inside = /^mm_projector\.(.+)$/.exec(name)?.[1]
  return (inside === undefined ? undefined : inList(inside)) ?? name
}

/** `2.weight` or, where there is no list, `weight`, as a name; undefined for anything else. */
function inList(path: string): string | undefined {
  const [, index, of] = /^(?:(\d*[02468])\.)?(weight|bias)$/.exec(path) ?? []
  return of === undefined ? undefined : `linear_${Number(index ?? 0) / 2 + 1}.${of}`
}
