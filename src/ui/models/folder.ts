import { en, type Messages } from '../text/messages/en'
import type { ModelChoice } from './choice'

type FolderFile = { path: string; file: File }

/** Files of an `<input webkitdirectory>`, or of one that picked single files. */
export function filesOfInput(list: FileList | null): FolderFile[] {
  return [...(list ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }))
}

/** Files of a drop, folders walked. Must be called in the event itself: its items are gone afterwards. */
export function filesOfDrop(data: DataTransfer): Promise<FolderFile[]> {
  const entries = [...data.items].flatMap((item) => item.webkitGetAsEntry() ?? [])
  return Promise.all(entries.map(filesOfEntry)).then((lists) => lists.flat())
}

/** True where a drop brings a folder. */
export function hasFolder(data: DataTransfer): boolean {
  return [...data.items].some((item) => item.webkitGetAsEntry()?.isDirectory)
}

async function filesOfEntry(entry: FileSystemEntry): Promise<FolderFile[]> {
  const path = entry.fullPath.replace(/^\//, '')
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    return [{ path, file }]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const children: FileSystemEntry[] = []
  // readEntries gives a hundred at a time until it gives none.
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (batch.length === 0) break
    children.push(...batch)
  }
  return (await Promise.all(children.map(filesOfEntry))).flat()
}

/**
 * The checkpoint among picked files: the folder of the shallowest config.json, its paths made relative to it.
 *
 * Throws: Error with a sentence for the visitor where no config.json or no weights are there.
 */
export function checkpointOfFiles(
  files: FolderFile[],
  wording: Messages['models']['sources'] = en.models.sources,
): Extract<ModelChoice, { kind: 'files' }> {
  const configs = files
    .filter(({ path }) => /(^|\/)config\.json$/.test(path))
    .sort((a, b) => a.path.split('/').length - b.path.split('/').length)
  const config = configs[0]
  if (!config) throw new Error(wording.noConfig)

  const root = config.path.slice(0, -'config.json'.length)
  const inside = files
    .filter(({ path }) => path.startsWith(root) && !/(^|\/)\./.test(path.slice(root.length)))
    .map(({ path, file }) => ({ path: path.slice(root.length), file }))
  if (!inside.some(({ path }) => /\.(safetensors|bin)$/.test(path))) throw new Error(wording.noWeights)

  const name = root.split('/').filter(Boolean).at(-1) ?? wording.unnamedFolder
  return { kind: 'files', name, files: inside }
}
