import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packageRoot } from './model-source'

/** Runs the command line as a user does. What is tested here ends before a GPU is opened. */
function trilobite(...args: string[]) {
  const launcher = join(packageRoot(), 'src', 'cli', 'launch.mjs')
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('trilobite', { timeout: 60_000 }, () => {
  test('bundles itself and says its version', () => {
    expect(trilobite('--version')).toEqual({ status: 0, stdout: '0.1.0\n', stderr: '' })
  })

  test('--help names every command', () => {
    const { status, stdout } = trilobite('--help')
    expect(status).toBe(0)
    for (const command of ['ask', 'plan', 'train', 'gradcheck', 'info'])
      expect(stdout).toContain(`trilobite ${command}`)
  })

  test.each([
    [['ask', '--model', 'bundled'], /^UsageError: ask: --prompt TEXT is missing.*\n$/],
    [
      ['ask', '--model', 'nowhere', '--prompt', 'x'],
      /^UsageError: --model: expected a folder.*got "nowhere".*\n$/,
    ],
    [
      ['ask', '--model', 'bundled', '--image', 'absent.png', '--prompt', 'x'],
      /^ImageError: image: absent\.png .*\n$/,
    ],
    [['plan'], /^UsageError: plan: --model is missing.*\n$/],
  ])('%j ends with status 1 and one line on stderr', (args, line) => {
    const { status, stdout, stderr } = trilobite(...args)
    expect(stderr).toMatch(line)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stdout).toBe('')
    expect(status).toBe(1)
  })
})
