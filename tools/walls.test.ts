import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ESLint } from 'eslint'
import ts from 'typescript-eslint'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { walls } from './walls.mjs'

/** A house in miniature: what the walls stand between. */
const FILES = [
  'kernels/index.ts',
  'kernels/errors.ts',
  'kernels/tensor.ts',
  'kernels/gpu/device.ts',
  'kernels/wgsl/reduce.wgsl',
  'kernels/matmul/matmul.ts',
  'kernels/matmul/matmul.wgsl',
  'kernels/softmax/softmax.ts',
  'kernels/softmax/softmax.wgsl',
  'kernels/testing/gpu.ts',
  'model/vlm.ts',
  'model/errors.ts',
  'model/checkpoint/source.ts',
  'model/vision/clip.ts',
  'model/connector/mlp.ts',
  'model/language/llama.ts',
  'model/template/vicuna.ts',
  'worker/api.ts',
  'worker/client.ts',
  'worker/empty-reply.ts',
  'worker/engine.ts',
  'worker/engine.worker.ts',
  'worker/start-inline-worker.ts',
  'remote/endpoint.ts',
  'ui/state/chat.svelte.ts',
  'cli/main.ts',
  'cli/device.ts',
]

let root: string
let eslint: ESLint

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trilobite-walls-'))
  for (const file of FILES) {
    await mkdir(dirname(join(root, 'src', file)), { recursive: true })
    await writeFile(join(root, 'src', file), '')
  }
  const parser = { files: ['**/*.ts'], languageOptions: { parser: ts.parser } }
  eslint = new ESLint({
    cwd: root,
    overrideConfigFile: true,
    overrideConfig: [parser, ...walls(root)] as never,
  })
})
afterAll(() => rm(root, { recursive: true }))

async function lint(file: string, code: string) {
  const [result] = await eslint.lintText(`${code}\n`, { filePath: join(root, 'src', file) })
  return result!.messages.map(({ message }) => message)
}

describe('walls', () => {
  test.each([
    ['kernels/matmul/new.ts', "import '../softmax/softmax'", 'An op never imports another op'],
    [
      'kernels/matmul/new.ts',
      "import w from '../softmax/softmax.wgsl?raw'",
      'An op never imports another op',
    ],
    ['kernels/matmul/new.ts', "import '../index'", 'An op never imports another op'],
    ['kernels/gpu/new.ts', "import '../matmul/matmul'", 'they import no op'],
    ['kernels/matmul/new.ts', "import '../../model/vlm'", 'kernels/ imports nothing above it'],
    ['kernels/gpu/new.ts', "import type { E } from '../../worker/api'", 'kernels/ imports nothing above it'],
    ['model/vision/new.ts', "import '../connector/mlp'", 'never import one another'],
    ['model/connector/new.ts', "import '../language/llama'", 'never import one another'],
    ['model/language/new.ts', "import '../template/vicuna'", 'never import one another'],
    ['model/template/new.ts', "import '../vision/clip'", 'never import one another'],
    ['model/vlm.ts', "import '../kernels/matmul/matmul'", 'import from kernels/index'],
    ['model/vlm.ts', "import type { T } from '../kernels/tensor'", 'import from kernels/index'],
    ['model/vlm.ts', "import '../worker/engine'", 'Models run anywhere'],
    ['model/vlm.ts', "export * from '../ui/state/chat.svelte'", 'Models run anywhere'],
    ['model/vlm.ts', "const f = () => import('../cli/main')", 'Models run anywhere'],
    ['worker/engine.ts', "import '../ui/state/chat.svelte'", 'worker/ does not know its callers'],
    ['worker/engine.ts', "import '../kernels/gpu/device'", 'import from kernels/index'],
    ['worker/client.ts', "import '../model/vlm'", 'hold no engine'],
    ['worker/api.ts', "import type { E } from '../kernels/errors'", 'hold no engine'],
    ['worker/empty-reply.ts', "import '../model/vlm'", 'hold no engine'],
    ['ui/state/new.svelte.ts', "import '../../worker/engine'", 'The page talks to the engine through'],
    [
      'ui/state/new.svelte.ts',
      "import { E } from '../../model/errors'",
      'The page talks to the engine through',
    ],
    ['ui/state/new.svelte.ts', "import '../../kernels/index'", 'The page talks to the engine through'],
    ['library/new.ts', "import '../worker/engine.worker'", 'The library is the contract and its client'],
    ['remote/new.ts', "import '../worker/engine'", 'A server is asked behind the contract alone'],
    ['remote/new.ts', "import '../model/errors'", 'A server is asked behind the contract alone'],
    ['worker/engine.ts', "import '../remote/endpoint'", 'A server is asked behind the contract alone'],
    ['cli/main.ts', "import '../model/vlm'", 'The command line uses worker/engine'],
    ['cli/main.ts', "import '../worker/client'", 'The command line uses worker/engine'],
    ['cli/main.ts', "import '../kernels/matmul/matmul'", 'The command line uses worker/engine'],
    ['ui/state/new.svelte.ts', "import { wrap } from 'comlink'", 'know that comlink exists'],
    ['worker/engine.ts', "import { expose } from 'comlink'", 'know that comlink exists'],
    ['model/vlm.ts', "import '../kernels/testing/gpu'", 'nothing that ships imports it'],
    ['model/vlm.ts', 'device.createBuffer({})', 'the only folder that touches GPUDevice'],
    [
      'kernels/matmul/new.ts',
      'gpu.device.createComputePipeline({})',
      'the only folder that touches GPUDevice',
    ],
  ])('%s may not say: %s', async (file, code, message) => {
    expect((await lint(file, code)).join('\n')).toContain(message)
  })

  test.each([
    [
      'kernels/matmul/new.ts',
      "import '../gpu/device'; import '../tensor'; import '../errors'; import './matmul'",
    ],
    ['kernels/matmul/new.ts', "import r from '../wgsl/reduce.wgsl?raw'; import m from './matmul.wgsl?raw'"],
    ['kernels/index.ts', "export * from './matmul/matmul'; export * from './softmax/softmax'"],
    ['kernels/gpu/device.ts', 'device.createBuffer({})'],
    ['model/vlm.ts', "import '../kernels/index'; import '../kernels/errors'; import './vision/clip'"],
    ['model/vision/new.ts', "import './clip'; import '../errors'; import '../../kernels/index'"],
    ['worker/engine.ts', "import '../model/vlm'; import '../kernels/index'; import './api'"],
    ['worker/client.ts', "import { wrap } from 'comlink'; import './api'"],
    ['worker/engine.worker.ts', "import { expose } from 'comlink'; import './engine'"],
    ['ui/state/new.svelte.ts', "import '../../worker/client'; import type { E } from '../../worker/api'"],
    ['ui/element/new.ts', "import '../../worker/empty-reply'"],
    ['ui/element/new.ts', "const f = () => import('../../worker/start-inline-worker')"],
    ['library/new.ts', "import '../worker/client'; import '../worker/start-inline-worker'"],
    ['library/new.ts', "import '../worker/empty-reply'"],
    ['library/new.ts', "import '../remote/endpoint'"],
    ['remote/new.ts', "import type { E } from '../worker/client'; import './endpoint'"],
    [
      'cli/main.ts',
      "import '../worker/engine'; import '../model/checkpoint/source'; import '../kernels/errors'",
    ],
    ['model/vlm.test.ts', "import '../kernels/testing/gpu'; import '../kernels/softmax/softmax'"],
    ['kernels/testing/gpu.ts', "import '../../cli/device'"],
  ])('%s may say: %s', async (file, code) => {
    expect(await lint(file, code)).toEqual([])
  })
})
