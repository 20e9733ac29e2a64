import { expect, test } from './support/fixtures'
import { block, longTasks } from './support/main-thread'
import { playEngine } from './support/play'
import { sample } from './support/samples'

test('a long answer streams without holding the page, and what does hold it is found', async ({ visit }) => {
  const { page } = visit
  await playEngine(page, 'endless')
  await visit.openReady()
  expect(
    await longTasks(page, async () => {
      await visit.send('Describe the picture at length.', sample('08').path)
      await visit.untilAnswered('stop', 1)
    }),
  ).toEqual([])

  const found = await longTasks(page, () => block(page, 80))
  expect(found).toHaveLength(1)
  expect(found[0]).toContain('onmessage')
})
