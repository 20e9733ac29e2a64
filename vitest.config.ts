import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { mutation } from './tools/mutations/vite-plugin.mjs'

/** Files that take longest, on one adapter or the other: begun last, they would be waited for alone. */
const LONG = [
  'recovery',
  'golden-cambrian-train',
  'training-cambrian',
  'stage1',
  'load-cycles',
  'matmul/matmul',
  'worker/cambrian',
  'golden-train',
  'bundled',
  'engine',
  'golden-language',
  'llava-original',
  'out-of-memory',
  'broken-device',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((name) => moduleId.includes(`${name}.gpu.test`))
      return at < 0 ? LONG.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

/** Also what takes minutes: `TRILOBITE_WHOLE=1 npm test`. */
const isWhole = process.env.TRILOBITE_WHOLE === '1'
/** SwiftShader runs every kernel and the recorded models; the rest of engines it runs in e2e/, in Chromium. */
const ENGINES =
  process.env.TRILOBITE_ADAPTER === 'swiftshader' && !isWhole
    ? ['src/**/{golden,golden-*,cambrian,llava-original}.gpu.test.ts']
    : ['src/**/*.gpu.test.ts']

const UNIT = { setupFiles: ['src/kernels/testing/setup.ts'], testTimeout: 30_000 }
const GPU = {
  setupFiles: ['src/kernels/testing/setup.ts', 'tools/gpu-test-setup.mjs'],
  // lavapipe compiles a large shader in seconds, more of them with two forks on two cores.
  testTimeout: 180_000,
  hookTimeout: 180_000,
}

/**
 * `unit*` needs Node alone. `gpu*` needs Dawn and a Vulkan driver, chosen by VK_ICD_FILENAMES before the start:
 * tools/test.mjs runs it once per adapter.
 */
export default defineConfig({
  plugins: [svelte(), mutation()],
  test: {
    // Processes, so that a driver that crashes takes one of them.
    pool: 'forks',
    // One more than the two processors of a small machine: compiling and reading back leave a quarter of them idle.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // tools/test.mjs reports a suite without tests by itself.
    passWithNoTests: true,
    teardownTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          ...UNIT,
          name: 'unit',
          // Importing the engine and the page for each file alone took half of the time.
          isolate: false,
          include: ['src/**/*.test.ts', 'tools/**/*.test.ts', 'bench/**/*.test.ts'],
          exclude: ['**/*.{gpu,mocked}.test.ts', '**/node_modules/**'],
        },
      },
      {
        extends: true,
        // Modules that a file replaces would be replaced for the next files of its process, too.
        test: { ...UNIT, name: 'unit-mocked', include: ['src/**/*.mocked.test.ts'] },
      },
      {
        extends: true,
        test: { ...GPU, name: 'gpu-kernels', include: ['src/kernels/**/*.gpu.test.ts'], isolate: false },
      },
      {
        extends: true,
        // Whole engines: what one leaves behind is counted, and what crashes a driver takes one file with it.
        test: {
          ...GPU,
          name: 'gpu',
          include: ENGINES,
          exclude: ['src/kernels/**', '**/node_modules/**'],
        },
      },
    ],
  },
})
