import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Watchdog } from './watchdog'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

const never = () => new Promise<never>(() => {})
const watched = () => {
  const onHang = vi.fn()
  return { onHang, watchdog: new Watchdog({ boundMs: 60_000, lookMs: 5_000, onHang }) }
}

test('says once that nothing ended, and what was first waited for', async () => {
  const { watchdog, onHang } = watched()
  watchdog.expect(never(), 'work on the GPU')
  watchdog.expect(never(), 'reading back')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(onHang).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(onHang.mock.calls).toEqual([[60_000, 'work on the GPU']])
  watchdog.expect(never(), 'more')
  await vi.advanceTimersByTimeAsync(200_000)
  expect(onHang).toHaveBeenCalledOnce()
})

test('is content as long as anything ends, well or not', async () => {
  const { watchdog, onHang } = watched()
  watchdog.expect(never(), 'hangs')
  for (let n = 0; n < 5; n++) {
    watchdog.expect(n % 2 ? Promise.resolve() : Promise.reject(new Error('refused')), 'ends')
    await vi.advanceTimersByTimeAsync(50_000)
  }
  expect(onHang).not.toHaveBeenCalled()
})

test('a thread that slept through the bound lets what ended meanwhile come first', async () => {
  const { watchdog, onHang } = watched()
  let end = () => {}
  watchdog.expect(new Promise<void>((resolve) => (end = resolve)), 'work')
  await vi.advanceTimersByTimeAsync(5_000)
  vi.setSystemTime(Date.now() + 3_600_000)
  await vi.advanceTimersByTimeAsync(5_000)
  end()
  await vi.advanceTimersByTimeAsync(100_000)
  expect(onHang).not.toHaveBeenCalled()
  expect(watchdog.isIdle).toBe(true)
})

test('a device that was seen to take long may take longer', async () => {
  const { watchdog, onHang } = watched()
  let end = () => {}
  watchdog.expect(new Promise<void>((resolve) => (end = resolve)), 'slow work')
  await vi.advanceTimersByTimeAsync(20_000)
  end()
  await vi.advanceTimersByTimeAsync(0)
  expect(watchdog.boundMs).toBe(400_000)
  watchdog.expect(never(), 'work')
  await vi.advanceTimersByTimeAsync(300_000)
  expect(onHang).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(120_000)
  expect(onHang).toHaveBeenCalledOnce()
})
