/**
 * The content security policy that docs/embedding.md prints, with the origins of a page's own case.
 *
 * The page's own scripts and styles are none of the element's, and need sources of their own.
 */
export const strictCsp = (packageOrigin: string, modelOrigin = packageOrigin): string =>
  [
    "default-src 'none'",
    `script-src ${packageOrigin} 'wasm-unsafe-eval'`,
    'worker-src blob:',
    `connect-src ${modelOrigin}`,
    'img-src blob:',
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types trilobite trilobite-svelte dompurify',
  ].join('; ')
