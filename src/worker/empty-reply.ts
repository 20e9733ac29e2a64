import type { LocalReply } from './api'

/** The reply to a question that was stopped before its prompt was ready, which took this many milliseconds. */
export const emptyReply = (prefillMs: number): LocalReply => ({
  text: '',
  finish: 'aborted',
  generatedTokens: 0,
  tokenIds: [],
  promptTokenIds: [],
  promptTokens: 0,
  imageTokens: 0,
  reusedTokens: 0,
  prefillMs,
  decodeMs: 0,
  tokensPerSecond: 0,
})
