import { cpSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from './support/fixtures'
import { llavaSample, sample } from './support/samples'
import { beforeEngine } from './support/worker-script'
import { expectGivenUp, freeLastShard, fulfilChanged, holdLastShard, serveLastShard } from './support/shards'

const digit = sample('06')
const folders = [
  {
    model: 'trilobite-nano-cambrian',
    architecture: 'cambrian_llama (./towers/clip + ./towers/convnext-multi-stage, sva, llama)',
    imageTokens: 72,
    asked: digit,
  },
  {
    model: 'trilobite-nano-llava',
    architecture: 'llava (clip_vision_model, mlp2x_gelu, llama)',
    imageTokens: 64,
    asked: llavaSample('06'),
  },
]

test('a load that is cancelled, broken or refused says so, and the next one works', async ({ visit }) => {
  const { page } = visit
  await visit.open()

  await test.step('cancelled', async () => {
    const hold = await holdLastShard(page)
    await visit.part('load-button').click()
    const request = await hold.reached
    const card = visit.part('load-progress')
    await expect(card).toContainText('File 2 of 4: model-00002-of-00002.safetensors, 0 B of 3.8 MB')
    // The others go on beside it.
    await expect(card).toContainText('17.7 MB of 21.5 MB')
    await expect(card).toContainText(/\/s/)
    await visit.part('cancel-load').click()
    await expect(visit.engine('idle')).toBeVisible()
    await expectGivenUp(request)
    await expect(card).toBeHidden()
    await expect(visit.part('banner')).toHaveCount(0)
  })

  await test.step('a shard whose header is damaged', async () => {
    await serveLastShard(page, (route) =>
      fulfilChanged(route, (bytes) => {
        bytes.write('!', 8)
        return bytes
      }),
    )
    await visit.part('load-button').click()
    const banner = visit.part('banner')
    await expect(banner).toHaveAttribute('data-error', 'CheckpointError')
    await expect(banner).toContainText('weights are damaged')
    await banner.getByText('Details').click()
    await expect(banner).toContainText('model-00002-of-00002.safetensors')
    await expect(visit.engine('idle')).toBeVisible()
  })

  await test.step('a shard that ends early', async () => {
    await serveLastShard(page, (route) => fulfilChanged(route, (bytes) => bytes.subarray(0, 100_000)))
    await visit.part('remedy-retry').click()
    const banner = visit.part('banner')
    await expect(banner).toHaveAttribute('data-error', 'NetworkError')
    await expect(visit.engine('idle')).toBeVisible()
  })

  await test.step('a server that fails', async () => {
    await serveLastShard(page, (route) => route.fulfill({ status: 503 }))
    await visit.part('remedy-retry').click()
    const banner = visit.part('banner')
    await expect(banner).toContainText('A file could not be downloaded.')
    await expect(banner).toHaveAttribute('data-error', 'NetworkError')
    await expect(visit.engine('idle')).toBeVisible()
    // The browser itself notes each refusal in the console.
    visit.offences.forgive(/503/)
  })

  await test.step('the whole model', async () => {
    await freeLastShard(page)
    await visit.part('remedy-retry').click()
    await visit.untilReady()
    await expect(visit.part('banner')).toHaveCount(0)
    const [turn] = digit.turns
    const { reply } = await visit.ask(turn!.question, digit.path)
    expect(reply.tokenIds).toEqual(turn!.generated_ids)
  })
})

for (const { model, architecture, imageTokens, asked } of folders)
  test(`a folder with ${model} is planned and loaded, and answers without compiling`, async ({
    visit,
  }, info) => {
    const folder = info.outputPath('my-checkpoint')
    const bundled = fileURLToPath(new URL(`../public/models/${model}`, import.meta.url))
    cpSync(bundled, folder, { recursive: true })
    const compiled: string[] = []
    await beforeEngine(
      visit.page,
      `for (const name of ['createComputePipeline', 'createComputePipelineAsync']) {
       const make = GPUDevice.prototype[name]
       GPUDevice.prototype[name] = function (given) {
         console.log('compiles ' + given.label)
         return make.call(this, given)
       }
     }`,
    )
    visit.page.on('console', (message) => {
      if (message.text().startsWith('compiles ')) compiled.push(message.text())
    })
    await visit.open()
    await visit.part('screen-models').click()
    const plan = visit.part('plan')
    await expect(plan).toBeVisible()
    const requests: string[] = []
    visit.page.on('request', (request) => requests.push(request.url()))
    const chooser = visit.page.waitForEvent('filechooser')
    await visit.part('choose-folder').click()
    await (await chooser).setFiles(folder)
    await expect(visit.page.getByRole('heading', { name: 'my-checkpoint' })).toBeVisible()
    await expect(plan).toContainText(architecture)
    await expect(plan).toContainText(`${imageTokens} for each picture`)

    await visit.part('dtype').selectOption('f32')
    await expect(plan).toContainText('as f32')

    await visit.part('load-button').click()
    await visit.untilReady()
    expect(requests.filter((url) => /safetensors|models\//.test(url))).toEqual([])
    await expect(visit.part('model-name')).toHaveText('my-checkpoint')
    await expect(visit.page.getByText('f32 · 1,024 tokens of context')).toBeVisible()
    expect(compiled.length).toBeGreaterThan(10)

    // A first answer that waits for shaders is slow; each one it needs is compiled while loading.
    compiled.length = 0
    for (const [i, turn] of asked.turns.entries()) {
      const { reply } = await visit.ask(turn.question, ...(i === 0 ? [asked.path] : []))
      expect(reply.tokenIds).toEqual(turn.generated_ids)
    }
    expect(compiled).toEqual([])
  })

test('a folder without a checkpoint and an address that is none are refused', async ({ visit }) => {
  await visit.open()
  await visit.part('screen-models').click()
  await visit.part('folder-input').setInputFiles(fileURLToPath(new URL('samples', import.meta.url)))
  await expect(visit.page.getByRole('alert').filter({ hasText: 'config.json' })).toBeVisible()
  await visit.part('model-address').fill('not an address')
  await visit.part('model-address').press('Enter')
  await expect(visit.page.getByRole('alert').filter({ hasText: 'owner/name' })).toBeVisible()
  await expect(visit.part('plan')).toContainText(folders[0]!.architecture)
})
