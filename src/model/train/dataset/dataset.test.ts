import { describe, expect, test } from 'vitest'
import { AbortError } from '../../errors'
import { openAnnotations } from './annotations'
import { RowDataset } from './dataset'
import { openDataset } from './index'
import { FolderPictures } from './pictures'
import { DroppedFolder } from './folder'
import { accessOf, filesOf, utf8 } from './testing/bytes'

const turns = (caption: string) => [
  { from: 'human', value: '<image>\nWhat?' },
  { from: 'gpt', value: caption },
]
const row = (image: string | undefined, caption = 'A cat.') => ({ image, conversations: turns(caption) })
const jsonl = (rows: readonly unknown[]) => rows.map((one) => JSON.stringify(one)).join('\n')

type Contents = Parameters<typeof filesOf>[0]
const open = (contents: Contents) => openDataset({ kind: 'files', files: filesOf(contents) })

async function captions(contents: Contents) {
  const dataset = await open(contents)
  const { usable, skipped } = await dataset.scan()
  expect(skipped).toEqual([])
  const samples = await Promise.all(Array.from(usable, (i) => dataset.sample(i)))
  return samples.map(({ image, conversations }) => [image, conversations.at(-1)?.value])
}

const PICTURES = { 'a.jpg': 'A', 'b.png': 'B' }
const EXPECTED = [
  ['a.jpg', 'Ein Kätzchen 🦐'],
  ['b.png', 'two'],
]
const ROWS = EXPECTED.map(([image, caption]) => row(image, caption))

describe('formats', () => {
  test.each<[string, Contents]>([
    ['JSON', { 'x.json': JSON.stringify(ROWS) }],
    ['indented JSON', { 'x.json': `\n ${JSON.stringify(ROWS, null, 2)}\r\n` }],
    ['JSON with a byte order mark', { 'x.json': `\ufeff${JSON.stringify(ROWS)}` }],
    ['JSONL', { 'x.jsonl': jsonl(ROWS) }],
    [
      'JSONL with CRLF, blank lines and a mark',
      { 'x.jsonl': `\ufeff\r\n${jsonl(ROWS).replace('\n', '\r\n\r\n')}\r\n` },
    ],
    ['JSONL that is called JSON', { 'x.json': jsonl(ROWS) }],
    ['JSON that is called JSONL', { 'x.jsonl': JSON.stringify(ROWS) }],
    ['CSV', { 'x.csv': 'image,caption\na.jpg,Ein Kätzchen 🦐\nb.png,two' }],
    [
      'CSV with a mark, CRLF and quotes',
      { 'x.csv': '\ufeff"caption","file"\r\n"Ein Kätzchen 🦐",a.jpg\r\n\r\ntwo,b.png\r\n' },
    ],
    ['CSV without a header', { 'x.csv': 'a.jpg,Ein Kätzchen 🦐\nb.png,two\n' }],
    ['TSV', { 'x.tsv': 'path\ttitle\na.jpg\tEin Kätzchen 🦐\nb.png\ttwo\n' }],
    ['texts beside pictures', { 'a.txt': 'Ein Kätzchen 🦐\n', 'b.txt': 'two' }],
  ])('reads %s', async (_, contents) => {
    expect(await captions({ ...contents, ...PICTURES })).toEqual(EXPECTED)
  })

  test('reads pairs, of equal names too', async () => {
    const image = (text: string) => new Blob([text])
    const pairs = [
      { name: 'image.png', image: image('1'), caption: ' one ' },
      { name: 'image.png', image: image('2'), caption: 'two' },
      { name: 'c.png', image: image('3'), caption: '' },
      { name: 'd.png', image: image(''), caption: 'four' },
    ]
    const dataset = await openDataset({ kind: 'pairs', name: 'typed', pairs })
    const { usable, skipped } = await dataset.scan()
    expect([...usable]).toEqual([0, 1])
    expect(skipped.map(({ reason }) => reason)).toEqual(['has no caption', 'its picture d.png is empty'])
    const second = await dataset.sample(1)
    expect(second.image).toBe('2-image.png')
    expect(await dataset.image(second.image!)).toEqual(utf8('2'))
    expect((await dataset.sample(0)).conversations[1]!.value).toBe('one')
    const other = await openDataset({
      kind: 'pairs',
      name: 'typed',
      pairs: [{ ...pairs[0]!, image: image('x') }],
    })
    const same = await openDataset({
      kind: 'pairs',
      name: 'else',
      pairs: [{ ...pairs[0]!, image: image('x') }],
    })
    expect(other.fingerprint).toBe(same.fingerprint)
    expect(other.fingerprint).not.toBe(dataset.fingerprint)
    await expect(openDataset({ kind: 'pairs', name: '', pairs: [] })).rejects.toThrow(/no pairs/)
  })

  test.each<[string, Contents, RegExp]>([
    ['one object over lines', { 'x.json': '{\n"data": [\n1]}' }, /one object over several lines/],
    ['UTF-16', { 'x.json': Uint8Array.of(0xff, 0xfe, 0x5b, 0) }, /UTF-16/],
    ['neither', { 'x.json': '"rows"' }, /begins with "; expected \[/],
    ['an empty file', { 'x.jsonl': '' }, /begins with nothing/],
    ['an empty list', { 'x.json': '[]' }, /holds no rows/],
    ['a header alone', { 'x.csv': 'image,caption\n' }, /holds no rows/],
    ['a cut-off file', { 'x.json': '[{"image":"a.jpg"},{"ima' }, /x\.json ends within row 1/],
    ['nothing', {}, /found nothing; expected a \.json/],
    ['pictures alone', { 'a.jpg': 'A' }, /found 1 pictures and 0 other files \(a\.jpg\)/],
    ['two files of rows', { 'x.json': '[]', 'y.csv': '' }, /several files of rows \(x\.json, y\.csv\)/],
  ])('refuses %s', async (_, contents, message) => {
    await expect(open(contents)).rejects.toMatchObject({
      name: 'DatasetError',
      message: expect.stringMatching(message),
    })
  })
})

describe('scan', () => {
  test('lists what cannot be used, and why', async () => {
    const rows = [
      row('a.jpg'),
      { ...row('gone.jpg'), id: 'x' },
      row(undefined, 'text'),
      { id: 'words', conversations: [{ from: 'gpt', value: 'words' }] },
      { image: ['a.jpg', 'b.png'], conversations: turns('two') },
      row('../a.jpg'),
      row('empty.png'),
      row('b.png'),
      { caption: 'A caption of nothing.' },
    ]
    const text = `${jsonl(rows)}\n{"image": "a.jpg", \n`
    const bytes = new Uint8Array([...utf8(text), 0x7b, 0xff, 0x7d])
    const dataset = await open({ 'x.jsonl': bytes, 'empty.png': '', ...PICTURES })
    const { usable, textOnly, skipped } = await dataset.scan()
    expect(dataset.length).toBe(11)
    expect([...usable]).toEqual([0, 3, 7])
    expect(textOnly).toEqual([{ row: 3, id: 'words' }])
    expect(skipped.map(({ row, id, image }) => [row, id, image])).toEqual([
      [1, 'x', 'gone.jpg'],
      [2, '2', undefined],
      [4, '4', undefined],
      [5, '5', '../a.jpg'],
      [6, '6', 'empty.png'],
      [8, '8', undefined],
      [9, '9', undefined],
      [10, '10', undefined],
    ])
    expect(skipped.map(({ reason }) => reason)).toEqual([
      'its picture gone.jpg is not there',
      'has no picture, though its text says <image>',
      'has 2 pictures; training takes one a row',
      'its picture ../a.jpg leads out of the folder; paths have to be relative to it',
      'its picture empty.png is empty',
      'has no picture',
      expect.stringMatching(/^is not JSON/),
      'is not UTF-8 text; save x.jsonl as UTF-8',
    ])
    await expect(dataset.sample(4)).rejects.toThrow('dataset: row 4 of x has 2 pictures')
    await expect(dataset.sample(11)).rejects.toThrow('has rows 0 to 10, not 11')
    await expect(dataset.image('gone.jpg')).rejects.toThrow('the picture gone.jpg is not there')
    expect((await dataset.sample(3)).image).toBeUndefined()
  })

  test('refuses a row above 4 MB and reads on behind it', async () => {
    const rows = [row('a.jpg', 'x'.repeat(4.2e6)), row('a.jpg', 'y'.repeat(4e6)), row('b.png', 'z')]
    const dataset = await open({ 'x.json': JSON.stringify(rows), ...PICTURES })
    const { usable, skipped } = await dataset.scan()
    expect([...usable]).toEqual([1, 2])
    expect(skipped[0]!.reason).toMatch(/^is 4\.2 MB long, at most 4\.2 MB are read/)
    await expect(dataset.sample(0)).rejects.toThrow(/row 0 of x is 4\.2 MB long/)
  })

  test('lists texts that are missing or are no text', async () => {
    const latin1 = Uint8Array.of(0xe9)
    const dataset = await open({ ...PICTURES, 'c.webp': 'C', 'a.txt': 'yes', 'c.txt': latin1 })
    const { usable, skipped } = await dataset.scan()
    expect([...usable]).toEqual([0])
    expect(skipped.map(({ id, reason }) => [id, reason])).toEqual([
      ['b.png', 'has no caption: there is no .txt file of its name beside it'],
      ['c.webp', 'has a caption that is not UTF-8 text (c.txt)'],
    ])
  })

  test('tells progress and can be aborted', async () => {
    const dataset = await open({
      'x.jsonl': jsonl(Array.from({ length: 4500 }, () => row('a.jpg'))),
      ...PICTURES,
    })
    const told: number[] = []
    const { usable } = await dataset.scan({ onProgress: (rows) => told.push(rows) })
    expect(usable.length).toBe(4500)
    expect(told.at(-1)).toBe(4500)
    expect(told.length).toBe(3)
    const abort = new AbortController()
    const scan = dataset.scan({ signal: abort.signal, onProgress: () => abort.abort() })
    await expect(scan).rejects.toBeInstanceOf(AbortError)
    const files = filesOf({ 'x.jsonl': '{}' })
    const opened = openDataset({ kind: 'files', files }, { signal: abort.signal })
    await expect(opened).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('which file', () => {
  const rows = (caption: string) => JSON.stringify([row('a.jpg', caption)])

  test('is the one called train, with that for validation beside it', async () => {
    const dataset = await open({
      'set/train.json': rows('t'),
      'set/heldout.json': rows('h'),
      'set/loss.json': '{}',
      'set/sub/config.json': '{}',
      'set/images/a.jpg': 'A',
      'set/.cache/train.json': '[',
      '__MACOSX/set/._train.json': '[',
    })
    expect(dataset.name).toBe('set')
    expect((await dataset.sample(0)).conversations[1]!.value).toBe('t')
    expect(dataset.heldOut?.name).toBe('set heldout')
    expect((await dataset.heldOut!.sample(0)).conversations[1]!.value).toBe('h')
    expect((await dataset.heldOut!.scan()).usable.length).toBe(1)
  })

  test('is the only one that is not for validation, or the only one', async () => {
    const files = {
      'llava_558k.json': rows('t'),
      'val.jsonl': '{"image":"a.jpg","caption":"v"}',
      'a.jpg': 'A',
    }
    const dataset = await open(files)
    expect(dataset.name).toBe('llava_558k')
    expect((await dataset.heldOut!.sample(0)).conversations[1]!.value).toBe('v')
    const alone = await open({ 'test.json': rows('t'), 'a.jpg': 'A' })
    expect(alone.heldOut).toBeUndefined()
    expect(alone.name).toBe('test')
  })

  test.each([
    ['holds no rows', '[]', /^dataset: .*eval\.json holds no rows/],
    [
      'are figures of another program',
      '{\n "accuracy": 0.5\n}\n',
      /eval\.json is one object over several lines/,
    ],
    ['is no text', 'accuracy', /eval\.json begins with a; expected/],
  ])('for validation is let be where it %s', async (_, content, problem) => {
    const files = { 'train.json': rows('t'), 'eval.json': content, 'a.jpg': 'A' }
    const dataset = await open(files)
    expect(dataset.heldOut).toBeUndefined()
    expect(dataset.heldOutProblem).toMatch(problem)
    expect([...(await dataset.scan()).usable]).toEqual([0])
    expect((await open({ 'train.json': rows('t'), 'a.jpg': 'A' })).heldOutProblem).toBeUndefined()
  })

  test('is not guessed', async () => {
    await expect(open({ 'a/train.json': '[]', 'b/train.json': '[]' })).rejects.toThrow(
      /a\/train\.json, b\/train/,
    )
    await expect(open({ 'val.json': '[]', 'test.json': '[]' })).rejects.toThrow(/several files of rows/)
  })
})

test('the fingerprint tells rows apart, not names', async () => {
  const print = async (contents: Contents) => (await open(contents)).fingerprint
  const base = await print({ 'x.json': JSON.stringify(ROWS) })
  expect(base).toMatch(/^[0-9a-f]{64}$/)
  expect(await print({ 'y.json': JSON.stringify(ROWS) })).toBe(base)
  expect(await print({ 'x.json': JSON.stringify(ROWS).replace('two', 'owt') })).not.toBe(base)
  expect(await print({ 'x.jsonl': jsonl(ROWS) })).not.toBe(base)
  const beside = await print({ ...PICTURES, 'a.txt': 'one', 'b.txt': 'two' })
  expect(await print({ ...PICTURES, 'a.txt': 'eno', 'b.txt': 'two' })).not.toBe(beside)
})

describe('laziness', () => {
  const ROW_BYTES = 1 << 20
  const BYTES = 2 * 2 ** 30

  /** 2 GiB of JSONL, a MiB a row; a read overwrites what the last one gave, but for 64 KiB. */
  function endless() {
    const head = (i: number) => utf8(`{"id":${String(i).padStart(8)},"image":"a.jpg","caption":"`)
    const template = new Uint8Array(2 * ROW_BYTES).fill(120)
    const tail = utf8('"}\n')
    for (const end of [ROW_BYTES, 2 * ROW_BYTES]) template.set(tail, end - tail.length)
    const seen = { largest: 0, outstanding: 0, total: 0 }
    const read = async (start: number, end: number) => {
      seen.largest = Math.max(seen.largest, end - start)
      seen.total += end - start
      if (seen.outstanding++ > 0) throw new Error('two reads at once')
      await Promise.resolve()
      const first = Math.floor(start / ROW_BYTES)
      for (const [i, at] of [first, first + 1].entries()) template.set(head(at), i * ROW_BYTES)
      const offset = start - first * ROW_BYTES
      seen.outstanding--
      const bytes = template.subarray(offset, offset + end - start)
      return bytes.length <= 1 << 16 ? bytes.slice() : bytes
    }
    return { access: { sizeBytes: BYTES, read }, seen }
  }

  test('2 GiB of rows are indexed and read in pieces of a MiB', async () => {
    const { access, seen } = endless()
    const rows = await openAnnotations(access, 'x.jsonl')
    const pictures = new FolderPictures(new DroppedFolder(filesOf({ 'a.jpg': 'A' })))
    const dataset = new RowDataset({ name: 'x', rows, pictures })
    expect(dataset.length).toBe(2048)
    expect(seen.total).toBeLessThan(BYTES + (1 << 18))
    seen.total = 0
    for (const row of [2047, 0, 1234]) {
      const sample = await dataset.sample(row)
      expect(sample.id).toBe(String(row))
      expect(sample.conversations[1]!.value.length).toBeGreaterThan(ROW_BYTES - 64)
    }
    expect(seen.total).toBeLessThan(3 * ROW_BYTES)
    expect(seen.largest).toBeLessThanOrEqual(ROW_BYTES)
  })

  test('rows that cross the borders of pieces are whole', async () => {
    const captions = Array.from({ length: 5000 }, (_, i) => '漢🦐é"\\\n'.repeat(1 + ((i * 7919) % 97)))
    const rows = captions.map((caption) => ({ image: 'a.jpg', caption }))
    for (const [name, text] of [
      ['x.json', JSON.stringify(rows)],
      ['x.jsonl', jsonl(rows)],
    ] as const) {
      const bytes = utf8(text)
      expect(bytes.length).toBeGreaterThan(3 << 20)
      const opened = await openAnnotations(accessOf(bytes), name)
      let row = 0
      for await (const batch of opened.batches(undefined)) {
        for (const { sample } of batch) expect(sample?.conversations[1]?.value === captions[row++]).toBe(true)
      }
      expect(row).toBe(5000)
    }
  })
})
