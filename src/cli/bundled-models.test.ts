import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BUNDLED } from '../ui/models/catalogue'
import { BUNDLED_MODELS, bundledFolder } from './model-source'

test('the page and the command line name the same bundled models', () => {
  expect(BUNDLED.map(({ name }) => name)).toEqual(BUNDLED_MODELS)
})

test.each(BUNDLED)('$name is as large as the page says, and has a card', ({ name, downloadBytes }) => {
  const folder = join(bundledFolder(), name)
  const sizes = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.safetensors'))
    .map((file) => statSync(join(folder, file)).size)
  expect(sizes.reduce((sum, size) => sum + size)).toBe(downloadBytes)
  expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain(`\n# ${name}\n`)
})
