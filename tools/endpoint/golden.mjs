// Asks a real server the questions whose answers PyTorch has recorded, by way of src/remote: `transformers serve` with a golden
// checkpoint. Greedy answers must be the recorded ones, to the character.
//
//   node tools/endpoint/golden.mjs [--python FILE] [--case NAME]
//
// Skipped where that Python (default: $TRILOBITE_PYTHON, or python3) lacks what the server needs:
//   pip install 'transformers[serving]' torch pillow accelerate

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from '../app-build.mjs'

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: process.env['TRILOBITE_PYTHON'] ?? 'python3' },
    case: { type: 'string', default: 'llava-clip-llama' },
  },
})
const NEEDED = ['transformers', 'torch', 'PIL', 'fastapi', 'uvicorn', 'openai', 'requests', 'accelerate']
/** Starting it imports PyTorch. */
const START_MS = 180_000

const found = spawnSync(values.python, [
  '-c',
  `import importlib, platform
for name in ${JSON.stringify(NEEDED)}: importlib.import_module(name)
import transformers, torch
print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}, Python {platform.python_version()}")`,
])
if (found.status !== 0) {
  const why = found.error?.message ?? String(found.stderr).trim().split('\n').at(-1)
  console.log(`skipped: ${values.python} cannot run transformers serve (${why}).`)
  process.exit(0)
}

const folder = join(root, 'e2e/golden', values.case)
const checkpoint = join(folder, 'checkpoint')
const { turns, images = [] } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'))
const port = await freePort()
// Its list of models reads this folder.
const cache = mkdtempSync(join(tmpdir(), 'trilobite-hub-'))
const serve = ['transformers', 'serve', checkpoint, '--host', '127.0.0.1', '--port', String(port)]
const server = spawn(
  values.python,
  [
    '-c',
    'import json, sys; sys.argv = json.loads(sys.argv[1]); from transformers.cli.transformers import main; main()',
    JSON.stringify([...serve, '--device', 'cpu', '--dtype', 'float32']),
  ],
  { env: { ...process.env, HF_HUB_OFFLINE: '1', HF_HUB_CACHE: cache }, stdio: ['ignore', 'pipe', 'pipe'] },
)
let log = ''
for (const output of [server.stdout, server.stderr]) output.on('data', (part) => (log += part))

let failures = 0
try {
  await untilServing()
  console.log(`${String(found.stdout).trim()}; ${values.case}`)
  await askAll()
} catch (error) {
  failures++
  console.error(error)
  console.error(log.split('\n').slice(-20).join('\n'))
} finally {
  server.kill()
  rmSync(cache, { recursive: true, force: true })
}
process.exit(failures ? 1 : 0)

async function askAll() {
  const { createServer: createVite } = await import('vite')
  const vite = await createVite({
    root,
    configFile: false,
    logLevel: 'error',
    optimizeDeps: { noDiscovery: true },
    appType: 'custom',
    server: { middlewareMode: true, watch: null },
  })
  try {
    const { EndpointModel } = await vite.ssrLoadModule('/src/remote/endpoint.ts')
    const model = await EndpointModel.open(
      { kind: 'endpoint', baseUrl: `http://127.0.0.1:${port}/v1`, model: checkpoint },
      new AbortController().signal,
    )
    const pictures = new Map(
      images.map(({ file }) => [file, new Blob([readFileSync(join(folder, file))], { type: 'image/png' })]),
    )
    for (const [number, turn] of turns.entries()) {
      let pieces = 0
      const reply = await model.ask(
        {
          messages: turn.messages.map(({ role, content }) => ({
            role,
            text: content.flatMap(({ text = [] }) => text).join(''),
            images: content.flatMap(({ path }) => (path ? { id: path, blob: pictures.get(path) } : [])),
          })),
          sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 },
          maxNewTokens: turn.generated_ids.length,
        },
        ({ type }) => (pieces += Number(type === 'token')),
      )
      const isSame = reply.text.trim() === turn.generated_text.trim() && reply.finish === turn.finish
      if (!isSame) failures++
      console.log(
        `${isSame ? 'same   ' : 'DIFFERS'} turn ${number}: ${JSON.stringify(reply.text)} in ${pieces} pieces, ` +
          `${reply.promptTokens} + ${reply.generatedTokens} tokens, ended by ${reply.finish}`,
      )
      if (!isSame) console.log(`expected       ${JSON.stringify(turn.generated_text)}, ${turn.finish}`)
    }
  } finally {
    await vite.close()
  }
}

async function untilServing() {
  const deadline = Date.now() + START_MS
  while (Date.now() < deadline && server.exitCode === null) {
    const response = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  throw new Error('transformers serve: expected it to start, but it did not.')
}

/** A port that nobody uses now. */
async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port: free } = /** @type {import('node:net').AddressInfo} */ (probe.address())
  probe.close()
  return free
}
