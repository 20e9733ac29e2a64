import type { Capabilities } from '../gpu/device'
import { testGpu } from './gpu'

/** Runs a test as if the device had other capabilities. */
export async function withCaps(changes: Partial<Capabilities>, run: () => Promise<void>): Promise<void> {
  const { caps } = await testGpu()
  const before = { ...caps }
  try {
    Object.assign(caps, changes)
    await run()
  } finally {
    Object.assign(caps, before)
  }
}
