// npm run build: the page into dist/app, the command line into dist/cli, and what the npm package consists of: the element
// into dist/element, the library with its types into dist/library, the bundled models into dist/models.

import { join } from 'node:path'
import { APP_FOLDER, buildApp, root } from './app-build.mjs'
import { buildPackage, ELEMENT_FOLDER, LIBRARY_FOLDER } from './package-build.mjs'

const { build } = await import('vite')
await buildApp()
await build({ root, configFile: join(root, 'vite.cli.config.ts') })
await buildPackage()
console.log(
  `The page is in ${APP_FOLDER}: any static web server can serve it. The command line is in dist/cli, ` +
    `<trilobite-chat> in ${ELEMENT_FOLDER}, the library in ${LIBRARY_FOLDER}; npm pack makes a package of the last two.`,
)
