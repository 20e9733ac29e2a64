import type { ExportedFile } from '../../worker/client'
import type { PickedFile } from './dataset-source'

/** One zip of an exported connector's files. Weights hardly shrink, so nothing is compressed. */
export async function zipOf(files: readonly ExportedFile[]): Promise<Blob> {
  const { BlobWriter, Uint8ArrayReader, ZipWriter } = await import('@zip.js/zip.js')
  const writer = new ZipWriter(new BlobWriter('application/zip'), { useWebWorkers: false, level: 0 })
  for (const { path, bytes } of files) await writer.add(path, new Uint8ArrayReader(bytes))
  return writer.close()
}

/** Files as the engine reads them: what a zip holds in place of the zip. */
export async function unzipped(picked: readonly PickedFile[]): Promise<PickedFile[]> {
  const lists = await Promise.all(
    picked.map(({ path, file }) => (/\.zip$/i.test(path) ? filesOfZip(file) : [{ path, file }])),
  )
  return lists.flat()
}

async function filesOfZip(zip: Blob): Promise<PickedFile[]> {
  const { BlobReader, BlobWriter, ZipReader } = await import('@zip.js/zip.js')
  const reader = new ZipReader(new BlobReader(zip), { useWebWorkers: false })
  try {
    const files: PickedFile[] = []
    for (const entry of await reader.getEntries()) {
      if (entry.directory) continue
      const blob = await entry.getData(new BlobWriter())
      files.push({ path: entry.filename, file: new File([blob], entry.filename.split('/').at(-1)!) })
    }
    return files
  } finally {
    await reader.close()
  }
}

/** A name that any file system takes. */
export function fileName(name: string): string {
  return (
    name
      .normalize('NFKD')
      .replace(/[^\w.-]+/g, '-')
      .replace(/^[-.]+|[-.]+$/g, '')
      .slice(0, 80) || 'connector'
  )
}

/** Has the browser keep a file. */
export function download(blob: Blob, name: string) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  // Later, as the browser fetches the address behind this call.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
