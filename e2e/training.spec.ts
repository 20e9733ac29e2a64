import { BlobReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js'
import { readFileSync } from 'node:fs'
import { expect, test } from './support/fixtures'
import { sample } from './support/samples'
import { LOAD_MS, type Visit } from './support/visit'

// A visitor trains the connector of the bundled model that is there for it, on the sample set, with the real engine.

const STEPS = 20
const NAME = 'What stars are called'
/** Two samples a step, on a GPU that is the CPU. */
const STEP_MS = 20_000

const stepsDone = async (visit: Visit) =>
  Number(
    await visit
      .part('run-step-count')
      .innerText({ timeout: 1000 })
      .catch(() => '0'),
  )

async function untilStep(visit: Visit, step: number): Promise<void> {
  await expect
    .poll(() => stepsDone(visit), { timeout: STEP_MS * STEPS, intervals: [250] })
    .toBeGreaterThanOrEqual(step)
}

const fill = (visit: Visit, field: string, value: string) =>
  visit.part(`field-${field}`).locator('input').fill(value)

test(
  'a connector is trained, stopped, resumed after a reload, chatted with, exported and imported',
  { tag: '@whole' },
  async ({ visit }, testInfo) => {
    test.setTimeout(900_000)
    const { page } = visit
    await visit.open()
    await visit.part('screen-train').click()
    await visit.part('train-load').click()
    await visit.untilReady()

    await test.step('plan a run on the sample set', async () => {
      await visit.part('use-sample-set').click()
      await expect(visit.part('dataset-usable')).toHaveText('200', { timeout: LOAD_MS })
      await expect(visit.part('dataset-preview').locator('img').first()).toBeVisible()
      await visit.part('more-settings').click()
      for (const [field, value] of [
        ['batchSize', '2'],
        ['accumulate', '1'],
        ['steps', String(STEPS)],
        ['evaluateEvery', '10'],
        ['heldOut', '4'],
        ['captions', '1'],
        ['checkpointEvery', '5'],
      ] as const) {
        await fill(visit, field, value)
      }
      await expect(visit.part('plan-steps')).toContainText(String(STEPS), { timeout: LOAD_MS })
      await visit.part('train-start').click()
    })

    await test.step('pause, a single step, resume', async () => {
      await untilStep(visit, 3)
      await visit.part('run-pause').click()
      await expect(visit.part('run-state')).toHaveText(/paused/i, { timeout: LOAD_MS })
      const paused = await stepsDone(visit)
      await visit.part('run-step').click()
      await untilStep(visit, paused + 1)
      await expect(visit.part('run-resume')).toBeEnabled({ timeout: LOAD_MS })
      expect(await stepsDone(visit)).toBe(paused + 1)
      await visit.part('run-resume').click()
      await untilStep(visit, paused + 2)
    })

    await test.step('stop, rename, go on in the same tab', async () => {
      await visit.part('run-stop').click()
      await expect(visit.part('run-state')).toHaveText('stopped', { timeout: LOAD_MS })
      const stopped = await stepsDone(visit)
      // What was done is kept.
      await expect(visit.part('run-checkpoint')).toHaveText(`step ${stopped}`)
      await visit.part('run-rename').click()
      await visit.part('rename-name').fill(NAME)
      await visit.part('rename-save').click()
      await expect(page.getByRole('heading', { name: NAME })).toBeVisible()
      await visit.part('run-resume').click()
      await expect(visit.part('run-state')).toHaveText('running', { timeout: LOAD_MS })
      await untilStep(visit, 8)
    })

    await test.step('reload the page, and go on from the last checkpoint', async () => {
      await page.reload()
      await visit.part('screen-train').click()
      await visit.part('train-view-runs').click()
      const card = visit.part('run-card').first()
      await expect(card).toHaveAttribute('data-state', 'paused')
      await expect(card).toContainText(NAME)
      await visit.part('card-resume').first().click()
      await visit.untilReady()
      await expect(visit.part('run-state')).toHaveText('running', { timeout: LOAD_MS })
    })

    await test.step('another tab sees that it is trained here', async () => {
      const other = await page.context().newPage()
      await other.goto('./')
      await other.getByTestId('screen-train').click()
      await other.getByTestId('train-view-runs').click()
      const card = other.getByTestId('run-card')
      await expect(card).toHaveAttribute('data-state', 'elsewhere', { timeout: LOAD_MS })
      await expect(card.getByTestId('card-resume')).toHaveCount(0)
      await other.close()
      await expect(visit.part('run-state')).toHaveText('done', { timeout: STEP_MS * STEPS })
      expect(await stepsDone(visit)).toBe(STEPS)
    })

    await test.step('see what it says of a picture it never trained on, beside what is true', async () => {
      const caption = visit.part('run-caption')
      await expect(caption).toHaveCount(1)
      await expect(caption.locator('img')).toBeVisible()
      await expect(caption).toContainText(/True caption \S+ .*Step 20.*Step 10.*Step 0/s)
      const newest = await visit.part('newest-caption').innerText()
      expect(newest).not.toBe('(nothing)')
      // New random weights say nothing of what they were taught.
      expect(await visit.part('first-caption').innerText()).not.toBe(newest)
    })

    const archive = testInfo.outputPath('connector.zip')
    await test.step('export, and see that the loss fell', async () => {
      await visit.part('run-export').click()
      await visit.part('layout-hf').check()
      const [download] = await Promise.all([page.waitForEvent('download'), visit.part('export-save').click()])
      await download.saveAs(archive)
      const files = await unzip(readFileSync(archive))
      expect(
        Object.keys(files)
          .map((path) => path.split('/').at(-1))
          .sort(),
      ).toEqual(
        ['README.md', 'config.json', 'log.csv', 'log.jsonl', 'model.safetensors', 'recipe.json'].sort(),
      )
      const [log] = Object.entries(files).flatMap(([path, text]) =>
        path.endsWith('log.jsonl') ? [text] : [],
      )
      const records = new TextDecoder()
        .decode(log)
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string; step: number; loss: number })
      const steps = records.filter(({ type }) => type === 'step')
      expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1))
      const mean = (part: typeof steps) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length
      expect(mean(steps.slice(-5))).toBeLessThan(mean(steps.slice(0, 5)) - 0.5)
      expect(records.some(({ type }) => type === 'evaluation')).toBe(true)
    })

    const trained = await test.step('chat with it, and go back to the checkpoint', async () => {
      await visit.part('run-chat').click()
      await expect(visit.part('connector-chip')).toContainText(NAME)
      const trained = await answer(visit)
      await visit.part('connector-back').click()
      await expect(visit.part('connector-chip')).toBeHidden()
      await visit.newChat()
      const own = await answer(visit)
      expect(trained).not.toEqual(own)
      return trained
    })

    await test.step('import what was exported', async () => {
      await visit.part('screen-train').click()
      await visit.part('train-view-runs').click()
      const weights = Object.entries(await unzip(readFileSync(archive))).find(([path]) =>
        path.endsWith('.safetensors'),
      )!
      await visit.part('import-input').setInputFiles({
        name: 'model.safetensors',
        mimeType: 'application/octet-stream',
        buffer: Buffer.from(weights[1]),
      })
      await expect(visit.part('connector-chip')).toContainText('model.safetensors', { timeout: LOAD_MS })
      await visit.newChat()
      // It is what was exported, weight by weight.
      expect(await answer(visit)).toEqual(trained)
    })
  },
)

/** A zip's files by their paths. */
async function unzip(bytes: Uint8Array<ArrayBuffer>): Promise<Record<string, Uint8Array>> {
  const reader = new ZipReader(new BlobReader(new Blob([bytes])))
  const files: Record<string, Uint8Array> = {}
  for (const entry of await reader.getEntries()) {
    if (!entry.directory) files[entry.filename] = await entry.getData(new Uint8ArrayWriter())
  }
  await reader.close()
  return files
}

/** What the model says of the first sample picture. */
async function answer(visit: Visit): Promise<number[]> {
  await visit.ask('What is this?', sample('01').path)
  const { reply } = await visit.lastTurn()
  return reply.tokenIds
}
