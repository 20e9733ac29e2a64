// Where the software Vulkan drivers lie. Plain JavaScript, because the test runner uses it before anything is built.

import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** @typedef {'lavapipe' | 'swiftshader'} SoftwareAdapter */

/** The variable that names a driver's ICD file where it lies in no usual place. */
export const ICD_VARIABLE = { lavapipe: 'TRILOBITE_LAVAPIPE_ICD', swiftshader: 'TRILOBITE_SWIFTSHADER_ICD' }

const ICD_FOLDERS = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d']

const CHROMIUM_FOLDERS = [
  '/usr/lib/chromium',
  '/usr/lib/chromium-browser',
  '/usr/lib64/chromium-browser',
  '/opt/chromium',
  '/opt/google/chrome',
]

const CHROMIUM_COMMANDS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/**
 * The Vulkan driver file of a software adapter, or undefined where there is none: lavapipe comes with Mesa,
 * SwiftShader with Chromium.
 * @param {SoftwareAdapter} adapter
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function findIcd(adapter, env = process.env) {
  const named = env[ICD_VARIABLE[adapter]]
  if (named) return existsSync(named) ? named : undefined
  if (adapter === 'lavapipe') {
    for (const folder of ICD_FOLDERS) {
      // lvp_icd.json in Debian 12, lvp_icd.x86_64.json elsewhere.
      const file = list(folder).find((name) => /^lvp_icd(\..+)?\.json$/.test(name))
      if (file) return join(folder, file)
    }
    return undefined
  }
  const folders = [...CHROMIUM_FOLDERS, ...playwrightFolders(env)]
  return folders.map((folder) => join(folder, 'vk_swiftshader_icd.json')).find((file) => existsSync(file))
}

/**
 * The browser the end-to-end tests drive: TRILOBITE_CHROMIUM, else a system Chromium or Chrome, else one that
 * `npx playwright install chromium` has fetched.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function findChromium(env = process.env) {
  const named = env.TRILOBITE_CHROMIUM
  if (named) return existsSync(named) ? named : undefined
  const fetched = playwrightFolders(env).map((folder) => join(folder, 'chrome'))
  return [...CHROMIUM_COMMANDS, ...fetched].find((file) => existsSync(file))
}

/** Newest first. @param {NodeJS.ProcessEnv} env */
function playwrightFolders(env) {
  const root = env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), '.cache', 'ms-playwright')
  return list(root)
    .filter((name) => /^chromium-\d+$/.test(name))
    .sort((a, b) => Number(b.slice(9)) - Number(a.slice(9)))
    .flatMap((name) => [join(root, name, 'chrome-linux64'), join(root, name, 'chrome-linux')])
}

/** @param {string} folder */
function list(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
