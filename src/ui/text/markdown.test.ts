import { describe, expect, test } from 'vitest'
import { ALLOWED, PAYLOADS } from './testing/payloads'
import { GrowingMarkdown, parseMarkdown, safeHref } from './markdown'

// These hold before DOMPurify, which needs a browser, has even looked.
const html = (text: string) =>
  parseMarkdown(text)
    .map((block) => (block.kind === 'html' ? block.html : `<pre>${block.language}:${block.text}</pre>`))
    .join('')

describe('markdown of a reply', () => {
  test('renders what replies are made of', () => {
    expect(html('A **small** _star_ and `code`.')).toBe(
      '<p>A <strong>small</strong> <em>star</em> and <code>code</code>.</p>\n',
    )
    expect(html('- one\n- two')).toContain('<li>one</li>')
    expect(html('| a | b |\n|--|--|\n| 1 | 2 |')).toContain('<td>1</td>')
    expect(html('# Title')).toBe('<h3>Title</h3>\n')
    expect(html('line one\nline two')).toContain('<br>')
  })

  test('keeps code apart, an unclosed fence included', () => {
    expect(parseMarkdown('```ts\nconst a = 1 < 2')).toEqual([
      { kind: 'code', language: 'ts', text: 'const a = 1 < 2' },
    ])
    expect(parseMarkdown('```"><script>\nx\n```')).toEqual([{ kind: 'code', language: '', text: 'x' }])
  })

  test.each([
    '<script>alert(1)</script>',
    'a <img src=x onerror=alert(1)> b',
    '<iframe src="https://example.com"></iframe>',
    '<a href="javascript:alert(1)">x</a>',
    '<svg><style><img src=x onerror=alert(1)>',
    '**<b onclick="x()">bold</b>**',
    '- item <style>*{display:none}</style>',
  ])('shows raw HTML as text: %s', (text) => {
    expect(html(text)).not.toMatch(/<(script|img|iframe|a|svg|style|b)[\s>]/i)
    expect(html(text)).toContain('&lt;')
  })

  test.each([
    '![secret](https://example.com/log?q=secret)',
    '![x][r]\n\n[r]: https://example.com/a.png',
    '[![x](https://example.com/a.png)](https://example.com)',
    '| a |\n|--|\n| ![x](https://example.com/a.png) |',
  ])('never makes a picture: %s', (text) => {
    expect(html(text)).not.toContain('<img')
    expect(html(text)).toContain('picture not loaded')
  })

  test.each([
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](data:text/html,<script>1</script>)',
    '[x](vbscript:x)',
    '[x](file:///etc/passwd)',
    '[x](blob:https://example.com/1)',
    '[x](//example.com)',
    '[x](/relative)',
    '<javascript:alert(1)>',
    '[x][r]\n\n[r]: javascript:alert(1)',
  ])('drops the link: %s', (text) => expect(html(text)).not.toContain('<a'))

  test('links that may be followed open apart and tell nothing', () => {
    expect(html('[x](https://example.com/?a=1&b=2 "say \\"hi\\"")')).toBe(
      '<p><a href="https://example.com/?a=1&amp;b=2" title="say &quot;hi&quot;" target="_blank" ' +
        'rel="noopener noreferrer nofollow">x</a></p>\n',
    )
    expect(safeHref('mailto:a@example.com')).toBe('mailto:a@example.com')
    expect(safeHref('java\nscript:alert(1)')).toBeUndefined()
  })

  test('a picture’s place is held in the reader’s words, which are text as well', () => {
    const withheld = (picture: string) => `<b>Bild nicht geladen: ${picture}</b>`
    const [block] = parseMarkdown('![<i>cat</i>](https://example.com/a.png)', { withheld })
    expect(block).toEqual({
      kind: 'html',
      html: '<p><span class="withheld">&lt;b&gt;Bild nicht geladen: &lt;i&gt;cat&lt;/i&gt;&lt;/b&gt;</span></p>\n',
    })
  })
})

describe('what attackers have a model say', () => {
  test('there are more than a hundred', () => expect(PAYLOADS.length).toBeGreaterThan(100))

  test.each(PAYLOADS)('is inert before anything sanitises it: %j', (payload) => {
    const made = html(payload).replace(/<pre>[^]*<\/pre>/g, '')
    // Whatever the renderer did not write itself has no `<` left.
    const tags = [...made.matchAll(/<(\/?)([^\s>/]*)([^>]*)>?/g)]
    for (const [, , name, attributes] of tags) {
      expect(Object.keys(ALLOWED), made).toContain(name)
      const found = [...attributes!.matchAll(/\s([^\s=]+)(?:="([^"]*)")?/g)]
      expect(found.map(([text]) => text).join(''), made).toBe(attributes!.replace(/\s*\/?$/, ''))
      for (const [, attribute, value] of found) {
        expect(ALLOWED[name!], made).toContain(attribute)
        if (attribute === 'href') expect(value).toMatch(/^(https?|mailto):/)
      }
    }
  })
})

describe('markdown of a growing reply', () => {
  const REPLY = [
    '# Title\n\nA *first* paragraph\nof two lines.\n',
    '\n- one\n- two\n\n  still two\n- three\n\n1. first\n2. second\n',
    '\n| a | b |\n|--|--|\n| 1 | 2 |\n| 3 | 4 |\n\n> quoted\nlazily\n',
    '\n    indented code\n\n    more of it\n\nHeading\n===\n\n---\n',
    '\n```ts\nconst a = 1\n\nconst b = 2\n```\n<div>\nraw *text*\n\n</div>\nEnd with **bold** and `code`.',
  ].join('')
  const plain = (html: string) => html

  test.each([
    ['blocks of every kind', REPLY],
    [
      'an address that stands behind its link',
      `See [it][r] and ![x][r].\n\n${REPLY}\n\n[r]: https://example.com\n`,
    ],
    ['lines that end as on Windows', REPLY.replaceAll('\n', '\r\n')],
  ])('is at every length what it is when parsed at once: %s', (_, text) => {
    const growing = new GrowingMarkdown(plain)
    for (let length = 0; length <= text.length; length++) {
      const part = text.slice(0, length)
      expect(growing.render(part), JSON.stringify(part.slice(-20))).toEqual(parseMarkdown(part))
    }
  })

  test('sanitises a block once and keeps what came of it, and begins anew with another text', () => {
    const sanitised: string[] = []
    const growing = new GrowingMarkdown((html) => {
      sanitised.push(html)
      return html
    })
    const [first] = growing.render('One.\n\nTwo')
    expect(growing.render('One.\n\nTwo.\n\nThree')[0]).toBe(first)
    expect(growing.render('One.\n\nTwo.\n\nThree')).toHaveLength(3)
    expect(sanitised).toEqual(['One.', 'Two', 'Two.', 'Three'].map((text) => `<p>${text}</p>\n`))
    expect(growing.render('Other.')).toEqual([{ kind: 'html', html: '<p>Other.</p>\n' }])
  })
})
