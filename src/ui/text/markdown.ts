import DOMPurify from 'dompurify'
import { Marked, type Token, type Tokens } from 'marked'
import { en, type Messages } from './messages/en'

/**
 * Markdown of a language model's reply, which is text nobody has vetted: a picture may tell the model what to write.
 *
 * Two walls. The renderer below never emits raw HTML, pictures or links other than http, https and mailto; then
 * DOMPurify lets through the few tags and attributes named here. The page's CSP is a third.
 */

/** A top-level piece of a reply. Code is apart, so that a component can give it a copy button. */
export type Block = { kind: 'html'; html: string } | { kind: 'code'; language: string; text: string }

const ALLOWED_PROTOCOLS = new Set(['http:', 'https:', 'mailto:'])

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text made safe for an HTML element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char]!)
}

/** The absolute address a link may lead to, or undefined where it must not be a link. */
export function safeHref(href: string): string | undefined {
  try {
    const url = new URL(href)
    return ALLOWED_PROTOCOLS.has(url.protocol) ? url.href : undefined
  } catch {
    return undefined
  }
}

/** What stands in a picture's place. */
type Wording = Pick<Messages['answer'], 'withheld'>

const parserOf = ({ withheld }: Wording) =>
  new Marked({
    gfm: true,
    breaks: true,
    renderer: {
      html: ({ text }) => escapeHtml(text),
      // Behind a <script> or <style>, which is none here, marked takes text for markup: it is escaped as any other.
      text(token) {
        if ('escaped' in token) token.escaped = false
        return false
      },
      // Below the heading that names the speaker.
      heading({ tokens, depth }) {
        const level = Math.min(6, depth + 2)
        return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`
      },
      // Never an <img>: fetching it would tell its host what was said here.
      image: ({ text, href }) => `<span class="withheld">${escapeHtml(withheld(text || href))}</span>`,
      link({ href, title, tokens }) {
        const label = this.parser.parseInline(tokens)
        const safe = safeHref(href)
        if (!safe) return label
        const hint = title ? ` title="${escapeHtml(title)}"` : ''
        return `<a href="${escapeHtml(safe)}"${hint} target="_blank" rel="noopener noreferrer nofollow">${label}</a>`
      },
      checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    },
  })

const parsers = new WeakMap<Wording, Marked>()

function parserFor(wording: Wording): Marked {
  const parser = parsers.get(wording) ?? parserOf(wording)
  parsers.set(wording, parser)
  return parser
}

/** Splits a reply into blocks whose HTML is safe by construction; see `GrowingMarkdown` for the second wall. */
export function parseMarkdown(text: string, wording: Wording = en.answer): Block[] {
  const marked = parserFor(wording)
  return blocksOf(marked, marked.lexer(text))
}

function blocksOf(marked: Marked, tokens: readonly Token[]): Block[] {
  const blocks: Block[] = []
  for (const token of tokens) {
    if (token.type === 'space' || token.type === 'def') continue
    if (token.type === 'code') {
      const { lang, text } = token as Tokens.Code
      blocks.push({ kind: 'code', language: lang?.match(/^[\w+#.-]{1,24}/)?.[0] ?? '', text })
    } else {
      const html = marked.parser([token])
      if (html.trim()) blocks.push({ kind: 'html', html })
    }
  }
  return blocks
}

const SANITISER = {
  ALLOWED_TAGS: [
    ...[
      'p',
      'br',
      'hr',
      'h1',
      'h2',
      'h3',
      'h4',
      'h5',
      'h6',
      'blockquote',
      'ul',
      'ol',
      'li',
      'pre',
      'code',
      'span',
    ],
    ...['strong', 'em', 'del', 'a', 'table', 'thead', 'tbody', 'tr', 'th', 'td'],
  ],
  ALLOWED_ATTR: ['href', 'title', 'target', 'rel', 'start', 'align', 'class'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  // DOMPurify holds every value against that pattern, but for these.
  ADD_URI_SAFE_ATTR: ['title', 'target', 'rel', 'start', 'align', 'class'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  // Pages that require Trusted Types take nothing else; elsewhere it is a string.
  RETURN_TRUSTED_TYPE: true as const,
}

// Svelte's {@html} takes both.
const purify: Sanitise = (html) => DOMPurify.sanitize(html, SANITISER) as unknown as string

type Sanitise = (html: string) => string

/** A definition of a link's address, which may stand behind the link. */
const DEFINITION = /^ {0,3}\[[^\]]+\]:/m

/**
 * Blocks of a reply that grows, ready for `{@html}`. Needs a DOM.
 *
 * Asked at every painted frame of a streaming reply, it parses from where the last block begins: those before it can
 * change no more, and stay the very same objects, so that the page redraws the last one alone.
 */
export class GrowingMarkdown {
  /** What `settled` came of: all before the last block. */
  #source = ''
  #settled: Block[] = []
  #wording: Wording | undefined
  /** Of the blocks that the last call made: a TrustedHTML is redrawn whenever it is another. */
  #sanitised = new Map<string, string>()
  #sanitise: Sanitise

  constructor(sanitise = purify) {
    this.#sanitise = sanitise
  }

  render(text: string, wording: Wording = en.answer): Block[] {
    const isWhole = DEFINITION.test(text) || text.includes('\r')
    if (isWhole || wording !== this.#wording || !text.startsWith(this.#source)) {
      this.#source = ''
      this.#settled = []
    }
    this.#wording = wording
    const marked = parserFor(wording)
    const tokens = marked.lexer(text.slice(this.#source.length))
    const last = isWhole ? 0 : tokens.findLastIndex(({ type }) => type !== 'space')
    const ended = tokens.slice(0, Math.max(0, last))
    this.#source += ended.map(({ raw }) => raw).join('')
    const before = this.#sanitised
    this.#sanitised = new Map()
    const safe = (block: Block): Block => {
      if (block.kind === 'code') return block
      const html = before.get(block.html) ?? this.#sanitise(block.html)
      this.#sanitised.set(block.html, html)
      return { kind: 'html', html }
    }
    this.#settled.push(...blocksOf(marked, ended).map(safe))
    return [...this.#settled, ...blocksOf(marked, tokens.slice(ended.length)).map(safe)]
  }
}
