import { expect, test } from './support/fixtures'
import { block, lastingLongTasks } from './support/main-thread'
import { playEngine } from './support/play'
import { sample } from './support/samples'

test('a long answer streams without holding the page, and what does hold it is found', async ({ visit }) => {
  const { page } = visit
  await playEngine(page, 'endless')
  await visit.openReady()
  const ask = async () => {
    await visit.send('Describe the picture at length.', sample('08').path)
    await visit.untilAnswered('stop', 1)
  }
  expect(await lastingLongTasks(page, ask, () => visit.newChat())).toEqual([])

  const found = await lastingLongTasks(
    page,
    () => block(page, 80),
    async () => {},
  )
  expect(found).toHaveLength(1)
  expect(found[0]).toContain('onmessage')
})
