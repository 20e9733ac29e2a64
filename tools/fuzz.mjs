// npm run fuzz: gives the readers of foreign bytes more inputs than the unit suite does, from a seed of its own.
//
//   npm run fuzz -- [--seed N] [--runs M] [--target NAME]   default: a random seed, a million inputs, every reader

import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { root } from './app-build.mjs'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, runs: { type: 'string' }, target: { type: 'string' } },
})
const seed = values.seed ?? String(randomInt(2 ** 31))
console.log(`Fuzzing with seed ${seed}.`)
const { status } = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    'unit',
    '--reporter=verbose',
    'src/model/testing/fuzz/fuzz.test',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      TRILOBITE_FUZZ_SEED: seed,
      TRILOBITE_FUZZ_RUNS: values.runs ?? '1000000',
      TRILOBITE_FUZZ_TARGET: values.target ?? '',
    },
  },
)
process.exit(status ?? 1)
