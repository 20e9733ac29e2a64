import type { ErrorName } from '../../../worker/api'

/** An error as the engine's client gives it: told apart by its name. */
export const engineError = (name: ErrorName, message: string): Error =>
  Object.assign(new Error(message), { name })

export const cancelled = () => engineError('AbortError', 'load: cancelled.')

/** For calls that can fail only with their engine, of which its leases are told. */
export const quietly = (call: Promise<unknown>): void => void call.catch(() => {})

/** Calls a listener. What it throws shows in the console and keeps nobody else from being told. */
export function tell<A extends unknown[]>(listener: (...args: A) => void, ...args: A): void {
  try {
    listener(...args)
  } catch (error) {
    reportError(error)
  }
}
