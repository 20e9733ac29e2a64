// GPU tests run on software adapters, on a machine's few processors.

import { easePolling } from '../src/cli/ease-polling.mjs'

easePolling()
