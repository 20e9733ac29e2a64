// Brings the machine to where the GPU and browser tests run, or says what a person has to do.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findChromium, findIcd } from '../src/cli/vulkan.mjs'
import { planSetup } from './setup-plan.mjs'

/**
 * Installs what is missing. Returns false, having said what to do, where that is not possible.
 * @param {{ gpu: boolean, browser: boolean }} needs
 * @returns {boolean}
 */
export function setUp(needs) {
  const plan = planSetup(describe(), needs)
  if (plan.missing.length === 0) return true
  console.log(`The tests need: ${plan.missing.join('; ')}.`)
  if (plan.install.length > 0) {
    install(plan)
    const left = planSetup(describe(), needs)
    if (left.missing.length === 0) return true
    console.error(`Still missing after installing: ${left.missing.join('; ')}.`)
    return false
  }
  console.error(
    ['They are not here and cannot be installed by this script. Please do:', ...plan.advice].join('\n  '),
  )
  return false
}

/** @returns {import('./setup-plan.mjs').Machine} */
function describe() {
  return {
    platform: process.platform,
    os: osRelease(),
    canInstall: isRoot() || spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0,
    chromium: findChromium(),
    lavapipe: findIcd('lavapipe'),
    swiftshader: findIcd('swiftshader'),
    mesaVersion: debianVersion('mesa-vulkan-drivers'),
    vulkanLoader: process.platform !== 'linux' || hasVulkanLoader(),
    aptSources: aptSources(),
  }
}

/** @param {import('./setup-plan.mjs').Plan} plan */
function install({ source, install }) {
  if (source) {
    console.log(`Adding ${source.path}, derived from this machine's own sources.`)
    if (isRoot()) writeFileSync(source.path, source.text)
    else root('tee', [source.path], { input: source.text, stdio: ['pipe', 'ignore', 'inherit'] })
  }
  root('apt-get', ['update', '-qq'])
  for (const packages of install) {
    console.log(`Installing by apt-get: ${packages.join(' ')}`)
    root('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages])
  }
}

/**
 * Runs a command as root; only its complaints are shown.
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 */
function root(command, args, options = { stdio: ['ignore', 'ignore', 'inherit'] }) {
  const line = ['env', 'DEBIAN_FRONTEND=noninteractive', command, ...args]
  if (!isRoot()) line.unshift('sudo', '-n')
  const [program = '', ...rest] = line
  const { status } = spawnSync(program, rest, options)
  if (status !== 0) console.error(`${line.join(' ')} ended with status ${status}`)
}

function isRoot() {
  return process.getuid?.() === 0
}

/** @returns {Record<string, string>} */
function osRelease() {
  if (!existsSync('/etc/os-release')) return {}
  const lines = readFileSync('/etc/os-release', 'utf8').split('\n')
  return Object.fromEntries(
    lines.flatMap((line) => [...line.matchAll(/^(\w+)="?([^"]*)"?$/g)].map((m) => [m[1], m[2]])),
  )
}

/** @param {string} name */
function debianVersion(name) {
  const query = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Version}', name], {
    encoding: 'utf8',
  })
  const [status, version] = (query.stdout ?? '').split(' ')
  return status === 'installed' ? version : undefined
}

function hasVulkanLoader() {
  const cache = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' })
  if (cache.stdout?.includes('libvulkan.so.1')) return true
  const folders = ['/usr/lib', '/usr/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu']
  return [...folders, ...(process.env.LD_LIBRARY_PATH ?? '').split(':')].some(
    (folder) => folder !== '' && existsSync(join(folder, 'libvulkan.so.1')),
  )
}

function aptSources() {
  const folder = '/etc/apt/sources.list.d'
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /\.(sources|list)$/.test(name)) : []
  return ['/etc/apt/sources.list', ...names.sort().map((name) => join(folder, name))]
    .filter((path) => existsSync(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
}
