import { expect, test as base } from './support/fixtures'
import { playEngine } from './support/play'
import {
  drop,
  llavaRow,
  pictures,
  uploads,
  writeFolder,
  zipped,
  type Contents,
} from './support/training-data'
import { Visit } from './support/visit'

// Pictures with captions in every form in which they are given, read by the real engine without a model; and, on an engine
// that plays, what a run is prepared with.

const json = (rows: readonly unknown[]) => JSON.stringify(rows)
const lines = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).join('\n')

/** `data`: the Train screen of a page that is opened once, without data. */
const test = base.extend<{ data: Visit }, { opened: Visit }>({
  opened: [
    async ({ browser }, use, { project }) => {
      const visit = await Visit.begin(browser, project.use.baseURL!)
      await visit.open()
      await visit.part('screen-train').click()
      await use(visit)
      await visit.end()
    },
    { scope: 'worker', timeout: 240_000 },
  ],
  data: async ({ opened }, use) => {
    const other = opened.part('dataset-change')
    if (await other.isVisible()) await other.click()
    await expect(opened.part('train-choose-folder')).toBeEnabled()
    await use(opened)
    expect(opened.offences.errors.splice(0), 'errors of the page').toEqual([])
    expect(opened.offences.foreign.splice(0), 'requests to other origins').toEqual([])
  },
})

/** What is told of data that was read. */
async function summary(visit: Visit) {
  await expect(visit.part('dataset')).toBeVisible()
  const [rows, usable, skipped] = await Promise.all(
    ['rows', 'usable', 'skipped'].map((name) => visit.part(`dataset-${name}`).innerText()),
  )
  const preview = visit.part('dataset-preview').locator('li')
  return { rows, usable, skipped, captions: await preview.locator('p').allInnerTexts() }
}

/** Widths of the previewed pictures; 0 for one that is not shown. */
const widths = (visit: Visit) =>
  visit
    .part('dataset-preview')
    .locator('img')
    .evaluateAll((images) =>
      Promise.all(
        (images as HTMLImageElement[]).map((image) =>
          image.decode().then(
            () => image.naturalWidth,
            () => 0,
          ),
        ),
      ),
    )

const FOLDER: Contents = {
  'train.jsonl': [
    lines([
      llavaRow('images/bird.jpg', 'a bird'),
      llavaRow('images/gone.png', 'gone'),
      llavaRow('images/empty.png', 'empty'),
      { id: 'two', image: ['images/bird.jpg', 'images/night.png'], conversations: [] },
      { id: 'none', conversations: llavaRow('x.png', 'nothing').conversations },
    ]),
    '{"id": "cut", "image": "images/night.png", "conver',
    lines([llavaRow('images/night.png', '')]),
    lines([llavaRow('images/night.png', 'a night'), llavaRow('images/notes.png', 'no picture')]),
  ].join('\n'),
  'images/bird.jpg': pictures.bird,
  'images/night.png': pictures.night,
  'images/empty.png': '',
  'images/notes.png': 'Dear diary, this is no picture.',
  '.DS_Store': 'x',
}

test('a dropped folder is read, and each row that cannot be used is listed with the reason', async ({
  data,
}, testInfo) => {
  const folder = writeFolder(testInfo.outputPath('my set'), FOLDER)
  await drop(data.page, data.part('train-data'), folder)
  expect(await summary(data)).toEqual({
    rows: '9',
    usable: '3',
    skipped: '6',
    captions: ['a bird', 'a night', 'no picture'],
  })
  await expect(data.part('dataset').locator('strong')).toHaveText('my set')
  // Bytes are looked at when they are trained on; what is no picture is seen here.
  await expect(data.part('dataset-preview').locator('li').nth(2)).toContainText('cannot be shown')
  expect(await widths(data)).toHaveLength(2)
  expect(Math.min(...(await widths(data)))).toBeGreaterThan(0)

  const list = data.part('skipped-rows')
  await expect(list.locator('summary')).toHaveText('6 rows left out: which, and why')
  await list.locator('summary').click()
  const cells = await list
    .locator('tbody tr')
    .evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.innerText)))
  expect(cells).toEqual([
    ['2', 'images/gone.png', 'its picture images/gone.png is not there'],
    ['3', 'images/empty.png', 'its picture images/empty.png is empty'],
    ['4', 'none', 'has 2 pictures; training takes one a row'],
    ['5', 'none', 'has no picture, though its text says <image>'],
    ['6', 'none', expect.stringMatching(/^is not JSON/)],
    ['7', 'images/night.png', 'has no answer to learn from (nothing by gpt or assistant)'],
  ])
  // Its place is known: nothing is copied.
  await expect(data.part('dataset-kept')).toContainText('its place alone')

  await test.step('another drop takes its place', async () => {
    const other = writeFolder(testInfo.outputPath('captions'), {
      'bird.jpg': pictures.bird,
      'bird.txt': 'a bird in a text file\n',
      'night.png': pictures.night,
    })
    await drop(data.page, data.part('dataset'), other)
    await expect(data.part('dataset').locator('strong')).toHaveText('captions')
    expect(await summary(data)).toMatchObject({ rows: '2', usable: '1', captions: ['a bird in a text file'] })
    await expect(data.part('skipped-rows')).toContainText('there is no .txt file of its name beside it')
  })

  await test.step('one that is refused leaves it', async () => {
    await drop(
      data.page,
      data.part('dataset'),
      writeFolder(testInfo.outputPath('bare'), { 'a.png': pictures.night }),
    )
    await expect(data.part('dataset-problem')).toContainText('holds no captions: found 1 pictures')
    expect(await summary(data)).toMatchObject({ usable: '1' })
    await data.part('dataset-problem').getByRole('button', { name: 'Dismiss' }).click()
  })
})

const ROWS = [llavaRow('bird.jpg', 'a bird'), llavaRow('night.png', 'a night, "dark"')]
const BESIDE: Contents = { 'bird.jpg': pictures.bird, 'night.png': pictures.night }
const FORMS: Record<string, Contents> = {
  'set.json': { 'set.json': json(ROWS) },
  'set.jsonl': { 'set.jsonl': lines(ROWS) },
  'set.csv': { 'set.csv': 'image,caption\nbird.jpg,a bird\nnight.png,"a night, ""dark"""\n' },
  'set.tsv': { 'set.tsv': 'file_name\ttext\nbird.jpg\ta bird\nnight.png\ta night, "dark"\n' },
}

for (const [name, rows] of Object.entries(FORMS)) {
  test(`chosen files: ${name} beside its pictures`, async ({ data }) => {
    await data.part('train-files-input').setInputFiles(uploads({ ...rows, ...BESIDE }))
    expect(await summary(data)).toEqual({
      rows: '2',
      usable: '2',
      skipped: '0',
      captions: ['a bird', 'a night, "dark"'],
    })
    await expect(data.part('dataset-kept')).toContainText(/^a copy of [\d.]+ kB/)
    expect(Math.min(...(await widths(data)))).toBeGreaterThan(0)
  })
}

test('a chosen folder has its pictures in another one than the rows say', async ({ data }, testInfo) => {
  const folder = writeFolder(testInfo.outputPath('coco'), {
    'rows/train.json': json([llavaRow('train2017/bird.jpg', 'a bird')]),
    'pictures/bird.jpg': pictures.bird,
  })
  await data.part('train-folder-input').setInputFiles(folder)
  expect(await summary(data)).toMatchObject({ rows: '1', usable: '1', captions: ['a bird'] })
  expect((await widths(data))[0]).toBeGreaterThan(0)
})

test('a folder whose place the browser tells is not copied', async ({ data }) => {
  await data.page.evaluate(async (rows) => {
    const root = await navigator.storage.getDirectory()
    const folder = await root.getDirectoryHandle('birds', { create: true })
    const file = await folder.getFileHandle('birds.csv', { create: true })
    const writable = await file.createWritable()
    await writable.write(rows)
    await writable.close()
    // Dialogs cannot be driven; this folder is a handle as theirs are.
    Object.assign(globalThis, { showDirectoryPicker: async () => folder })
  }, 'image,caption\nbird.jpg,a bird\n')
  await data.part('train-choose-folder').click()
  expect(await summary(data)).toMatchObject({ rows: '1', usable: '0', skipped: '1' })
  await expect(data.part('dataset')).toContainText('None of its rows can be used.')
  await expect(data.part('start-reason')).toHaveText('None of the rows can be used.')
  await expect(data.part('dataset-kept')).toContainText('its place alone')
})

test('a zip brings a held-out file along', async ({ data }) => {
  const zip = await zipped('birds.zip', {
    'birds/train.json': json(Array.from({ length: 9 }, (_, i) => llavaRow('images/bird.jpg', `bird ${i}`))),
    'birds/heldout.json': json([
      llavaRow('images/night.png', 'a night'),
      llavaRow('images/gone.png', 'gone'),
    ]),
    'birds/images/bird.jpg': pictures.bird,
    'birds/images/night.png': pictures.night,
  })
  await data.part('train-zip-input').setInputFiles(zip)
  const { captions, ...counts } = await summary(data)
  expect(counts).toEqual({ rows: '9', usable: '9', skipped: '0' })
  // The first rows are enough to see what it is.
  expect(captions).toEqual(['bird 0', 'bird 1', 'bird 2', 'bird 3', 'bird 4', 'bird 5'])
  await expect(data.part('dataset')).toContainText('1 rows, kept for validation')
  await expect(data.part('field-heldOut').locator('input')).toHaveValue('1')
  await expect(data.part('field-heldOut')).toContainText('Of the 1 in the held-out file')
})

test('captions are typed beside their pictures', async ({ data }) => {
  await data.part('type-captions').click()
  await data
    .part('pairs-input')
    .setInputFiles(
      uploads({ 'bird.jpg': pictures.bird, 'digit.png': pictures.digit, 'no.png': 'no picture' }),
    )
  await expect(data.part('pairs-form').getByRole('alert')).toContainText('no.png')
  await expect(data.part('pair-caption')).toHaveCount(2)
  await expect(data.part('pairs-use')).toBeDisabled()
  await data.part('pair-caption').first().fill('  a bird ')
  await data.part('pairs-use').click()
  expect(await summary(data)).toEqual({ rows: '1', usable: '1', skipped: '0', captions: ['a bird'] })

  await test.step('the only row is not held out', async () => {
    await data.part('field-heldOut').locator('input').fill('1')
    await expect(data.part('field-heldOut')).toContainText(
      'The only usable row is left to train on: hold out 0.',
    )
    await expect(data.part('train-start')).toBeDisabled()
    await expect(data.part('start-reason')).toHaveText('Some settings cannot stay as they are.')
    await data.part('field-heldOut').locator('input').fill('0')
    await expect(data.part('start-reason')).toHaveText('Load a model first.')
  })
  await data.part('dataset-change').click()
  // What was typed is still there.
  await expect(data.part('pair-caption').first()).toHaveValue('  a bird ')
  await data.part('type-captions').click()
})

test('what is no data is refused in words, and the next attempt works', async ({ data }, testInfo) => {
  const problem = data.part('dataset-problem')
  const refused: [() => Promise<void>, RegExp][] = [
    [
      () => data.part('train-zip-input').setInputFiles(uploads({ 'set.zip': 'no zip at all' })),
      /set\.zip cannot be read as a zip/,
    ],
    [
      () => data.part('train-files-input').setInputFiles(uploads({ 'a.zip': 'x', 'b.json': '[]' })),
      /A zip is read by itself/,
    ],
    [
      () => data.part('train-files-input').setInputFiles(uploads({ 'a.json': '[]', 'b.json': '[]' })),
      /several files of rows \(a\.json, b\.json\)/,
    ],
    [
      () => data.part('train-files-input').setInputFiles(uploads({ 'a.json': 'hello' })),
      /a\.json begins with h; expected \[/,
    ],
    [
      () =>
        drop(data.page, data.part('train-data'), writeFolder(testInfo.outputPath('none'), { '.hidden': '' })),
      /There are no files in it/,
    ],
  ]
  for (const [give, words] of refused) {
    await give()
    await expect(problem).toContainText(words)
    await expect(data.part('dataset')).toHaveCount(0)
    await expect(data.part('train-start')).toBeDisabled()
  }
  await data.part('train-files-input').setInputFiles(uploads({ ...FORMS['set.json'], ...BESIDE }))
  expect(await summary(data)).toMatchObject({ usable: '2' })
  await expect(problem).toHaveCount(0)
})

test('the sample set brings settings of its own and says so', async ({ data }) => {
  const epochs = data.part('field-epochs').locator('input')
  await epochs.fill('5')
  await data.part('use-sample-set').click()
  expect(await summary(data)).toMatchObject({ usable: '200', skipped: '0' })
  await expect(data.part('recipe-suggested')).toContainText('Micro-batch, samples: 8')
  await expect(data.part('recipe-suggested')).not.toContainText('Epochs')
  await expect(data.part('recipe-status')).toHaveText(
    'One setting differs from the recipe and the sample set.',
  )
  await data.part('recipe-reset').click()
  await expect(epochs).toHaveValue('3')
  await data.part('recipe-choice').selectOption('tinyllava')
  await expect(epochs).toHaveValue('3')
  await expect(data.part('run-name')).toHaveAttribute('placeholder', 'Sample set, tinyllava')
  await data.part('recipe-suggested-undo').click()
  await expect(epochs).toHaveValue('1')
  await data.part('recipe-choice').selectOption('llava-1.5')
})

test.describe('on an engine that plays', () => {
  const input = (visit: Visit, key: string) => visit.part(`field-${key}`).locator('input')
  const plot = (visit: Visit) => visit.part('train-plan').getByRole('img')

  test.beforeEach(async ({ visit }) => {
    await playEngine(visit.page)
    await visit.open()
    await visit.part('screen-train').click()
    await visit.part('train-load').click()
    await visit.untilReady()
    await visit.part('use-sample-set').click()
    await expect(visit.part('plan-steps')).toHaveText('75')
  })

  test('the plan follows the settings, and Start is in reach', async ({ visit }) => {
    for (const width of [1280, 390]) {
      await visit.page.setViewportSize({ width, height: 844 })
      await visit.part('train-recipe').scrollIntoViewIfNeeded()
      await expect(visit.part('train-start')).toBeInViewport({ ratio: 1 })
    }
    await visit.page.setViewportSize({ width: 1280, height: 900 })
    await expect(visit.part('start-reason')).toHaveText(/^75 steps, /)

    const area = plot(visit).locator('.u-over')
    await area.scrollIntoViewIfNeeded()
    const { x, y, width } = (await area.boundingBox())!
    await visit.page.mouse.move(x + 0.3 * width, y + 20)
    await visit.page.mouse.down()
    await visit.page.mouse.move(x + 0.7 * width, y + 30, { steps: 4 })
    await visit.page.mouse.up()
    await expect(visit.part('plan-zoom-reset')).toBeVisible()
    await input(visit, 'steps').fill('12')
    await expect(visit.part('plan-freshness')).toHaveText('Updating…')
    await expect(visit.part('plan-steps')).toHaveText('12')
    await expect(visit.part('plan-freshness')).toHaveText('')
    await expect(plot(visit)).toHaveAccessibleName(/steps 1 to 12/)
    await expect(visit.part('plan-zoom-reset')).toHaveCount(0)
    // What cannot be planned leaves the plan, marked.
    await input(visit, 'steps').fill('a dozen')
    await expect(visit.part('plan-freshness')).toHaveText('Of earlier settings')
    await expect(visit.part('train-start')).toBeDisabled()
  })

  test('more settings are out of the way until one is changed', async ({ visit }) => {
    await expect(input(visit, 'beta1')).toBeHidden()
    await visit.part('more-settings').click()
    await input(visit, 'seed').fill('7')
    await expect(visit.part('more-settings')).toContainText('1 change')
    await visit.part('train-view-runs').click()
    await visit.part('train-view-new').click()
    await expect(input(visit, 'seed')).toHaveValue('7')
    await expect(input(visit, 'seed')).toBeVisible()
    await visit.part('field-template').locator('summary').click()
    await expect(visit.part('field-template')).toContainText('--version plain')
  })

  test('a run starts from the connector in use, while one is', async ({ visit }) => {
    const options = visit.part('field-start').locator('option')
    const own = ['new random weights', 'the checkpoint’s weights']
    await expect(options).toHaveText(own)
    await input(visit, 'steps').fill('4')
    await visit.part('run-name').fill('First')
    await visit.part('train-start').click()
    await expect(visit.part('run')).toHaveAttribute('data-state', 'done')
    await visit.part('run-chat').click()
    await visit.part('screen-train').click()
    await visit.part('train-view-new').click()
    await expect(options).toHaveText([...own, 'the connector you chat with now: First'])
    await visit.part('field-start').locator('select').selectOption('in-use')
    await expect(visit.part('train-start')).toBeEnabled()

    await visit.part('screen-chat').click()
    await visit.part('connector-back').click()
    await expect(visit.part('connector-chip')).toHaveCount(0)
    await visit.part('screen-train').click()
    await expect(visit.part('field-start')).toContainText('Choose another start.')
    await expect(visit.part('train-start')).toBeDisabled()
    await visit.part('field-start').locator('select').selectOption('checkpoint')
    await expect(options).toHaveText(own)
    await expect(visit.part('train-start')).toBeEnabled()
  })
})
