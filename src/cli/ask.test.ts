import { describe, expect, test } from 'vitest'
import type { AskRequest, Reply } from '../worker/api'
import type { AskArgs } from './args'
import { parseCommandLine } from './args'
import { askAll, conversationAt } from './ask'
import { errorLine, UsageError } from './errors'

const image = (id: string) => ({ id, blob: new Blob([id]) })

function reply(text: string, finish: Reply['finish'] = 'stop'): Reply {
  return {
    text,
    finish,
    tokenIds: [5, 2],
    promptTokenIds: [1, 3],
    promptTokens: 2,
    imageTokens: 1,
    reusedTokens: 0,
    prefillMs: 1,
    decodeMs: 2,
    tokensPerSecond: 3,
  }
}

const askArgs = (...flags: string[]) => parseCommandLine(['ask', '--model', 'm', ...flags]) as AskArgs

/** An engine that notes what it was asked and says what it is told to. */
function scripted(replies: Reply[]) {
  const asked: AskRequest[] = []
  return {
    asked,
    ask: async (request: AskRequest, onEvent: Parameters<import('../worker/api').EngineApi['ask']>[1]) => {
      const next = replies[asked.length]!
      asked.push(request)
      onEvent({ type: 'token', text: next.text, tokenId: 5, index: 0 })
      return next
    },
  }
}

describe('ask', () => {
  test('the first turn carries all images, later turns continue the chat', async () => {
    const engine = scripted([reply('A bird.'), reply('Yes.')])
    const args = askArgs(
      '--image',
      'a',
      '--image',
      'b',
      '--prompt',
      'What?',
      '--prompt',
      'Sure?',
      '--seed',
      '4',
    )
    const images = [image('a'), image('b')]
    let streamed = ''
    const { turns, aborted } = await askAll(
      engine,
      args,
      images,
      (text) => (streamed += text),
      () => {},
    )
    expect(engine.asked[1]!.messages).toEqual([
      { role: 'user', text: 'What?', images },
      { role: 'assistant', text: 'A bird.' },
      { role: 'user', text: 'Sure?' },
    ])
    expect(engine.asked[0]!.sampling.seed).toBe(4)
    expect(streamed).toBe('A bird.Yes.')
    expect(aborted).toBe(false)
    // The contract of --json: these keys and no others.
    expect(Object.keys(turns[0]!)).toEqual([
      'text',
      'tokenIds',
      'promptTokenIds',
      'promptTokens',
      'imageTokens',
      'prefillMs',
      'decodeMs',
      'tokensPerSecond',
    ])
  })

  test('a raw conversation is one text, and each prompt takes its images', () => {
    const args = askArgs(
      '--raw',
      '--image',
      'a',
      '--image',
      'b',
      '--prompt',
      'X <image>:',
      '--prompt',
      '</s>Y <image>',
    )
    const images = [image('a'), image('b')]
    expect(conversationAt(args, images, [])).toEqual({
      messages: [],
      raw: { prompt: 'X <image>:', images: [images[0]] },
    })
    expect(conversationAt(args, images, [' one'])).toEqual({
      messages: [],
      raw: { prompt: 'X <image>: one</s>Y <image>', images },
    })
  })

  test('an aborted reply ends the conversation', async () => {
    const engine = scripted([reply('A b', 'aborted'), reply('never')])
    const args = askArgs('--prompt', 'What?', '--prompt', 'Sure?')
    const result = await askAll(
      engine,
      args,
      [],
      () => {},
      () => {},
    )
    expect(engine.asked).toHaveLength(1)
    expect(result.aborted).toBe(true)
  })

  test('an error is one line', () => {
    expect(errorLine(new UsageError('a\n  b\n'))).toBe('UsageError: a b')
    expect(errorLine('thrown text')).toBe('Error: thrown text')
  })
})
