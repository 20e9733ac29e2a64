// Reduces the recorded stage 1 run to what a comparison needs, into e2e/stage1/.
//
//     node tools/stage1/copy-run.mjs FOLDER
//
// FOLDER has loss_curve.json and projector-after.safetensors, as tools/bundled-model/stage1.py writes them. Here
//   order.json       step -> micro-batch -> rows of train.json, as `trilobite train --order` reads it
//   loss-curve.json  recipe; loss, rate and gradient norm of each step; held-out losses before and after; ids of captions

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { format } from 'prettier'

const [folder] = process.argv.slice(2)
if (!folder) {
  console.error('copy-run: expected the folder of loss_curve.json and projector-after.safetensors')
  process.exit(1)
}
const target = fileURLToPath(new URL('../../e2e/stage1', import.meta.url))
mkdirSync(target, { recursive: true })

/** @type {{ recipe: object, order: number[][], steps: object[], heldout: object[], heldout_mean: object,
 *   token_ids: Record<string, number[]> }} */
const run = JSON.parse(readFileSync(join(folder, 'loss_curve.json'), 'utf8'))

const [BOS, IMAGE, IMAGE_TOKENS] = [1, 3, 64]
const caption_ids = Object.fromEntries(
  Object.entries(run.token_ids).map(([row, ids]) => {
    const start = ids.slice(0, 1 + IMAGE_TOKENS)
    if (start.some((id, i) => id !== (i ? IMAGE : BOS))) throw new Error(`copy-run: ${row} begins otherwise`)
    return [row, ids.slice(start.length)]
  }),
)
const { recipe, steps, heldout, heldout_mean } = run
await write(
  'order.json',
  run.order.map((batch) => [batch]),
)
await write('loss-curve.json', { recipe, steps, heldout, heldout_mean, caption_ids })
const weights = 'projector-after.safetensors'
copyFileSync(join(folder, weights), join(target, weights))

/** @param {string} name @param {unknown} value */
async function write(name, value) {
  writeFileSync(join(target, name), await format(JSON.stringify(value), { parser: 'json', printWidth: 110 }))
}
