import { readFileSync, statSync } from 'node:fs'
import { expect, type Page, type Request, type Route } from '@playwright/test'

const LAST_SHARD = '**/model-00002-of-00002.safetensors'
const shardFile = new URL(
  '../../public/models/trilobite-nano-cambrian/model-00002-of-00002.safetensors',
  import.meta.url,
)

/** Weights come in ranges longer than this, headers in shorter ones. */
const LONGEST_HEADER = 500_000

/** A hold on a file: requests for its weights wait until the page gives them up. */
export interface Hold {
  /** Resolves when a request waits. */
  reached: Promise<Request>
}

/** Keeps the weights of the bundled model's last shard back; its size and header are told. */
export async function holdLastShard(page: Page): Promise<Hold> {
  let tell!: (request: Request) => void
  const reached = new Promise<Request>((resolve) => (tell = resolve))
  await serveLastShard(page, async (route) => {
    const { start, end } = await rangeOf(route)
    if (end - start < LONGEST_HEADER) return route.continue()
    // Never answered: the page must cancel it.
    tell(route.request())
  })
  return { reached }
}

/** Answers requests for the bytes of the bundled model's last shard by `answer`; its size is told as it is. */
export async function serveLastShard(page: Page, answer: (route: Route) => Promise<void>): Promise<void> {
  await freeLastShard(page)
  await page.route(LAST_SHARD, (route) =>
    route.request().method() === 'HEAD' ? route.continue() : answer(route),
  )
}

export async function freeLastShard(page: Page): Promise<void> {
  await page.unroute(LAST_SHARD)
}

/** Sends the shard with its bytes changed by `change`, in the range the request wants. */
export async function fulfilChanged(route: Route, change: (bytes: Buffer) => Buffer): Promise<void> {
  const { start, end } = await rangeOf(route)
  const bytes = change(readFileSync(shardFile))
  await route.fulfill({
    status: 206,
    body: bytes.subarray(start, end),
    headers: {
      'content-type': 'application/octet-stream',
      'content-range': `bytes ${start}-${end - 1}/${statSync(shardFile).size}`,
    },
  })
}

/** The bytes a request wants: from `start` up to `end`. */
async function rangeOf(route: Route): Promise<{ start: number; end: number }> {
  const header = (await route.request().headerValue('range')) ?? ''
  const range = /^bytes=(\d+)-(\d*)$/.exec(header)
  if (!range) throw new Error(`expected a request for a range of the shard, came "${header}"`)
  return { start: Number(range[1]), end: range[2] ? Number(range[2]) + 1 : statSync(shardFile).size }
}

/** Requires that a request the page gave up has failed. */
export async function expectGivenUp(request: Request): Promise<void> {
  await expect.poll(() => request.failure()?.errorText ?? 'still waiting').toMatch(/ABORTED|abort/i)
}
