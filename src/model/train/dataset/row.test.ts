import { expect, test } from 'vitest'
import { captionRow, parseJsonRow } from './row'
import { parseTableRow, tableLayout } from './table'
import { utf8 } from './testing/bytes'

const PLAIN = [
  { from: 'human', value: '<image>' },
  { from: 'gpt', value: 'A cat.' },
]
const TURNS = [
  { from: 'human', value: '<image>\nWhat?' },
  { from: 'gpt', value: 'A cat.' },
]

const parse = (row: unknown) => parseJsonRow(JSON.stringify(row), 7)

test("reads LLaVA's rows", () => {
  expect(parse({ id: 'a', image: 'b/c.jpg', conversations: TURNS }).sample).toEqual({
    id: 'a',
    image: 'b/c.jpg',
    conversations: TURNS,
  })
  expect(parse({ image: 'c.jpg', conversations: TURNS }).id).toBe('7')
  expect(parse({ id: 12, image: 'c.jpg', conversations: TURNS }).id).toBe('12')
})

test('reads roles and contents as Hugging Face has them', () => {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: '<image>What?' },
    { role: 'assistant', content: 'A cat.' },
  ]
  const conversations = [
    { from: 'system', value: 'Be brief.' },
    { from: 'human', value: '<image>What?' },
    { from: 'gpt', value: 'A cat.' },
  ]
  expect(parse({ images: ['c.jpg'], messages }).sample).toEqual({ id: '7', image: 'c.jpg', conversations })
})

test.each([
  [{ image: 'c.jpg', caption: 'A cat.' }],
  [{ file_name: 'c.jpg', text: 'A cat.' }],
  [{ filename: 'c.jpg', title: 'A cat.' }],
  [{ image: { path: 'c.jpg' }, caption: 'A cat.' }],
])('reads a picture and a caption: %j', (row) => {
  expect(parse(row).sample).toEqual({ id: '7', image: 'c.jpg', conversations: PLAIN })
})

test.each([undefined, null, '', 'None', 'nan'])('takes the image %j for none', (image) => {
  const conversations = [
    { from: 'human', value: 'Hello' },
    { from: 'gpt', value: 'Hi.' },
  ]
  expect(parse({ image, conversations }).sample).toEqual({ id: '7', image: undefined, conversations })
})

test('reads the NaN that Python writes for no image', () => {
  const text = '{"id": NaN, "image": NaN, "conversations": [{"from":"gpt","value":"a \\"image\\": NaN"}]}'
  expect(parseJsonRow(text, 3).sample).toEqual({
    id: '3',
    image: undefined,
    conversations: [{ from: 'gpt', value: 'a "image": NaN' }],
  })
})

test.each([
  ['{"image"', /is not JSON/],
  ['[1]', /is not an object/],
  ['{}', /neither conversations nor a caption \(it has nothing\)/],
  ['{"foo":1,"bar":2}', /it has foo, bar/],
  ['{"image":["a.jpg","b.jpg"],"caption":"x"}', /has 2 pictures/],
  ['{"image":5,"caption":"x"}', /not a file's path/],
  ['{"image":"a.jpg","caption":" "}', /has no caption/],
  ['{"image":"a.jpg","conversations":[]}', /no list of conversations/],
  ['{"image":"a.jpg","conversations":["x"]}', /turn 1 that is not an object/],
  ['{"image":"a.jpg","conversations":[{"from":"tool","value":"x"}]}', /a turn by "tool"/],
  ['{"image":"a.jpg","conversations":[{"value":"x"}]}', /a turn by nobody/],
  ['{"image":"a.jpg","conversations":[{"from":"gpt","value":4}]}', /turn 1 that is not text/],
  ['{"image":"a.jpg","conversations":[{"from":"human","value":"<image>"}]}', /no answer/],
  ['{"image":"a.jpg","conversations":[{"from":"gpt","value":"x"}]}', /has no <image>/],
  ['{"image":"a.jpg","conversations":[{"from":"gpt","value":"<image><image>"}]}', /2 times/],
  ['{"conversations":[{"from":"human","value":"<image>"},{"from":"gpt","value":"x"}]}', /no picture, though/],
])('says why %s cannot be used', (text, reason) => {
  const row = parseJsonRow(text, 7)
  expect(row.sample).toBeUndefined()
  expect(row.problem).toMatch(reason)
})

test('keeps id and picture of a row that cannot be used', () => {
  expect(parse({ id: 'a', image: 'b.jpg', conversations: 4 })).toMatchObject({ id: 'a', image: 'b.jpg' })
})

test('keeps a caption from naming a second picture', () => {
  expect(captionRow('0', 'a.jpg', 'An <image>tag').sample?.conversations[1]?.value).toBe('An tag')
})

test.each([
  ['a.csv', 'image,caption\n', { delimiter: ',', header: true, image: 0, caption: 1 }],
  ['a.csv', 'id,Text,"File_Name"\r\n', { delimiter: ',', header: true, image: 2, caption: 1, id: 0 }],
  ['a.csv', 'path;title\n', { delimiter: ';', header: true, image: 0, caption: 1 }],
  ['a.csv', 'x\tcaption\tfile\n', { delimiter: '\t', header: true, image: 2, caption: 1 }],
  ['a.tsv', 'a.jpg\tA cat, sleeping\n', { delimiter: '\t', header: false, image: 0, caption: 1 }],
  ['a.csv', '\n\na.jpg,"A cat"\n', { delimiter: ',', header: false, image: 0, caption: 1 }],
])('finds the columns of %s with %j', (name, head, layout) => {
  expect(tableLayout(utf8(head), name)).toEqual({ id: undefined, ...layout })
})

test('refuses a header without captions', () => {
  expect(() => tableLayout(utf8('image,alt\n'), 'a.csv')).toThrow(
    /columns image, alt; expected one of captions/,
  )
})

test('reads cells', () => {
  const csv = tableLayout(utf8('image,caption,id\n'), 'a.csv')
  expect(parseTableRow('c.jpg,A cat.,9', 0, csv).sample).toEqual({
    id: '9',
    image: 'c.jpg',
    conversations: PLAIN,
  })
  expect(parseTableRow('c.jpg,"A ""big"",\r\ncat"', 4, csv).sample).toMatchObject({
    id: '4',
    conversations: [{}, { value: 'A "big",\r\ncat' }],
  })
  expect(parseTableRow('c.jpg', 0, csv).problem).toBe('has 1 of the 2 columns that are needed')
  expect(parseTableRow('c.jpg, ', 0, csv).problem).toBe('has no caption')
  expect(parseTableRow(',A cat.', 0, csv).sample?.image).toBeUndefined()
  expect(parseTableRow('c.jpg,"A" cat', 0, csv).problem).toMatch(/a quote which is not closed/)
  const tsv = tableLayout(utf8('image\tcaption\n'), 'a.tsv')
  expect(parseTableRow('c.jpg\t"A" cat', 0, tsv).sample?.conversations[1]?.value).toBe('"A" cat')
})
