import { defineConfig } from '@playwright/test'
import { findChromium } from './src/cli/vulkan.mjs'

/** tools/test.mjs builds the page first and picks a free port. */
const port = Number(process.env.TRILOBITE_E2E_PORT ?? 4173)
const baseURL = `http://127.0.0.1:${port}/`

export default defineConfig({
  testDir: 'e2e',
  // What takes a minute and is shown in other ways, too: TRILOBITE_WHOLE=1 npm test.
  ...(process.env.TRILOBITE_WHOLE !== '1' && { grepInvert: /@whole/ }),
  outputDir: 'test-results/e2e',
  // The page computes on the CPU here, but with one test at a time nearly half of two processors is idle.
  workers: 2,
  timeout: 240_000,
  expect: { timeout: 60_000 },
  forbidOnly: process.env.CI !== undefined,
  use: {
    baseURL,
    browserName: 'chromium',
    // A picture of every change takes a fifth of a test's time; the page as it was at each step is in the trace without.
    trace: { mode: 'retain-on-failure', screenshots: false },
    launchOptions: {
      executablePath: findChromium(),
      args: [
        '--enable-unsafe-webgpu',
        '--use-webgpu-adapter=swiftshader',
        '--enable-features=Vulkan',
        '--use-vulkan=swiftshader',
        '--ignore-gpu-blocklist',
        // What tests look at is the page; drawn by SwiftShader it takes the processors from what they wait for.
        '--disable-gpu-compositing',
      ],
    },
  },
  webServer: {
    command: `node tools/start.mjs --host 127.0.0.1 --port ${port} --strict-port`,
    url: baseURL,
    reuseExistingServer: false,
  },
})
