import { expect, test } from './support/fixtures'
import { look } from './support/look'
import { sample } from './support/samples'
import { freeLastShard, holdLastShard } from './support/shards'
import { Visit } from './support/visit'
import { beforeEngine } from './support/worker-script'

const scene = sample('08')

test('a browser without WebGPU is told what to do', async ({ visit }) => {
  await visit.page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'gpu'))
  await beforeEngine(visit.page, 'Reflect.deleteProperty(WorkerNavigator.prototype, "gpu")')
  await visit.page.goto('./')
  await expect(visit.engine('unfit')).toBeVisible()
  const banner = visit.part('banner')
  await expect(banner).toHaveAttribute('data-error', 'UnsupportedDeviceError')
  await expect(banner).toContainText('This browser has no WebGPU. Open this page in a current Chrome or Edge')
  await expect(visit.part('composer')).toBeDisabled()
  await expect(visit.part('composer')).toHaveAttribute('placeholder', 'No usable GPU; see above.')
})

test('a machine without a usable GPU is told what to do', async ({ visit }) => {
  await beforeEngine(visit.page, 'GPU.prototype.requestAdapter = async () => null')
  await visit.page.goto('./')
  await expect(visit.engine('unfit')).toBeVisible()
  await expect(visit.part('banner')).toContainText('No usable GPU was found. Turn on graphics acceleration')
  await expect(visit.part('remedy-reload-page')).toBeVisible()
})

test('a GPU that computes wrong values is refused', async ({ visit }) => {
  // As a broken driver would: square roots come out squared.
  await beforeEngine(
    visit.page,
    `const make = GPUDevice.prototype.createShaderModule;
     GPUDevice.prototype.createShaderModule = function (given) {
       return make.call(this, { ...given, code: given.code.replaceAll('inverseSqrt(', 'sqrt(') })
     }`,
  )
  await visit.page.goto('./')
  await expect(visit.engine('unfit')).toBeVisible({ timeout: 120_000 })
  await expect(visit.part('banner')).toHaveAttribute('data-error', 'SelfTestError')
  await expect(visit.part('banner')).toContainText('computes wrong values')
})

test('an engine whose script does not load is told of, and comes back', async ({ visit }) => {
  await visit.page.route('**/assets/engine.worker-*.js', (route) => route.fulfill({ status: 404 }))
  await visit.page.goto('./')
  await expect(visit.engine('lost')).toBeVisible()
  await expect(visit.part('banner')).toHaveAttribute('data-error', 'WorkerCrashError')
  visit.offences.forgive(/404/)
  await visit.page.unrouteAll()
  await visit.part('remedy-reload-model').click()
  await expect(visit.engine('idle')).toBeVisible()
  await expect(visit.part('banner')).toHaveCount(0)
})

test('a device lost in mid-answer comes back, and the chat survives', async ({ visit }) => {
  await visit.openReady()
  const [turn, next] = scene.turns
  await visit.atFirstText('lose-device')
  await visit.send(turn!.question, scene.path)
  await visit.untilAnswered('lost')
  const banner = visit.part('banner')
  await expect(banner).toHaveAttribute('data-error', 'DeviceLostError')
  await expect(banner).toContainText('Your chat is kept. Reload the model to go on.')
  await expect(visit.asked).toHaveText(turn!.question)
  const text = (await visit.text().innerText()).trim()
  expect(text).not.toBe('')
  expect(turn!.reply.startsWith(text)).toBe(true)
  await expect(visit.answers.last()).toContainText('Cut short: the engine was lost.')
  await expect(visit.part('announcer')).toHaveText('Answer cut short')
  await look(visit, 'lost')

  await visit.part('remedy-reload-model').click()
  await visit.untilReady()
  await expect(banner).toHaveCount(0)
  await visit.forget()
  await visit.part('regenerate').click()
  await visit.untilAnswered('stop', 1)
  expect((await visit.lastTurn()).reply.tokenIds).toEqual(turn!.generated_ids)
  const { reply } = await visit.ask(next!.question)
  expect(reply.tokenIds).toEqual(next!.generated_ids)
})

test('a device lost while loading or waiting is told of at once', async ({ visit }) => {
  await visit.open()
  const { reached } = await holdLastShard(visit.page)
  await visit.part('load-button').click()
  await reached
  await visit.loseDevice()
  await expect(visit.engine('lost')).toBeVisible()
  await expect(visit.part('banner')).toHaveAttribute('data-error', 'DeviceLostError')
  await expect(visit.part('load-progress')).toHaveCount(0)

  await freeLastShard(visit.page)
  await visit.part('remedy-reload-model').click()
  await visit.untilReady()
  await visit.loseDevice()
  await expect(visit.engine('lost')).toBeVisible()
  await expect(visit.part('composer')).toHaveAttribute('placeholder', 'Reload the model to go on.')
})

test('a page on an insecure address is told where to open it', async ({ browser, baseURL }) => {
  const address = 'http://trilobite.test/'
  const visit = await Visit.begin(browser, address)
  await visit.page.route(`${address}**`, async (route) => {
    const url = route.request().url().replace(address, baseURL!)
    await route.fulfill({ response: await route.fetch({ url }) })
  })
  await visit.page.goto('./')
  await expect(visit.engine('unfit')).toBeVisible()
  await expect(visit.part('banner')).toContainText('WebGPU is off on this address.')
  await expect(visit.part('banner')).toContainText('only over https or on localhost')
  await visit.end()
})
