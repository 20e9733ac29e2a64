// The walls of the house as lint rules. Each message states the rule it guards.

import importX from 'eslint-plugin-import-x'
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const SOURCES = ['src/**/*.{ts,svelte}']

/** Tests look behind every wall. */
const TESTS = ['**/*.test.ts', '**/*.testing.ts', '**/testing/**']

/** Folders of kernels/ that are no op. */
const SHARED = ['gpu', 'wgsl', 'testing']

/** Parts of a model that know each other only through vlm.ts. */
const PARTS = ['vision', 'connector', 'language', 'template']

/** Calls on a GPUDevice that make things. */
const DEVICE_CALLS =
  'createBuffer|createTexture|createShaderModule|createComputePipeline|createComputePipelineAsync|createRenderPipeline|' +
  'createBindGroup|createBindGroupLayout|createPipelineLayout|createCommandEncoder|createQuerySet|requestDevice'

/**
 * ESLint configurations for src/.
 * @param {string} root  the folder that holds src/
 * @returns {import('eslint').Linter.Config[]}
 */
export function walls(root) {
  return [
    {
      name: 'walls/layers',
      files: SOURCES,
      ignores: TESTS,
      plugins: { 'import-x': /** @type {any} */ (importX) },
      settings: { 'import-x/resolver-next': [createTypeScriptImportResolver({ project: [] })] },
      rules: { 'import-x/no-restricted-paths': ['error', { basePath: root, zones: zones(root) }] },
    },
    {
      name: 'walls/comlink',
      files: SOURCES,
      ignores: ['src/worker/client.ts', 'src/worker/engine.worker.ts'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            paths: [
              {
                name: 'comlink',
                message: 'Only worker/client.ts and worker/engine.worker.ts know that comlink exists.',
              },
            ],
          },
        ],
      },
    },
    {
      name: 'walls/device',
      files: SOURCES,
      ignores: ['src/kernels/gpu/**', 'src/cli/device.ts', ...TESTS],
      rules: {
        'no-restricted-syntax': [
          'error',
          {
            selector: `CallExpression > MemberExpression[object.property.name="device"][property.name=/^(${DEVICE_CALLS})$/]`,
            message: 'kernels/gpu/ is the only folder that touches GPUDevice.',
          },
          {
            selector: `CallExpression > MemberExpression[object.name="device"][property.name=/^(${DEVICE_CALLS})$/]`,
            message: 'kernels/gpu/ is the only folder that touches GPUDevice.',
          },
        ],
      },
    },
  ]
}

/** @param {string} root */
function zones(root) {
  /**
   * @param {string | string[]} target
   * @param {string | string[]} from
   * @param {string} message
   * @param {string[]} [except]  relative to `from`
   */
  const wall = (target, from, message, except = []) => ({ target, from, message, except })
  const kernels = 'Kernels know buffers, dtypes and shapes: kernels/ imports nothing above it.'
  const models = 'Models run anywhere a GPUDevice does: model/ imports kernels/ and nothing above it.'
  const surface =
    'Models use kernels through their public surface: import from kernels/index (or kernels/errors).'
  const contract = 'worker/ does not know its callers: it imports model/ and the public surface of kernels/.'
  const page = 'The page talks to the engine through worker/api (types) and worker/client.'
  const packaged =
    'The library is the contract and its client for other projects: it imports worker/ and nothing else.'
  const library = 'The library stands on top of everything: nothing of the engine imports it.'
  const client = 'The contract, its client and the empty reply hold no engine: they run in the page.'
  const remote =
    'A server is asked behind the contract alone: remote/ imports worker/api and worker/client (types).'
  const shell =
    'The command line uses worker/engine; of model/ and kernels/ only errors, sources, writers and what a host gives.'
  const files = ['index.ts', 'errors.ts']
  const ops = operations(join(root, 'src/kernels'))
  return [
    wall('src/kernels', ['src/model', 'src/worker', 'src/ui', 'src/cli'], kernels),
    wall('src/model', ['src/worker', 'src/ui', 'src/cli'], models),
    wall('src/model', 'src/kernels', surface, files),
    wall('src/worker', ['src/ui', 'src/cli'], contract),
    wall('src/worker', 'src/kernels', surface, files),
    wall(
      ['src/worker/api.ts', 'src/worker/client.ts', 'src/worker/empty-reply.ts'],
      ['src/model', 'src/kernels'],
      client,
    ),
    wall('src/ui', ['src/model', 'src/kernels', 'src/cli'], page),
    wall('src/ui', 'src/worker', page, [
      'api.ts',
      'client.ts',
      'empty-reply.ts',
      'start-worker.ts',
      'start-inline-worker.ts',
    ]),
    wall('src/library', ['src/ui', 'src/cli', 'src/model', 'src/kernels'], packaged),
    wall('src/library', 'src/worker', packaged, [
      'api.ts',
      'client.ts',
      'empty-reply.ts',
      'training-api.ts',
      'start-inline-worker.ts',
    ]),
    wall(['src/kernels', 'src/model', 'src/worker', 'src/cli', 'src/ui'], 'src/library', library),
    wall('src/remote', ['src/ui', 'src/cli', 'src/library', 'src/model', 'src/kernels'], remote),
    wall('src/remote', 'src/worker', remote, ['api.ts', 'client.ts']),
    wall(['src/kernels', 'src/model', 'src/worker'], 'src/remote', remote),
    wall('src/cli', 'src/ui', shell),
    wall('src/cli', 'src/worker', shell, ['api.ts', 'engine.ts', 'training-api.ts']),
    wall('src/cli', 'src/kernels', shell, ['errors.ts']),
    wall('src/cli', 'src/model', shell, ['errors.ts', 'checkpoint', 'image', 'onnx', 'train']),
    wall(
      'src',
      ['src/**/testing/**', 'src/**/*.testing.ts'],
      'testing/ is for tests: nothing that ships imports it.',
    ),
    ...ops.map((op) =>
      wall(
        `src/kernels/${op}`,
        [
          'src/kernels/index.ts',
          ...ops.filter((other) => other !== op).map((other) => `src/kernels/${other}`),
        ],
        'An op never imports another op: fusing two ops is a third op.',
      ),
    ),
    wall(
      SHARED.map((folder) => `src/kernels/${folder}`),
      ['src/kernels/index.ts', ...ops.map((op) => `src/kernels/${op}`)],
      'kernels/gpu and kernels/wgsl are what ops are made of: they import no op.',
    ),
    ...PARTS.map((part) =>
      wall(
        `src/model/${part}`,
        PARTS.filter((other) => other !== part).map((other) => `src/model/${other}`),
        `${PARTS.join(', ')} never import one another: vlm.ts knows their interfaces.`,
      ),
    ),
  ]
}

/** Every folder of kernels/ that is an op. @param {string} folder */
function operations(folder) {
  if (!existsSync(folder)) return []
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return folders.map((entry) => entry.name).filter((name) => !SHARED.includes(name))
}
