import { filesOfDrop } from '../models/folder'
import type { PickedFile } from './dataset-source'

/** What Chromium gives beyond the standard: handles that outlive the page and ask whether they may be read again. */
type Permission = { mode: 'read' }
export type PlaceHandle = (FileSystemDirectoryHandle | FileSystemFileHandle) & {
  queryPermission(descriptor: Permission): Promise<PermissionState>
  requestPermission(descriptor: Permission): Promise<PermissionState>
}
type WithHandle = { getAsFileSystemHandle(): Promise<PlaceHandle | null> }
type DirectoryPicker = (options: { id: string; mode: 'read' }) => Promise<PlaceHandle>

/** Files that were dropped or chosen, with their one folder or file where the browser tells its place. */
export interface Picked {
  files: PickedFile[]
  handle?: PlaceHandle | undefined
}

/** Lists files, which takes seconds in large folders; tells how many it has found so far. */
export type Listing = (onFound: (count: number) => void) => Promise<Picked>

/** Files of a drop, folders walked. Must be called in the event itself: its items are gone afterwards. */
export function listingOfDrop(data: DataTransfer): Listing {
  const items = [...data.items].filter(({ kind }) => kind === 'file')
  if (!items.every((item): item is DataTransferItem & WithHandle => 'getAsFileSystemHandle' in item)) {
    const files = filesOfDrop(data)
    return async () => ({ files: await files })
  }
  const given = items.map((item) => ({ handle: item.getAsFileSystemHandle(), file: item.getAsFile() }))
  return async (onFound) => {
    const tell = counter(onFound)
    const lists = await Promise.all(
      given.map(async ({ handle, file }) => {
        const place = await handle
        if (place) return filesOf(place, place.name, tell)
        return file ? [{ path: file.name, file }] : []
      }),
    )
    const handle = given.length === 1 ? rememberable(await given[0]!.handle) : undefined
    return { files: lists.flat(), handle }
  }
}

/** Has the visitor choose a folder, where the browser tells its place; undefined in other browsers. */
export function folderPicker(): (() => Promise<Listing | undefined>) | undefined {
  const pick = (globalThis as { showDirectoryPicker?: DirectoryPicker }).showDirectoryPicker
  if (!pick) return undefined
  return async () => {
    const handle = await pick({ id: 'training-data', mode: 'read' }).catch(unlessCancelled)
    return handle && ((onFound) => filesOfPlace(handle, onFound).then((files) => ({ files, handle })))
  }
}

/** All files below a folder, their paths beginning with its name; a file by itself. */
export function filesOfPlace(
  handle: PlaceHandle,
  onFound: (count: number) => void = () => {},
): Promise<PickedFile[]> {
  return filesOf(handle, handle.name, counter(onFound))
}

/** Whether a place may be read. In a click, `mayAsk` has the browser ask the visitor where it has to. */
export async function isReadable(handle: PlaceHandle, mayAsk: boolean): Promise<boolean> {
  const state = await handle.queryPermission({ mode: 'read' })
  if (state !== 'prompt' || !mayAsk) return state === 'granted'
  return (await handle.requestPermission({ mode: 'read' })) === 'granted'
}

async function filesOf(handle: FileSystemHandle, path: string, onFile: () => void): Promise<PickedFile[]> {
  if (handle.kind === 'file') {
    // A file that went away meanwhile is missed by the rows that name it.
    const file = await (handle as FileSystemFileHandle).getFile().catch(() => undefined)
    onFile()
    return file ? [{ path, file }] : []
  }
  const children: Promise<PickedFile[]>[] = []
  for await (const child of (handle as FileSystemDirectoryHandle).values())
    children.push(filesOf(child, `${path}/${child.name}`, onFile))
  return (await Promise.all(children)).flat()
}

function counter(onFound: (count: number) => void): () => void {
  let count = 0
  return () => {
    if (++count % 500 === 0) onFound(count)
  }
}

/** A file of rows without its pictures is no place of data; a zip is. */
function rememberable(handle: PlaceHandle | null): PlaceHandle | undefined {
  if (!handle || !('queryPermission' in handle)) return undefined
  return handle.kind === 'directory' || /\.zip$/i.test(handle.name) ? handle : undefined
}

/** Dialogs reject where the visitor closes them. */
function unlessCancelled(error: unknown): undefined {
  if (!(error instanceof DOMException && error.name === 'AbortError')) throw error
}
