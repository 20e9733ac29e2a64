import { join } from 'node:path'
import type { BrowserContext, Page } from '@playwright/test'
import type { AnswerDetail, ErrorDetail, ModelInfo, TokenDetail } from '../../src/ui/element'
import { fileIn, serve } from './servers'

const root = join(import.meta.dirname, '../..')

/** The built package as a CDN has it: `element/trilobite-chat.js`, `library/`, `models/`. `npm test` builds it first. */
export const servePackage = (): Promise<string> => serve((path) => fileIn(join(root, 'dist'), path))

export { strictCsp } from './csp'

export interface HostPage {
  body: string
  csp?: string
  head?: string
}

/** A page that embeds, on an origin of its own; gives its address. */
export async function servePage({ body, csp, head = '' }: HostPage): Promise<string> {
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>${head}</head><body>${body}</body></html>`
  const origin = await serve((path) =>
    path === '/'
      ? { body: html, type: 'text/html', ...(csp && { headers: { 'content-security-policy': csp } }) }
      : undefined,
  )
  return `${origin}/`
}

/** What an element told its page. */
export interface Told {
  type: string
  target: string
  detail: unknown
}

declare global {
  interface Window {
    told: Told[]
    violations: string[]
    gpuBytes: () => { now: number; most: number }
  }
}

/** Keeps every event of elements that reaches the window, and every breach of a content security policy. */
export async function recordEvents(context: BrowserContext | Page): Promise<void> {
  await context.addInitScript(() => {
    window.told = []
    window.violations = []
    for (const name of ['progress', 'ready', 'token', 'answer', 'error']) {
      addEventListener(`trilobite-${name}`, (event) => {
        const { detail, target } = event as CustomEvent<unknown>
        window.told.push({ type: name, target: (target as Element).id, detail })
      })
    }
    addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sourceFile }) =>
      window.violations.push(`${effectiveDirective}: ${blockedURI} (${sourceFile})`),
    )
  })
}

type Details = {
  ready: ModelInfo
  token: TokenDetail
  answer: AnswerDetail
  error: ErrorDetail
  progress: { phase: string }
}

/** What was told so far of one kind. */
export const told = <Name extends keyof Details>(page: Page, type: Name): Promise<Details[Name][]> =>
  page.evaluate(
    (wanted) => window.told.filter(({ type }) => type === wanted).map(({ detail }) => detail) as never,
    type,
  )

/** Every address asked for, but those of the browser's own. */
export function recordRequests(page: Page): string[] {
  const requests: string[] = []
  page.on('request', (request) => {
    const url = request.url()
    if (!/^(blob|data):/.test(url) && !url.endsWith('/favicon.ico')) requests.push(url)
  })
  return requests
}

/**
 * Counts the bytes of every GPU buffer the engines of a page make and destroy, told by WebGPU itself: `window.gpuBytes()`.
 *
 * Each worker imports the counter before its own code.
 */
export async function countGpuBytes(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const bytes = { now: 0, most: 0 }
    window.gpuBytes = () => bytes
    new BroadcastChannel('gpu-bytes').addEventListener('message', ({ data }) => {
      bytes.now += Number(data)
      bytes.most = Math.max(bytes.most, bytes.now)
    })
    const counter = () => {
      const channel = new BroadcastChannel('gpu-bytes')
      const alive = new Set<GPUBuffer>()
      const { createBuffer } = GPUDevice.prototype
      GPUDevice.prototype.createBuffer = function (descriptor) {
        const buffer = createBuffer.call(this, descriptor)
        alive.add(buffer)
        channel.postMessage(buffer.size)
        return buffer
      }
      const { destroy } = GPUBuffer.prototype
      GPUBuffer.prototype.destroy = function () {
        if (alive.delete(this)) channel.postMessage(-this.size)
        return destroy.call(this)
      }
    }
    const url = (code: string) => URL.createObjectURL(new Blob([code], { type: 'text/javascript' }))
    const Real = globalThis.Worker
    globalThis.Worker = class extends Real {
      constructor(script: string | URL, options?: WorkerOptions) {
        super(
          url(`import ${JSON.stringify(url(`(${counter})()`))}; import ${JSON.stringify(String(script))}`),
          options,
        )
      }
    }
  })
}
