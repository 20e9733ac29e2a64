// npm run build: the page into dist/app, the command line into dist/cli.

import { join } from 'node:path'
import { APP_FOLDER, buildApp, root } from './app-build.mjs'

const { build } = await import('vite')
await buildApp()
await build({ root, configFile: join(root, 'vite.cli.config.ts') })
console.log(
  `The page is in ${APP_FOLDER}: any static web server can serve it. The command line is in dist/cli.`,
)
