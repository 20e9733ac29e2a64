import { nodeCodecLoader } from '../../cli/codecs-node'
import { testGpu, testInstance } from '../../kernels/testing/gpu'
import { Engine, type EngineHost } from '../engine'

/** Stands in for the self-test, which has tests of its own: it would compile all its kernels for every engine. */
const untested = async () => ({ passed: true, checks: [], ms: 0 })

/** An engine on the device that all tests of a file share, so that each kernel is compiled once. */
export const sharedEngine = (host: Partial<EngineHost> = {}) => freshEngine({ openDevice: testGpu, ...host })

/** An engine with a device of its own, to lose or to restrict. */
export const freshEngine = (host: Partial<EngineHost> = {}) =>
  new Engine({ gpu: testInstance, imageCodecs: nodeCodecLoader, selfTest: untested, ...host })
