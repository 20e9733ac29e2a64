// npm run build: the page into dist/app, the command line into dist/cli, the library with its types into dist/library.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { APP_FOLDER, buildApp, root } from './app-build.mjs'

const { build } = await import('vite')
await buildApp()
await build({ root, configFile: join(root, 'vite.cli.config.ts') })
await build({ root, configFile: join(root, 'vite.library.config.ts') })
const types = spawnSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.library.json'],
  { cwd: root, stdio: 'inherit' },
)
if (types.status !== 0) process.exit(types.status ?? 1)
console.log(
  `The page is in ${APP_FOLDER}: any static web server can serve it. The command line is in dist/cli, the library in dist/library.`,
)
