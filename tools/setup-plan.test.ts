import { describe, expect, test } from 'vitest'
import { planSetup, type Machine } from './setup-plan.mjs'

const SOURCES = {
  path: '/etc/apt/sources.list.d/debian.sources',
  text: `Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`,
}

const DERIVED = `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`

const all = { gpu: true, browser: true }

/** A fresh Debian 12 container as root. */
function machine(changes: Partial<Machine> = {}): Machine {
  return {
    platform: 'linux',
    os: { ID: 'debian', VERSION_CODENAME: 'bookworm' },
    canInstall: true,
    chromium: undefined,
    lavapipe: undefined,
    swiftshader: undefined,
    mesaVersion: undefined,
    vulkanLoader: false,
    aptSources: [SOURCES],
    ...changes,
  }
}

const complete: Partial<Machine> = {
  chromium: '/usr/bin/chromium',
  lavapipe: '/usr/share/vulkan/icd.d/lvp_icd.json',
  swiftshader: '/usr/lib/chromium/vk_swiftshader_icd.json',
  mesaVersion: '25.0.7-2~bpo12+1',
  vulkanLoader: true,
}

describe('set-up plan', () => {
  test('does nothing where everything is there', () => {
    expect(planSetup(machine(complete), all)).toEqual({
      missing: [],
      source: undefined,
      install: [],
      advice: [],
    })
  })

  test('a fresh Debian 12 takes Mesa from backports, from its own mirror', () => {
    const plan = planSetup(machine(), all)
    expect(plan.source).toEqual({
      path: '/etc/apt/sources.list.d/trilobite-backports.sources',
      text: DERIVED,
    })
    expect(plan.install).toEqual([
      ['chromium', 'libvulkan1'],
      ['-t', 'bookworm-backports', 'mesa-vulkan-drivers'],
    ])
    expect(plan.advice).toEqual([])
  })

  test('Mesa below 24 is replaced, and nothing else touched', () => {
    const plan = planSetup(machine({ ...complete, mesaVersion: '22.3.6-1+deb12u1' }), all)
    expect(plan.missing).toEqual(['lavapipe with shader-f16 (Mesa 24 or newer; here is 22.3.6-1+deb12u1)'])
    expect(plan.install).toEqual([['-t', 'bookworm-backports', 'mesa-vulkan-drivers']])
  })

  test('backports that are there already are used as they are', () => {
    const backports = { path: '/etc/apt/sources.list.d/own.sources', text: DERIVED }
    const plan = planSetup(machine({ aptSources: [SOURCES, backports] }), all)
    expect(plan.source).toBeUndefined()
    expect(plan.install[1]).toEqual(['-t', 'bookworm-backports', 'mesa-vulkan-drivers'])
  })

  test('backports that are switched off do not count', () => {
    const backports = { path: '/etc/apt/sources.list.d/own.sources', text: `Enabled: no\n${DERIVED}` }
    expect(planSetup(machine({ aptSources: [SOURCES, backports] }), all).source?.text).toBe(DERIVED)
  })

  test('one-line sources keep their options', () => {
    const path = '/etc/apt/sources.list'
    const text =
      '# deb http://old bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main\n'
    const plan = planSetup(machine({ aptSources: [{ path, text }] }), all)
    expect(plan.source).toEqual({
      path: '/etc/apt/sources.list.d/trilobite-backports.list',
      text: 'deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm-backports main\n',
    })
    const withBackports = { path, text: `${text}deb http://mirror.example/debian bookworm-backports main\n` }
    expect(planSetup(machine({ aptSources: [withBackports] }), all).source).toBeUndefined()
  })

  test('without a source to derive from it says so', () => {
    const plan = planSetup(machine({ aptSources: [] }), all)
    expect(plan.install).toEqual([])
    expect(plan.advice[0]).toContain('Add bookworm-backports')
  })

  test('newer Debian installs its own Mesa', () => {
    const plan = planSetup(machine({ os: { ID: 'debian', VERSION_CODENAME: 'trixie' } }), all)
    expect(plan.source).toBeUndefined()
    expect(plan.install).toEqual([['chromium', 'libvulkan1', 'mesa-vulkan-drivers']])
  })

  test('only what the chosen suites need', () => {
    expect(planSetup(machine(), { gpu: false, browser: false }).missing).toEqual([])
    expect(planSetup(machine(), { gpu: false, browser: true }).install).toEqual([['chromium']])
  })

  test('without the right to install, a person is told what to type and which variables there are', () => {
    const plan = planSetup(machine({ canInstall: false }), all)
    expect(plan.install).toEqual([])
    expect(plan.advice.join('\n')).toContain('apt-get install -t bookworm-backports mesa-vulkan-drivers')
    expect(plan.advice.join('\n')).toContain('TRILOBITE_CHROMIUM')
  })

  test.each([
    [{ ID: 'ubuntu', ID_LIKE: 'debian' }, 'linux', 'playwright install chromium --with-deps'],
    [{ ID: 'fedora' }, 'linux', 'dnf install'],
    [{ ID: 'arch' }, 'linux', 'pacman -S'],
    [{ ID: 'void' }, 'linux', 'playwright install chromium'],
    [{}, 'darwin', '--adapter default'],
  ])('%j on %s is advised: %s', (os, platform, words) => {
    const plan = planSetup(machine({ os: os as Record<string, string>, platform }), all)
    expect(plan.install).toEqual([])
    expect(plan.advice.join('\n')).toContain(words)
  })
})
