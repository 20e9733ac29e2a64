import { zipOf } from '../train/zip'
import { grouped, writeArchive } from './archive'
import { fileName, markdownFiles, type MarkdownWording } from './markdown-export'
import type { StoredChat } from './record'

/** How chats leave the page. */
export type ExportKind = 'json' | 'markdown'

export interface NamedBlob {
  name: string
  blob: Blob
}

/** Files of a chat by its title, or of all chats by the day. */
export function exportName(title: string | undefined, today = new Date()): string {
  return title === undefined ? `trilobite-chats-${today.toISOString().slice(0, 10)}` : fileName(title)
}

/** The files that chats are exported as. */
export function filesOf(
  kind: ExportKind,
  chats: readonly StoredChat[],
  name: string,
  wording: MarkdownWording,
): Promise<NamedBlob[]> {
  return kind === 'json' ? jsonFiles(chats, name) : markdownFile(chats, name, wording)
}

/** One file, or several where there are more pictures than one should hold. */
async function jsonFiles(chats: readonly StoredChat[], name: string): Promise<NamedBlob[]> {
  const sizes = new Map(chats.flatMap(({ pictures }) => [...pictures].map(([id, { size }]) => [id, size])))
  const groups = grouped(
    chats,
    ({ head }) => head.pictures,
    (picture) => sizes.get(picture) ?? 0,
  )
  const part = (i: number) => (groups.length > 1 ? `-${i + 1}-of-${groups.length}` : '')
  return Promise.all(
    groups.map(async (group, i) => ({ name: `${name}${part(i)}.json`, blob: await writeArchive(group) })),
  )
}

/** A Markdown file, or a zip where it has pictures or others beside it. */
async function markdownFile(
  chats: readonly StoredChat[],
  name: string,
  wording: MarkdownWording,
): Promise<NamedBlob[]> {
  const files = await markdownFiles(chats, wording)
  const [only, ...others] = files
  if (only && others.length === 0)
    return [{ name: only.path, blob: new Blob([only.bytes], { type: 'text/markdown' }) }]
  return [{ name: `${name}.zip`, blob: await zipOf(files) }]
}
