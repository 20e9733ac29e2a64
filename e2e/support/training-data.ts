import { BlobWriter, Uint8ArrayReader, ZipWriter } from '@zip.js/zip.js'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Locator, Page } from '@playwright/test'

/** Contents of files by their paths. */
export type Contents = Readonly<Record<string, string | Buffer>>

const example = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../public/examples/${name}`, import.meta.url)))

export const pictures = {
  bird: example('bird.jpg'),
  digit: example('digit.png'),
  night: example('night.png'),
}

/** A row in LLaVA's format. */
export const llavaRow = (image: string, caption: string) => ({
  id: caption,
  image,
  conversations: [
    { from: 'human', value: '<image>\nDescribe it.' },
    { from: 'gpt', value: caption },
  ],
})

/** Writes files below a folder. Returns: the folder. */
export function writeFolder(folder: string, contents: Contents): string {
  for (const [path, content] of Object.entries(contents)) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
  return folder
}

/** Files for a file input that takes several. */
export function uploads(contents: Contents) {
  return Object.entries(contents).map(([name, content]) => ({
    name,
    mimeType: '',
    buffer: Buffer.from(content),
  }))
}

/** Files in a zip, deflated as most are. */
export async function zipped(name: string, contents: Contents) {
  const writer = new ZipWriter(new BlobWriter('application/zip'))
  for (const [path, content] of Object.entries(contents))
    await writer.add(path, new Uint8ArrayReader(new Uint8Array(Buffer.from(content))))
  const zip = await writer.close()
  return { name, mimeType: 'application/zip', buffer: Buffer.from(await zip.arrayBuffer()) }
}

/** Drops files and folders of the disk on an element, as the system's file manager does. */
export async function drop(page: Page, target: Locator, ...paths: string[]): Promise<void> {
  await target.scrollIntoViewIfNeeded()
  const { x, y } = (await target.boundingBox())!
  const client = await page.context().newCDPSession(page)
  const data = { items: [], files: paths, dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await client.send('Input.dispatchDragEvent', { type, x: x + 20, y: y + 20, data })
  await client.detach()
}
