import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, type Browser, type BrowserContext, type Locator, type Page } from '@playwright/test'
import type { AskEvent, LocalReply } from '../../src/worker/api'
import { Offences, recordCrossings, type Crossed } from './watch'

/** Loading compiles every kernel on a software GPU. */
export const LOAD_MS = 180_000
export const ANSWER_MS = 90_000

export type Phase = 'stop' | 'length' | 'context' | 'aborted' | 'failed' | 'lost' | 'interrupted'

/** A file for a file input. */
export type Upload = string | { name: string; mimeType: string; buffer: Buffer }

/** One visitor's page, and what a visitor does there. */
export class Visit {
  private constructor(
    readonly page: Page,
    readonly context: BrowserContext,
    readonly offences: Offences,
  ) {
    offences.watch(page)
  }

  /** A fresh visitor, on no page yet. */
  static async begin(browser: Browser, baseURL: string): Promise<Visit> {
    const context = await browser.newContext({ baseURL, viewport: { width: 1280, height: 800 } })
    const page = await context.newPage()
    await recordCrossings(page)
    return new Visit(page, context, new Offences(new URL(baseURL).origin))
  }

  /** Another tab of the same visitor, on no page yet; what it does wrong counts against this one. */
  async beside(): Promise<Visit> {
    const page = await this.context.newPage()
    await recordCrossings(page)
    return new Visit(page, this.context, this.offences)
  }

  end(): Promise<void> {
    return this.context.close()
  }

  /** Opens the page and waits until the GPU has been tested. */
  async open(): Promise<void> {
    await this.page.goto('./')
    await expect(this.engine('idle')).toBeVisible({ timeout: LOAD_MS })
  }

  /** Opens the page and loads the bundled model. */
  async openReady(): Promise<void> {
    await this.open()
    await this.part('load-button').click()
    await this.untilReady()
  }

  async untilReady(): Promise<void> {
    await expect(this.engine('ready')).toBeVisible({ timeout: LOAD_MS })
  }

  part(testId: string): Locator {
    return this.page.getByTestId(testId)
  }

  engine(status: string): Locator {
    return this.part(`engine-${status}`)
  }

  get questions(): Locator {
    return this.part('message-user')
  }

  /** The questions' words alone, without the buttons beneath. */
  get asked(): Locator {
    return this.questions.locator('.bubble')
  }

  get answers(): Locator {
    return this.part('message-assistant')
  }

  /** What is said of the last answer: its text without the buttons and numbers beneath. */
  text(answer: Locator = this.answers.last()): Locator {
    return answer.locator('.text')
  }

  async attach(...files: Upload[]): Promise<void> {
    // Playwright takes paths or contents, not both at once.
    const contents = files.map((file) =>
      typeof file === 'string' ? { name: basename(file), mimeType: '', buffer: readFileSync(file) } : file,
    )
    await this.part('attach-input').setInputFiles(contents)
  }

  /** Writes a question and sends it, with pictures that must be taken first. */
  async send(question: string, ...pictures: Upload[]): Promise<void> {
    if (pictures.length) {
      await this.attach(...pictures)
      await expect(this.page.locator('.composer').getByTestId('thumbnail')).toHaveCount(pictures.length)
    }
    await this.part('composer').fill(question)
    await this.part('composer').press('Enter')
  }

  /** Waits for the last answer's end. */
  async untilAnswered(phase: Phase = 'stop', answers?: number): Promise<void> {
    if (answers !== undefined) await expect(this.answers).toHaveCount(answers)
    await expect(this.answers.last()).toHaveAttribute('data-phase', phase, { timeout: ANSWER_MS })
    await expect(this.engine(phase === 'lost' ? 'lost' : 'ready')).toBeVisible()
  }

  /** Asks, waits for the answer, and gives what the engine said and how. */
  async ask(question: string, ...pictures: Upload[]): Promise<{ reply: LocalReply; events: AskEvent[] }> {
    const answers = await this.answers.count()
    await this.forget()
    await this.send(question, ...pictures)
    await this.untilAnswered('stop', answers + 1)
    return this.lastTurn()
  }

  async lastTurn(): Promise<{ reply: LocalReply; events: AskEvent[] }> {
    const { replies, events } = await this.crossed()
    const reply = replies.at(-1)
    if (!reply) throw new Error('no reply crossed from the worker')
    return { reply, events }
  }

  crossed(): Promise<Crossed> {
    return this.page.evaluate(() => (globalThis as unknown as { crossed: Crossed }).crossed)
  }

  /** Lets go of what crossed so far. */
  async forget(): Promise<void> {
    await this.page.evaluate(() => {
      const { crossed } = globalThis as unknown as { crossed: Crossed }
      crossed.replies.length = crossed.events.length = 0
    })
  }

  /** Does to the page what a driver reset would. */
  loseDevice(): Promise<void> {
    return this.page.evaluate(() =>
      (globalThis as unknown as { trilobite: { loseDevice(): Promise<void> } }).trilobite.loseDevice(),
    )
  }

  async newChat(): Promise<void> {
    await this.part('new-chat').click()
    await expect(this.answers).toHaveCount(0)
  }

  /**
   * Does something in the page as soon as the running answer has text, before another task of the page runs: a test
   * that clicked from outside could come too late for a quick answer.
   */
  atFirstText(act: 'stop' | 'escape' | 'new-chat' | 'lose-device' | 'reload'): Promise<void> {
    return this.page.evaluate((which) => {
      const acts = {
        stop: () => document.querySelector<HTMLElement>('[data-testid=stop]')!.click(),
        reload: () => location.reload(),
        'new-chat': () => document.querySelector<HTMLElement>('[data-testid=new-chat]')!.click(),
        escape: () =>
          document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true })),
        'lose-device': () =>
          (globalThis as unknown as { trilobite: { loseDevice(): void } }).trilobite.loseDevice(),
      }
      const observer = new MutationObserver(() => {
        if (!document.querySelector('[data-testid=message-assistant][aria-busy=true] .text')?.textContent)
          return
        observer.disconnect()
        acts[which]()
      })
      observer.observe(document.body, { subtree: true, childList: true, characterData: true })
    }, act)
  }
}
