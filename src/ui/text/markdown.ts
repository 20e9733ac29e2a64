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

/** Splits a reply into blocks whose HTML is safe by construction; see `renderMarkdown` for the second wall. */
export function parseMarkdown(text: string, wording: Wording = en.answer): Block[] {
  const marked = parserFor(wording)
  const blocks: Block[] = []
  for (const token of marked.lexer(text) as Token[]) {
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

/** The same text gives the same object: a TrustedHTML is redrawn whenever it is another. */
const sanitised = new Map<string, string>()
const MOST_SANITISED = 512

function sanitise(html: string): string {
  let safe = sanitised.get(html)
  if (safe === undefined) {
    if (sanitised.size >= MOST_SANITISED) sanitised.clear()
    // Svelte's {@html} takes both.
    safe = DOMPurify.sanitize(html, SANITISER) as unknown as string
    sanitised.set(html, safe)
  }
  return safe
}

/**
 * Blocks of a reply, ready for `{@html}`.
 *
 * Needs a DOM. Called for every painted frame of a streaming reply: only the last block changes between calls, so
 * the page redraws that one alone.
 */
export function renderMarkdown(text: string, wording: Wording = en.answer): Block[] {
  return parseMarkdown(text, wording).map((block) =>
    block.kind === 'html' ? { kind: 'html', html: sanitise(block.html) } : block,
  )
}
