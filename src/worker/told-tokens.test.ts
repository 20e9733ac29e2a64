import { expect, test } from 'vitest'
import type { AskEvent } from './api'
import { ToldTokens } from './told-tokens'

const token = (index: number, tokenId: number): AskEvent => ({
  type: 'token',
  text: `<${tokenId}>`,
  tokenId,
  index,
})

function reader() {
  const heard: (number | string)[] = []
  const told = new ToldTokens((event) => heard.push(event.type === 'token' ? event.tokenId! : event.type))
  return { heard, say: (...ids: number[]) => ids.forEach((id, i) => told.onEvent(token(i, id))), told }
}

test('an answer that begins again the same way goes on from what was told', () => {
  const { heard, say, told } = reader()
  say(1, 2, 3)
  told.restart()
  told.onEvent({ type: 'prefill', promptTokens: 1, reusedTokens: 0, imageTokens: 0 })
  say(1, 2)
  told.restart()
  say(1, 2, 3, 4)
  expect(heard).toEqual([1, 2, 3, 'prefill', 4])
})

test('one that takes another way is told whole, behind a restart', () => {
  const { heard, say, told } = reader()
  say(1, 2, 3)
  told.restart()
  say(1, 5, 6)
  expect(heard).toEqual([1, 2, 3, 'restart', 1, 5, 6])
  told.restart()
  say(1, 5, 6, 7)
  expect(heard.slice(7)).toEqual([7])
})
