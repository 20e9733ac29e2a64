import type { ExportedFile } from '../../worker/client'
import type { StoredChat } from './record'

/** Words of the page that stand in the export. */
export interface MarkdownWording {
  you: string
  untitled: string
  /** As `de`, by whose rules dates are written. */
  locale: string
}

const EXTENSIONS: Record<string, string> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'image/gif': 'gif',
}
const FOLDER = 'pictures'

/** Chats as people read them: a Markdown file each, and their pictures in a folder beside. */
export async function markdownFiles(
  chats: readonly StoredChat[],
  wording: MarkdownWording,
): Promise<ExportedFile[]> {
  const encoder = new TextEncoder()
  const names = new Set<string>()
  const files = new Map<string, Uint8Array<ArrayBuffer>>()
  for (const chat of chats) {
    const name = unused(names, fileName(chat.head.title || wording.untitled))
    files.set(`${name}.md`, encoder.encode(markdownOf(chat, wording)))
    for (const [id, blob] of chat.pictures)
      files.set(pathOf(id, blob), new Uint8Array(await blob.arrayBuffer()))
  }
  return [...files].map(([path, bytes]) => ({ path, bytes }))
}

function markdownOf({ head, entries, pictures }: StoredChat, wording: MarkdownWording): string {
  const date = new Date(head.changedAt).toLocaleString(wording.locale, {
    dateStyle: 'long',
    timeStyle: 'short',
  })
  const about = [date, head.model].filter(Boolean).join(' · ')
  const turns = entries.map((entry) => {
    if (entry.role === 'assistant') return `## ${escaped(entry.stats?.model || 'Trilobite')}\n\n${entry.text}`
    const shown = entry.pictures.flatMap(({ id, name }) => {
      const blob = pictures.get(id)
      return blob ? [`![${escaped(name)}](${pathOf(id, blob)})`] : []
    })
    return [`## ${wording.you}`, ...shown, entry.text].join('\n\n')
  })
  return `${[`# ${escaped(head.title || wording.untitled)}`, about, ...turns].join('\n\n')}\n`
}

/** Enough of the content id to tell pictures apart. */
const pathOf = (id: string, blob: Blob) => `${FOLDER}/${id.slice(0, 16)}.${EXTENSIONS[blob.type] ?? 'bin'}`

/** Text that is none of Markdown. */
const escaped = (text: string) => text.replace(/[\\`*_[\]<>#!]/g, '\\$&')

/** A name that every file system takes, with the letters of every language. */
export function fileName(title: string): string {
  const name = title
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}\p{M} ._-]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[. ]+/, '')
  return (
    [...name]
      .slice(0, 60)
      .join('')
      .replace(/[. ]+$/, '') || 'chat'
  )
}

function unused(names: Set<string>, name: string): string {
  let free = name
  // File systems that do not tell letters' cases apart would lose one of two.
  for (let number = 2; names.has(free.toLowerCase()); number++) free = `${name} ${number}`
  names.add(free.toLowerCase())
  return free
}
