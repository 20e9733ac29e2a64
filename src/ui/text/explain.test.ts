import { describe, expect, test } from 'vitest'
import {
  explain,
  explainTraining,
  isAbort,
  KNOWN_ERROR_NAMES,
  pointsToDetail,
  type Surroundings,
} from './explain'
import { messagesOf } from './messages'

const fine: Surroundings = { hasWebGpu: true, isSecureContext: true, isOnline: true }
const error = (name: string, message = 'op: expected this, came that, do so') =>
  Object.assign(new Error(message), { name })

describe('explain', () => {
  test.each(KNOWN_ERROR_NAMES)('%s has a sentence that says what to do', (name) => {
    const problem = explain(error(name), fine)
    expect(problem.name).toBe(name)
    expect(problem.title).toMatch(/\.$/)
    expect(problem.detail).toBe('op: expected this, came that, do so')
    if (name !== 'AbortError') expect(problem.advice.length).toBeGreaterThan(20)
    expect(problem.title).not.toBe('Something went wrong.')
  })

  test('tells apart why there is no WebGPU', () => {
    const titles = [
      explain(error('UnsupportedDeviceError'), { ...fine, isSecureContext: false, hasWebGpu: false }).title,
      explain(error('UnsupportedDeviceError'), { ...fine, hasWebGpu: false }).title,
      explain(error('UnsupportedDeviceError'), fine).title,
    ]
    expect(titles).toEqual([
      'WebGPU is off on this address.',
      'This browser has no WebGPU.',
      'No usable GPU was found.',
    ])
  })

  test('tells apart why a file could not be fetched', () => {
    const title = (message: string, around = fine) => explain(error('NetworkError', message), around).title
    expect(title('fetch x: expected 200, came 401')).toBe('The host refused this model.')
    expect(title('fetch x: expected 200, came 403')).toBe('The host refused this model.')
    expect(title('fetch x: expected 200, came 404')).toBe('The model or one of its files was not found.')
    expect(title('fetch x: expected 200, came 429')).toBe('The host asks to slow down.')
    expect(title('fetch x: expected 4040 bytes, came 4030')).toBe('A file could not be downloaded.')
    expect(title('failed', { ...fine, isOnline: false })).toBe('You are offline.')
  })

  test.each([
    ['unreachable', 'The server does not answer.'],
    ['blocked', 'The server does not let this page read its answers.'],
    ['insecure', 'This page may not ask a server without https.'],
    ['denied', 'The server wants an API key that may use this model.'],
    ['missing', 'The server does not have this model, or nothing at this address.'],
    ['busy', 'The server is busy or in trouble.'],
    ['broken', 'The answer broke off.'],
    ['stalled', 'The answer broke off.'],
    ['refused', 'The server did not answer as expected.'],
    ['failed', 'The server did not answer as expected.'],
  ])('tells apart what is %s at a server, whatever its own words are', (trouble, title) => {
    const message = `endpoint ${trouble}: x answered 400: endpoint busy: 404`
    expect(explain(error('EndpointError', message), fine).title).toBe(title)
  })

  test('the lost device and the crashed worker can be recovered from', () => {
    expect(explain(error('DeviceLostError'), fine).remedies).toContain('reload-model')
    expect(explain(error('WorkerCrashError'), fine).remedies).toContain('reload-model')
  })

  test.each([['a string'], [undefined], [null], [{}], [{ name: 1, message: 2 }], [error('toString')]])(
    'survives anything thrown: %j',
    (thrown) => expect(explain(thrown, fine).title).toBe('Something went wrong.'),
  )

  test('speaks of runs where training failed, and offers nothing that is a chat’s', () => {
    for (const name of KNOWN_ERROR_NAMES) {
      const { advice, detail, remedies, title } = explainTraining(error(name), fine)
      expect(title).toMatch(/\.$/)
      expect(`${title} ${advice}`, name).not.toMatch(/chat is kept|new chat/i)
      expect(detail).toBe('op: expected this, came that, do so')
      expect(remedies).not.toContain('retry')
      expect(remedies).not.toContain('new-chat')
    }
    expect(explainTraining(error('OutOfMemoryError'), fine).advice).toContain('micro-batch')
    expect(explainTraining(error('DeviceLostError'), fine).remedies).toContain('reload-model')
  })

  test('tells apart why training cannot begin or go on', () => {
    const of = (message: string) => explainTraining(error('TrainingError', message), fine)
    const diverged = of('train: loss or gradient was not finite in 5 steps in a row.')
    expect(diverged.title).toContain('no longer finite')
    expect(diverged.advice).toContain('lower learning rate')
    expect(of('train: this run is training in another tab or process. Pause it there first.').title).toBe(
      'This run is training in another tab or program.',
    )
    expect(of('train: another run is training. Pause or stop it first.').title).toBe(
      'Another run is training.',
    )
    for (const message of [
      "train: this run's precision was f16, but now it is q8. Load the model so.",
      'train: expected the data as when this run began, got another. Give the same data again.',
    ]) {
      const { title, advice } = of(message)
      expect(title).toBe('Training cannot begin or go on so.')
      expect(advice).not.toContain('learning rate')
    }
  })

  test('knows where advice sends to the details', () => {
    const points = (name: string, message?: string) =>
      pointsToDetail(explainTraining(error(name, message), fine))
    expect(['DatasetError', 'TrainingError', 'ConfigError'].map((name) => points(name))).toEqual([
      true,
      true,
      true,
    ])
    expect([points('ImageError'), points('DatasetError', '')]).toEqual([false, false])
  })

  test('what nobody foresaw says that runs are kept', () => {
    expect(explainTraining(error('Odd'), fine)).toMatchObject({
      title: 'Something went wrong.',
      advice: expect.stringContaining('runs are kept'),
      remedies: ['reload-page'],
    })
  })

  test('speaks the language it is given, and leaves the engine’s own words as they are', () => {
    const de = messagesOf('de')
    for (const name of [...KNOWN_ERROR_NAMES, 'Odd']) {
      const english = explain(error(name), fine)
      const german = explain(error(name), fine, de)
      expect(german.title, name).toMatch(/\.$/)
      expect(german.title, name).not.toBe(english.title)
      expect(german.advice === '', name).toBe(english.advice === '')
      expect({ ...german, title: '', advice: '' }).toEqual({ ...english, title: '', advice: '' })
    }
    expect(explain(error('NetworkError', 'came 404'), fine, de).title).toBe(
      'Das Modell oder eine seiner Dateien wurde nicht gefunden.',
    )
    expect(pointsToDetail(explain(error('ConfigError'), fine, de))).toBe(true)
  })

  test('knows a cancellation', () => {
    expect(isAbort(error('AbortError'))).toBe(true)
    expect(isAbort(error('Error'))).toBe(false)
    expect(isAbort(undefined)).toBe(false)
  })
})
