import type { Locator } from '@playwright/test'
import { expect, test } from './support/fixtures'
import { look } from './support/look'
import { playEngine } from './support/play'
import type { Visit } from './support/visit'

// What the Train screen shows and does in states that a real engine takes minutes to come to, if it comes to them at all.

/** Opens the Train screen with its model loaded, on an engine that plays. */
async function openTrain(visit: Visit, ...modes: Parameters<typeof playEngine>[1][]) {
  await playEngine(visit.page, ...modes)
  await visit.open()
  await visit.part('screen-train').click()
  await visit.part('train-load').click()
  await visit.untilReady()
}

async function start(visit: Visit) {
  await visit.part('train-view-new').click()
  await visit.part('use-sample-set').click()
  await expect(visit.part('plan-steps')).toBeVisible()
  await visit.part('train-start').click()
}

const card = (visit: Visit, name: string) => visit.part('run-card').filter({ hasText: name })
const heading = (visit: Visit, name: string) => visit.page.getByRole('heading', { name, exact: true })
const plot = (visit: Visit, name: string) => visit.page.getByRole('img', { name })

test('runs of earlier visits: cut short, failed, damaged, and one that another tab trains', async ({
  visit,
}) => {
  await openTrain(visit, 'old-runs')
  await expect(visit.part('runs')).toBeVisible()
  const elsewhere = card(visit, 'In the other window')
  await expect(elsewhere).toHaveAttribute('data-state', 'elsewhere')
  await expect(elsewhere).toContainText('training in another tab')
  await expect(elsewhere.getByTestId('card-resume')).toHaveCount(0)
  await expect(elsewhere.getByTestId('run-delete')).toHaveCount(0)
  await expect(elsewhere.getByTestId('run-export')).toBeEnabled()

  const damaged = card(visit, '3f0c2a1e')
  await expect(damaged.getByTestId('run-why')).toContainText('the disk is damaged')
  await expect(damaged).not.toContainText(/1970|of 0|Begun|unknown/)
  await expect(damaged.getByRole('button')).toHaveText(['Delete'])

  await expect(card(visit, 'Left in the night').getByTestId('run-why')).toContainText('unloaded')
  await expect(card(visit, 'Too fast').getByTestId('run-why')).toContainText('not finite')
  await look(visit, 'train-old-runs')

  // The other tab paused it; nothing but a look at this one tells.
  await visit.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await expect(elsewhere).toHaveAttribute('data-state', 'paused')
  await expect(elsewhere.getByTestId('card-resume')).toBeEnabled()

  await card(visit, 'Left in the night').getByTestId('run-open').click()
  await expect(visit.part('run')).toHaveAttribute('data-state', 'paused')
  await expect(visit.part('run-why')).toContainText('unloaded')
  await expect(heading(visit, 'Left in the night')).toBeFocused()
  // Of its log: 8 samples in a quarter of a second.
  await expect(visit.part('run-steps-rate')).toHaveText('4 steps/s')
  await look(visit, 'train-old-run')
})

test('a run that trains is listed as far as it is', async ({ visit }) => {
  await openTrain(visit, 'slow-steps')
  await visit.part('field-checkpointEvery').locator('input').fill('3')
  await start(visit)
  await expect(visit.part('run')).toHaveAttribute('data-state', 'running')
  await expect(heading(visit, 'Sample set, llava-1.5')).toBeFocused()
  await visit.part('train-view-runs').click()
  const running = visit.part('run-card')
  await expect(running).toHaveAttribute('data-state', 'running')
  await expect(visit.part('train-view-runs')).toHaveText('Runs (1)')
  await expect(running.getByTestId('card-loss')).toHaveText(/^\d\.\d{3}$/)
  await expect(running.getByTestId('run-delete')).toHaveCount(0)
  await expect(running.getByTestId('run-chat')).toBeDisabled()
  await expect(running.getByTestId('card-steps')).toHaveText(/^[3-9] of/)
  // Its first checkpoint is there to chat through.
  await expect(running.getByTestId('run-chat')).toBeEnabled()
  await expect(running).toHaveAttribute('data-state', 'running')
})

test('renaming and deleting a run', async ({ visit }) => {
  await openTrain(visit, 'old-runs')
  await card(visit, 'Slower rate').getByTestId('run-rename').click()
  await visit.part('rename-name').fill('Half the rate')
  await visit.part('rename-save').click()
  await expect(card(visit, 'Half the rate')).toHaveCount(1)
  await card(visit, 'Half the rate').getByTestId('run-delete').click()
  await visit.part('confirm').click()
  await expect(card(visit, 'Half the rate')).toHaveCount(0)
  await expect(heading(visit, 'Runs')).toBeFocused()

  await card(visit, 'Slower still').getByTestId('run-open').click()
  await expect(visit.part('run')).toContainText('begun with the connector Slower rate')
  await visit.part('run-delete').click()
  await visit.part('confirm').click()
  await expect(heading(visit, 'Runs')).toBeFocused()
})

test('what takes long can be stopped: preparing, pausing, a gradient check', async ({ visit }) => {
  await openTrain(visit, 'slow-start')
  await start(visit)
  await expect(visit.part('run')).toHaveAttribute('data-state', 'starting')
  await expect(visit.part('run-pause')).toBeDisabled()
  await visit.part('run-stop').click()
  // Nothing is left of it, and its settings are still there.
  await expect(visit.part('run')).toHaveCount(0)
  await expect(visit.part('train-start')).toBeEnabled()
  await expect(heading(visit, 'Train')).toBeFocused()

  await visit.part('train-view-check').click()
  await visit.part('check-start').click()
  await visit.part('check-cancel').click()
  await expect(visit.part('check-progress')).toHaveCount(0)
  await expect(visit.part('check-report')).toHaveCount(0)
  await expect(visit.part('check-start')).toBeEnabled()
})

test('a run that is being paused can be stopped', async ({ visit }) => {
  await openTrain(visit, 'slow-steps')
  await start(visit)
  await visit.part('run-pause').click()
  await expect(visit.part('run-pause')).toHaveText('Pausing…')
  await visit.part('run-stop').click()
  await expect(visit.part('run')).toHaveAttribute('data-state', 'stopped')
  await expect(visit.part('run-resume')).toBeEnabled()
})

test('a plot is zoomed with a mouse, a finger, keys and buttons', async ({ visit }) => {
  const { page } = visit
  await openTrain(visit, 'old-runs')
  await card(visit, 'Slower rate').getByTestId('run-open').click()
  const loss = plot(visit, 'Loss, steps')
  const shows = (steps: string) => expect(loss).toHaveAccessibleName(new RegExp(`^Loss, steps ${steps}\\.`))
  const area = loss.locator('.u-over')
  const boxOf = async (locator: Locator) => {
    await locator.scrollIntoViewIfNeeded()
    return (await locator.boundingBox())!
  }
  await shows('1 to 120')

  await test.step('mouse', async () => {
    const { x, y, width } = await boxOf(area)
    await page.mouse.move(x + 0.25 * width, y + 40)
    await page.mouse.down()
    await page.mouse.move(x + 0.75 * width, y + 60, { steps: 4 })
    await page.mouse.up()
    await shows('31 to 90')
    // The others follow.
    await expect(plot(visit, 'Gradient norm')).toHaveAccessibleName(/steps 31 to 90/)
    await area.dblclick()
    await shows('1 to 120')
  })

  await test.step('keys', async () => {
    await loss.focus()
    await page.keyboard.press('+')
    await shows('31 to 90')
    await page.keyboard.press('ArrowRight')
    await shows('46 to 105')
    await page.keyboard.press('-')
    await shows('1 to 120')
    await page.keyboard.press('+')
    await page.keyboard.press('0')
    await shows('1 to 120')
  })

  await test.step('buttons', async () => {
    await visit.part('zoom-last').press('Enter')
    await shows('20 to 120')
    await visit.part('zoom-in').press('Enter')
    await visit.part('zoom-earlier').press('Enter')
    await shows('20 to 70')
    await visit.part('zoom-reset').press('Enter')
    await shows('1 to 120')
  })

  await test.step('finger, on a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 })
    const touch = await page.context().newCDPSession(page)
    const fingers = (type: string, ...touchPoints: { x: number; y: number }[]) =>
      touch.send('Input.dispatchTouchEvent', { type: type as 'touchStart', touchPoints })
    const drag = async (fromX: number, toX: number, fromY: number, toY: number) => {
      await fingers('touchStart', { x: fromX, y: fromY })
      for (const share of [0.25, 0.5, 0.75, 1])
        await fingers('touchMove', { x: fromX + share * (toX - fromX), y: fromY + share * (toY - fromY) })
      await fingers('touchEnd')
    }
    const { x, y, width } = await boxOf(area)
    await drag(x + 0.25 * width, x + 0.75 * width, y + 60, y + 65)
    await shows('31 to 90')
    // Up and down the page scrolls instead.
    await drag(x + 0.5 * width, x + 0.5 * width + 2, y + 100, y + 20)
    await shows('31 to 90')
    const later = await boxOf(area)
    for (let tap = 0; tap < 2; tap++) {
      await fingers('touchStart', { x: later.x + 50, y: later.y + 50 })
      await fingers('touchEnd')
    }
    await shows('1 to 120')
  })
})

test('runs are compared by their validation losses', async ({ visit }) => {
  await openTrain(visit, 'old-runs')
  for (const name of ['Sample set, llava-1.5', 'Slower rate'])
    await card(visit, name).getByRole('checkbox').check()
  await visit.part('compare').click()
  const validation = plot(visit, 'Validation loss')
  await expect(validation).toHaveAccessibleName(
    /^Validation loss, steps 1 to 120\. Slower rate: \d\.\d+; Sample set, llava-1\.5: \d\.\d+$/,
  )
  await expect(plot(visit, 'Loss, smoothed')).toHaveAccessibleName(/steps 1 to 120/)
  await expect(visit.part('difference').filter({ hasText: 'Held-out rows' })).toContainText('3')
  await expect(visit.part('difference').filter({ hasText: 'Learning rate' })).toContainText('0.0005')
  await visit.part('comparison').scrollIntoViewIfNeeded()
  await look(visit, 'train-comparison')

  // Other curves are shown whole.
  await visit.part('comparison').getByTestId('zoom-in').click()
  await expect(validation).toHaveAccessibleName(/steps 31 to 90/)
  await card(visit, 'Slower still').getByRole('checkbox').check()
  await expect(validation).toHaveAccessibleName(/steps 1 to 120\. Slower still/)

  for (const name of ['Left in the night', 'Too fast', 'Stopped by hand'])
    await card(visit, name).getByRole('checkbox').check()
  await expect(visit.part('compare-limit')).toContainText('As many as 6 runs')
  await expect(card(visit, 'In the other window').getByRole('checkbox')).toBeDisabled()
})

test('problems say what to do where they came up', async ({ visit }) => {
  await openTrain(visit, 'train-oom', 'old-runs')

  await test.step('files that are no connector', async () => {
    await visit.part('import-input').setInputFiles({
      name: 'damaged.safetensors',
      mimeType: '',
      buffer: Buffer.from('x'),
    })
    await expect(visit.part('import-problem')).toHaveAttribute('data-error', 'CheckpointError')
    await expect(visit.part('import-problem')).toBeInViewport()
    await expect(visit.part('train-problem')).toHaveCount(0)
  })

  await test.step('too little memory in the middle of a run', async () => {
    await start(visit)
    await expect(visit.part('run-problem')).toHaveAttribute('data-error', 'OutOfMemoryError')
    await expect(visit.part('run-problem')).toContainText('smaller micro-batch')
    await expect(visit.part('run')).toHaveAttribute('data-state', 'failed')
    await look(visit, 'train-failed')
    await visit.part('train-view-runs').click()
    await expect(visit.part('run-card').first().getByTestId('run-why')).toContainText('refused 1.2 GB')
  })

  await test.step('a lost device: the banner speaks of runs, and training stays in sight', async () => {
    await visit.loseDevice()
    await expect(visit.part('banner')).toContainText('Runs are kept up to their last checkpoint')
    await expect(visit.part('banner')).not.toContainText('chat is kept')
    await visit.part('screen-chat').click()
    await expect(visit.part('banner')).toContainText('Your chat is kept')
    await visit.part('screen-train').click()
    await visit.part('remedy-reload-model').click()
    await visit.untilReady()
    await expect(visit.part('train-screen')).toBeVisible()
    await expect(visit.part('banner')).toHaveCount(0)
  })
})

test('data that is refused shows the details at once', async ({ visit }) => {
  await openTrain(visit, 'data-refused')
  await visit.part('use-sample-set').click()
  await expect(visit.page.getByText('expected a .json, .jsonl, .csv or .tsv file')).toBeVisible()
})

test('a plan that does not fit says so, and may be tried', async ({ visit }) => {
  await openTrain(visit, 'train-tight')
  await visit.part('use-sample-set').click()
  await expect(visit.part('train-advice')).toContainText('Take micro-batches of 2.')
  await expect(visit.part('train-start')).toBeEnabled()
})

test('who chooses a model to train comes back to training', async ({ visit }) => {
  await playEngine(visit.page)
  await visit.open()
  await visit.part('screen-train').click()
  await visit.part('model-needed').getByRole('button', { name: 'Choose a model' }).click()
  await visit.part('model-picker').getByRole('button', { name: 'Load', exact: true }).click()
  await visit.untilReady()
  await expect(visit.part('train-screen')).toBeVisible()
})

test('a Train screen that cannot be fetched says so', async ({ visit }) => {
  await playEngine(visit.page)
  await visit.page.route('**/assets/TrainScreen-*.js', (route) => route.abort())
  await visit.open()
  await visit.part('screen-train').click()
  await expect(visit.part('train-not-opened')).toContainText('could not be opened')
  await expect(visit.part('remedy-reload-page')).toBeVisible()
  visit.offences.forgive(/ERR_FAILED|dynamically imported module/)
})

test('ten thousand steps, hundreds a second, leave the page alive', async ({ visit }) => {
  await openTrain(visit, 'many-steps')
  await start(visit)
  const loss = plot(visit, 'Loss, steps')
  await expect(visit.part('zoom-last')).toBeVisible()
  await visit.part('zoom-last').click()
  await expect(loss).not.toHaveAccessibleName(/steps [01] to/)
  await visit.part('run-stop').click()
  await expect(visit.part('run')).toHaveAttribute('data-state', /stopped|done/)
})
