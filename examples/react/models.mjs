// Lays the bundled model into public/: Vite serves it from there, and copies it into the build.
import { cpSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NAME = 'trilobite-nano-llava'
const config = import.meta.resolve(`trilobite/models/${NAME}/config.json`)
cpSync(fileURLToPath(new URL('.', config)), `public/models/${NAME}`, { recursive: true })
