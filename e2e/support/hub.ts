import { existsSync, readFileSync } from 'node:fs'
import type { Page, Route } from '@playwright/test'

const cases = new URL('../golden/original/', import.meta.url)

/** A repository name and the folder that stands for it. */
type Repositories = Readonly<Record<string, URL>>

/**
 * Serves a recorded case of Cambrian-1 as a hub of its own below the page: the checkpoint as `golden/NAME`, its towers
 * under their own names. The page finds it chosen.
 */
export async function visitHub(page: Page, baseURL: string, name: string): Promise<void> {
  const folder = new URL(`${name}/`, cases)
  const { towers } = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as {
    towers: Record<string, string>
  }
  const repositories: Record<string, URL> = { [`golden/${name}`]: new URL('checkpoint/', folder) }
  for (const path of Object.values(towers)) {
    repositories[path.replace(/^towers\//, '')] = new URL(`${path}/`, folder)
  }
  await page.route('**/hub/**', (route) => serve(route, repositories))
  const choice = { kind: 'hub', repo: `golden/${name}` }
  await page.addInitScript(
    (saved) => localStorage.setItem('trilobite.model', saved),
    JSON.stringify({ choice, dtype: 'f32', endpoint: `${baseURL}hub` }),
  )
}

async function serve(route: Route, repositories: Repositories): Promise<void> {
  const { pathname } = new URL(route.request().url())
  const [, repo = '', path = ''] = /\/hub\/([^/]+\/[^/]+)\/resolve\/main\/(.+)$/.exec(pathname) ?? []
  const file = repositories[repo] && new URL(path, repositories[repo])
  if (!file || !existsSync(file)) return route.fulfill({ status: 404, body: '' })
  const bytes = readFileSync(file)
  const range = /^bytes=(\d+)-(\d*)$/.exec((await route.request().headerValue('range')) ?? '')
  const from = Number(range?.[1] ?? 0)
  const to = Math.min(range?.[2] ? Number(range[2]) + 1 : bytes.length, bytes.length)
  const isHead = route.request().method() === 'HEAD'
  await route.fulfill({
    status: range ? 206 : 200,
    body: isHead ? '' : bytes.subarray(from, to),
    headers: {
      'accept-ranges': 'bytes',
      'content-length': String(to - from),
      ...(range && { 'content-range': `bytes ${from}-${to - 1}/${bytes.length}` }),
    },
  })
}
