import { MemoryRuns } from './run-store'
import { describeRunFiles } from './testing/run-files'

describeRunFiles(async () => new MemoryRuns())
