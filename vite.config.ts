import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// `base: './'`: the built page works from any folder of any host.
export default defineConfig({
  base: './',
  plugins: [svelte()],
  // Every browser with WebGPU in a worker has the syntax of this level.
  build: { target: 'es2023' },
  worker: { format: 'es' },
  // The worker's libraries too are bundled before the first visit; found later, they would reload the page.
  optimizeDeps: { entries: ['index.html', 'src/worker/engine.worker.ts'] },
})
