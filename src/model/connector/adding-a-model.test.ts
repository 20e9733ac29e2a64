import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8')

test('the code in docs/adding-a-model.md is that of docs/examples, from where it would stand', () => {
  const example = read('examples/mlp3x.ts')
    .replace("'../../src/kernels'", "'../../kernels'")
    .replace("'../../src/model/connector/definition'", "'./definition'")
    .replaceAll("'../../src/model/", "'../")
  expect(example).not.toContain('../../src')
  const blocks = [...read('adding-a-model.md').matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1])
  expect(blocks).toEqual([example, "  mlp3x_gelu: () => import('./mlp3x').then((module) => module.mlp3x),\n"])
})
