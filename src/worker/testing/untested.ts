/** Stands in for the self-test, which has tests of its own: it would compile all its kernels for every engine. */
export const untested = async () => ({ passed: true, checks: [], ms: 0 })
