import { AbortError, NetworkError } from '../model/errors'
import type { Dataset } from '../model/train/definition'
import type { DatasetInfo, DatasetSource } from './training-api'

/** Rows shown before training begins. */
const PREVIEW_ROWS = 12
const LISTED_SKIPPED = 100

/** The dataset opened last, so that looking, planning and training do not read it anew. */
export class OpenedData {
  private last: { readonly key: string; readonly dataset: Dataset } | undefined

  /** Throws: DatasetError, NetworkError, AbortError. */
  async open(source: DatasetSource, signal: AbortSignal): Promise<Dataset> {
    const key = keyOf(source)
    if (this.last?.key === key) return this.last.dataset
    // Readers of zips and tables are fetched when there is data to read.
    const { openDataset } = await import('../model/train/dataset')
    const dataset = await openDataset(
      source.kind === 'zip-url'
        ? { kind: 'zip', file: await fetchZip(source.url, signal), name: `${source.name}.zip` }
        : source,
      { signal },
    )
    this.last = { key, dataset }
    return dataset
  }
}

/** Reads every row once, and the first few with their pictures. Throws: AbortError. */
export async function describeDataset(
  dataset: Dataset,
  signal: AbortSignal,
  onProgress: (rows: number) => void,
): Promise<DatasetInfo> {
  const { usable, textOnly = [], skipped } = await dataset.scan({ signal, onProgress })
  const heldOut = dataset.heldOut && (await dataset.heldOut.scan({ signal }))
  const unusable = heldOut?.usable.length === 0 ? heldOut.skipped[0] : undefined
  const heldOutProblem =
    dataset.heldOutProblem ?? (unusable && `none of its rows can be used; the first: ${unusable.reason}`)
  const preview: DatasetInfo['preview'] = []
  for (const row of usable.subarray(0, PREVIEW_ROWS)) {
    const { image, conversations } = await dataset.sample(row)
    const caption = conversations.find(({ from }) => from === 'gpt')?.value ?? ''
    const bytes = image === undefined ? undefined : await dataset.image(image)
    preview.push({ row, image: bytes && new Blob([bytes as Uint8Array<ArrayBuffer>]), caption })
  }
  return {
    name: dataset.name,
    fingerprint: dataset.fingerprint,
    rows: dataset.length,
    usable: usable.length,
    textOnlyRows: textOnly.length,
    heldOutRows: heldOut?.usable.length ?? 0,
    ...(heldOutProblem !== undefined && { heldOutProblem }),
    skipped: skipped.slice(0, LISTED_SKIPPED),
    skippedCount: skipped.length,
    preview,
  }
}

/** Tells sources apart without reading them. */
function keyOf(source: DatasetSource): string {
  const file = ({ name, size, lastModified }: File) => [name, size, lastModified]
  switch (source.kind) {
    case 'files':
      return JSON.stringify(['files', source.files.map(({ path, file: of }) => [path, ...file(of)])])
    case 'zip':
      return JSON.stringify(['zip', ...file(source.file)])
    case 'zip-url':
      return JSON.stringify(['zip-url', source.url])
    case 'pairs':
      return JSON.stringify([
        'pairs',
        source.pairs.map(({ name, caption, image }) => [name, caption, image.size]),
      ])
  }
}

async function fetchZip(url: string, signal: AbortSignal): Promise<Blob> {
  let response: Response
  try {
    response = await fetch(url, { signal })
  } catch (cause) {
    if (signal.aborted) throw new AbortError('train: stopped by the reader.')
    throw new NetworkError(
      `${url}: could not be fetched (${(cause as Error).message}). Check the connection.`,
    )
  }
  if (!response.ok) {
    throw new NetworkError(`${url}: the server answered ${response.status}. Check the address.`)
  }
  return response.blob()
}
