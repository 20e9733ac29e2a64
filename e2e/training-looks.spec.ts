import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from './support/fixtures'
import { look } from './support/look'
import { playEngine } from './support/play'
import type { Visit } from './support/visit'

const LOAD_MS = 120_000
const TRAIN_MS = 120_000

const picture = (name: string) => ({
  name,
  mimeType: '',
  buffer: readFileSync(fileURLToPath(new URL(`../public/examples/${name}`, import.meta.url))),
})

/** Opens the Train screen and loads the model that is meant for it. */
async function openTrain(visit: Visit) {
  await visit.open()
  await visit.part('screen-train').click()
  await visit.part('train-load').click()
  await expect(visit.engine('ready')).toBeVisible({ timeout: LOAD_MS })
}

const field = (visit: Visit, key: string) => visit.part(`field-${key}`).locator('input')

// On an engine that plays: what is looked at is the page.
test('training from its first screen to a comparison', async ({ visit }) => {
  await playEngine(visit.page)
  await visit.open()
  await visit.part('screen-train').click()
  await expect(visit.part('model-needed')).toBeVisible()
  await look(visit, 'train-no-model')
  await visit.part('train-load').click()
  await expect(visit.engine('ready')).toBeVisible({ timeout: LOAD_MS })

  await visit.part('type-captions').click()
  await visit.part('pairs-input').setInputFiles([picture('bird.jpg'), picture('night.png')])
  await visit.part('pair-caption').first().fill('a photo of a bird')
  await visit.part('pair-caption').last().fill('a large white circle on a dark background')
  await look(visit, 'train-captions')
  await visit.part('pairs-use').click()
  await expect(visit.part('dataset')).toBeVisible()
  await visit.part('more-settings').click()
  await field(visit, 'batchSize').fill('two')
  await expect(visit.part('recipe-status')).toContainText('One setting cannot stay')
  await expect(visit.part('train-start')).toBeDisabled()
  await look(visit, 'train-mistake')
  await field(visit, 'batchSize').fill('1')
  await field(visit, 'accumulate').fill('1')
  await field(visit, 'steps').fill('4')
  await field(visit, 'heldOut').fill('1')
  await field(visit, 'evaluateEvery').fill('2')
  await expect(visit.part('plan-steps')).toHaveText('4', { timeout: TRAIN_MS })
  await look(visit, 'train-plan')

  for (const rate of ['1e-3', '5e-4']) {
    await visit.part('train-view-new').click()
    await field(visit, 'learningRate').fill(rate)
    await visit.part('run-name').fill(`Rate ${rate}`)
    await visit.part('train-start').click()
    await expect(visit.part('run')).toHaveAttribute('data-state', 'done', { timeout: TRAIN_MS })
  }
  await expect(visit.part('run-caption').locator('img')).toHaveCount(2)
  await look(visit, 'train-run')

  await visit.part('train-view-runs').click()
  await visit.part('run-choose').first().check()
  await visit.part('run-choose').last().check()
  await visit.part('compare').click()
  await expect(visit.part('difference').filter({ hasText: 'Learning rate' })).toContainText('0.0005')
  await look(visit, 'train-runs')
  await visit.part('run-export').first().click()
  await expect(visit.part('layout-llava')).toBeVisible()
  await look(visit, 'train-export')
  await visit.page.keyboard.press('Escape')
  await visit.part('run-delete').first().click()
  await look(visit, 'train-delete')
  await visit.part('confirm').click()
  await expect(visit.part('run-card')).toHaveCount(1)
  await visit.part('run-chat').click()
  await expect(visit.part('connector-chip')).toContainText('Rate 1e-3')
  await look(visit, 'train-chat')
  await visit.part('connector-back').click()
  await expect(visit.part('connector-chip')).toHaveCount(0)
})

test('a gradient check reports what it found', { tag: '@whole' }, async ({ visit }) => {
  test.setTimeout(600_000)
  await openTrain(visit)
  await visit.part('train-view-check').click()
  await field(visit, 'directions').fill('1')
  await visit.part('check-start').click()
  await expect(visit.part('check-report')).toHaveAttribute('data-passed', 'true', { timeout: 300_000 })
  await look(visit, 'train-gradients')
})
