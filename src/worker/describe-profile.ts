import type { ProfiledPart } from '../kernels'
import type { LocalReply, Profile, ProfilePhase } from './api'

/** The profile of a reply. Parts are named as phases are; encoding ends where the prompt begins. */
export function describeProfile(
  parts: readonly ProfiledPart[],
  hasTimestamps: boolean,
  { prefillMs, decodeMs }: Pick<LocalReply, 'prefillMs' | 'decodeMs'>,
): Profile {
  const enteredAt = (name: string) => parts.find(({ part }) => part === name)?.enteredAt
  const promptAt = enteredAt('prompt')
  const encodeMs = promptAt === undefined ? prefillMs : promptAt - (enteredAt('encode') ?? promptAt)
  const wallMs = { encode: encodeMs, prompt: prefillMs - encodeMs, decode: decodeMs }
  return {
    method: hasTimestamps ? 'timestamps' : 'waits',
    phases: parts.map(({ part, steps, kernels }) => {
      const phase = part as ProfilePhase['phase']
      return { phase, steps, wallMs: wallMs[phase], kernels }
    }),
  }
}
