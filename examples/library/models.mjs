// Lays the bundled models into public/: Vite serves them from there, and copies them into the build.
import { cpSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

for (const name of ['trilobite-nano-llava', 'trilobite-nano-stage1']) {
  const config = import.meta.resolve(`trilobite/models/${name}/config.json`)
  cpSync(fileURLToPath(new URL('.', config)), `public/models/${name}`, { recursive: true })
}
