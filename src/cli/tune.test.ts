import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { UNTUNED } from '../kernels'
import { tuningFolder } from './engine'
import { formatTuning } from './tune'

test('a tuning is a line for each class of products, or says that nothing is faster', () => {
  const products = { 'q8 some': 'packed', 'f16 many': 'rows4' } as const
  expect(formatTuning({ ...UNTUNED, products })).toBe('q8 some   packed\nf16 many  rows4\n')
  expect(formatTuning(UNTUNED)).toBe('no form is faster than the usual ones\n')
})

test('tunings are kept where programs keep what they can make again', () => {
  expect(tuningFolder({ XDG_CACHE_HOME: '/cache' })).toBe(join('/cache', 'trilobite', 'tuning'))
  expect(tuningFolder({})).toBe(join(homedir(), '.cache', 'trilobite', 'tuning'))
})
