// The models that can be written, by name.

import { cambrian } from './cambrian.mjs'
import { llava } from './llava.mjs'

/**
 * `folder` below .cache, `checkpoint` and `repos` below that; `table` in docs/benchmarks.md; `dtype` where none is asked for.
 * @typedef {{
 *   repositories: () => import('./write.mjs').Repository[],
 *   folder: string,
 *   checkpoint: string,
 *   repos: string | undefined,
 *   table: string,
 *   dtype: string,
 * }} Model
 */

/** @type {Record<string, Model>} */
export const MODELS = {
  'llava-interleave-qwen-0.5b': {
    repositories: llava,
    folder: 'full-shape',
    checkpoint: '.',
    repos: undefined,
    table: 'full-shape',
    dtype: 'f16',
  },
  'cambrian-phi3-3b': {
    repositories: cambrian,
    folder: 'full-width-cambrian',
    checkpoint: 'cambrian-phi3-3b',
    repos: 'repos',
    table: 'full-width-cambrian',
    dtype: 'q4',
  },
}
