import { expose } from 'comlink'
import { connectEngine, type FakeMode } from './fake-engine'

// The fake engine as a worker; `playEngine` says what it plays.

const { fakeModes } = globalThis as unknown as { fakeModes: FakeMode[] }
const crash = (error: Error) =>
  setTimeout(() => {
    throw error
  })
expose(connectEngine(crash, fakeModes))
