// What a machine lacks for the GPU and browser tests, and how it gets there. Pure: a description in, a plan out.

/**
 * @typedef {object} Machine
 * @property {string} platform               process.platform
 * @property {Record<string, string>} os     /etc/os-release: ID, VERSION_CODENAME ...
 * @property {boolean} canInstall            root, or sudo without a password
 * @property {string | undefined} chromium   path of a browser
 * @property {string | undefined} lavapipe   path of its ICD file
 * @property {string | undefined} swiftshader
 * @property {string | undefined} mesaVersion  version of the Debian package mesa-vulkan-drivers
 * @property {boolean} vulkanLoader          libvulkan.so.1 is there
 * @property {{ path: string, text: string }[]} aptSources  the files apt reads its sources from
 *
 * @typedef {object} Plan
 * @property {string[]} missing              what the tests lack, in words; empty: nothing to do
 * @property {{ path: string, text: string } | undefined} source  a source to add for apt
 * @property {string[][]} install            arguments of `apt-get install`, one list a call; empty: cannot be done here
 * @property {string[]} advice               what a person should do where it cannot be done here
 */

/** lavapipe has shader-f16 from about here on; Debian 12's own is 22.3. */
const MESA_MIN = 24

const BACKPORTS_FILE = '/etc/apt/sources.list.d/trilobite-backports'

/**
 * Decides what to install.
 * @param {Machine} machine
 * @param {{ gpu: boolean, browser: boolean }} needs  which suites are going to run
 * @returns {Plan}
 */
export function planSetup(machine, needs) {
  const { os } = machine
  const isDebian = machine.platform === 'linux' && os.ID === 'debian'
  /** @type {string[]} */
  const missing = []
  /** @type {Set<string>} */
  const packages = new Set()

  const mesaIsOld = isDebian && machine.mesaVersion !== undefined && majorOf(machine.mesaVersion) < MESA_MIN
  const needsMesa = needs.gpu && (!machine.lavapipe || mesaIsOld)
  if (needsMesa) {
    missing.push(
      mesaIsOld
        ? `lavapipe with shader-f16 (Mesa ${MESA_MIN} or newer; here is ${machine.mesaVersion})`
        : 'lavapipe, the Vulkan driver of Mesa',
    )
  }
  if (needs.gpu && !machine.vulkanLoader) {
    missing.push('the Vulkan loader, libvulkan.so.1')
    packages.add('libvulkan1')
  }
  if (needs.browser && !machine.chromium) {
    missing.push('Chromium')
    packages.add('chromium')
  }
  if (needs.gpu && !machine.swiftshader) {
    missing.push('SwiftShader, which comes with Chromium (vk_swiftshader_icd.json)')
    packages.add('chromium')
  }
  if (missing.length === 0) return { missing, source: undefined, install: [], advice: [] }
  if (!isDebian || !machine.canInstall)
    return { missing, source: undefined, install: [], advice: adviceFor(machine) }

  const install = packages.size > 0 ? [[...packages].sort()] : []
  if (!needsMesa) return { missing, source: undefined, install, advice: [] }
  if (os.VERSION_CODENAME !== 'bookworm') {
    return { missing, source: undefined, install: [[...packages, 'mesa-vulkan-drivers'].sort()], advice: [] }
  }
  const suite = `${os.VERSION_CODENAME}-backports`
  const source = hasSuite(machine.aptSources, suite)
    ? undefined
    : deriveSource(machine.aptSources, 'bookworm', suite)
  if (source === undefined && !hasSuite(machine.aptSources, suite)) {
    const advice = [`Add ${suite} to apt's sources: no entry for bookworm was found to derive one from.`]
    return { missing, source: undefined, install: [], advice: [...advice, ...adviceFor(machine)] }
  }
  return { missing, source, install: [...install, ['-t', suite, 'mesa-vulkan-drivers']], advice: [] }
}

/** @param {Machine} machine */
function adviceFor({ platform, os }) {
  const variables =
    'Where they lie elsewhere: TRILOBITE_CHROMIUM=path of the browser, TRILOBITE_LAVAPIPE_ICD=path of lvp_icd*.json, ' +
    'TRILOBITE_SWIFTSHADER_ICD=path of vk_swiftshader_icd.json.'
  const parts = 'On a machine with its own GPU: npm test -- unit, and npm test -- gpu --adapter default.'
  const browser = 'npx playwright install chromium'
  if (platform !== 'linux') return [`Install a browser: ${browser}`, parts, variables]
  const family = `${os.ID ?? ''} ${os.ID_LIKE ?? ''}`
  if (os.ID === 'debian' && os.VERSION_CODENAME === 'bookworm') {
    return [
      'As root: apt-get install chromium libvulkan1',
      'As root, with bookworm-backports among the sources: apt-get install -t bookworm-backports mesa-vulkan-drivers',
      variables,
    ]
  }
  if (os.ID === 'debian')
    return ['As root: apt-get install chromium libvulkan1 mesa-vulkan-drivers', variables]
  // Ubuntu's chromium package is a snap, whose files other programs cannot use.
  if (/ubuntu|debian/.test(family)) {
    return [`sudo apt-get install libvulkan1 mesa-vulkan-drivers && ${browser} --with-deps`, variables]
  }
  if (/fedora|rhel/.test(family))
    return ['sudo dnf install chromium mesa-vulkan-drivers vulkan-loader', variables]
  if (/arch/.test(family)) return ['sudo pacman -S chromium vulkan-swrast vulkan-icd-loader', variables]
  return [
    `Install Mesa's lavapipe and the Vulkan loader with the system's packages, and ${browser}`,
    parts,
    variables,
  ]
}

/** @param {string} version  possibly with an epoch: 1:25.0.7-2 */
function majorOf(version) {
  return Number(/^(?:\d+:)?(\d+)/.exec(version)?.[1] ?? 0)
}

/** @param {Machine['aptSources']} files @param {string} suite */
function hasSuite(files, suite) {
  return files.some(({ path, text }) =>
    path.endsWith('.sources')
      ? stanzas(text).some((fields) => isEnabled(fields) && fields.Suites?.split(/\s+/).includes(suite))
      : oneLines(text).some((entry) => entry.suite === suite),
  )
}

/**
 * The machine's own entry for a suite, with another suite in its place: same mirror, same key.
 * @param {Machine['aptSources']} files
 * @param {string} base
 * @param {string} suite
 */
function deriveSource(files, base, suite) {
  for (const { path, text } of files) {
    if (path.endsWith('.sources')) {
      const fields = stanzas(text).find(
        (stanza) =>
          isEnabled(stanza) &&
          stanza.Suites?.split(/\s+/).includes(base) &&
          /\bdeb\b/.test(stanza.Types ?? ''),
      )
      if (!fields) continue
      const kept = { ...fields, Types: 'deb', Suites: suite, Components: 'main' }
      const lines = Object.entries(kept).map(([name, value]) => `${name}: ${value}\n`)
      return { path: `${BACKPORTS_FILE}.sources`, text: lines.join('') }
    }
    const entry = oneLines(text).find((line) => line.suite === base)
    if (entry) {
      const options = entry.options ? `${entry.options} ` : ''
      return { path: `${BACKPORTS_FILE}.list`, text: `deb ${options}${entry.uri} ${suite} main\n` }
    }
  }
  return undefined
}

/** @param {Record<string, string>} fields */
function isEnabled(fields) {
  return fields.Enabled?.toLowerCase() !== 'no'
}

/**
 * deb822 paragraphs as records; an embedded key keeps its continuation lines.
 * @param {string} text
 * @returns {Record<string, string>[]}
 */
function stanzas(text) {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'))
  return lines
    .join('\n')
    .split(/\n\s*\n/)
    .map((paragraph) => {
      /** @type {Record<string, string>} */
      const fields = {}
      let last = ''
      for (const line of paragraph.split('\n')) {
        const field = /^([\w-]+):\s*(.*)$/.exec(line)
        if (field) fields[(last = field[1] ?? '')] = field[2] ?? ''
        else if (last !== '' && /^\s+\S/.test(line)) fields[last] += `\n${line}`
      }
      return fields
    })
    .filter((fields) => fields.URIs !== undefined)
}

/** @param {string} text  one-line entries: deb [options] uri suite components */
function oneLines(text) {
  return text.split('\n').flatMap((line) => {
    const found = /^\s*deb\s+(?:(\[[^\]]*\])\s+)?(\S+)\s+(\S+)\s/.exec(`${line} `)
    return found ? [{ options: found[1], uri: found[2] ?? '', suite: found[3] ?? '' }] : []
  })
}
