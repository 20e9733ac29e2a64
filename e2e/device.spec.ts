import { expect, test } from './support/fixtures'
import { look } from './support/look'
import { sample } from './support/samples'
import { expectGivenUp, freeLastShard, holdLastShard } from './support/shards'
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

test('a device lost in mid-answer comes back by itself, and the answer and the chat go on', async ({
  visit,
}) => {
  await visit.openReady()
  const [turn, next] = scene.turns
  await visit.atFirstText('lose-device')
  await visit.send(turn!.question, scene.path)
  await visit.untilAnswered('stop')
  await expect(visit.part('banner')).toHaveCount(0)
  await expect(visit.asked).toHaveText(turn!.question)
  expect((await visit.text().innerText()).trim()).toBe(turn!.reply)
  expect((await visit.lastTurn()).reply.tokenIds).toEqual(turn!.generated_ids)
  const { reply } = await visit.ask(next!.question)
  expect(reply.tokenIds).toEqual(next!.generated_ids)
})

test('a device lost while loading or waiting is opened anew, which is told and can be stopped', async ({
  visit,
}) => {
  await visit.open()
  const loading = await holdLastShard(visit.page)
  await visit.part('load-button').click()
  const given = await loading.reached
  await visit.loseDevice()
  await expectGivenUp(given)
  await freeLastShard(visit.page)
  // The load that was asked for, on another device.
  await visit.untilReady()

  const { reached } = await holdLastShard(visit.page)
  await visit.loseDevice()
  await expect(visit.engine('recovering')).toBeVisible()
  await expect(visit.part('recovery')).toContainText('The model is being loaded again.')
  await expect(visit.part('composer')).toHaveAttribute('placeholder', 'The model is coming back…')
  const again = await reached
  await look(visit, 'recovering')
  await visit.part('recovery-stop').click()
  await expect(visit.engine('idle')).toBeVisible()
  await expectGivenUp(again)
  await expect(visit.part('recovery')).toHaveCount(0)
  await freeLastShard(visit.page)
})

test(
  'a device that is lost again and again is given up, with a button and words',
  { tag: '@whole' },
  async ({ visit }) => {
    // Later devices break before anything is on them.
    await beforeEngine(
      visit.page,
      `const request = GPUAdapter.prototype.requestDevice
     let devices = 0
     GPUAdapter.prototype.requestDevice = async function (...args) {
       const device = await request.apply(this, args)
       if (devices++ > 0 && devices < 5) device.destroy()
       return device
     }
     const { setTimeout: wait } = self
     self.setTimeout = (call, ms) => wait(call, ms === 2000 || ms === 10000 ? 10 : ms)`,
    )
    await visit.openReady()
    await visit.loseDevice()
    await expect(visit.engine('lost')).toBeVisible()
    const banner = visit.part('banner')
    await expect(banner).toHaveAttribute('data-error', 'DeviceLostError')
    await expect(banner).toContainText('Your chat is kept. Reload the model to go on.')
    await expect(banner).toContainText('3 times in a row')
    await expect(visit.part('composer')).toHaveAttribute('placeholder', 'Reload the model to go on.')
    await look(visit, 'lost')
    await visit.part('remedy-reload-model').click()
    await visit.untilReady()
    await expect(banner).toHaveCount(0)
  },
)

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
