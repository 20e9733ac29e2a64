import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { strictCsp } from '../e2e/support/csp'
import { filled } from './doc-blocks.mjs'

// What docs/embedding.md lists is what the sources have.

const root = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const page = read('docs/embedding.md')
const element = read('src/ui/element/trilobite-chat.ts')

/** Everything a pattern finds, sorted, each once. */
const found = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort()

/** Names in a column of the table under a header. */
function column(header: RegExp, at = 0): string[] {
  const lines = page.split('\n')
  const start = lines.findIndex((line) => header.test(line))
  expect(start, `a table with ${header}`).toBeGreaterThan(0)
  const rows = lines.slice(start + 2)
  const end = rows.findIndex((line) => !line.startsWith('|'))
  return rows
    .slice(0, end)
    .flatMap((row) => /^\s*`([^`(]+)/.exec(row.split('|')[at + 1] ?? '')?.[1] ?? [])
    .sort()
}

/** Of `const NAME = [ ... ] as const`. */
function list(name: string): string[] {
  const [, body = ''] = new RegExp(`const ${name} = \\[([^\\]]*)\\] as const`).exec(element) ?? []
  expect(body).not.toBe('')
  return found(body, /'([\w-]+)'/g)
}

const components = (readdirSync(join(root, 'src/ui'), { recursive: true }) as string[])
  .filter((path) => path.endsWith('.svelte'))
  .map((path) => read(join('src/ui', path)))
  .join('\n')

const ATTRIBUTE = /^\| attribute /
/** Without what is there for frameworks alone. */
const published = element.replace(/@internal \*\/\n {2}[gs]et \w+/g, '')
const accessors = (kind: 'get' | 'set') => found(published, new RegExp(`^  ${kind} (\\w+)\\(`, 'gm'))

describe('docs/embedding.md', () => {
  // npm run docs writes them.
  test('shows the examples as they are', () => {
    expect(page).toBe(filled(page, read))
    expect(page.match(/^```\w+ file=/gm)!.length).toBeGreaterThan(10)
  })

  test('attributes', () => expect(column(ATTRIBUTE)).toEqual(list('ATTRIBUTES')))

  test('properties', () => {
    expect(column(ATTRIBUTE, 1)).toEqual(list('PROPERTIES'))
    expect(column(ATTRIBUTE, 1)).toEqual(accessors('set'))
    const readable = accessors('get').filter((name) => !accessors('set').includes(name))
    expect(column(/^\| property +\| what/)).toEqual(expect.arrayContaining(readable))
    expect(column(/^\| property +\| what/)).toHaveLength(readable.length)
  })

  test('methods', () => {
    const [, acts = ''] = /---- What the page may do ----([^]*?)\n {2}\/\/ ----/.exec(element) ?? []
    expect(column(/^\| method /)).toEqual(found(acts, /^ {2}(?:async |override )*(\w+)\(/gm))
  })

  test('events with their details', () => {
    const [, map = ''] =
      /interface TrilobiteChatEventMap \{([^]*?)\n\}/.exec(read('src/ui/element/types.ts')) ?? []
    const details = [...map.matchAll(/'(trilobite-\w+)': CustomEvent<(\w+)>/g)].map(
      ([, name, detail]) => `${name} ${detail}`,
    )
    const rows = [...page.matchAll(/^\| `(trilobite-\w+)` +\| `(\w+)`/gm)]
    expect(rows.map(([, name, detail]) => `${name} ${detail}`)).toEqual(details)
  })

  test('slots', () =>
    expect(column(/^\| slot /)).toEqual(found(components, /this=\{['"]slot['"]\} name="(\w+)"/g)))

  test('parts', () => expect(column(/^\| part /)).toEqual(found(components, /\bpart="([\w-]+)"/g)))

  test('custom properties', () => {
    const styles = read('src/ui/styles/tokens.css') + read('src/ui/element/element.css') + components
    expect(found(page, /^\| `(--trilobite-[\w-]+)`/gm)).toEqual(found(styles, /var\((--trilobite-[\w-]+)/g))
  })

  test('languages', () => {
    const [, languages = ''] = /LANGUAGES = \{([^}]*)\}/.exec(read('src/ui/text/messages/index.ts')) ?? []
    const [, row = ''] = /^\| `language` +\| `language` +\|([^;]*);/m.exec(page) ?? []
    expect(found(row, /`(\w+)`/g)).toEqual(found(languages, /(\w+): '/g))
  })

  test('the policy is the one that the browser tests hold, each directive explained', () => {
    const [, block = ''] = /```csp\n([^]*?)\n```/.exec(page) ?? []
    const policy = block.replaceAll('\n', ' ')
    expect(policy).toBe(strictCsp('https://cdn.example.com', 'https://models.example.com'))
    expect(column(/^\| directive /)).toEqual(
      policy
        .split('; ')
        .map((part) => part.split(' ')[0])
        .sort(),
    )
  })
})

test('the tarball is called as npm pack calls it', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  expect(found(page + read('examples/README.md'), /trilobite-(\d[\w.-]*)\.tgz/g)).toEqual([version])
})

test('templates of frameworks know every attribute', () => {
  const [, props = ''] =
    /interface TrilobiteChatProps \{([^]*?)\n\}/.exec(read('src/ui/element/frameworks/props.ts')) ?? []
  expect(found(props, /^ {2}'?([\w-]+)'?\?:/gm)).toEqual(
    [...list('ATTRIBUTES'), 'apiKey', 'texts', 'token'].sort(),
  )
})

test.each(['html', 'react', 'vue', 'svelte', 'library'])('examples/%s asks for the versions here', (name) => {
  const here = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
  const asked = JSON.parse(read(`examples/${name}/package.json`)) as Record<string, Record<string, string>>
  for (const [dependency, version] of Object.entries({ ...asked.dependencies, ...asked.devDependencies }))
    expect(version).toBe(dependency === 'trilobite' ? `^${here.version}` : here.devDependencies![dependency])
})
