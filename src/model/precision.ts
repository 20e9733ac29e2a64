import type { WeightDtype } from '../kernels'
import { ConfigError } from './errors'
import type { ParameterSpec } from './parameters'

/** How a model is asked to be held. */
export type ModelDtype = 'f32' | 'f16' | 'q8' | 'q4'
export type RequestedDtype = ModelDtype | 'auto'
/** How vision towers are held, but for f32 models, which keep the checkpoint's bits. */
export type TowerDtype = 'f16' | 'q8'

/** Dtypes of the checkpoint files that can be read. */
export type SourceDtype = 'f32' | 'f16' | 'bf16'

const SOURCE_DTYPES: Readonly<Record<string, SourceDtype>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' }

/** Throws: ConfigError for a dtype that weights cannot be read from. */
export function sourceDtype(name: string, tensor: string): SourceDtype {
  const dtype = SOURCE_DTYPES[name]
  if (!dtype) {
    throw new ConfigError(
      `checkpoint: "${tensor}" is stored as ${name}; weights are read as F32, F16 or BF16. Choose an unquantised repository.`,
    )
  }
  return dtype
}

/**
 * Where one parameter ends up.
 *
 * f32 keeps the checkpoint's own bits, which compute exactly as PyTorch does after widening them. q8 and q4 quantise the
 * language model alone: towers and connectors are small beside it and their errors reach every token. Only where towers of
 * 16 bits would not fit even one at a time are they held at 8. Embedding and lm_head stay at 8 bits under q4.
 */
export function heldAs(
  name: string,
  spec: ParameterSpec,
  source: SourceDtype,
  model: ModelDtype,
  towers: TowerDtype = 'f16',
): WeightDtype {
  if (spec.kind === 'vector') return 'f32'
  if (model === 'f32') return source
  if (name.startsWith('vision.')) return towers
  if (model === 'f16' || !name.startsWith('language.')) return 'f16'
  return spec.kind === 'table' ? 'q8' : model
}

/**
 * What `auto` means for a checkpoint: its own 16 bits, or 32 where it is small; quantised only when that does not fit.
 *
 * Units: bytes.
 */
export function resolveDtype(
  requested: RequestedDtype,
  checkpoint: { parameters: number; is32Bit: boolean },
  budgetBytes: number,
): ModelDtype {
  if (requested !== 'auto') return requested
  const { parameters, is32Bit } = checkpoint
  if (is32Bit && parameters * 4 <= Math.min(budgetBytes / 4, 2 ** 30)) return 'f32'
  if (parameters * 2 <= budgetBytes * 0.75) return 'f16'
  return parameters * 1.125 <= budgetBytes * 0.75 ? 'q8' : 'q4'
}
