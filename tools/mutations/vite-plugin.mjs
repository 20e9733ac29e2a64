// Gives the tests a broken shader in a kernel's place: TRILOBITE_MUTANT={"file", "line", "before", "after"}.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../app-build.mjs'
import { broken } from './mutants.mjs'

/** @returns {import('vite').Plugin} */
export function mutation() {
  const { TRILOBITE_MUTANT } = process.env
  const mutant = TRILOBITE_MUTANT && JSON.parse(TRILOBITE_MUTANT)
  return {
    name: 'mutation',
    enforce: 'pre',
    load(id) {
      if (!mutant || id !== `${join(root, mutant.file)}?raw`) return null
      return `export default ${JSON.stringify(broken(readFileSync(join(root, mutant.file), 'utf8'), mutant))}`
    },
  }
}
