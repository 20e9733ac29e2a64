// Both sides in processes of their own under Node.

import { join } from 'node:path'
import { findIcd } from '../src/cli/vulkan.mjs'
import { build, engine, folder, root } from './build.mjs'
import { Side } from './side.mjs'

export const NODE_ADAPTERS = ['lavapipe', 'swiftshader', 'default']

/**
 * The environment by which the Vulkan loader finds an adapter.
 * Throws: where the adapter's driver is not there.
 *
 * @param {string} adapter @returns {NodeJS.ProcessEnv}
 */
export function environmentOf(adapter) {
  const icd = adapter === 'default' ? undefined : findIcd(/** @type {any} */ (adapter))
  if (adapter !== 'default' && !icd) {
    throw new Error(`the driver of ${adapter} was not found; "npm test" installs or names it`)
  }
  return {
    XDG_RUNTIME_DIR: '/tmp',
    ...process.env,
    ...(icd && { VK_ICD_FILENAMES: icd, VK_DRIVER_FILES: icd }),
  }
}

/**
 * @param {string} adapter
 * @param {{ python?: string, threads?: string }} options  of PyTorch, training's peer
 * @returns {Promise<import('./beside-peer.mjs').Stage & { close: () => Promise<void> }>}
 */
export async function openNode(adapter, { python, threads }) {
  const env = environmentOf(adapter)
  await build()
  return {
    adapter,
    ours: async () => new Side('ours', ['--enable-source-maps', engine, adapter], { env }),
    async peer(preset) {
      if (!('pytorch' in preset)) {
        return new Side('peer', [join(root, 'bench/peer/main.mjs'), join(folder, 'onnx')], { env })
      }
      if (!python) throw new Error('give --python PATH of a Python with torch and transformers')
      const args = [join(root, 'bench/pytorch/train_step.py'), '--serve']
      return new Side('PyTorch', threads ? [...args, '--threads', threads] : args, { program: python })
    },
    async close() {},
  }
}
